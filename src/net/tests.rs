//! The loop over the virtual operating system: what only timing and faults bring out.

use super::virtual_os::{VirtualOs, World};
use super::{Edge, Loop};
use crate::limits::{ACCEPT_RETRY, LAST_LINGER, Limits, READ_BUDGET};
use crate::wire::{Answer, ErrorCode, HEADER_LEN, Header, Ids, Request, UserId};
use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

struct Bench {
    world: Rc<RefCell<World>>,
    net: Loop<VirtualOs>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Limits::default())
    }

    fn with(limits: Limits) -> Bench {
        let world = Rc::new(RefCell::new(World { descriptors: 1000, ..World::default() }));
        let net = Loop::new(VirtualOs(Rc::clone(&world)), limits);
        Bench { world, net }
    }

    fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// Turns until nothing is left to do at this moment.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.net.turn(Some(Duration::ZERO)).expect("it can not fail");
            let pending = self.world().wires.iter().any(|wire| !wire.closed && wire.has_edge());
            if !pending && (self.net.is_drained() || self.net.patience() != Some(Duration::ZERO)) {
                return;
            }
        }
        panic!("the loop does not come to rest");
    }

    /// Lets time pass, with every turn that it owes; returns how many those were.
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

    /// Somebody connects and is let in; returns the wire and the id.
    fn enter(&mut self) -> (usize, UserId) {
        let wire = self.world().connect();
        self.ask(wire, Request::Identity);
        self.settle();
        match &self.answers(wire)[..] {
            [(0x82, payload)] => (wire, Ids::new(payload).expect("one id").iter().next().expect("one id")),
            other => panic!("{other:?}"),
        }
    }

    fn ask(&self, wire: usize, request: Request<'_>) {
        let mut bytes = Vec::new();
        request.encode(1, &mut bytes);
        self.world().send(wire, &bytes);
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
        self.world().wires[wire].closed
    }
}

const MEGABYTE: &[u8] = &[7; 1 << 20];

fn closing(code: ErrorCode) -> impl Fn(&(u8, Vec<u8>)) -> bool {
    move |(kind, payload)| *kind == 0xCD && payload[..2] == (code as u16).to_be_bytes()
}

#[test]
fn quiet_links_owe_no_turn() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.enter();
    }
    assert_eq!(bench.net.patience(), None);
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
    bench.world().send(greedy, &bytes);
    bench.ask(modest, Request::Ping(b"me too"));
    bench.net.turn(Some(Duration::ZERO)).expect("it can not fail");
    assert_eq!(bench.answers(modest), [(0x8C, b"me too".to_vec())]);
    let left = bench.world().wires[greedy].inbound.len();
    assert!(left >= 2 * READ_BUDGET, "{left} bytes wait for their turn");
    assert_eq!(bench.net.patience(), Some(Duration::ZERO), "without an edge");
}

#[test]
fn a_sender_waits_for_a_full_receiver_and_goes_on_below_half() {
    let mut bench = Bench::new();
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 0);
    bench.settle();
    for _ in 0..8 {
        bench.relay(sender, id, MEGABYTE);
    }
    bench.ask(sender, Request::Ping(b"done"));
    bench.settle();
    assert!(bench.answers(sender).is_empty(), "its requests wait");
    bench.world().make_room(receiver, 1 << 20);
    bench.settle();
    assert_eq!(bench.net.hub().stats.waits, 1, "not below half yet");
    bench.world().make_room(receiver, 3 << 20);
    bench.settle();
    bench.world().make_room(receiver, usize::MAX);
    bench.settle();
    assert_eq!(bench.answers(sender), [(0x8C, b"done".to_vec())]);
    assert_eq!(bench.answers(receiver).len(), 8, "nothing is lost");
    assert_eq!(bench.net.patience(), None, "and nobody is watched any more");
}

#[test]
fn who_takes_too_little_for_too_long_is_told_and_closed_and_the_sender_goes_on() {
    let mut bench = Bench::new();
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 0);
    bench.settle();
    (0..6).for_each(|_| bench.relay(sender, id, MEGABYTE));
    bench.ask(sender, Request::Ping(b"done"));
    bench.settle();
    bench.pass(Limits::default().stall - Duration::from_millis(1));
    assert!(bench.answers(sender).is_empty());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.answers(sender), [(0x8C, b"done".to_vec())]);
    bench.world().make_room(receiver, usize::MAX);
    bench.settle();
    let heard = bench.answers(receiver);
    assert_eq!(heard.len(), 5, "the four that filled its queue, then why");
    assert!(heard.last().is_some_and(closing(ErrorCode::TooSlow)));
    bench.pass(Limits::default().linger);
    assert!(bench.is_closed(receiver));
    assert_eq!(bench.net.hub().stats.too_slow, 1);
}

