//! Letting connections in.

use super::link::Link;
use super::{Loop, Os};
use crate::limits::{ACCEPT_BUDGET, ACCEPT_RETRY};
use std::io::{self, IoSlice};

/// How far accepting from one listener came.
enum Crowd {
    /// Nobody waits there; an edge will say when somebody does.
    Gone,
    /// Somebody may wait, but this turn's budget is used up.
    Waits,
    /// The machine has no room for another connection.
    NoRoom,
}

impl<O: Os> Loop<O> {
    /// Accepts from every listener where somebody waits.
    pub(super) fn accept_waiting(&mut self) {
        if self.accept_again.is_some_and(|at| self.now < at) {
            return;
        }
        let rested = self.accept_again.take().is_some();
        for listener in std::mem::take(&mut self.crowded) {
            match self.accept_from(listener, rested) {
                Crowd::Gone => {}
                Crowd::Waits => self.crowded.push(listener),
                Crowd::NoRoom => {
                    self.crowded.push(listener);
                    self.accept_again = Some(self.now + ACCEPT_RETRY);
                    self.hub.stats.accept_rests += 1;
                }
            }
        }
    }

    fn accept_from(&mut self, listener: usize, rested: bool) -> Crowd {
        for _ in 0..ACCEPT_BUDGET {
            match self.os.accept(listener) {
                Ok(socket) => self.let_in(socket),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Crowd::Gone,
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    // EMFILE and its like; anything unforeseen had better rest than spin.
                    _ => {
                        if !rested {
                            log::warn!("can not accept a connection: {error}; trying again every {ACCEPT_RETRY:?}");
                        }
                        return Crowd::NoRoom;
                    }
                },
            }
        }
        Crowd::Waits
    }

    fn let_in(&mut self, socket: O::Socket) {
        let unusual = self.os.is_unusual(&socket);
        let slot = match self.hub.enter(Link::new(socket, unusual)) {
            Ok(slot) => slot,
            Err(link) => return self.turn_away(link),
        };
        let Some(user) = self.hub.user_mut(slot) else { return };
        log::debug!("{} connected", user.label());
        if let Err(error) = self.os.watch(&mut user.link.socket, slot) {
            log::warn!("can not watch a connection: {error}");
            self.doom(slot);
        }
    }

    /// Tells somebody in one breath that there is no room. It may not come through where the peer has sent already.
    fn turn_away(&mut self, mut link: Link<O::Socket>) {
        let farewell = self.hub.farewell();
        if let Err(error) = self.os.send(&mut link.socket, &[IoSlice::new(&farewell)]) {
            log::debug!("a connection is closed without a word: {error}");
        }
    }
}
