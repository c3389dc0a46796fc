//! Decodes answers, as clients do.

use super::Answer;
use crate::wire::field::{FieldError, FieldReader};
use crate::wire::{ErrorCode, EventRef, Fault, Header, Ids, Kind, KindRow, Members, Status, flag};

impl<'a> Answer<'a> {
    /// Reads the payload that `header` announced.
    ///
    /// # Errors
    ///
    /// Error 1 if the flags or the payload do not fit the kind, 2 if the hub sends no such kind.
    pub fn decode(header: Header, payload: &'a [u8]) -> Result<Answer<'a>, Fault> {
        let Some(row) = KindRow::of(header.kind).filter(|row| !row.kind.is_request()) else {
            let text = format!("kind {:#04x} is not an answer", header.kind);
            return Err(Fault::new(ErrorCode::UnknownKind, header.kind, header.tag, text));
        };
        let malformed = |error: FieldError| Fault::malformed(row.kind, header.tag, error);
        Fault::check_flags(row, header)?;
        let mut fields = FieldReader(payload);
        let answer = Self::read(row.kind, header.flags, &mut fields).map_err(malformed)?;
        fields.end().map_err(malformed)?;
        Ok(answer)
    }

    fn read(kind: Kind, flags: u8, fields: &mut FieldReader<'a>) -> Result<Answer<'a>, FieldError> {
        Ok(match kind {
            Kind::Welcome => read_welcome(fields)?,
            Kind::IdentityReply => Answer::Identity(fields.id("user id")?),
            Kind::ListReply => Answer::List {
                users: Ids::new(fields.rest()).ok_or(FieldError::PastEnd("list of users"))?,
                more: flags & flag::MORE != 0,
            },
            Kind::RelayReceipt => Answer::Receipt(read_statuses(fields)?),
            Kind::SendReceipt => Answer::SendReceipt(read_statuses(fields)?),
            Kind::Joined => Answer::Joined { sessions: fields.u32("sessions")?, newest: fields.u64("newest id")? },
            Kind::Left => Answer::Left,
            Kind::Published => Answer::Published(fields.u64("event id")?),
            Kind::HistoryEnd => Answer::HistoryEnd {
                oldest: fields.u64("oldest id")?,
                newest: fields.u64("newest id")?,
                sent: fields.u32("count of events")?,
            },
            Kind::WhoReply => Answer::Who { members: Members::read(fields)?, more: flags & flag::MORE != 0 },
            Kind::Pong => Answer::Pong(fields.rest()),
            Kind::StatsReply => Answer::Stats(fields.rest_text("statistics")?),
            Kind::Beat => Answer::Beat { unix_ms: fields.u64("time")? },
            Kind::Deliver => Answer::Deliver { sender: fields.id("sender")?, body: fields.rest() },
            Kind::Mail => Answer::Mail {
                mail: fields.u64("mail id")?,
                unix_ms: fields.u64("time")?,
                sender: fields.id("sender")?,
                name: fields.str8("sender's name")?,
                body: fields.rest(),
                ack: flags & flag::ACK != 0,
            },
            Kind::Event => Answer::Event { event: EventRef::read(fields)?, replay: flags & flag::REPLAY != 0 },
            Kind::Closing => Answer::Closing { code: read_code(fields)?, text: fields.str8("text")? },
            Kind::Error => Answer::Error {
                code: read_code(fields)?,
                kind: fields.u8("kind")?,
                fatal: flags & flag::FATAL != 0,
                text: fields.str8("text")?,
            },
            Kind::Hello
            | Kind::Identity
            | Kind::List
            | Kind::Relay
            | Kind::Send
            | Kind::Ack
            | Kind::Join
            | Kind::Leave
            | Kind::Publish
            | Kind::History
            | Kind::Who
            | Kind::Ping
            | Kind::Bye
            | Kind::Alive
            | Kind::Stats => return Err(FieldError::UnknownValue("kind")),
        })
    }
}

fn read_welcome<'a>(fields: &mut FieldReader<'a>) -> Result<Answer<'a>, FieldError> {
    Ok(Answer::Welcome {
        version: fields.u8("version")?,
        user: fields.id("user id")?,
        max_body: fields.u32("max body")?,
        max_receivers: fields.u16("max receivers")?,
        heartbeat_secs: fields.u16("heartbeat seconds")?,
        name: fields.str8("name")?,
        server: fields.str8("server")?,
    })
}

fn read_statuses<'a>(fields: &mut FieldReader<'a>) -> Result<&'a [u8], FieldError> {
    let count = fields.u16("count of statuses")?;
    let statuses = fields.rest();
    match statuses.len().checked_sub(count.into()) {
        None => Err(FieldError::PastEnd("list of statuses")),
        Some(0) if statuses.iter().all(|&byte| Status::of(byte).is_some()) => Ok(statuses),
        Some(0) => Err(FieldError::UnknownValue("status")),
        Some(over) => Err(FieldError::TrailingBytes(over)),
    }
}

fn read_code(fields: &mut FieldReader<'_>) -> Result<ErrorCode, FieldError> {
    ErrorCode::of(fields.u16("code")?).ok_or(FieldError::UnknownValue("code"))
}
