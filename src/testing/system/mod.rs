//! A virtual operating system: sockets, readiness, a clock, and their faults. The loop runs over it through the [`Os`]
//! trait, in the tests of the loop and in the simulator.
//!
//! A [`World`] is either exact ([`World::exact`]): a test determines what happens and when. Or it draws faults and
//! delays from a seed ([`World::drawn`]): one number reproduces a run.

mod calls;
mod faults;
mod wire;
mod world;

pub use faults::{FAULTS, Fault, Faults};
pub use wire::{HubEnd, Pipe, Wire};
pub use world::{LISTENERS, Listener, Script, Step, Trace, Turn, World};

use crate::hub::{Protocol, RemoteAddr};
use crate::net::{Edge, Os};
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Duration;

/// The loop's end of a world.
#[derive(Clone, Debug)]
pub struct VirtualOs(pub Rc<RefCell<World>>);

/// The hub's end of a connection. It is closed when it is dropped.
#[derive(Debug)]
pub struct VirtualSocket(Rc<RefCell<World>>, usize);

impl Drop for VirtualSocket {
    fn drop(&mut self) {
        // The world can be borrowed here only while a panic unwinds through it.
        if let Ok(mut world) = self.0.try_borrow_mut() {
            world.close(self.1);
        }
    }
}

impl Os for VirtualOs {
    type Socket = VirtualSocket;

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    /// The one that a hub without a seed has, as the model foresees.
    fn seed(&self) -> u64 {
        0
    }

    fn unix_ms(&self) -> u64 {
        let world = self.0.borrow();
        (world.unix_ms + world.now.as_millis() as i64) as u64
    }

    fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> io::Result<bool> {
        Ok(self.0.borrow_mut().wait(timeout, edges))
    }

    fn accept(&mut self, listener: usize) -> io::Result<(VirtualSocket, RemoteAddr)> {
        let mut world = self.0.borrow_mut();
        let number = world.accept(listener)?;
        Ok((VirtualSocket(Rc::clone(&self.0), number), world.wires[number].peer))
    }

    fn protocol(&self, listener: usize) -> Protocol {
        // Spurious edges may name a listener that does not exist.
        self.0.borrow().listeners.get(listener).map_or(Protocol::NATIVE, |listener| listener.protocol)
    }

    fn spend_spare(&mut self) -> bool {
        self.0.borrow_mut().spend_spare()
    }

    fn regain_spare(&mut self) {
        self.0.borrow_mut().regain_spare();
    }

    fn watch(&mut self, socket: &mut VirtualSocket, slot: usize) -> io::Result<()> {
        self.0.borrow_mut().watch(socket.1, slot)
    }

    fn is_unusual(&self, socket: &VirtualSocket) -> bool {
        self.0.borrow().wires[socket.1].is_unusual
    }

    fn receive(&mut self, socket: &mut VirtualSocket, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().receive(socket.1, buffer)
    }

    fn send(&mut self, socket: &mut VirtualSocket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.borrow_mut().send(socket.1, slices)
    }

    fn shut_down(&mut self, socket: &mut VirtualSocket) {
        self.0.borrow_mut().shut_down(socket.1);
    }

    fn stop_listening(&mut self) {
        self.0.borrow_mut().stop_listening();
    }
}
