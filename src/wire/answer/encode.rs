//! Encodes answers: whole frames, and the heads of frames whose body is not copied.

use super::Answer;
use crate::wire::field::put_str8;
use crate::wire::header::put_frame;
use crate::wire::{ErrorCode, HEADER_LEN, Header, Kind, UserId, flag};

impl Answer<'_> {
    /// Appends the whole frame to `out`. A text over 255 bytes is cut between characters.
    ///
    /// # Panics
    ///
    /// If a receipt has over 65,535 statuses, or if the payload is over 4 GiB. The protocol allows neither.
    pub fn encode(&self, tag: u16, out: &mut Vec<u8>) {
        put_frame(out, self.kind(), self.flags(), tag, |out| self.put_payload(out));
    }

    fn flags(&self) -> u8 {
        match self {
            Answer::List { more: true, .. } | Answer::Who { more: true, .. } => flag::MORE,
            Answer::Mail { ack: true, .. } => flag::ACK,
            Answer::Event { replay: true, .. } => flag::REPLAY,
            Answer::Error { fatal: true, .. } => flag::FATAL,
            Answer::List { .. }
            | Answer::Who { .. }
            | Answer::Mail { .. }
            | Answer::Event { .. }
            | Answer::Error { .. }
            | Answer::Welcome { .. }
            | Answer::Identity(_)
            | Answer::Receipt(_)
            | Answer::SendReceipt(_)
            | Answer::Joined { .. }
            | Answer::Left
            | Answer::Published(_)
            | Answer::HistoryEnd { .. }
            | Answer::Pong(_)
            | Answer::Stats(_)
            | Answer::Deliver { .. }
            | Answer::Beat { .. }
            | Answer::Closing { .. } => 0,
        }
    }

    fn put_payload(&self, out: &mut Vec<u8>) {
        match *self {
            Answer::Welcome { version, user, max_body, max_receivers, heartbeat_secs, name, server } => {
                out.push(version);
                out.extend_from_slice(&user.0.to_be_bytes());
                out.extend_from_slice(&max_body.to_be_bytes());
                out.extend_from_slice(&max_receivers.to_be_bytes());
                out.extend_from_slice(&heartbeat_secs.to_be_bytes());
                put_str8(out, name);
                put_str8(out, server);
            }
            Answer::Identity(user) => out.extend_from_slice(&user.0.to_be_bytes()),
            Answer::List { users, .. } => out.extend_from_slice(users.as_bytes()),
            Answer::Receipt(statuses) | Answer::SendReceipt(statuses) => {
                let count = u16::try_from(statuses.len()).expect("a receipt has at most 65,535 statuses");
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(statuses);
            }
            Answer::Joined { sessions, newest } => {
                out.extend_from_slice(&sessions.to_be_bytes());
                out.extend_from_slice(&newest.to_be_bytes());
            }
            Answer::Left => {}
            Answer::Published(id) => out.extend_from_slice(&id.to_be_bytes()),
            Answer::HistoryEnd { oldest, newest, sent } => {
                out.extend_from_slice(&oldest.to_be_bytes());
                out.extend_from_slice(&newest.to_be_bytes());
                out.extend_from_slice(&sent.to_be_bytes());
            }
            Answer::Who { members, .. } => out.extend_from_slice(members.as_bytes()),
            Answer::Pong(body) => out.extend_from_slice(body),
            Answer::Stats(json) => out.extend_from_slice(json.as_bytes()),
            Answer::Beat { unix_ms } => out.extend_from_slice(&unix_ms.to_be_bytes()),
            Answer::Deliver { sender, body } => {
                out.extend_from_slice(&sender.0.to_be_bytes());
                out.extend_from_slice(body);
            }
            Answer::Mail { mail, unix_ms, sender, name, body, .. } => {
                put_mail_fields(out, mail, unix_ms, sender, name);
                out.extend_from_slice(body);
            }
            Answer::Event { event, .. } => event.put_payload(out),
            Answer::Closing { code, text } => put_error(out, code, &[], text),
            Answer::Error { code, kind, text, .. } => put_error(out, code, &[kind], text),
        }
    }
}

/// Appends the payload of a CLOSING or an ERROR. Only an ERROR has a field `between` code and text.
fn put_error(out: &mut Vec<u8>, code: ErrorCode, between: &[u8], text: &str) {
    out.extend_from_slice(&(code as u16).to_be_bytes());
    out.extend_from_slice(between);
    put_str8(out, text);
}

/// Bytes of a DELIVER before its body.
pub const DELIVER_HEAD: usize = HEADER_LEN + 8;

/// The bytes of a DELIVER before its body of `body_len` bytes. So a large body need not be copied for each receiver.
///
/// # Panics
///
/// If the body is over 4 GiB. The hub's limits are far below.
pub fn deliver_head(sender: UserId, body_len: usize) -> [u8; DELIVER_HEAD] {
    let length = u32::try_from(8 + body_len).expect("the limits keep a body under 4 GiB");
    let mut head = [0; DELIVER_HEAD];
    head[..HEADER_LEN].copy_from_slice(&Header { kind: Kind::Deliver as u8, flags: 0, tag: 0, length }.encode());
    head[HEADER_LEN..].copy_from_slice(&sender.0.to_be_bytes());
    head
}

/// Appends the bytes of a MAIL before its body of `body_len` bytes.
///
/// # Panics
///
/// If the body is over 4 GiB. The hub's limits are far below.
pub fn mail_head(mail: u64, unix_ms: u64, sender: UserId, name: &str, body_len: usize, out: &mut Vec<u8>) {
    let start = out.len();
    put_frame(out, Kind::Mail, 0, 0, |out| put_mail_fields(out, mail, unix_ms, sender, name));
    let length = u32::try_from(out.len() - start - HEADER_LEN + body_len).expect("the limits keep a body under 4 GiB");
    out[start + 4..start + HEADER_LEN].copy_from_slice(&length.to_be_bytes());
}

fn put_mail_fields(out: &mut Vec<u8>, mail: u64, unix_ms: u64, sender: UserId, name: &str) {
    out.extend_from_slice(&mail.to_be_bytes());
    out.extend_from_slice(&unix_ms.to_be_bytes());
    out.extend_from_slice(&sender.0.to_be_bytes());
    put_str8(out, name);
}
