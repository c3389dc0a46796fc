//! Sending what is queued.

use super::link::{Link, Stage};
use super::{Loop, Os};
use crate::hub::{Outbox, User};
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
        while let Some(user) = self.hub.user_mut(slot).filter(may_send) {
            let (outbox, link) = user.outbox_and_link();
            let (offered, outcome) = match outbox.as_run() {
                Some(run) => (run.len(), self.os.send(&mut link.socket, &[IoSlice::new(run)])),
                None => send_pieces(&mut self.os, outbox, link),
            };
            match outcome {
                Ok(taken) => {
                    link.writable = taken == offered;
                    if taken < offered {
                        mark(Mark::PartlySent);
                    }
                    self.note_sent(slot);
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
                    return self.close_broken(slot);
                }
            }
        }
        self.shut_if_sent(slot);
    }
}

/// Whether a user has something to be sent that may go now.
fn may_send<S>(user: &&mut User<Link<S>>) -> bool {
    user.link.writable && user.outbox().queued() > 0 && user.link.stage != Stage::Closing
}

/// Offers the oldest pieces of an outbox in one send: how many bytes those are, and what became of them.
fn send_pieces<O: Os>(os: &mut O, outbox: &Outbox, link: &mut Link<O::Socket>) -> (usize, io::Result<usize>) {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = outbox.fill(&mut slices);
    let offered = slices[..count].iter().map(|slice| slice.len()).sum();
    (offered, os.send(&mut link.socket, &slices[..count]))
}
