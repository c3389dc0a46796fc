//! The life of a session: accepted or turned away, named, upgraded, closed, removed.

use super::Hub;
use super::codec::{Encoding, Protocol, RequestContext};
use super::remote_addr::{AddressCounts, AddressKey, RemoteAddr};
use super::role::Role;
use super::session::{AtGateway, Backlog, Phase, Session};
use crate::limits::{Limits, SPARE_CALLERS, TURNED_AWAY};
use crate::marks::{Mark, mark};
use crate::wire::{Answer, ErrorCode, Fault};

/// Admission: how many sessions each address has, and how many connections are beyond the limits.
#[derive(Debug, Default)]
pub(super) struct Admission {
    addresses: AddressCounts,
    /// Connections beyond the limits: they were turned away and linger to read why, or may only ask how the hub is.
    beyond: usize,
}

/// What has no room for another connection.
#[derive(Clone, Copy, Debug)]
enum Full {
    Hub,
    Address,
}

impl<L> Hub<L> {
    /// Accepts a connection and returns its slot. If a limit of connections is reached, the session is sent error 14
    /// and departs at once; an HTTP caller may ask how the hub is before that. An HTTP caller has an id, but is not a
    /// user before its [`upgrade`](Hub::upgrade).
    ///
    /// # Errors
    ///
    /// Returns `link` and the bytes to send before it is closed. This happens if too many sessions beyond the limit are
    /// still there, or if all four billion ids are used up: ids are never reused, so the hub must be restarted.
    pub fn accept(&mut self, link: L, remote: RemoteAddr, protocol: Protocol) -> Result<usize, (L, Vec<u8>)> {
        self.stats.accepted += 1;
        if self.sessions.is_out_of_ids() {
            return Err((link, self.last_words(protocol.encoding, &out_of_ids())));
        }
        let full = self.full(remote.key());
        let is_caller = protocol.role == Role::HttpCaller;
        if let Some(full) = full
            && self.admission.beyond >= TURNED_AWAY + if is_caller { SPARE_CALLERS } else { 0 }
        {
            let fault = self.refusal(full);
            return Err((link, self.last_words(protocol.encoding, &fault)));
        }
        let slot = self.sessions.insert(remote, protocol, link);
        self.stats.users += u64::from(!is_caller);
        match full {
            None => self.admission.addresses.add(remote.key(), self.limits.max_per_address),
            Some(_) if is_caller => {
                self.admission.beyond += 1;
                self.sessions[slot].phase = Phase::Spare;
            }
            Some(full) => {
                mark(Mark::TurnedAway);
                self.admission.beyond += 1;
                let fault = self.refusal(full);
                self.fail(slot, &RequestContext::default(), &fault);
                self.sessions[slot].phase = Phase::TurnedAway;
            }
        }
        self.stats.most_users = self.stats.most_users.max(self.stats.users);
        Ok(slot)
    }

    /// What has no room for another connection from this address, if anything has not.
    fn full(&self, address: Option<AddressKey>) -> Option<Full> {
        let Limits { max_connections, max_per_address, .. } = self.limits;
        // Departed sessions count as well, until they are removed.
        if self.sessions.len() - self.admission.beyond >= max_connections {
            Some(Full::Hub)
        } else if self.admission.addresses.is_full(address, max_per_address) {
            Some(Full::Address)
        } else {
            None
        }
    }

    /// The reason to turn away a connection, which is counted.
    fn refusal(&mut self, full: Full) -> Fault {
        let Limits { max_connections, max_per_address, .. } = self.limits;
        let text = match full {
            Full::Hub => {
                self.stats.refused_full += 1;
                format!("this hub is at its limit of {max_connections} connections; try again later")
            }
            Full::Address => {
                mark(Mark::AddressFull);
                self.stats.refused_address += 1;
                format!("this address is at its limit of {max_per_address} connections")
            }
        };
        Fault::new(ErrorCode::TooManyConnections, 0, 0, text)
    }

