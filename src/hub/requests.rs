//! What each request does. The match below names them all; each has a function.

use super::relay::WhenFull;
use super::{Hub, name};
use crate::limits::LIST_FRAME_IDS;
use crate::wire::{Answer, ErrorCode, Fault, Frame, Ids, Kind, Request, SERVER, UserId, VERSION};
use std::borrow::Cow;

impl<L> Hub<L> {
    /// Takes in bytes from the user in `slot`, and carries out the whole frames among them, in place.
    ///
    /// The tail of an unfinished frame is kept. So is all that follows a request that makes the user wait, until it is
    /// resumed. A user that has departed gets nothing carried out; one that waits, or is not resumed yet, must not be
    /// fed.
    pub fn feed(&mut self, slot: usize, mut input: &[u8]) {
        let bounds = self.limits.bounds();
        while let Some(user) = self.users.get_mut(slot).filter(|user| user.present) {
            if user.is_waiting() {
                user.holds_requests = true;
                return user.decoder.hold(input);
            }
            match user.decoder.next(&mut input, |front| bounds.admit(front)) {
                Ok(Some(frame)) => self.carry_out(slot, frame),
                Ok(None) => return,
                Err(fault) => {
                    self.fail(slot, &fault);
                    self.depart(slot);
                }
            }
        }
    }

    /// Carries out what came in before the user in `slot` had to wait, where it need not any more.
    pub fn resume(&mut self, slot: usize) {
        let Some(user) = self.users.get_mut(slot) else { return };
        if user.holds_requests && !user.is_waiting() {
            user.holds_requests = false;
            let held = user.decoder.release();
            self.feed(slot, &held);
        }
    }

    /// Carries out one request of a user who is present. Afterwards the user may have departed (a fatal fault, BYE) or
    /// be waiting; either way nothing more of it is carried out for now.
    fn carry_out(&mut self, slot: usize, frame: Frame<'_>) {
        self.stats.requests += 1;
        let (tag, own) = (frame.header.tag, self.users[slot].id);
        match Request::decode(frame.header, frame.payload()) {
            Ok(Request::Relay { receivers, body, receipt }) => {
                let (count, body_len) = (receivers.len(), body.len());
                if self.may_address(slot, tag, count) {
                    self.resolve(receivers.iter(), WhenFull::Wait);
                    self.relay(slot, own, frame.into_bytes(), body_len);
                    self.receipt(slot, receipt.then_some(tag));
                }
            }
            Ok(Request::Hello { name, .. }) => self.hello(slot, tag, name),
            Ok(Request::Identity) => self.say(slot, tag, &Answer::Identity(own)),
            Ok(Request::List) => self.list(slot, tag),
            Ok(Request::Ping(body)) => self.say(slot, tag, &Answer::Pong(body)),
            Ok(Request::Bye) => self.depart(slot),
            Ok(Request::Alive) => {}
            Err(fault) => self.fail(slot, &fault),
        }
        if self.users[slot].full {
            self.wait_for(slot, slot);
        }
    }

    fn hello(&mut self, slot: usize, tag: u16, name: &str) {
        if let Some(why) = name::why_not(name).filter(|_| !name.is_empty()) {
            return self.fail(slot, &Fault::new(ErrorCode::BadName, Kind::Hello as u8, tag, why));
        }
        let user = &mut self.users[slot];
        user.name = name.into();
        log::debug!("user {} is {name:?}", user.id);
        let answer = Answer::Welcome {
            version: VERSION,
            user: user.id,
            max_body: self.limits.max_body,
            max_receivers: self.limits.max_receivers,
            heartbeat_secs: 0,
            name,
            server: SERVER,
        };
        self.say(slot, tag, &answer);
    }

    fn list(&mut self, slot: usize, tag: u16) {
        let others = self.users.iter().filter(|(key, user)| *key != slot && user.present);
        let mut ids: Vec<UserId> = others.map(|(_, user)| user.id).collect();
        ids.sort_unstable();
        let mut block = Vec::new();
        let mut parts = ids.chunks(LIST_FRAME_IDS).peekable();
        loop {
            block.clear();
            Ids::encode(parts.next().unwrap_or_default(), &mut block);
            let users = Ids::new(&block).expect("a block of whole ids");
            let more = parts.peek().is_some();
            self.say(slot, tag, &Answer::List { users, more });
            if !more {
                break;
            }
        }
    }

    /// Whether a request may name so many receivers; where not, the user is told.
    fn may_address(&mut self, slot: usize, tag: u16, count: usize) -> bool {
        let most = self.limits.max_receivers;
        if (1..=usize::from(most)).contains(&count) {
            return true;
        }
        let text = format!("RELAY names {count} receivers; name 1 to {most}");
        self.fail(slot, &Fault::new(ErrorCode::TooManyReceivers, Kind::Relay as u8, tag, text));
        false
    }

    fn relay(&mut self, slot: usize, own: UserId, request: Cow<'_, [u8]>, body_len: usize) {
        if self.deliver(own, request, body_len) {
            self.wait_for_receivers(slot);
        }
    }

    /// Answers with the statuses in `scratch`, where a receipt was asked for.
    fn receipt(&mut self, slot: usize, tag: Option<u16>) {
        let Some(tag) = tag else { return };
        let statuses = std::mem::take(&mut self.scratch.statuses);
        self.say(slot, tag, &Answer::Receipt(&statuses));
        self.scratch.statuses = statuses;
    }
}
