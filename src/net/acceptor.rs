//! Accepting connections: which listeners have some waiting, what the errors of `accept` mean, and when to try again.
//! What happens to an accepted connection is in `admit`.

use super::os::Os;
use crate::hub::RemoteAddr;
use crate::limits::{ACCEPT_BUDGET, ACCEPT_RETRY};
use crate::marks::{Mark, mark};
use std::io;
use std::time::Duration;

/// Listeners with waiting connections.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    /// Listeners where connections may wait: there was an edge, and no `WouldBlock` since.
    waiting: Vec<usize>,
    /// When to try these again, if the machine had no room for another connection.
    retry_at: Option<Duration>,
    /// It was logged that no descriptor is left, and no connection has been admitted since.
    warned: bool,
}

/// What one call of [`Acceptor::accept`] gave.
#[derive(Debug)]
pub(super) enum Accepted<S> {
    /// A connection to admit.
    Connection(S, RemoteAddr),
    /// A connection for which no descriptor is left: it has the reserve descriptor, and must be turned away. Then the
    /// reserve can be [regained](Os::regain_spare).
    Excess(S),
    /// A connection was gone before it was accepted. Others may wait.
    Aborted,
    /// No connection waits. An edge will come when one does.
    Empty,
    /// The machine has no room for another connection.
    NoRoom(io::Error),
}

impl Acceptor {
    /// Notes that connections may wait at a listener.
    pub(super) fn note_waiting(&mut self, listener: usize) {
        if !self.waiting.contains(&listener) {
            self.waiting.push(listener);
        }
    }

    /// Takes out the listeners to accept from in this turn, unless accepting is paused. Also returns whether a pause
    /// has just ended.
    pub(super) fn begin_turn(&mut self, now: Duration) -> Option<(Vec<usize>, bool)> {
        if self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let has_rested = self.retry_at.take().is_some();
        Some((std::mem::take(&mut self.waiting), has_rested))
    }

    /// Pauses accepting, because the machine had no room for a connection of this listener.
    pub(super) fn rest(&mut self, listener: usize, now: Duration) {
        self.note_waiting(listener);
        self.retry_at = Some(now + ACCEPT_RETRY);
    }

    /// Forgets all listeners but these, when the hub shuts down.
    pub(super) fn keep_only(&mut self, keep: impl Fn(usize) -> bool) {
        self.waiting.retain(|&listener| keep(listener));
        self.retry_at = None;
    }

    /// Whether connections wait that can be accepted at once.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() && self.retry_at.is_none()
    }

    /// When accepting continues, if it is paused.
    pub(super) fn next(&self) -> Option<Duration> {
        self.retry_at
    }

    /// Accepts one connection. `aborted` counts the connections of this listener that were lost in this turn before
    /// they were accepted. If they are half of the budget, the error is not about a single connection.
    pub(super) fn accept<O: Os>(&mut self, os: &mut O, listener: usize, aborted: &mut usize) -> Accepted<O::Socket> {
        match os.accept(listener) {
            Ok((socket, peer)) => {
                self.warned = false;
                Accepted::Connection(socket, peer)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accepted::Empty,
            Err(error) if is_of_one(&error) && *aborted < ACCEPT_BUDGET / 2 => {
                mark(Mark::AcceptFailedOnce);
                *aborted += 1;
                log::debug!("a connection was lost before it was accepted: {error}");
                Accepted::Aborted
            }
            Err(error) => self.accept_by_reserve(os, listener, error),
        }
    }

    /// Out of descriptors: accepts one connection with the descriptor in reserve, so that it can be sent error 14. Some
    /// systems report that no descriptor is left even if no connection waits.
    fn accept_by_reserve<O: Os>(&mut self, os: &mut O, listener: usize, why: io::Error) -> Accepted<O::Socket> {
        os.regain_spare();
        if !is_out_of_descriptors(&why) || !os.spend_spare() {
            mark(Mark::NoSpare);
            return Accepted::NoRoom(why);
        }
        mark(Mark::SpareSpent);
        let accepted = match os.accept(listener) {
            Ok((socket, _)) => {
                if !std::mem::replace(&mut self.warned, true) {
                    log::warn!("{why}: raise the descriptor limit, or lower --max-connections");
                }
                return Accepted::Excess(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accepted::Empty,
            Err(error) if is_of_one(&error) => Accepted::Aborted,
            Err(_) => Accepted::NoRoom(why),
        };
        os.regain_spare();
        accepted
    }
}

/// Whether the error is about one connection that was not established, and not about accepting itself.
fn is_of_one(error: &io::Error) -> bool {
    let of_one = [libc::ECONNABORTED, libc::EINTR, libc::EPERM, libc::EPROTO, libc::ENETDOWN, libc::ENETUNREACH];
    error.raw_os_error().is_some_and(|code| of_one.contains(&code))
        || matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| code == libc::EMFILE || code == libc::ENFILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_listener_is_noted_once_and_taken_once() {
        let mut acceptor = Acceptor::default();
        [3, 5, 3].into_iter().for_each(|listener| acceptor.note_waiting(listener));
        assert!(acceptor.has_work());
        assert_eq!(acceptor.begin_turn(SECOND), Some((vec![3, 5], false)));
        assert!(!acceptor.has_work());
        assert_eq!(acceptor.begin_turn(SECOND), Some((vec![], false)));
    }

    #[test]
    fn accepting_rests_for_its_time_and_then_says_that_it_did() {
        let mut acceptor = Acceptor::default();
        acceptor.rest(3, SECOND);
        assert_eq!((acceptor.has_work(), acceptor.next()), (false, Some(SECOND + ACCEPT_RETRY)));
        assert_eq!(acceptor.begin_turn(SECOND), None);
        assert_eq!(acceptor.begin_turn(SECOND + ACCEPT_RETRY), Some((vec![3], true)));
        assert_eq!(acceptor.next(), None);
    }

    #[test]
    fn a_hub_that_shuts_down_keeps_some_listeners_and_rests_no_more() {
        let mut acceptor = Acceptor::default();
        [3, 4].into_iter().for_each(|listener| acceptor.rest(listener, SECOND));
        acceptor.keep_only(|listener| listener == 4);
        assert_eq!(acceptor.begin_turn(SECOND), Some((vec![4], false)));
    }

    #[test]
    fn an_error_of_one_connection_is_not_one_of_the_machine() {
        let of_one = [libc::ECONNABORTED, libc::EINTR].map(io::Error::from_raw_os_error);
        assert!(of_one.iter().all(|error| is_of_one(error) && !is_out_of_descriptors(error)));
        let of_all = [libc::EMFILE, libc::ENFILE].map(io::Error::from_raw_os_error);
        assert!(of_all.iter().all(|error| is_out_of_descriptors(error) && !is_of_one(error)));
    }
}
