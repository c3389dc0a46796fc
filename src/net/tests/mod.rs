//! The loop over the virtual operating system: what only timing and faults bring out.

mod crowd;
mod memory;
mod pressure;
mod time;
#[cfg(feature = "ws")]
mod web;

use super::{Edge, Loop};
use crate::hub::{Gateway, NativeOnly, Protocol, RemoteAddr, Session};
use crate::limits::{ACCEPT_RETRY, IfFull, Limits, READ_BUDGET, SHUTDOWN_LINGER, TRIM_EVERY};
use crate::testing::system::{VirtualOs, Wire, World};
use crate::wire::{Answer, ErrorCode, HEADER_LEN, Header, Ids, Kind, Request, Status, UserId};
use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

/// A loop in a world of its own.
struct Bench<G: Gateway = NativeOnly> {
    world: Rc<RefCell<World>>,
    net: Loop<VirtualOs, G>,
}

impl Bench {
    /// A loop without idle timeouts and heartbeats.
    fn new() -> Bench {
        Bench::with(quiet())
    }

    /// A loop with the default timeouts.
    fn new_with_times() -> Bench {
        Bench::with(Limits::default())
    }

    fn with(limits: Limits) -> Bench {
        Bench::with_gateway(&[Protocol::NATIVE], limits, NativeOnly)
    }
}

impl<G: Gateway> Bench<G> {
    /// A loop with one listener for each of these protocols.
    fn with_gateway(listeners: &[Protocol], limits: Limits, gateway: G) -> Bench<G> {
        let mut world = World::exact(listeners);
        world.linger = limits.linger;
        let world = Rc::new(RefCell::new(world));
        let net = Loop::with_gateway(VirtualOs(Rc::clone(&world)), limits, gateway);
        Bench { world, net }
    }

    fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// Runs turns until nothing is left to do at this moment.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.net.turn(Some(Duration::ZERO)).expect("it can not fail");
            assert_eq!(self.world().wrong, None);
            let pending = self.world().has_edges();
            if !pending && (self.net.is_drained() || self.net.patience() != Some(Duration::ZERO)) {
                return;
            }
        }
        panic!("the loop does not come to rest");
    }

    /// Lets time pass, and runs every turn that is due meanwhile. Returns the number of turns.
    fn pass(&mut self, time: Duration) -> u32 {
        let until = self.world().now + time;
        let mut turns = 0;
        while self.world().now < until {
            let left = until - self.world().now;
            self.net.turn(Some(left)).expect("it can not fail");
            turns += 1;
            assert!(turns < 10_000, "it spins");
        }
        self.settle();
        turns
    }

    /// The turns that are still due to release spare memory.
    fn owes(&mut self) -> Option<Duration> {
        self.pass(2 * TRIM_EVERY);
        self.net.patience()
    }

    /// Connects a client to the native listener, and returns its wire.
    fn connect(&mut self) -> usize {
        self.world().connect(0, Wire::new(RemoteAddr::Unix))
    }

    /// Connects a client that is accepted, and returns its wire and its id.
    fn enter(&mut self) -> (usize, UserId) {
        let wire = self.connect();
        self.ask(wire, Request::Identity);
        self.settle();
        match &self.answers(wire)[..] {
            [(0x82, payload)] => (wire, Ids::new(payload).expect("one id").iter().next().expect("one id")),
            other => panic!("{other:?}"),
        }
    }

    /// The client of a wire sends bytes.
    fn send(&self, wire: usize, bytes: &[u8]) {
        self.world().write(wire, bytes);
    }

    fn ask(&self, wire: usize, request: Request<'_>) {
        let mut bytes = Vec::new();
        request.encode(1, &mut bytes);
        self.send(wire, &bytes);
    }

    fn relay(&self, wire: usize, to: UserId, body: &[u8]) {
        let block = to.0.to_be_bytes();
        let receivers = Ids::new(&block).expect("one id");
        self.ask(wire, Request::Relay { receivers, body, receipt: false });
    }

    /// Takes the whole frames that were sent on a wire: kind and payload.
    fn answers(&self, wire: usize) -> Vec<(u8, Vec<u8>)> {
        let bytes = self.world().take(wire);
        let mut rest = &bytes[..];
        let mut answers = Vec::new();
        while let Some(header) = Header::decode(rest) {
            let (frame, after) = rest.split_at(header.frame_len());
            Answer::decode(header, &frame[HEADER_LEN..]).expect("the hub says what it can read");
            answers.push((header.kind, frame[HEADER_LEN..].to_vec()));
            rest = after;
        }
        assert!(rest.is_empty(), "whole frames");
        answers
    }

    fn is_closed(&self, wire: usize) -> bool {
        self.world().wires[wire].hub.closed
    }
}

