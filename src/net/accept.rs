//! Letting connections in.

use super::link::Link;
use super::{Loop, Os};
use crate::hub::Peer;
use crate::limits::{ACCEPT_BUDGET, ACCEPT_RETRY};
use crate::marks::{Mark, mark};
use crate::web::Dialect;
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
            self.os.regain_spare();
            match self.accept_from(listener, rested) {
                Crowd::Gone => {}
                Crowd::Waits => self.crowded.push(listener),
                Crowd::NoRoom => {
                    mark(Mark::AcceptRests);
                    self.crowded.push(listener);
                    self.accept_again = Some(self.now + ACCEPT_RETRY);
                    self.hub.stats.accept_rests += 1;
                }
            }
        }
    }

    fn accept_from(&mut self, listener: usize, rested: bool) -> Crowd {
        let mut failures = 0;
        for _ in 0..ACCEPT_BUDGET {
            match self.os.accept(listener) {
                Ok((socket, peer)) => {
                    self.out_of_descriptors = false;
                    self.let_in(socket, peer, self.os.dialect(listener));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Crowd::Gone,
                Err(error) if is_of_one(&error) && failures < ACCEPT_BUDGET / 2 => {
                    mark(Mark::AcceptFailedOnce);
                    failures += 1;
                    log::debug!("a connection was gone before it was accepted: {error}");
                }
                Err(error) => match self.refuse_one(listener, &error) {
                    Crowd::Waits => {}
                    Crowd::Gone => return Crowd::Gone,
                    Crowd::NoRoom => {
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

    fn let_in(&mut self, socket: O::Socket, peer: Peer, dialect: Dialect) {
        let unusual = self.os.is_unusual(&socket);
        let slot = match self.hub.enter(Link::new(socket, unusual), peer, dialect) {
            Ok(slot) => slot,
            Err((link, farewell)) => {
                mark(Mark::TurnedAwayInOneBreath);
                return self.send_off(link.socket, &farewell);
            }
        };
        let Some(user) = self.hub.user_mut(slot) else { return };
        log::debug!("{} connected", user.label());
        if let Err(error) = self.os.watch(&mut user.link.socket, slot) {
            mark(Mark::NotWatched);
            log::warn!("can not watch a connection: {error}");
            return self.broken(slot);
        }
        self.watch_newcomer(slot);
    }

    /// Out of descriptors: accepts one connection by the descriptor kept in reserve, tells it so, and closes it, so
    /// that nobody is left waiting without a word. Some systems say that there is no descriptor before they look
    /// whether anybody waits at all.
    fn refuse_one(&mut self, listener: usize, why: &io::Error) -> Crowd {
        self.os.regain_spare();
        if !is_out_of_descriptors(why) || !self.os.spend_spare() {
            mark(Mark::NoSpare);
            return Crowd::NoRoom;
        }
        mark(Mark::SpareSpent);
        let outcome = match self.os.accept(listener) {
            Ok((socket, _)) => {
                if !std::mem::replace(&mut self.out_of_descriptors, true) {
                    log::warn!("{why}: raise the descriptor limit, or lower --max-connections");
                }
                let farewell = self.hub.no_descriptor(self.os.dialect(listener));
                self.send_off(socket, &farewell);
                Crowd::Waits
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Crowd::Gone,
            Err(error) if is_of_one(&error) => Crowd::Waits,
            Err(_) => Crowd::NoRoom,
        };
        self.os.regain_spare();
        outcome
    }

    /// Tells somebody in one breath that there is no room, and closes. What it has sent already is received, for else
    /// closing would take back what was said.
    fn send_off(&mut self, mut socket: O::Socket, farewell: &[u8]) {
        if let Err(error) = self.os.send(&mut socket, &[IoSlice::new(farewell)]) {
            return log::debug!("a connection is closed without a word: {error}");
        }
        self.os.shut_down(&mut socket);
        // Whatever it was, nobody looks at it.
        let _ = self.os.receive(&mut socket, &mut self.buffer);
    }
}

/// Whether the system speaks of one connection that did not come about, rather than of accepting as such.
fn is_of_one(error: &io::Error) -> bool {
    let of_one = [libc::ECONNABORTED, libc::EINTR, libc::EPERM, libc::EPROTO, libc::ENETDOWN, libc::ENETUNREACH];
    error.raw_os_error().is_some_and(|code| of_one.contains(&code))
        || matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| code == libc::EMFILE || code == libc::ENFILE)
}
