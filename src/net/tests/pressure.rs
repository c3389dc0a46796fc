//! Clients that do not read, and the clients that send to them.

use super::*;
use crate::limits::ANSWER_WINDOW;
use crate::wire::Names;

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
    assert_eq!(bench.owes(), None, "and nobody is watched any more");
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
    assert_eq!(bench.net.hub().stats.closed_with(ErrorCode::TooSlow), 1);
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
    let queued = bench.net.hub().session(0).expect("it is here").outbox().queued();
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
    // They take turns in reading, so both hardly ever have room at the same time.
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

/// A client of the name `bob` that has filled itself and does not read.
fn full_bob(bench: &mut Bench) {
    let (wire, id) = bench.enter();
    bench.ask(wire, Request::Hello { name: "bob", token: "" });
    bench.settle();
    bench.world().make_room(wire, 0);
    (0..4).for_each(|_| bench.relay(wire, id, MEGABYTE));
    bench.settle();
}

/// A client that sends to `bob` and wants a receipt.
fn send_to_bob(bench: &mut Bench) -> usize {
    let (wire, mut block) = (bench.enter().0, Vec::new());
    Names::encode(["bob"], &mut block);
    let names = Names::new(&block).expect("a name");
    bench.ask(wire, Request::Send { names, body: b"hi", receipt: true, store: false });
    bench.settle();
    wire
}

#[test]
fn a_request_waits_for_ten_seconds_in_all_whoever_is_full() {
    // Senders that have waited fill a queue to 1.5 times the limit: one body is more than that here.
    let mut bench = Bench::with(Limits { queue: 1024, ..quiet() });
    full_bob(&mut bench);
    bench.pass(SECOND);
    let sender = send_to_bob(&mut bench);
    bench.pass(5 * SECOND);
    full_bob(&mut bench);
    bench.pass(Duration::from_millis(4_900));
    assert!(bench.answers(sender).is_empty(), "the first is gone, but not the second");
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.answers(sender), [(0x85, vec![0, 1, 2])], "refused");
}

#[test]
fn a_name_with_a_session_that_reads_is_reached_though_another_is_full() {
    let mut bench = Bench::new();
    let reader = bench.enter().0;
    bench.ask(reader, Request::Hello { name: "bob", token: "" });
    bench.settle();
    bench.answers(reader);
    full_bob(&mut bench);
    let sender = send_to_bob(&mut bench);
    assert_eq!(bench.answers(sender), [(0x85, vec![0, 1, 2])], "one of them refused");
    assert_eq!(bench.answers(reader).len(), 1);
}

