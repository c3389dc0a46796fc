//! Sending what is queued.

use super::link::Stage;
use super::{Loop, Os};
use crate::marks::{Mark, mark};
use std::io::{self, IoSlice};

/// Pieces of an outbox offered in one send. More go in the next; few outboxes ever have as many.
const SLICES: usize = 16;

impl<O: Os> Loop<O> {
    /// Flushes each dirty link once.
    pub(super) fn flush_dirty(&mut self) {
        while let Some(slot) = self.hub.agenda.dirty.pop() {
            self.flush(slot);
        }
    }

    fn flush(&mut self, slot: usize) {
        self.hub.flushed(slot);
        while let Some(user) =
            self.hub.user_mut(slot).filter(|user| user.link.writable && user.link.stage != Stage::Doomed)
        {
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
                    if taken < offered {
                        mark(Mark::PartlySent);
                    }
                    self.said(slot);
                    if self.hub.sent(slot, taken) {
                        self.no_longer_full(slot);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => mark(Mark::SendInterrupted),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    mark(Mark::NothingSent);
                    link.writable = false;
                }
                Err(error) => {
                    mark(Mark::BrokeWhileSending);
                    log::debug!("{} is gone: {error}", user.label());
                    return self.broken(slot);
                }
            }
        }
        self.close_if_sent(slot);
    }
}
