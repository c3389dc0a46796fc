//! The seam: the loop's calls, passed on to the world.

use crate::faults::Fault;
use crate::world::{What, World};
use cubby::hub::Peer;
use cubby::net::{Edge, Os};
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Duration;

/// The loop's end of the world.
#[derive(Clone, Debug)]
pub struct VirtualOs(pub Rc<RefCell<World>>);

/// A connection; closes its wire when dropped.
#[derive(Debug)]
pub struct VirtualSocket(Rc<RefCell<World>>, usize);

impl Drop for VirtualSocket {
    fn drop(&mut self) {
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

    fn unix_ms(&self) -> u64 {
        let world = self.0.borrow();
        (world.unix_ms + world.now.as_millis() as i64) as u64
    }

    fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> io::Result<bool> {
        Ok(self.0.borrow_mut().wait(timeout, edges))
    }

    fn accept(&mut self, listener: usize) -> io::Result<(VirtualSocket, Peer)> {
        let mut world = self.0.borrow_mut();
        let number = world.accept(listener)?;
        Ok((VirtualSocket(Rc::clone(&self.0), number), world.wires[number].peer))
    }

    fn spend_spare(&mut self) -> bool {
        let mut world = self.0.borrow_mut();
        let spent = std::mem::take(&mut world.spare);
        world.descriptors += usize::from(spent);
        world.calls += 1;
        spent
    }

    fn regain_spare(&mut self) {
        let mut world = self.0.borrow_mut();
        if !world.spare && world.descriptors > 0 && !world.strikes(Fault::NoSpare) {
            world.spare = true;
            world.descriptors -= 1;
        }
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
        let mut world = self.0.borrow_mut();
        world.note(What::Shut, socket.1 as u64, 0);
        world.wires[socket.1].shut = true;
        world.wires[socket.1].shut_at = Some(world.now);
    }

    fn stop_listening(&mut self) {
        let mut world = self.0.borrow_mut();
        world.stopped = true;
        for number in world.backlogs.iter_mut().flat_map(std::mem::take).collect::<Vec<_>>() {
            world.reset(number);
        }
    }
}
