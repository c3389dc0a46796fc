//! Sending what is queued, and the steps by which a link ends.

use super::{Loop, Os};
use crate::hub::User;
use std::io::{self, IoSlice};

/// Pieces of an outbox offered in one send. More go in the next; few outboxes ever have as many.
const SLICES: usize = 16;

impl<O: Os> Loop<O> {
    /// Flushes each dirty link once, and moves those that have departed a step towards their end.
    pub(super) fn flush_dirty(&mut self) {
        while let Some(slot) = self.hub.agenda.dirty.pop() {
            self.flush(slot);
        }
        while let Some(slot) = self.hub.agenda.filled.pop() {
            if self.hub.user(slot).is_some_and(User::is_full) {
                let stall = self.hub.limits().stall;
                self.set_due(slot, stall);
            }
        }
        while let Some(slot) = self.hub.agenda.departed.pop() {
            self.begin_to_close(slot);
        }
    }

    fn flush(&mut self, slot: usize) {
        self.hub.flushed(slot);
        while let Some(user) = self.hub.user_mut(slot).filter(|user| user.link.writable && !user.link.doomed) {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let (outbox, link) = user.outbox_and_link();
            let count = outbox.fill(&mut slices);
            if count == 0 {
                break;
            }
            let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            match self.os.send(&mut link.socket, &slices[..count]) {
                Ok(taken) => {
                    link.writable = taken == offered;
                    self.sent(slot, taken);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.writable = false,
                Err(error) => {
                    log::debug!("user {} is gone: {error}", user.id());
                    return self.doom(slot);
                }
            }
        }
        self.close_if_sent(slot);
    }

    /// So much of an outbox is sent. A user that is below half its limit now is no longer watched for being over.
    fn sent(&mut self, slot: usize, bytes: usize) {
        let was_full = self.hub.user(slot).is_some_and(User::is_full);
        self.hub.sent(slot, bytes);
        if was_full && self.hub.user(slot).is_some_and(|user| user.is_present() && !user.is_full()) {
            self.call_off(slot);
        }
    }

    /// A user has departed: what is left in its outbox has so long to be sent. One that was too slow has had its time.
    fn begin_to_close(&mut self, slot: usize) {
        self.close_if_sent(slot);
        let Some(user) = self.hub.user(slot).filter(|user| !user.link.doomed) else { return };
        let (unsent, full, readable) = (user.outbox().queued() > 0, user.is_full(), user.link.readable);
        if unsent {
            let limits = self.hub.limits();
            let delay = if full { limits.linger } else { limits.stall };
            self.set_due(slot, delay);
        }
        if readable {
            self.list_to_read(slot);
        }
    }

    /// Once a departed user's outbox is sent: shuts the link's side down, then waits for the peer to end its own, so
    /// that closing with input unread does not take back what was sent.
    pub(super) fn close_if_sent(&mut self, slot: usize) {
        let drains = self.drained_by.is_some();
        let linger = self.hub.limits().linger;
        let Some(user) = self.hub.user_mut(slot).filter(|user| !user.is_present() && user.outbox().queued() == 0)
        else {
            return;
        };
        let link = &mut user.link;
        if link.ended || drains && !link.readable {
            self.doom(slot);
        } else if !link.shut {
            link.shut = true;
            self.os.shut_down(&mut link.socket);
            self.set_due(slot, linger);
        }
    }
}
