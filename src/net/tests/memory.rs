//! The memory limit: what the hub holds, and which sessions it closes if that is too much.

use super::*;
use crate::limits::{EVICTIONS, SMALL_REQUEST};

/// A client that has sent this many bytes of a relay of 1 MiB and then stopped. Also returns the rest of the relay.
fn begin_a_megabyte(bench: &mut Bench, to: UserId, sent: usize) -> (usize, Vec<u8>) {
    let wire = bench.enter().0;
    let mut frame = relay_frame(&[to], MEGABYTE);
    bench.send(wire, &frame[..sent]);
    bench.settle();
    (wire, frame.split_off(sent))
}

/// A hub that may hold 4 MiB.
fn small() -> Bench {
    Bench::with(Limits { memory: 4 << 20, ..quiet() })
}

#[test]
fn half_of_many_frames_leaves_room_for_those_who_ask_for_little() {
    let mut bench = Bench::with(Limits { memory: 16 << 20, ..quiet() });
    let (bystander, id) = bench.enter();
    (0..60).for_each(|_| drop(begin_a_megabyte(&mut bench, id, 900_000)));
    let held = bench.net.hub().held();
    assert!(held <= (10 << 20) + 1_000_000 + 60 * 2 * SMALL_REQUEST, "{held} bytes");
    bench.ask(bystander, Request::Ping(b"at once"));
    bench.relay(bystander, id, MEGABYTE);
    bench.pass(2 * SECOND);
    let heard: Vec<u8> = bench.answers(bystander).iter().map(|(kind, _)| *kind).collect();
    assert_eq!(heard, [0x8C, 0xC4], "what is large too");
    assert!(bench.net.hub().stats.closed_with(ErrorCode::TooSlow) > 3, "those that do not go on make room");
}

#[test]
fn one_who_waits_does_not_go_for_frames_that_others_do_not_finish() {
    let mut bench = Bench::with(Limits { memory: 8 << 20, stall: 30 * SECOND, ..quiet() });
    let ((stuck, id), (sender, _)) = (bench.enter(), bench.enter());
    bench.world().make_room(stuck, 0);
    (0..6).for_each(|_| bench.relay(sender, id, MEGABYTE));
    bench.settle();
    assert!(bench.net.hub().session(1).is_some_and(Session::is_waiting));
    (0..3).for_each(|_| drop(begin_a_megabyte(&mut bench, id, 1_000_000)));
    bench.world().make_room(stuck, 1 << 20);
    bench.pass(31 * SECOND);
    assert!(bench.net.hub().session(1).is_some_and(Session::is_open));
}

#[test]
fn those_who_do_not_read_go_at_once_and_nobody_waits_for_that() {
    let mut bench = small();
    let ((stuck, id), (sender, _), (bystander, _)) = (bench.enter(), bench.enter(), bench.enter());
    bench.world().make_room(stuck, 0);
    (0..8).for_each(|_| bench.relay(sender, id, &MEGABYTE[..900_000]));
    bench.settle();
    assert!(bench.net.hub().held() <= 4 << 20, "{} bytes", bench.net.hub().held());
    bench.ask(bystander, Request::Ping(b"now"));
    bench.settle();
    assert_eq!(bench.answers(bystander).len(), 1);
}

#[test]
fn many_who_send_something_large_at_once_all_get_through() {
    let mut bench = small();
    let (receiver, id) = bench.enter();
    let begun: Vec<(usize, Vec<u8>)> = (0..20).map(|_| begin_a_megabyte(&mut bench, id, 500_000)).collect();
    for (wire, rest) in &begun {
        bench.send(*wire, rest);
    }
    bench.settle();
    assert_eq!(bench.answers(receiver).len(), 20, "one after the other");
    assert!(bench.net.hub().stats.most_held <= (5 << 20) + 200_000);
    assert_eq!((bench.net.hub().held(), bench.owes()), (0, None));
}