    /// Whether it is an HTTP caller beyond the limit of connections.
    pub fn is_spare(&self, slot: usize) -> bool {
        self.session(slot).is_some_and(|session| session.phase == Phase::Spare)
    }

    /// Counts an HTTP caller beyond the limit as one of those within, if there is room by now. If not, it is sent error
    /// 14, in reply to a request with this context, and departs. Returns whether it is within.
    pub fn admit_spare(&mut self, slot: usize, context: &RequestContext<'_>) -> bool {
        if !self.is_spare(slot) {
            return true;
        }
        let address = self.sessions[slot].origin.address();
        match self.full(address) {
            None => {
                self.admission.beyond -= 1;
                self.admission.addresses.add(address, self.limits.max_per_address);
                self.sessions[slot].phase = Phase::Calling;
                true
            }
            Some(full) => {
                let fault = self.refusal(full);
                self.fail(slot, context, &fault);
                false
            }
        }
    }

    /// The bytes to send to a connection for which the machine has no descriptor.
    pub fn refuse_without_descriptor(&mut self, encoding: Encoding) -> Vec<u8> {
        self.stats.accepted += 1;
        self.stats.refused_descriptors += 1;
        let text = "this hub has no descriptor left for another connection; try again later";
        self.last_words(encoding, &Fault::new(ErrorCode::TooManyConnections, 0, 0, text))
    }

