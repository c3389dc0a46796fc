//! New clients: their addresses, and the properties of their connections.

use cubby::hub::RemoteAddr;
use cubby::testing::system::{Fault, LISTENERS, Wire, World};
use fastrand::Rng;

/// Connects a client; returns the number of the wire.
pub fn connect(world: &mut World) -> usize {
    let peer = peer(world.rng());
    let listener = world.rng().usize(..LISTENERS);
    let small = world.strikes(Fault::SmallSockets);
    let room = |rng: &mut Rng| if small { rng.usize(64..2_000) } else { rng.usize(4_000..100_000) };
    let (mut room_in, room_out) = (room(world.rng()), room(world.rng()));
    if world.rng().u8(..128) == 0 {
        room_in = 400_000;
    }
    let mut wire = Wire::new(peer);
    (wire.room_in, wire.room_out) = (room_in, room_out);
    wire.is_unusual = world.rng().u8(..4) == 0;
    world.connect(listener, wire)
}

/// The address of a client: this machine, or one of a few networks.
fn peer(rng: &mut Rng) -> RemoteAddr {
    match rng.u8(..6) {
        0 | 1 => RemoteAddr::Unix,
        2 => RemoteAddr::Ip([127, 0, 0, 1].into()),
        3 => RemoteAddr::Ip([0x2001, 0xDB8, 0, 0, 0, 0, 0, rng.u16(..)].into()),
        _ => RemoteAddr::Ip([192, 0, 2, rng.u8(..4)].into()),
    }
}