#[test]
fn many_senders_can_not_fill_a_queue_beyond_its_limit_and_one_body() {
    let mut bench = Bench::new();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 0);
    let senders: Vec<usize> = (0..20).map(|_| bench.enter().0).collect();
    for &sender in &senders {
        bench.relay(sender, id, MEGABYTE);
        bench.ask(sender, Request::Ping(b"done"));
    }
    bench.settle();
    let queued = bench.net.hub().user(0).expect("it is here").outbox().queued();
    assert!(queued <= Limits::default().queue + MEGABYTE.len() + 16, "{queued} bytes");
    bench.world().make_room(receiver, usize::MAX);
    bench.settle();
    assert_eq!(bench.answers(receiver).len(), 20, "each is served in the end");
    assert!(senders.iter().all(|&sender| bench.answers(sender).len() == 1));
}

#[test]
fn who_writes_to_two_busy_receivers_gets_its_turn() {
    let mut bench = Bench::new();
    let (ann, ann_id) = bench.enter();
    let (bob, bob_id) = bench.enter();
    let (both, _) = bench.enter();
    let floods = [(bench.enter().0, ann_id), (bench.enter().0, bob_id)];
    for wire in [ann, bob] {
        bench.world().make_room(wire, 0);
    }
    for (wire, id) in floods {
        (0..60).for_each(|_| bench.relay(wire, id, MEGABYTE));
    }
    bench.settle();
    let block = [ann_id.0.to_be_bytes(), bob_id.0.to_be_bytes()].concat();
    let receivers = Ids::new(&block).expect("two ids");
    bench.ask(both, Request::Relay { receivers, body: b"to both", receipt: true });
    bench.settle();
    // They read in turns, so that hardly ever both have room at once.
    for _ in 0..6 {
        for wire in [ann, bob] {
            bench.world().make_room(wire, 3 << 20);
            bench.settle();
        }
    }
    assert_eq!(bench.answers(both), [(0x84, vec![0, 2, 0, 0])]);
}

#[test]
fn who_breaks_off_while_waiting_is_gone_at_once() {
    let mut bench = Bench::new();
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 0);
    bench.settle();
    (0..8).for_each(|_| bench.relay(sender, id, MEGABYTE));
    bench.settle();
    bench.world().reset(sender);
    bench.settle();
    assert!(bench.is_closed(sender) && !bench.is_closed(receiver));
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
    assert!(bench.world().wires[leaver].shut);
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
fn two_who_wait_for_each_other_go_on_when_they_read() {
    let mut bench = Bench::new();
    let (ann, ann_id) = bench.enter();
    let (bob, bob_id) = bench.enter();
    for wire in [ann, bob] {
        bench.world().make_room(wire, 0);
    }
    bench.settle();
    for _ in 0..8 {
        bench.relay(ann, bob_id, MEGABYTE);
        bench.relay(bob, ann_id, MEGABYTE);
    }
    bench.settle();
    for wire in [ann, bob] {
        bench.world().make_room(wire, usize::MAX);
    }
    bench.settle();
    assert_eq!((bench.answers(ann).len(), bench.answers(bob).len()), (8, 8));
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_read() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    bench.world().make_room(wire, 0);
    let mut pings = Vec::new();
    (0..60_000).for_each(|_| Request::Ping(&[1; 125]).encode(1, &mut pings));
    bench.world().send(wire, &pings);
    bench.settle();
    let queued = bench.net.hub().user(0).expect("it is here").outbox().queued();
    let limit = Limits::default().queue;
    assert!((limit..limit + 200).contains(&queued), "{queued} bytes");
    bench.world().make_room(wire, usize::MAX);
    bench.settle();
    assert_eq!(bench.answers(wire).len(), 60_000);
}

#[test]
fn a_fatal_error_is_followed_by_silence_and_a_bounded_wait_for_the_client() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    bench.world().send(wire, &[0x3F, 0, 0, 0, 0, 0, 0, 0]);
    bench.settle();
    assert!(matches!(&bench.answers(wire)[..], [(0xFF, payload)] if payload[..3] == [0, 2, 0x3F]));
    assert!(bench.world().wires[wire].shut && !bench.is_closed(wire));
    bench.world().send(wire, MEGABYTE);
    bench.settle();
    assert_eq!(bench.world().wires[wire].inbound.len(), 0, "it is discarded");
    bench.pass(Limits::default().linger - Duration::from_millis(1));
    assert!(!bench.is_closed(wire));
    bench.pass(Duration::from_millis(1));
    assert!(bench.is_closed(wire));
    assert_eq!(bench.net.patience(), None, "nothing is owed any more");
}

