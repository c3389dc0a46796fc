//! The whole hub with its sessions: it is fed requests as the bytes of a read, and outboxes are emptied as by a flush.

use crate::cases::{Case, bytes};
use crate::wire::relay_frame;
#[cfg(feature = "ws")]
use cubby::hub::{Gateway, Role};
use cubby::hub::{Hub, Protocol, RemoteAddr};
#[cfg(feature = "ws")]
use cubby::web::{self, Web};
use cubby::wire::{Kind, Names, Request};
use cubby::{Limits, UserId};
use std::hint::black_box;
use std::io::IoSlice;

/// Pieces of an outbox that one send offers.
const SLICES: usize = 16;

/// The room of all members.
const ROOM: &str = "lobby";

/// A hub, and the session that sends requests.
struct Crowd {
    hub: Hub<()>,
    sender: usize,
}

impl Crowd {
    fn new() -> Crowd {
        #[cfg(feature = "ws")]
        let mut hub = Hub::with_codecs(Limits::default(), Web::default().codecs());
        #[cfg(not(feature = "ws"))]
        let mut hub = Hub::new(Limits::default());
        let sender = enter(&mut hub, Protocol::NATIVE);
        Crowd { hub, sender }
    }

    /// Adds a session, which sends this request and receives the answer. Returns its id.
    fn welcome(&mut self, request: Request<'_>) -> UserId {
        self.welcome_in(Protocol::NATIVE, request)
    }

    /// The same for a session of this protocol.
    fn welcome_in(&mut self, protocol: Protocol, request: Request<'_>) -> UserId {
        let slot = enter(&mut self.hub, protocol);
        self.turn(slot, &encoded(request));
        self.hub.session(slot).expect("it has just come").id()
    }

    /// A turn of the loop: handles what one session sent, and flushes all outboxes.
    fn turn(&mut self, from: usize, read: &[u8]) {
        self.hub.begin_turn(true);
        self.hub.receive(from, black_box(read));
        self.hub.effects_mut().begin_flush();
        while let Some(slot) = self.hub.effects_mut().next_dirty(true) {
            self.hub.mark_flushed(slot);
            while let Some(count) = self.offered(slot) {
                self.hub.sent(slot, count);
            }
        }
    }

    /// How many bytes a send would be offered and take; `None` if there is nothing to send.
    fn offered(&self, slot: usize) -> Option<usize> {
        let outbox = self.hub.session(slot)?.outbox();
        if let Some(run) = outbox.as_run() {
            return Some(black_box(run).len()).filter(|len| *len > 0);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = outbox.fill(&mut slices);
        let slices = black_box(&slices[..count]);
        (count > 0).then(|| slices.iter().map(|slice| slice.len()).sum())
    }

    /// Frames of one kind that were put into outboxes.
    fn told(&self, kind: Kind) -> usize {
        self.hub.stats.frames.of(kind).frames as usize
    }
}

fn enter(hub: &mut Hub<()>, protocol: Protocol) -> usize {
    hub.accept((), RemoteAddr::Unix, protocol).unwrap_or_else(|_| panic!("there is room"))
}

fn encoded(request: Request<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    request.encode(0, &mut frame);
    frame
}

/// The cost of a turn that handles this number of requests, each of which puts a frame of this kind into each
/// receiver's outbox. `make` makes the crowd, and the requests, which alternate.
fn turns(
    what: &str,
    [size, receivers, requests]: [usize; 3],
    kind: Kind,
    make: impl Fn() -> (Crowd, Vec<Vec<u8>>) + Send + Sync + 'static,
) -> Case {
    let name = format!("{what} {} to {receivers}, {requests} a turn", bytes(size));
    Case::new(name, [requests, receivers], move || {
        let (mut crowd, each) = make();
        let read: Vec<u8> = each.iter().cycle().take(requests).flatten().copied().collect();
        let before = crowd.told(kind);
        crowd.turn(crowd.sender, &read);
        assert_eq!(crowd.told(kind) - before, requests * receivers);
        Box::new(move || crowd.turn(crowd.sender, &read))
    })
}

/// Relays to ids: of small bodies, which are copied, and of one that is shared.
pub fn relay() -> Vec<Case> {
    let cases = [[64, 1, 1], [64, 1, 64], [64, 10, 64], [64, 100, 1], [64, 100, 64], [64, 255, 64], [4096, 100, 16]];
    let case = |[size, receivers, requests]: [usize; 3]| {
        turns("relay", [size, receivers, requests], Kind::Deliver, move || {
            let mut crowd = Crowd::new();
            let ids: Vec<UserId> = (0..receivers).map(|_| crowd.welcome(Request::Identity)).collect();
            (crowd, vec![relay_frame(&ids, size)])
        })
    };
    cases.into_iter().map(case).chain([relay_by_turns()]).collect()
}

/// Relays of which none goes to the receivers of the last one.
fn relay_by_turns() -> Case {
    turns("relay by turns", [64, 10, 64], Kind::Deliver, move || {
        let mut crowd = Crowd::new();
        let ids: Vec<UserId> = (0..20).map(|_| crowd.welcome(Request::Identity)).collect();
        (crowd, ids.chunks(10).map(|ids| relay_frame(ids, 64)).collect())
    })
}

/// Events of a room whose history is full.
pub fn publish() -> Vec<Case> {
    let native = [[64, 1000, 1], [64, 1000, 16]].map(|shape| publish_case("publish", shape, Protocol::NATIVE));
    #[cfg(feature = "ws")]
    let json =
        Some(publish_case("publish in JSON", [64, 1000, 16], Protocol { encoding: web::JSON, role: Role::User }));
    #[cfg(not(feature = "ws"))]
    let json = None;
    native.into_iter().chain(json).collect()
}

fn publish_case(what: &str, [size, members, requests]: [usize; 3], protocol: Protocol) -> Case {
    turns(what, [size, members, requests], Kind::Event, move || {
        let mut crowd = Crowd::new();
        for _ in 0..members {
            crowd.welcome_in(protocol, Request::Join { room: ROOM });
        }
        let request = encoded(Request::Publish { room: ROOM, body: &vec![b'7'; size], receipt: false, no_echo: false });
        for _ in 0..crowd.hub.limits().history {
            crowd.turn(crowd.sender, &request);
        }
        (crowd, vec![request])
    })
}

/// Mail to a name that has one session.
pub fn send() -> Vec<Case> {
    let case = |[size, requests]: [usize; 2]| {
        turns("send", [size, 1, requests], Kind::Mail, move || {
            let (mut crowd, mut bytes) = (Crowd::new(), Vec::new());
            crowd.welcome(Request::Hello { name: "ann", token: "" });
            Names::encode(["ann"], &mut bytes);
            let names = Names::new(&bytes).expect("one name");
            let request = encoded(Request::Send { names, body: &vec![7; size], receipt: false, store: false });
            (crowd, vec![request])
        })
    };
    [[64, 1], [64, 64]].into_iter().map(case).collect()
}