#[test]
fn a_client_that_reads_none_of_its_answers_is_closed_after_the_idle_time() {
    let mut bench = Bench::with(Limits { idle: 90 * SECOND, ..quiet() });
    let (wire, _) = bench.enter();
    bench.world().make_room(wire, 0);
    let mut pings = Vec::new();
    (0..9_000).for_each(|_| Request::Ping(&[1; 125]).encode(1, &mut pings));
    bench.send(wire, &pings);
    bench.pass(89 * SECOND);
    bench.world().make_room(wire, 10);
    bench.pass(80 * SECOND);
    assert!(!bench.is_closed(wire), "it has read a little");
    bench.pass(100 * SECOND);
    assert!(bench.is_closed(wire));
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_read() {
    let mut bench = Bench::new();
    let (wire, _) = bench.enter();
    bench.world().make_room(wire, 0);
    let mut pings = Vec::new();
    (0..90_000).for_each(|_| Request::Ping(&[1; 125]).encode(1, &mut pings));
    bench.send(wire, &pings);
    bench.settle();
    let queued = bench.net.hub().session(0).expect("it is here").outbox().queued();
    assert!((ANSWER_WINDOW..ANSWER_WINDOW + 200).contains(&queued), "{queued} bytes");
    bench.world().make_room(wire, usize::MAX);
    bench.settle();
    assert_eq!(bench.answers(wire).len(), 90_000);
}

#[test]
fn a_burst_that_many_hear_holds_up_nobody_and_is_told_to_its_end() {
    let mut bench = Bench::with(Limits { fan_out: 20_000, ..quiet() });
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

#[test]
fn two_who_wait_for_each_other_and_do_not_read_go_on_after_a_second() {
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
    assert!([ann, bob].iter().any(|&wire| bench.world().wires[wire].unread() > 0), "they wait");
    bench.pass(2 * SECOND);
    assert!([ann, bob].iter().all(|&wire| bench.world().wires[wire].unread() == 0), "all they said is read");
    for wire in [ann, bob] {
        bench.world().make_room(wire, usize::MAX);
    }
    bench.settle();
    for wire in [ann, bob] {
        let heard = bench.answers(wire);
        let refused = heard.iter().filter(|(kind, payload)| *kind == 0xFF && payload[..2] == [0, 8]).count();
        let other = bench.net.hub().stats.refused;
        assert!(heard.len() - refused >= 4 && refused > 0 && other > 0, "{refused} were refused, and said so");
    }
    assert_eq!(bench.owes(), None, "and all is well again");
}

#[test]
fn a_larger_circle_is_broken_too_and_those_who_only_wait_for_it_lose_nothing() {
    let mut bench = Bench::new();
    let users: Vec<(usize, UserId)> = (0..4).map(|_| bench.enter()).collect();
    let outside = bench.enter().0;
    users.iter().for_each(|&(wire, _)| bench.world().make_room(wire, 0));
    for round in 0..10 {
        (0..4).for_each(|i| bench.relay(users[i].0, users[(i + 1) % 4].1, MEGABYTE));
        if round == 9 {
            bench.settle();
            bench.relay(outside, users[0].1, b"from outside");
        }
    }
    bench.pass(2 * SECOND);
    assert!(users.iter().all(|&(wire, _)| bench.world().wires[wire].unread() == 0), "all they said is read");
    users.iter().for_each(|&(wire, _)| bench.world().make_room(wire, usize::MAX));
    bench.settle();
    let heard = bench.answers(users[0].0);
    assert!(heard.iter().any(|(_, payload)| payload.ends_with(b"from outside")));
    assert!(bench.answers(outside).is_empty());
}

#[test]
fn a_circle_is_broken_also_where_a_body_is_larger_than_a_queue() {
    let mut bench = Bench::with(Limits { queue: 64 * 1024, ..quiet() });
    let (ann, ann_id) = bench.enter();
    let (bob, bob_id) = bench.enter();
    for wire in [ann, bob] {
        bench.world().make_room(wire, 0);
    }
    for _ in 0..8 {
        bench.relay(ann, bob_id, &MEGABYTE[..200_000]);
        bench.relay(bob, ann_id, &MEGABYTE[..200_000]);
    }
    bench.pass(2 * SECOND);
    assert!([ann, bob].iter().all(|&wire| bench.world().wires[wire].unread() == 0), "all they said is read");
}

#[test]
fn one_who_is_full_anew_has_its_second_anew() {
    let mut bench = Bench::new();
    let ((ann, ann_id), (bob, bob_id), (eve, _)) = (bench.enter(), bench.enter(), bench.enter());
    for wire in [ann, bob] {
        bench.world().make_room(wire, 0);
    }
    (0..8).for_each(|_| bench.relay(ann, bob_id, MEGABYTE));
    (0..5).for_each(|_| bench.relay(eve, ann_id, MEGABYTE));
    bench.settle();
    bench.world().make_room(ann, usize::MAX);
    bench.settle();
    bench.pass(Duration::from_millis(990));
    bench.world().make_room(ann, 0);
    (0..5).for_each(|_| bench.relay(eve, ann_id, MEGABYTE));
    bench.settle();
    assert!(bench.net.hub().session(0).is_some_and(Session::is_full));
    bench.pass(Duration::from_millis(20));
    assert_eq!(bench.net.hub().stats.refused, 0, "it is full for 20 ms");
}

#[test]
fn one_who_fills_its_own_queue_is_not_closed_for_what_others_send() {
    let mut bench = Bench::with(Limits { if_full: IfFull::Close, queue: 64 * 1024, ..quiet() });
    let (wire, _) = bench.enter();
    bench.ask(wire, Request::Join { room: "lobby" });
    for _ in 0..10 {
        bench.ask(wire, Request::Publish { room: "lobby", body: &[7; 4000], receipt: false, no_echo: true });
    }
    bench.settle();
    bench.world().make_room(wire, 0);
    (0..5).for_each(|_| bench.ask(wire, Request::History { room: "lobby", after: 0, limit: 100 }));
    bench.settle();
    assert!(bench.net.hub().session(0).is_some_and(|session| session.is_full() && session.is_open()));
}

#[test]
fn a_hub_may_refuse_at_once_what_is_for_the_full() {
    let mut bench = Bench::with(Limits { if_full: IfFull::Refuse, ..quiet() });
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 0);
    for _ in 0..6 {
        let block = id.0.to_be_bytes();
        let receivers = Ids::new(&block).expect("one id");
        bench.ask(sender, Request::Relay { receivers, body: MEGABYTE, receipt: true });
    }
    bench.relay(sender, id, MEGABYTE);
    bench.settle();
    let answers = bench.answers(sender);
    let statuses: Vec<u8> = answers[..6].iter().map(|(_, payload)| payload[2]).collect();
    assert_eq!(statuses, [0, 0, 0, 0, 2, 2]);
    assert!(answers[6].0 == 0xFF && answers[6].1[..3] == [0, 8, 4], "without a receipt it is told as well");
    assert_eq!(bench.net.hub().stats.refused, 3);
}

#[test]
fn a_hub_may_close_the_full_at_once() {
    let mut bench = Bench::with(Limits { if_full: IfFull::Close, ..quiet() });
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 0);
    (0..8).for_each(|_| bench.relay(sender, id, MEGABYTE));
    bench.ask(sender, Request::Ping(b"done"));
    bench.settle();
    assert_eq!(bench.answers(sender), [(0x8C, b"done".to_vec())]);
    assert!(bench.net.hub().session(1).is_some_and(|session| !session.is_open()));
    bench.world().make_room(receiver, usize::MAX);
    bench.settle();
    assert!(bench.answers(receiver).last().is_some_and(closing(ErrorCode::TooSlow)));
}

#[test]
fn a_turn_ends_by_the_clock_though_its_requests_should_take_less_time() {
    let mut bench = Bench::new();
    bench.world().descriptors = 1_000;
    let wires: Vec<usize> = (0..600).map(|_| bench.enter().0).collect();
    wires.iter().for_each(|&wire| bench.ask(wire, Request::Ping(b"now")));
    bench.world().times.receive = Duration::from_millis(1);
    bench.net.turn(Some(Duration::ZERO)).expect("it can not fail");
    let answered = |bench: &Bench| wires.iter().map(|&wire| bench.answers(wire).len()).sum::<usize>();
    let first = answered(&bench);
    assert!((1..200).contains(&first), "{first} in the first turn");
    bench.settle();
    assert_eq!(first + answered(&bench), 600);
}
