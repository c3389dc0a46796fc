//! What each request does. The match below names them all; each has a function.

use super::relay::Addressed;
use super::{Hub, name};
use crate::limits::LIST_FRAME_IDS;
use crate::wire::{Answer, Decoder, ErrorCode, Fault, Frame, Ids, Kind, Request, SERVER, UserId, VERSION};

impl<L> Hub<L> {
    /// Takes in bytes from the user in `slot`, and carries out the whole frames among them, in place.
    ///
    /// The tail of an unfinished frame is kept. So is a request that has to wait, with all that follows it, until the
    /// user is resumed. A user that has departed gets nothing carried out; one that waits, or is not resumed yet, must
    /// not be fed.
    pub fn feed(&mut self, slot: usize, mut input: &[u8]) {
        let bounds = self.limits.bounds();
        while let Some(user) = self.users.get_mut(slot).filter(|user| user.present) {
            if user.is_waiting() {
                user.holds_requests = true;
                user.decoder = Decoder::holding(input.to_vec());
                return;
            }
            match user.decoder.next(&mut input, |front| bounds.admit(front)) {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    if let Err(frame) = self.carry_out(slot, frame) {
                        return self.hold(slot, frame, input);
                    }
                }
                Err(fault) => {
                    self.fail(slot, &fault);
                    // Whatever the fault: after it, nobody knows where the next frame begins.
                    self.depart(slot);
                }
            }
        }
    }

    /// Keeps a request that has to wait, and what follows it.
    fn hold(&mut self, slot: usize, frame: Frame<'_>, rest: &[u8]) {
        let user = &mut self.users[slot];
        user.holds_requests = true;
        let mut held = frame.into_bytes().into_owned();
        held.extend_from_slice(rest);
        user.decoder = Decoder::holding(held);
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

    /// Carries out one request of a user who is present, or gives it back where it has to wait. Afterwards the user may
    /// have departed (a fatal fault, BYE) or be waiting; either way nothing more of it is carried out for now.
    fn carry_out<'a>(&mut self, slot: usize, frame: Frame<'a>) -> Result<(), Frame<'a>> {
        let (tag, own) = (frame.header.tag, self.users[slot].id);
        match Request::decode(frame.header, frame.payload()) {
            Ok(Request::Relay { receivers, body, receipt }) => {
                let body_len = body.len();
                match self.address(slot, tag, receivers) {
                    Addressed::Wrong => {}
                    Addressed::Full => return Err(frame),
                    Addressed::Found => {
                        self.deliver(own, frame.into_bytes(), body_len);
                        if receipt {
                            self.receipt(slot, tag);
                        }
                    }
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
        self.stats.requests += 1;
        if self.users[slot].full {
            self.wait_for(slot, slot);
        }
        Ok(())
    }

    fn hello(&mut self, slot: usize, tag: u16, name: &str) {
        if let Some(why) = name::why_not(name).filter(|_| !name.is_empty()) {
            return self.fail(slot, &Fault::new(ErrorCode::BadName, Kind::Hello as u8, tag, why));
        }
        let user = &mut self.users[slot];
        user.name = name.into();
        log::debug!("{} said hello", user.label());
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
}
