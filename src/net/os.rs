//! The interface between the loop and the operating system. The loop does all its I/O and reads its clocks through
//! [`Os`], so that a simulator can replace the system. This file is the contract, with hardly any code.

use crate::hub::{Protocol, RemoteAddr};
use std::io::{self, IoSlice};
use std::time::Duration;

/// A change that an [`Os`] reports. Readiness comes as edges: once when it begins, and not again until the loop has met
/// `WouldBlock` (or a short read or write, which means the same). Edges may be spurious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Connections wait to be accepted on this listener.
    Accept {
        /// Index of the listener.
        listener: usize,
    },
    /// The socket watched as `slot` changed.
    Socket {
        /// The slot that was given to [`Os::watch`].
        slot: usize,
        /// Bytes, an end of stream or an error can be received.
        readable: bool,
        /// Bytes can be sent, or a send would return an error.
        writable: bool,
        /// The end of the stream, an error or urgent data has come. These cut reads short, so from now on only
        /// `WouldBlock` means that nothing is left to receive.
        unusual: bool,
        /// The connection is broken: nothing can be sent any more. Reads may be cut short, as if `unusual`.
        broken: bool,
    },
    /// A waker, or a descriptor of the host, asked for a turn.
    Woken,
}

/// Sockets, readiness and the clock, as the loop needs them. All calls but [`wait`](Os::wait) return at once.
pub trait Os {
    /// A connection. Dropping it closes it, and its edges end.
    type Socket;

    /// The time since some fixed moment. It never goes back, whatever the wall clock does.
    fn now(&self) -> Duration;

    /// The wall clock, in milliseconds since 1970. It may jump.
    fn unix_ms(&self) -> u64;

    /// A number that is another one after a restart, as far as chance goes: the seed of what must differ then.
    fn seed(&self) -> u64;

    /// Appends the next edges to `edges`, and waits at most `timeout` for the first one (`None`: for ever). A signal
    /// may end the wait early, with no edge. Returns whether there may be more edges than it could take at once.
    ///
    /// # Errors
    ///
    /// Only errors after which waiting again is pointless.
    fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> io::Result<bool>;

    /// Accepts the next connection of a listener, and returns where it comes from. Its edges are not reported until it
    /// is [watched](Os::watch).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none waits; otherwise the error of the system.
    fn accept(&mut self, listener: usize) -> io::Result<(Self::Socket, RemoteAddr)>;

    /// The protocol of the connections of a listener.
    fn protocol(&self, _listener: usize) -> Protocol {
        Protocol::NATIVE
    }

    /// Closes the descriptor kept in reserve, so that one more connection can be accepted and told that there is no
    /// room. Returns whether there was one.
    fn spend_spare(&mut self) -> bool;

    /// Opens the descriptor in reserve again, if it was closed and the system has one left.
    fn regain_spare(&mut self);

    /// Reports the edges of this socket as `slot` from now on, in both directions.
    ///
    /// # Errors
    ///
    /// If the system can watch no more sockets.
    fn watch(&mut self, socket: &mut Self::Socket, slot: usize) -> io::Result<()>;

    /// Whether reads of this socket may always be cut short, as they may be after an unusual edge.
    fn is_unusual(&self, socket: &Self::Socket) -> bool;

    /// Receives into `buffer`: 0 at the end of the stream. Fewer bytes than fit mean that no more are there, unless
    /// reads may be cut short.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there, `Interrupted` by a signal. Any other ends the connection.
    fn receive(&mut self, socket: &mut Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;

    /// Sends from `slices`, in order. Fewer bytes than offered mean that no more will go. Raises no SIGPIPE.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing goes, `Interrupted` by a signal. Any other ends the connection.
    fn send(&mut self, socket: &mut Self::Socket, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends our side of the connection: nothing more will be sent. The other direction stays open. Errors do not
    /// matter.
    fn shut_down(&mut self, socket: &mut Self::Socket);

    /// Stops listening, except for HTTP callers: these are still told that the hub shuts down.
    fn stop_listening(&mut self);
}
