//! Receiving, and handing the bytes to the hub.

use super::link::Stage;
use super::{Loop, Os};
use crate::limits::{READ_BUDGET, READ_FOR_EACH};
use crate::marks::{Mark, mark};
use std::io;

/// What became of one attempt to receive.
enum Received {
    /// So many bytes, and the buffer was filled: more may be there.
    Full(usize),
    /// So many bytes, and no more are there for now.
    Short(usize),
    /// Nothing for now.
    Nothing,
    /// The stream is at its end.
    End,
    /// The connection is broken.
    Broken,
}

impl<O: Os> Loop<O> {
    /// Reads each link on the ready list, then those whose wait is over. What still has data, and all that comes after
    /// this turn has told enough or the hub holds enough, goes on the next turn's list, and there before what is new.
    pub(super) fn read_ready(&mut self) {
        self.read_more = 0;
        for slot in std::mem::take(&mut self.hub.agenda.resumed) {
            self.queue_to_read(slot);
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.retain(|&slot| {
            let held_back = !self.may_be_read(slot);
            let waits = held_back || self.hub.is_spent();
            if held_back {
                self.pause_frame_timeout(slot);
            } else if !waits {
                self.serve(slot);
            }
            self.close_if_broken(slot);
            waits
        });
        ready.append(&mut self.ready);
        self.ready = ready;
    }

    /// Carries out what a user asked before it had to wait, then reads its link.
    fn serve(&mut self, slot: usize) {
        let frames = self.hub.whole_frames();
        let Some(user) = self.hub.user_mut(slot) else { return };
        user.link.in_read_queue = false;
        if user.holds_requests() && !user.is_waiting() {
            self.note_received(slot);
            self.hub.resume(slot);
        }
        #[cfg(feature = "ws")]
        self.take_up(slot);
        self.read(slot);
        self.update_reading_timeout(slot, self.hub.whole_frames() > frames);
    }

    /// Reads one link, as far as its budget and its user's waiting allow.
    fn read(&mut self, slot: usize) {
        let mut taken = 0;
        while self.may_read(slot) {
            let has_had_its_own = taken >= READ_BUDGET && !self.may_read_more();
            if has_had_its_own {
                mark(Mark::ReadBudget);
            }
            if has_had_its_own || !self.may_be_read(slot) {
                return self.queue_to_read(slot);
            }
            let count = match self.receive(slot) {
                Received::Full(count) => count,
                Received::Short(count) => {
                    self.rest(slot);
                    count
                }
                Received::Nothing => return self.rest(slot),
                Received::End => return self.end(slot),
                Received::Broken => return self.close_broken(slot),
            };
            self.hub.stats.bytes_in += count as u64;
            self.note_received(slot);
            self.take_in(slot, count);
            taken += count;
            self.read_more += if taken > READ_BUDGET { count } else { 0 };
        }
    }

    /// Hands what was just received to the hub, in the hub's own language.
    fn take_in(&mut self, slot: usize, count: usize) {
        #[cfg(feature = "ws")]
        if self.hub.user(slot).is_some_and(|user| !user.dialect().is_native()) {
            return self.take_in_by_door(slot, count);
        }
        self.hub.feed(slot, &self.buffer[..count]);
    }

    /// Whether a link that has had its budget may have more. Where thousands are told, their sends take so long that
    /// reading some more for each of them delays nobody by much, and makes each send carry more. What there is of that
    /// in a turn is for all together.
    fn may_read_more(&self) -> bool {
        self.read_more < self.hub.agenda.dirty.len() * READ_FOR_EACH
    }

    fn may_read(&self, slot: usize) -> bool {
        self.hub.user(slot).is_some_and(|user| {
            let link = &user.link;
            link.readable && !link.ended && link.stage != Stage::Closing && !user.is_waiting()
        })
    }

    fn receive(&mut self, slot: usize) -> Received {
        let Some(user) = self.hub.user_mut(slot) else { return Received::Broken };
        loop {
            return match self.os.receive(&mut user.link.socket, &mut self.buffer) {
                Ok(0) => Received::End,
                // A short read has emptied the socket, which spares the call that would say so. Not so where something
                // unusual cut it short (see `Edge`): what stands behind that causes no further edge.
                Ok(count) if count < self.buffer.len() && !user.link.unusual => Received::Short(count),
                Ok(count) => Received::Full(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    mark(Mark::ReadInterrupted);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
                Err(error) => {
                    mark(Mark::BrokeWhileReading);
                    log::debug!("{} is gone: {error}", user.label());
                    Received::Broken
                }
            };
        }
    }

    /// Nothing more is there until an edge says so.
    fn rest(&mut self, slot: usize) {
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.readable = false;
        }
    }

    /// The peer will ask nothing more. What it asked is answered yet, then the link is closed.
    fn end(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        user.link.ended = true;
        user.link.readable = false;
        if user.half_received() > 0 {
            mark(Mark::EndInAFrame);
            log::debug!("{} left after {} bytes of an unfinished frame", user.label(), user.half_received());
        }
        self.hub.stats.left += u64::from(user.is_present());
        self.hub.depart(slot);
        self.shut_if_sent(slot);
    }
}