#[test]
fn at_the_limit_the_largest_queues_go_at_once_and_small_ones_stay() {
    let mut bench = small();
    let ((sender, _), (slow, slow_id)) = (bench.enter(), bench.enter());
    let stuck: Vec<(usize, UserId)> = (0..6).map(|_| bench.enter()).collect();
    stuck.iter().map(|(wire, _)| wire).chain([&slow]).for_each(|&wire| bench.world().make_room(wire, 0));
    bench.relay(sender, slow_id, &MEGABYTE[..100_000]);
    for &(_, id) in &stuck {
        bench.relay(sender, id, &MEGABYTE[..900_000]);
        bench.pass(SECOND);
        assert!(bench.net.hub().held() < 4 << 20);
    }
    bench.ask(sender, Request::Ping(b"done"));
    bench.settle();
    assert_eq!(bench.answers(sender), [(0x8C, b"done".to_vec())]);
    let closed = bench.net.hub().stats.closed_with(ErrorCode::TooSlow) as usize;
    assert!((1..=3).contains(&closed), "{closed}");
    for &wire in stuck.iter().map(|(wire, _)| wire).chain([&slow]).filter(|wire| !bench.is_closed(**wire)) {
        bench.world().make_room(wire, usize::MAX);
    }
    bench.settle();
    assert_eq!(bench.answers(slow).len(), 1, "nothing of others is lost");
    let heard: Vec<u8> = stuck.iter().flat_map(|&(wire, _)| bench.answers(wire)).map(|(kind, _)| kind).collect();
    assert_eq!(heard.iter().filter(|kind| **kind == 0xC4).count(), 6 - closed);
}

#[test]
fn what_many_hear_is_held_once() {
    let mut bench = small();
    let (sender, _) = bench.enter();
    let all: Vec<(usize, UserId)> = (0..50).map(|_| bench.enter()).collect();
    all.iter().for_each(|&(wire, _)| bench.world().make_room(wire, 0));
    let block: Vec<u8> = all.iter().flat_map(|(_, id)| id.0.to_be_bytes()).collect();
    let receivers = Ids::new(&block).expect("ids");
    bench.ask(sender, Request::Relay { receivers, body: MEGABYTE, receipt: false });
    bench.ask(sender, Request::Ping(b"done"));
    bench.settle();
    assert_eq!(bench.answers(sender).len(), 1);
    assert!((1 << 20..(1 << 20) + 100_000).contains(&bench.net.hub().held()));
    all.iter().for_each(|&(wire, _)| bench.world().reset(wire));
    bench.settle();
    assert_eq!(bench.net.hub().held(), 0);
}

#[test]
fn requests_that_wait_are_carried_out_though_they_take_all_the_room() {
    let mut bench = Bench::with(Limits { memory: 4 << 20, queue: 1024, ..quiet() });
    let ((receiver, id), (filler, _)) = (bench.enter(), bench.enter());
    bench.world().make_room(receiver, 0);
    bench.relay(filler, id, &[1; 1100]);
    bench.settle();
    let senders: Vec<usize> = (0..6).map(|_| bench.enter().0).collect();
    let frame = relay_frame(&[id], MEGABYTE);
    for (number, &sender) in senders.iter().enumerate() {
        bench.send(sender, if number < 3 { &frame } else { &frame[..150_000] });
        bench.settle();
    }
    senders[3..].iter().for_each(|&sender| bench.send(sender, &frame[150_000..]));
    bench.settle();
    bench.world().make_room(receiver, usize::MAX);
    bench.settle();
    assert_eq!((bench.answers(receiver).len(), bench.net.hub().held()), (7, 0));
}

#[test]
fn while_much_drains_nobody_has_to_go() {
    let mut bench = Bench::with(Limits { memory: 4 << 20, ..quiet() });
    let receivers: Vec<(usize, UserId)> = (0..5).map(|_| bench.enter()).collect();
    let senders: Vec<usize> = (0..5).map(|_| bench.enter().0).collect();
    receivers.iter().for_each(|&(wire, _)| bench.world().make_room(wire, 0));
    for (&sender, &(_, id)) in senders.iter().zip(&receivers) {
        (0..100).for_each(|_| bench.relay(sender, id, &MEGABYTE[..100_000]));
    }
    bench.settle();
    for _ in 0..3000 {
        receivers.iter().for_each(|&(wire, _)| bench.world().make_room(wire, 3_000));
        bench.pass(Duration::from_millis(10));
    }
    assert_eq!(bench.net.hub().stats.closed_with(ErrorCode::TooSlow), 0);
}

