//! What each request does. The match below names them all; each has a function.

use super::batch::is_alike;
use super::relay::Addressed;
use super::{Hub, User, name};
use crate::limits::{LIST_FRAME_IDS, SPARSE};
use crate::marks::{Mark, mark};
use crate::web::margin::Aside;
use crate::wire::{Answer, Decoder, ErrorCode, Fault, Frame, Ids, Kind, Request, SERVER, UserId, VERSION};

impl<L> Hub<L> {
    /// Takes in bytes from the user in `slot`, and carries out the whole frames among them, in place.
    ///
    /// The tail of an unfinished frame is kept. So is a request that has to wait, with all that follows it, until the
    /// user is resumed. A user that has departed gets nothing carried out; one that waits, or is not resumed yet, must
    /// not be fed.
    pub fn feed(&mut self, slot: usize, mut input: &[u8]) {
        if let Some(frame) = self.carry_out_all(slot, &mut input, false) {
            let mut held = frame.into_bytes().into_owned();
            held.reserve_exact(input.len());
            held.extend_from_slice(input);
            self.hold(slot, held, true);
        } else if self.users.get(slot).is_some_and(User::is_waiting) {
            mark(Mark::HeldUnread);
            self.hold(slot, input.to_vec(), false);
        }
    }

    /// Carries out what came in before the user in `slot` had to wait, where it need not any more. What has to wait
    /// again stays where it is: many may be resumed for each one that gets its turn.
    pub fn resume(&mut self, slot: usize) {
        let Some(user) = self.users.get_mut(slot) else { return };
        if !user.holds_requests || user.is_waiting() {
            return;
        }
        mark(Mark::Resumed);
        user.holds_requests = false;
        let mut held = user.decoder.release();
        self.unread -= held.len();
        let mut input = &held[..];
        let waited = user.front_waited;
        let waits = self.carry_out_all(slot, &mut input, waited).map_or(0, |frame| frame.header.frame_len());
        let done = held.len() - input.len() - waits;
        if self.users.get(slot).is_some_and(User::is_waiting) {
            mark(Mark::ResumedAndWaits);
            held.drain(..done);
            if held.capacity() > SPARSE * held.len() {
                held.shrink_to_fit();
            }
            self.hold(slot, held, waits > 0);
        }
    }

