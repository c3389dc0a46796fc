//! Accepting from the listeners. Each connection is admitted, or it is sent the reason and closed.

use super::acceptor::Accepted;
use super::link::{Condition, Link};
use super::timeouts::Timeout;
use super::{Loop, Os};
use crate::hub::{Gateway, Protocol, RemoteAddr};
use crate::limits::{ACCEPT_BUDGET, ACCEPT_RETRY};
use crate::marks::{Mark, mark};
use std::io::{self, IoSlice};

/// Why accepting from a listener ended in this turn.
enum Outcome {
    /// No connection waits there any more.
    Empty,
    /// The budget of the turn is used up, and more may wait.
    BudgetUsed,
    /// The machine has no room for another connection.
    NoRoom(io::Error),
}

impl<O: Os, G: Gateway> Loop<O, G> {
    /// Accepts from every listener where connections wait.
    pub(super) fn accept_waiting(&mut self) {
        let Some((listeners, has_rested)) = self.acceptor.begin_turn(self.now) else { return };
        for listener in listeners {
            self.os.regain_spare();
            match self.accept_from(listener) {
                Outcome::Empty => {}
                Outcome::BudgetUsed => self.acceptor.note_waiting(listener),
                Outcome::NoRoom(error) => {
                    mark(Mark::AcceptRests);
                    if !has_rested {
                        log::warn!("cannot accept a connection: {error}; retrying every {ACCEPT_RETRY:?}");
                    }
                    self.acceptor.rest(listener, self.now);
                    self.hub.stats.accept_rests += 1;
                }
            }
        }
    }

    fn accept_from(&mut self, listener: usize) -> Outcome {
        let protocol = self.os.protocol(listener);
        let mut aborted = 0;
        for _ in 0..ACCEPT_BUDGET {
            match self.acceptor.accept(&mut self.os, listener, &mut aborted) {
                Accepted::Connection(socket, peer) => self.admit(socket, peer, protocol),
                Accepted::Excess(socket) => {
                    let farewell = self.hub.refuse_without_descriptor(protocol.encoding);
                    self.turn_away(socket, &farewell);
                    self.os.regain_spare();
                }
                Accepted::Aborted => {}
                Accepted::Empty => return Outcome::Empty,
                Accepted::NoRoom(error) => return Outcome::NoRoom(error),
            }
        }
        Outcome::BudgetUsed
    }

    fn admit(&mut self, socket: O::Socket, peer: RemoteAddr, protocol: Protocol) {
        let condition = if self.os.is_unusual(&socket) { Condition::ShortReads } else { Condition::Normal };
        let slot = match self.hub.accept(Link::new(socket, condition), peer, protocol) {
            Ok(slot) => slot,
            Err((link, farewell)) => {
                mark(Mark::RefusedAtOnce);
                return self.turn_away(link.socket, &farewell);
            }
        };
        let Some(session) = self.hub.session_mut(slot) else { return };
        log::debug!("{} connected", session.label());
        if let Err(error) = self.os.watch(&mut session.link.socket, slot) {
            mark(Mark::NotWatched);
            log::warn!("cannot watch a connection: {error}");
            return self.close_broken(slot);
        }
        let is_spare = self.hub.is_spare(slot);
        self.start_timeout(slot, if is_spare { Timeout::Spare } else { Timeout::InboundIdle });
        self.start_timeout(slot, Timeout::OutboundIdle);
    }

    /// Sends a connection the reason in one send, and closes it. Its input is received first, because closing with
    /// unread input would reset the connection and lose what was sent.
    fn turn_away(&mut self, mut socket: O::Socket, farewell: &[u8]) {
        if let Err(error) = self.os.send(&mut socket, &[IoSlice::new(farewell)]) {
            return log::debug!("closing a connection that cannot be told why: {error}");
        }
        self.os.shut_down(&mut socket);
        // The outcome does not matter: the input is discarded.
        let _ = self.os.receive(&mut socket, &mut self.buffer);
    }
}