#[test]
fn the_one_without_whom_most_is_free_goes_first() {
    let mut bench = small();
    let (sender, _) = bench.enter();
    let all: Vec<(usize, UserId)> = (0..10).map(|_| bench.enter()).collect();
    let (hog, hog_id) = bench.enter();
    all.iter().map(|(wire, _)| wire).chain([&hog]).for_each(|&wire| bench.world().make_room(wire, 0));
    let ids: Vec<UserId> = all.iter().map(|(_, id)| *id).collect();
    (0..2).for_each(|_| bench.send(sender, &relay_frame(&ids, MEGABYTE)));
    (0..3).for_each(|_| bench.send(sender, &relay_frame(&[hog_id], &MEGABYTE[..900_000])));
    bench.settle();
    let bystander = bench.connect();
    bench.ask(bystander, Request::Ping(b"done"));
    bench.pass(Limits::default().stall + SECOND);
    assert_eq!(bench.answers(bystander).len(), 1);
    assert!(bench.net.hub().session(11).is_none_or(|session| !session.is_open()), "the hog has gone");
    assert_eq!(bench.net.hub().stats.closed_with(ErrorCode::TooSlow), 1);
}

#[test]
fn one_who_had_departed_and_does_not_read_goes_when_it_must() {
    let mut bench = small();
    let ((sender, _), (leaver, leaver_id)) = (bench.enter(), bench.enter());
    let stuck: Vec<(usize, UserId)> = (0..3).map(|_| bench.enter()).collect();
    stuck.iter().map(|(wire, _)| wire).chain([&leaver]).for_each(|&wire| bench.world().make_room(wire, 0));
    (0..2).for_each(|_| bench.relay(leaver, leaver_id, &MEGABYTE[..1_000_000]));
    bench.ask(leaver, Request::Bye);
    bench.settle();
    bench.world().make_room(leaver, 200_000);
    bench.settle();
    stuck.iter().for_each(|&(_, id)| bench.relay(sender, id, &MEGABYTE[..900_000]));
    bench.pass(SECOND);
    assert!(bench.is_closed(leaver) && stuck.iter().all(|&(wire, _)| !bench.is_closed(wire)));
}

#[test]
fn the_host_is_refused_what_there_is_no_room_for() {
    let mut bench = small();
    let all: Vec<(usize, UserId)> = (0..50).map(|_| bench.enter()).collect();
    all.iter().for_each(|&(wire, _)| bench.world().make_room(wire, 0));
    let mut statuses = Vec::new();
    for &(_, id) in &all {
        statuses.extend(bench.net.hub_mut().relay_for_host(&[id], MEGABYTE));
        bench.settle();
    }
    assert!(bench.net.hub().held() < 6 << 20, "{} bytes", bench.net.hub().held());
    assert_eq!(statuses, [Status::Queued; 50], "those who hold most make room");
    for _ in 0..5 {
        let statuses = all.iter().map(|&(_, id)| bench.net.hub_mut().relay_for_host(&[id], MEGABYTE));
        assert!(statuses.flatten().any(|status| status == Status::Refused), "but not between two turns");
        bench.settle();
    }
}

#[test]
fn one_event_for_thousands_is_not_copied_thousands_of_times() {
    let mut bench = small();
    bench.world().descriptors = 10_000;
    let members: Vec<usize> = (0..2000).map(|_| bench.enter().0).collect();
    members.iter().for_each(|&wire| bench.ask(wire, Request::Join { room: "lobby" }));
    bench.settle();
    for &wire in &members {
        bench.answers(wire);
        bench.world().make_room(wire, 0);
    }
    bench.ask(members[0], Request::Publish { room: "lobby", body: &[1; 4095], receipt: false, no_echo: true });
    bench.settle();
    assert!(bench.net.hub().held() < 1 << 20, "{} bytes", bench.net.hub().held());
}

#[test]
fn hundreds_who_send_something_large_at_once_all_get_through() {
    let mut bench = Bench::with(Limits { memory: 16 << 20, frame_time: 30 * SECOND, ..quiet() });
    let (receiver, id) = bench.enter();
    let wires: Vec<usize> = (0..200).map(|_| bench.enter().0).collect();
    let frame = relay_frame(&[id], MEGABYTE);
    wires.iter().for_each(|&wire| bench.send(wire, &frame));
    bench.settle();
    assert_eq!((bench.answers(receiver).len(), bench.net.hub().held()), (200, 0));
}