    /// The bytes to send to a connection that is closed without becoming a session.
    fn last_words(&self, encoding: Encoding, fault: &Fault) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.fan_out.codecs.encode(encoding, &RequestContext::default(), &Answer::from(fault), &mut bytes);
        bytes
    }

    /// Makes an HTTP caller a user with another encoding. If a proxy forwarded the handshake, the hub can not tell
    /// whether the user is on this machine. The user gets a new id, because the proxy may have used this connection for
    /// requests of other clients, under the old id. Returns whether there was an id left; if not, the caller is told so
    /// and has departed.
    pub fn upgrade(&mut self, slot: usize, encoding: Encoding, is_forwarded: bool) -> bool {
        if !self.sessions.renew_id(slot) {
            self.fail(slot, &RequestContext::default(), &out_of_ids());
            return false;
        }
        let session = &mut self.sessions[slot];
        (session.role, session.encoding, session.phase) = (Role::User, encoding, Phase::Active);
        if is_forwarded {
            session.origin.forget_locality();
        }
        self.stats.users += 1;
        self.stats.most_users = self.stats.most_users.max(self.stats.users);
        self.stats.upgraded += 1;
        self.count_http_request();
        true
    }

    /// Gives a session another name, or none.
    pub(super) fn set_name(&mut self, slot: usize, name: &str) {
        self.remove_name(slot);
        if !name.is_empty() {
            let (name, index) = self.names.add(name, slot as u32);
            let session = &mut self.sessions[slot];
            (session.name, session.places.in_name) = (Some(name), index);
        }
        self.note_structure();
    }

    fn remove_name(&mut self, slot: usize) {
        let session = &mut self.sessions[slot];
        let index = session.places.in_name;
        let moved = session.name.take().and_then(|name| self.names.remove(&name, index));
        if let Some(moved) = moved {
            mark(Mark::NameMoved);
            self.sessions[moved as usize].places.in_name = index;
        }
        self.note_structure();
    }

    /// Makes a session depart at its own request: BYE, or the end of its stream.
    pub fn leave(&mut self, slot: usize) {
        self.stats.left += 1;
        self.depart(slot);
    }

    /// Ends a session: nothing more reaches it, and its requests are not executed any more. What is in its outbox may
    /// still be sent, and behind it what its encoding says last.
    pub fn depart(&mut self, slot: usize) {
        let Some(session) = self.sessions.get(slot).filter(|session| session.is_open()) else { return };
        let mut last = Vec::new();
        if let Some(codec) = self.fan_out.codecs.get(session.encoding) {
            codec.encode_close(session.closed_with, &mut last);
        }
        self.depart_with(slot, &last);
    }

    /// The same, with last bytes that the gateway supplies. If the session is `blamed`, it counts as closed with error
    /// 1; otherwise as having left.
    pub fn close_connection(&mut self, slot: usize, last: &[u8], blamed: bool) {
        if blamed {
            self.stats.count_close(ErrorCode::Malformed);
        } else {
            self.stats.left += 1;
        }
        self.depart_with(slot, last);
    }

    fn depart_with(&mut self, slot: usize, last: &[u8]) {
        if !last.is_empty() {
            self.push_bytes(slot, last);
        }
        if self.end_session(slot) {
            self.sessions.effects.departed.push(slot);
        }
    }

    /// Ends a session, if it is open. Returns whether it was.
    fn end_session(&mut self, slot: usize) -> bool {
        let Some(session) = self.sessions.get_mut(slot).filter(|session| session.is_open()) else { return false };
        session.phase = if session.phase == Phase::Spare { Phase::TurnedAway } else { Phase::Departed };
        self.unparsed -= session.unparsed_held();
        session.at_gateway = AtGateway::default();
        session.backlog = Backlog::Empty;
        session.decoder.release();
        drop(session.take_long_request());
        self.stats.users -= u64::from(session.role == Role::User);
        self.wake_waiters(slot);
        if let Some(maker) = self.sessions[slot].places.maker.take() {
            self.rooms.makers.note_gone(maker);
        }
        self.flush_batch();
        self.defer_departure(slot);
        self.remove_name(slot);
        self.note_structure();
        self.announce_departures();
        true
    }

    /// Sends every user the reason, and makes it depart. From now on only the host's listeners receive events of
    /// leaving.
    pub fn close_all(&mut self, code: ErrorCode, text: &str) {
        self.is_closing = true;
        self.announce_departures();
        for slot in self.slots().collect::<Vec<_>>() {
            if self.sessions[slot].role == Role::User {
                self.close(slot, code, text);
            }
        }
    }

    /// Whether the hub is shutting down.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Sends CLOSING with the reason to a session, and makes it depart. An HTTP caller without a pending request is
    /// sent nothing: it would take that for the response to its next request.
    pub fn close(&mut self, slot: usize, code: ErrorCode, text: &str) {
        let Some(session) = self.session(slot).filter(|session| session.is_open()) else { return };
        if session.is_addressable() {
            self.push(slot, &Answer::Closing { code, text });
        } else if session.unparsed() > 0 {
            let headers = session.headers().to_owned();
            let context = RequestContext { headers: &headers, ..RequestContext::default() };
            self.reply(slot, &context, &Answer::Closing { code, text });
        }
        self.close_with(slot, code);
    }

    /// Makes a session depart because of an error.
    pub(super) fn close_with(&mut self, slot: usize, code: ErrorCode) {
        self.stats.count_close(code);
        if let Some(session) = self.sessions.get_mut(slot) {
            session.closed_with = Some(code);
        }
        self.depart(slot);
    }

    /// Sends a BEAT to a user, behind everything that is queued for it.
    pub fn heartbeat(&mut self, slot: usize) {
        if self.session(slot).is_some_and(Session::is_addressable) {
            mark(Mark::Heartbeat);
            self.push(slot, &Answer::Beat { unix_ms: self.clock.unix_ms });
        }
    }

    /// Removes a session and returns what the loop kept for it.
    pub fn remove(&mut self, slot: usize) -> Option<L> {
        self.end_session(slot);
        if self.sessions.get(slot).is_some() {
            self.sessions.file_holder(slot, 0);
            self.wake_waiters(slot);
        }
        let mut session = self.sessions.slab.try_remove(slot)?;
        session.outbox.clear(&mut self.fan_out.pool);
        match session.phase {
            Phase::Spare | Phase::TurnedAway => self.admission.beyond -= 1,
            Phase::Calling | Phase::New | Phase::Active | Phase::Departed => {
                self.admission.addresses.remove(session.origin.address());
            }
        }
        Some(session.link)
    }
}

fn out_of_ids() -> Fault {
    Fault::new(ErrorCode::TooManyConnections, 0, 0, "this hub has given out all its ids, and must be restarted")
}