    /// Carries out the whole frames at the front of `input`, of which the first may have waited, until the user departs
    /// or has to wait. Returns the request that has to, where it is one that was not carried out.
    fn carry_out_all<'a>(&mut self, slot: usize, input: &mut &'a [u8], waited: bool) -> Option<Frame<'a>> {
        let waits = self.carry_out_each(slot, input, waited);
        self.volley.may_come = false;
        self.fire();
        waits
    }

    fn carry_out_each<'a>(&mut self, slot: usize, input: &mut &'a [u8], mut waited: bool) -> Option<Frame<'a>> {
        let bounds = self.limits.bounds();
        loop {
            self.users.get(slot).filter(|user| user.present && !user.is_waiting())?;
            let joined = self.relay_again(slot, input);
            if joined > 0 {
                *input = &input[joined..];
                continue;
            }
            let user = &mut self.users[slot];
            let (before, dialect) = (user.decoder.kept(), user.dialect);
            let next = user.decoder.next(input, |front| dialect.admit(&bounds, front));
            self.unread = self.unread - before + user.decoder.kept();
            match next {
                Ok(None) => return None,
                Ok(Some(frame)) => {
                    user.has_spoken = !dialect.is_guest();
                    self.whole_frames += 1;
                    self.volley.may_come = is_alike(&frame, input);
                    if let Err(frame) = self.carry_out(slot, frame, waited) {
                        return Some(frame);
                    }
                    waited = false;
                }
                Err(fault) => {
                    self.fail(slot, &fault);
                    // Whatever the fault: after it, nobody knows where the next frame begins.
                    self.depart(slot);
                }
            }
        }
    }

    /// Keeps what a waiting user has asked.
    fn hold(&mut self, slot: usize, held: Vec<u8>, front_waited: bool) {
        self.unread += held.len();
        let user = &mut self.users[slot];
        (user.holds_requests, user.front_waited) = (true, front_waited);
        user.decoder = Decoder::holding(held);
    }

    /// Carries out one request of a user who is present, or gives it back where it has to wait. Afterwards the user may
    /// have departed (a fatal fault, BYE) or be waiting; either way nothing more of it is carried out for now.
    fn carry_out<'a>(&mut self, slot: usize, mut frame: Frame<'a>, waited: bool) -> Result<(), Frame<'a>> {
        let has_notes = !self.users[slot].dialect.is_native();
        if has_notes && self.take_notes(slot, &mut frame) {
            return Ok(());
        }
        let (kind, len) = (frame.header.kind, frame.header.frame_len());
        let outcome = self.answer(slot, frame, waited);
        if has_notes {
            self.asked.clear();
        }
        outcome?;
        if let Some(kind) = Kind::of_request(kind) {
            self.stats.frames.count(kind, 1, len);
        }
        self.after_request(slot);
        Ok(())
    }

    /// Takes off the notes that the door left on a request. Says whether it was none, but an aside, and is carried out.
    #[inline(never)]
    fn take_notes(&mut self, slot: usize, frame: &mut Frame<'_>) -> bool {
        self.users[slot].dialect.open(frame, &mut self.asked);
        let Some(aside) = Aside::of(frame) else { return false };
        self.turn_aside(slot, &aside);
        self.after_request(slot);
        self.asked.clear();
        true
    }

    /// After a request was carried out: has the next one wait where it is time for that.
    pub(super) fn after_request(&mut self, slot: usize) {
        let user = &self.users[slot];
        if user.full && user.outbox.queued() > self.room_for_answers(user.dialect) {
            mark(Mark::SelfWaits);
            self.wait_for(slot, slot);
        }
        self.pace(slot);
        self.postpone_if_spent(slot);
    }

    fn answer<'a>(&mut self, slot: usize, frame: Frame<'a>, waited: bool) -> Result<(), Frame<'a>> {
        let tag = frame.header.tag;
        match Request::decode(frame.header, frame.payload()) {
            Ok(Request::Relay { receivers, body, receipt }) => {
                let (len, addressed) = (body.len(), self.address_users(slot, tag, receivers, waited));
                if !receipt && matches!(addressed, Addressed::Found) {
                    let front = frame.payload();
                    self.aim_at_users(&front[..front.len() - len], len);
                }
                return self.pass_on(slot, frame, addressed, len, receipt);
            }
            // Nothing outlives its receiver here: a name that has no session is unknown, STORE or not.
            Ok(Request::Send { names, body, receipt, store: _ }) => {
                let (len, addressed) = (body.len(), self.address_names(slot, tag, names, waited));
                return self.pass_on(slot, frame, addressed, len, receipt);
            }
            Ok(Request::Publish { room, body, receipt, no_echo }) => {
                self.publish(slot, tag, room, body, receipt, no_echo);
            }
            Ok(Request::Join { room }) => self.join(slot, tag, room),
            Ok(Request::Leave { room }) => self.leave(slot, tag, room),
            Ok(Request::History { room, after, limit }) => self.history(slot, tag, room, after, limit),
            Ok(Request::Who { room }) => self.who(slot, tag, room),
            Ok(Request::Hello { name, .. }) => self.hello(slot, tag, name),
            Ok(Request::Identity) => self.say(slot, tag, &Answer::Identity(self.users[slot].id)),
            Ok(Request::List) => self.list(slot, tag),
            Ok(Request::Ping(body)) => self.say(slot, tag, &Answer::Pong(body)),
            Ok(Request::Bye) => {
                self.stats.left += 1;
                self.depart(slot);
            }
            Ok(Request::Stats) => self.tell_stats(slot, tag),
            Ok(Request::Alive | Request::Ack(_)) => {}
            Err(fault) => self.fail(slot, &fault),
        }
        Ok(())
    }

    /// Names a user. One that takes another name leaves its rooms under the old one, and sees the events that say so.
    fn hello(&mut self, slot: usize, tag: u16, name: &str) {
        if let Some(why) = name::name_fault(name).filter(|_| !name.is_empty()) {
            return self.fail(slot, &Fault::new(ErrorCode::BadName, Kind::Hello as u8, tag, format!("HELLO: {why}")));
        }
        let answer = Answer::Welcome {
            version: VERSION,
            user: self.users[slot].id,
            max_body: self.limits.max_body,
            max_receivers: self.limits.max_receivers,
            heartbeat_secs: self.limits.heartbeat.as_secs().try_into().unwrap_or(u16::MAX),
            name,
            server: SERVER,
        };
        self.say(slot, tag, &answer);
        if self.users[slot].name.as_deref().unwrap_or_default() != name {
            self.part_all(slot);
            self.give_name(slot, name);
        }
        log::debug!("{} said hello", self.users[slot].label());
    }

    /// Tells what was counted, to whoever is on this machine.
    fn tell_stats(&mut self, slot: usize, tag: u16) {
        self.fire();
        if self.users[slot].is_local {
            let json = self.stats().to_json();
            return self.say(slot, tag, &Answer::Stats(&json));
        }
        self.stats.faults += 1;
        let text = "STATS is answered to clients on the hub's own machine alone";
        let (code, kind) = (ErrorCode::NotSignedIn, Kind::Stats as u8);
        self.say(slot, tag, &Answer::Error { code, kind, fatal: false, text });
    }

    /// The ids of all users but the one in `slot`, ascending.
    pub fn others(&self, slot: usize) -> Vec<UserId> {
        let others = self.users.iter().filter(|(key, user)| *key != slot && user.is_known());
        let mut ids: Vec<UserId> = others.map(|(_, user)| user.id).collect();
        ids.sort_unstable();
        ids
    }

    fn list(&mut self, slot: usize, tag: u16) {
        let ids = self.others(slot);
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
