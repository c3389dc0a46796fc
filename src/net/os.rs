//! The seam between the loop and the operating system. The loop does all its I/O and reads its clock through [`Os`], so
//! that a simulator can stand in its place; this file holds the contract and hardly any code.

use crate::hub::Peer;
use crate::web::Dialect;
use std::io::{self, IoSlice};
use std::time::Duration;

/// What an [`Os`] saw change. Readiness comes as edges: once when it begins, and not again before the loop has met
/// `WouldBlock` (or a short read or write, which says the same). Edges may be spurious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Connections wait to be accepted on this listener.
    Accept {
        /// Index of the listener.
        listener: usize,
    },
    /// The socket watched as `slot` changed.
    Socket {
        /// What [`Os::watch`] was given.
        slot: usize,
        /// Bytes, an end of stream or an error can be received.
        readable: bool,
        /// Bytes can be sent, or an error can be had by sending.
        writable: bool,
        /// The end of the stream, an error or urgent data has come, which cut reads short: from now on only
        /// `WouldBlock` says that nothing is left to receive.
        unusual: bool,
        /// The connection is broken: nobody will hear what is sent, or needs what was asked.
        broken: bool,
    },
    /// Somebody asked for a turn: a waker, or a descriptor of the host's.
    Woken,
}

/// Sockets, readiness and the clock, as the loop needs them. All calls but [`wait`](Os::wait) return at once.
pub trait Os {
    /// A connection. Dropping it closes it and ends its watch.
    type Socket;

    /// Time since some fixed moment; never goes back, whatever the wall clock does.
    fn now(&self) -> Duration;

    /// The wall clock: milliseconds since 1970. May jump.
    fn unix_ms(&self) -> u64;

    /// Appends the next edges to `edges`, waiting for the first at most `timeout` (`None`: for ever). A signal may end
    /// the wait early, with no edge. Says whether more edges may be there than it could take at once.
    ///
    /// # Errors
    ///
    /// Only what makes further waiting pointless.
    fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> io::Result<bool>;

    /// Accepts the next connection of a listener, not watched yet, and says whose it is.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where none waits; what the system says otherwise.
    fn accept(&mut self, listener: usize) -> io::Result<(Self::Socket, Peer)>;

    /// What is spoken by those who come in by a listener.
    fn dialect(&self, _listener: usize) -> Dialect {
        Dialect::Native
    }

    /// Gives up the descriptor kept in reserve, so that one more connection can be accepted and told that there is no
    /// room. Says whether there was one.
    fn spend_spare(&mut self) -> bool;

    /// Takes a descriptor into reserve again, where it was given up and one can be had.
    fn regain_spare(&mut self);

    /// Reports this socket's edges as `slot` from now on, both directions.
    ///
    /// # Errors
    ///
    /// Where the system can watch no more.
    fn watch(&mut self, socket: &mut Self::Socket, slot: usize) -> io::Result<()>;

    /// Whether reads of this socket may always be cut short, as after an unusual edge.
    fn is_unusual(&self, socket: &Self::Socket) -> bool;

    /// Receives into `buffer`: 0 at the end of the stream. Fewer bytes than asked for mean that no more are there, but
    /// for what is unusual.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where nothing is there, `Interrupted` by a signal; any other ends the connection.
    fn receive(&mut self, socket: &mut Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;

    /// Sends from `slices`, in order. Fewer bytes than offered mean that no more will go. Raises no SIGPIPE.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where nothing goes, `Interrupted` by a signal; any other ends the connection.
    fn send(&mut self, socket: &mut Self::Socket, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Says that nothing more will be sent. The other direction stays open. Errors do not matter.
    fn shut_down(&mut self, socket: &mut Self::Socket);

    /// Stops listening, but where only guests come in: those are still told that the hub ends.
    fn stop_listening(&mut self);
}