#[test]
fn many_small_requests_go_on_beside_a_crowd() {
    let mut bench = Bench::with(Limits { memory: 16 << 20, ..quiet() });
    let (_, id) = bench.enter();
    (0..13).for_each(|_| drop(begin_a_megabyte(&mut bench, id, 700_000)));
    let (small, _) = bench.enter();
    (0..2000).for_each(|_| bench.ask(small, Request::Ping(&[3; 60])));
    bench.settle();
    assert_eq!(bench.answers(small).len(), 2000);
}

#[test]
fn the_one_that_goes_on_does_not_go_for_those_who_do_not() {
    let mut bench = Bench::with(Limits { memory: 16 << 20, frame_time: 30 * SECOND, ..quiet() });
    let (receiver, id) = bench.enter();
    (0..11).for_each(|_| drop(begin_a_megabyte(&mut bench, id, 700_000)));
    let (slow, rest) = begin_a_megabyte(&mut bench, id, 690_000);
    for piece in rest.chunks(20_000) {
        bench.send(slow, piece);
        bench.pass(SECOND);
    }
    assert_eq!(bench.answers(receiver).len(), 1);
    assert!(!bench.is_closed(slow));
}

#[test]
fn what_the_host_holds_at_the_limit_stops_requests_and_the_loop_does_not_spin() {
    let mut bench = small();
    let wire = bench.enter().0;
    bench.net.hub_mut().set_held_by_host(8 << 20);
    (0..100).for_each(|_| bench.ask(wire, Request::Ping(b"later")));
    bench.settle();
    assert!(bench.answers(wire).is_empty() && !bench.is_closed(wire));
    bench.net.hub_mut().set_held_by_host(0);
    bench.settle();
    assert_eq!(bench.answers(wire).len(), 100);
}

#[test]
fn hundreds_that_have_to_go_at_once_go_over_several_turns() {
    let mut bench = Bench::with(Limits { memory: 4 << 20, ..quiet() });
    bench.world().descriptors = 2_000;
    let (sender, _) = bench.enter();
    let stuck: Vec<(usize, UserId)> = (0..700).map(|_| bench.enter()).collect();
    stuck.iter().for_each(|&(wire, _)| bench.world().make_room(wire, 0));
    stuck.iter().for_each(|&(_, id)| bench.relay(sender, id, &[1; 3_500]));
    bench.settle();
    let limit = bench.net.hub().memory_limit();
    bench.net.hub_mut().set_held_by_host(limit);
    let mut closed = vec![0];
    while closed.len() < 2 || closed[closed.len() - 2] < closed[closed.len() - 1] {
        bench.net.turn(Some(Duration::from_secs(1))).expect("it can not fail");
        closed.push(bench.net.hub().stats.closed_with(ErrorCode::TooSlow));
    }
    let steps: Vec<u64> = closed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.len() > 3 && steps.iter().all(|&step| step <= EVICTIONS as u64), "{steps:?}");
    assert_eq!(closed.last(), Some(&700));
}

#[test]
fn who_reads_everything_misses_no_event_however_little_memory_is_left() {
    let mut bench = small();
    let [sender, reader, stuck] = [(); 3].map(|()| bench.enter().0);
    [sender, reader, stuck].iter().for_each(|&wire| bench.ask(wire, Request::Join { room: "lobby" }));
    bench.settle();
    bench.answers(reader);
    bench.world().make_room(stuck, 0);
    let limit = bench.net.hub().memory_limit();
    bench.net.hub_mut().set_held_by_host(limit - 600_000);
    for missed in [0, 50] {
        let publish = Request::Publish { room: "lobby", body: &[1; 3_000], receipt: false, no_echo: true };
        (0..50).for_each(|_| bench.ask(sender, publish));
        bench.settle();
        assert_eq!(bench.answers(reader).len(), 50, "far more than may be left unread");
        assert_eq!(bench.net.hub().stats.events_missed, missed, "by the one that has not read the first fifty");
    }
}