/// The bytes of a relay.
fn relay_frame(to: &[UserId], body: &[u8]) -> Vec<u8> {
    let block: Vec<u8> = to.iter().flat_map(|id| id.0.to_be_bytes()).collect();
    let mut frame = Vec::new();
    let receivers = Ids::new(&block).expect("whole ids");
    Request::Relay { receivers, body, receipt: false }.encode(1, &mut frame);
    frame
}

const MEGABYTE: &[u8] = &[7; 1 << 20];

const SECOND: Duration = Duration::from_secs(1);

/// The default limits, without idle timeouts and heartbeats.
fn quiet() -> Limits {
    Limits { heartbeat: Duration::ZERO, idle: Duration::ZERO, frame_time: Duration::ZERO, ..Limits::default() }
}

fn closing(code: ErrorCode) -> impl Fn(&(u8, Vec<u8>)) -> bool {
    move |(kind, payload)| *kind == 0xCD && payload[..2] == (code as u16).to_be_bytes()
}

#[test]
fn one_byte_at_a_time_and_signals_in_between_change_nothing() {
    let mut bench = Bench::new();
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    for wire in [sender, receiver] {
        bench.world().wires[wire].step = 1;
        bench.world().wires[wire].interrupts = 20;
    }
    for body in [&b"a"[..], &[5; 5000], b"b"] {
        bench.relay(sender, id, body);
    }
    bench.settle();
    let bodies: Vec<usize> = bench.answers(receiver).iter().map(|(_, payload)| payload.len() - 8).collect();
    assert_eq!(bodies, [1, 5000, 1]);
}

#[test]
fn a_greedy_link_leaves_the_others_their_turn() {
    let mut bench = Bench::new();
    let (greedy, _) = bench.enter();
    let (modest, _) = bench.enter();
    let flood = vec![0; 64];
    let mut bytes = Vec::new();
    while bytes.len() < 4 * READ_BUDGET {
        Request::Ping(&flood).encode(1, &mut bytes);
    }
    bench.send(greedy, &bytes);
    bench.ask(modest, Request::Ping(b"me too"));
    bench.net.turn(Some(Duration::ZERO)).expect("it can not fail");
    assert_eq!(bench.answers(modest), [(0x8C, b"me too".to_vec())]);
    let left = bench.world().wires[greedy].unread();
    assert!(left >= 2 * READ_BUDGET, "{left} bytes wait for their turn");
    assert_eq!(bench.net.patience(), Some(Duration::ZERO), "without an edge");
}

#[test]
fn what_is_queued_for_one_who_is_full_and_says_bye_has_its_time() {
    let mut bench = Bench::new();
    let (sender, _) = bench.enter();
    let (leaver, id) = bench.enter();
    bench.world().make_room(leaver, 0);
    bench.settle();
    (0..4).for_each(|_| bench.relay(sender, id, MEGABYTE));
    bench.settle();
    bench.pass(Duration::from_secs(9));
    bench.ask(leaver, Request::Bye);
    bench.settle();
    bench.pass(Limits::default().stall - Duration::from_millis(1));
    bench.world().make_room(leaver, usize::MAX);
    bench.settle();
    assert_eq!(bench.answers(leaver).len(), 4);
    assert!(bench.world().wires[leaver].is_shut());
}