#[test]
fn a_client_that_ends_its_side_is_closed_at_once() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    bench.ask(wire, Request::Bye);
    bench.settle();
    assert!(bench.world().wires[wire].shut && !bench.is_closed(wire));
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
fn out_of_descriptors_it_neither_spins_nor_stalls() {
    let mut bench = Bench::new();
    bench.enter();
    bench.world().descriptors = 0;
    let late = bench.world().connect();
    bench.settle();
    bench.world().accepts = 0;
    let turns = bench.pass(Duration::from_secs(1));
    let retries = (1000 / ACCEPT_RETRY.as_millis()) as u32;
    assert!(turns <= retries + 1 && bench.world().accepts <= retries + 1, "{turns} turns");
    bench.world().descriptors = 1;
    bench.ask(late, Request::Identity);
    bench.pass(ACCEPT_RETRY);
    assert_eq!(bench.answers(late).len(), 1, "it was let in, though no edge came");
    assert_eq!(bench.net.patience(), None);
}

#[test]
fn edges_that_mean_nothing_change_nothing() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    let socket = |slot| Edge::Socket { slot, readable: true, writable: true, unusual: false, broken: false };
    bench.world().spurious = vec![socket(0), socket(12345), Edge::Woken, Edge::Accept { listener: 9 }];
    bench.settle();
    bench.ask(wire, Request::Ping(b"fine"));
    bench.settle();
    assert_eq!(bench.answers(wire), [(0x8C, b"fine".to_vec())]);
}

#[test]
fn a_slot_is_not_given_again_in_the_turn_that_vacates_it() {
    let mut bench = Bench::new();
    let (wire, old) = bench.enter();
    bench.world().end(wire);
    let newcomer = bench.world().connect();
    bench.net.turn(Some(Duration::ZERO)).expect("it can not fail");
    let slots: Vec<usize> = bench.net.hub().slots().collect();
    assert_eq!(slots, [1], "the newcomer sits beside the leaver, who is gone now");
    bench.ask(newcomer, Request::Identity);
    bench.settle();
    assert!(bench.net.hub().user(0).is_none_or(|user| user.id() != old));
}

#[test]
fn shutting_down_tells_all_and_ends_when_all_have_heard() {
    let mut bench = Bench::new();
    let wires: Vec<usize> = (0..3).map(|_| bench.enter().0).collect();
    bench.net.drain();
    bench.settle();
    for &wire in &wires {
        assert!(bench.answers(wire).last().is_some_and(closing(ErrorCode::GoingAway)));
        assert!(bench.world().wires[wire].shut && !bench.is_closed(wire));
    }
    wires[1..].iter().for_each(|&wire| bench.world().end(wire));
    bench.settle();
    assert!(!bench.net.is_drained(), "one may still be sending");
    bench.pass(LAST_LINGER);
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

#[test]
fn a_burst_that_many_hear_holds_up_nobody_and_is_told_to_its_end() {
    let mut bench = Bench::with(Limits { fan_out: 20_000, ..Limits::default() });
    let members: Vec<usize> = (0..20).map(|_| bench.enter().0).collect();
    members.iter().for_each(|&member| bench.ask(member, Request::Join { room: "lobby" }));
    bench.settle();
    members.iter().for_each(|&member| drop(bench.answers(member)));
    let ((eve, _), (bystander, _)) = (bench.enter(), bench.enter());
    for _ in 0..500 {
        bench.ask(eve, Request::Publish { room: "lobby", body: b"", receipt: false, no_echo: false });
    }
    bench.world().end(eve);
    bench.ask(bystander, Request::Ping(b"still there?"));
    (0..2).for_each(|_| bench.net.turn(Some(Duration::ZERO)).expect("it can not fail"));
    assert_eq!(bench.answers(bystander), [(0x8C, b"still there?".to_vec())]);
    let early = bench.answers(members[0]).len();
    assert!((1..100).contains(&early), "{early} are told so far");
    bench.settle();
    assert!(members[1..].iter().all(|&member| bench.answers(member).len() == 500));
    assert_eq!(early + bench.answers(members[0]).len(), 500);
    assert!(bench.is_closed(eve));
}