#[test]
fn a_slow_line_is_waited_for_and_a_dripping_one_is_not() {
    for (pace, is_whole) in [(100_000, true), (10, false)] {
        let mut bench = Bench::new();
        let (sender, _) = bench.enter();
        let (leaver, id) = bench.enter();
        bench.world().make_room(leaver, 0);
        bench.settle();
        (0..3).for_each(|_| bench.relay(sender, id, MEGABYTE));
        bench.settle();
        bench.ask(leaver, Request::Bye);
        bench.settle();
        for _ in 0..60 {
            bench.world().make_room(leaver, pace);
            bench.settle();
            bench.pass(Duration::from_secs(1));
        }
        let sent = bench.world().wires[leaver].outbound.len();
        assert_eq!(sent == 3 * (16 + MEGABYTE.len()), is_whole, "{sent} bytes at {pace} a second");
        assert!(bench.is_closed(leaver), "either way it comes to an end");
    }
}

#[test]
fn a_fatal_error_is_followed_by_silence_and_a_bounded_wait_for_the_client() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    bench.send(wire, &[0x3F, 0, 0, 0, 0, 0, 0, 0]);
    bench.settle();
    assert!(matches!(&bench.answers(wire)[..], [(0xFF, payload)] if payload[..3] == [0, 2, 0x3F]));
    assert!(bench.world().wires[wire].is_shut() && !bench.is_closed(wire));
    bench.send(wire, MEGABYTE);
    bench.settle();
    assert_eq!(bench.world().wires[wire].unread(), 0, "it is discarded");
    bench.pass(Limits::default().linger - Duration::from_millis(1));
    assert!(!bench.is_closed(wire));
    bench.pass(Duration::from_millis(1));
    assert!(bench.is_closed(wire));
    assert_eq!(bench.owes(), None, "nothing is owed any more");
}

#[test]
fn a_client_that_ends_its_side_is_closed_at_once() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    bench.ask(wire, Request::Bye);
    bench.settle();
    assert!(bench.world().wires[wire].is_shut() && !bench.is_closed(wire));
    bench.world().end(wire);
    bench.settle();
    assert!(bench.is_closed(wire));
}

#[test]
fn a_reset_closes_a_link_whatever_is_queued_for_it() {
    let mut bench = Bench::new();
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 10);
    bench.settle();
    bench.relay(sender, id, MEGABYTE);
    bench.settle();
    bench.world().reset(receiver);
    bench.settle();
    assert!(bench.is_closed(receiver));
    bench.ask(sender, Request::List);
    bench.settle();
    assert_eq!(bench.answers(sender), [(0x83, Vec::new())]);
}

#[test]
fn edges_that_mean_nothing_change_nothing() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    let socket = |slot| Edge::Socket { slot, readable: true, writable: true, unusual: false, broken: false };
    bench.world().script.spurious = vec![socket(0), socket(12345), Edge::Woken, Edge::Accept { listener: 9 }];
    bench.settle();
    bench.ask(wire, Request::Ping(b"fine"));
    bench.settle();
    assert_eq!(bench.answers(wire), [(0x8C, b"fine".to_vec())]);
}

#[test]
fn shutting_down_tells_all_and_ends_when_all_have_heard() {
    let mut bench = Bench::new();
    let wires: Vec<usize> = (0..3).map(|_| bench.enter().0).collect();
    bench.net.drain();
    bench.settle();
    for &wire in &wires {
        assert!(bench.answers(wire).last().is_some_and(closing(ErrorCode::GoingAway)));
        assert!(bench.world().wires[wire].is_shut() && !bench.is_closed(wire));
    }
    wires[1..].iter().for_each(|&wire| bench.world().end(wire));
    bench.settle();
    assert!(!bench.net.is_drained(), "one may still be sending");
    bench.pass(SHUTDOWN_LINGER);
    assert!(bench.is_closed(wires[0]) && bench.net.is_drained());
}

#[test]
fn shutting_down_waits_no_longer_than_it_may() {
    let mut bench = Bench::new();
    let (stuck, _) = bench.enter();
    bench.world().make_room(stuck, 0);
    bench.settle();
    bench.net.drain();
    bench.settle();
    bench.pass(Limits::default().drain - Duration::from_millis(1));
    assert!(!bench.net.is_drained());
    bench.net.turn(None).expect("it can not fail");
    assert!(bench.net.is_drained());
    assert_eq!(bench.world().now, Limits::default().drain);
}
