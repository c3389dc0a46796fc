//! Clients that are silent, that finish a frame slowly, or that send requests too often.

use super::*;

#[test]
fn quiet_links_owe_no_turn() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.enter();
    }
    assert_eq!(bench.owes(), None);
}

#[test]
fn a_quiet_link_hears_the_hubs_clock_and_one_that_answers_stays() {
    let mut bench = Bench::new_with_times();
    let (wire, _) = bench.enter();
    for _ in 0..20 {
        bench.pass(Duration::from_secs(31));
        let answers = bench.answers(wire);
        assert!(matches!(&answers[..], [(0xCC, _)]), "{answers:?}");
        let clock = u64::from_be_bytes(answers[0].1[..].try_into().expect("eight bytes"));
        let now = 1_700_000_000_000 + bench.world().now.as_millis() as u64;
        assert!((now - 31_000..=now).contains(&clock));
        bench.ask(wire, Request::Alive);
        bench.settle();
    }
    assert!(!bench.is_closed(wire));
}

#[test]
fn one_that_never_answers_is_told_and_closed() {
    let mut bench = Bench::new_with_times();
    let (wire, _) = bench.enter();
    bench.pass(Duration::from_secs(90));
    assert_eq!(bench.answers(wire).iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [0xCC; 2]);
    bench.pass(Duration::from_secs(3));
    let last = bench.answers(wire);
    assert!(last.last().is_some_and(closing(ErrorCode::Idle)), "{last:?}");
    bench.pass(Limits::default().linger);
    assert!(bench.is_closed(wire));
    assert_eq!((bench.net.hub().stats.closed_with(ErrorCode::Idle), bench.owes()), (1, None));
}

#[test]
fn a_listener_in_a_busy_room_is_asked_too_and_stays_if_it_answers() {
    for answers in [true, false] {
        let mut bench = Bench::new_with_times();
        let (sender, _) = bench.enter();
        let (listener, id) = bench.enter();
        for _ in 0..100 {
            bench.relay(sender, id, b"news");
            bench.pass(SECOND);
            let asked = bench.answers(listener).iter().any(|(kind, _)| *kind == 0xCC);
            if asked && answers {
                bench.ask(listener, Request::Alive);
            }
        }
        bench.pass(Limits::default().linger);
        assert_eq!(bench.is_closed(listener), !answers);
    }
}

#[test]
fn one_whose_requests_the_hub_holds_up_is_not_idle() {
    let mut bench = Bench::with(Limits { idle: 4 * SECOND, stall: 60 * SECOND, ..quiet() });
    let (sender, _) = bench.enter();
    let (receiver, id) = bench.enter();
    bench.world().make_room(receiver, 0);
    (0..8).for_each(|_| bench.relay(sender, id, MEGABYTE));
    for _ in 0..20 {
        bench.ask(receiver, Request::Alive);
        bench.pass(SECOND);
    }
    bench.world().make_room(receiver, usize::MAX);
    bench.settle();
    assert!(!bench.is_closed(sender) && bench.answers(receiver).len() == 8);
    bench.pass(3 * SECOND);
    assert!(bench.answers(sender).is_empty(), "its time begins anew");
    bench.pass(2 * SECOND);
    assert!(bench.answers(sender).last().is_some_and(closing(ErrorCode::Idle)));
}

#[test]
fn a_frame_has_its_time_whatever_drips_in_and_a_steady_one_has_more() {
    for (first, pace, lasts) in [(true, 1, 10), (false, 1, 30), (false, 15_000, 30), (false, 20_000, 53)] {
        let mut bench = Bench::with(Limits { frame_time: 30 * SECOND, ..quiet() });
        let (receiver, id) = bench.enter();
        let wire = bench.connect();
        if !first {
            bench.ask(wire, Request::Ping(b""));
        }
        bench.settle();
        bench.answers(wire);
        let mut frame = Vec::new();
        let block = id.0.to_be_bytes();
        Request::Relay { receivers: Ids::new(&block).expect("one id"), body: MEGABYTE, receipt: true }
            .encode(1, &mut frame);
        let mut secs = 0;
        while bench.answers(wire).is_empty() {
            let piece: Vec<u8> = frame.drain(..pace.min(frame.len())).collect();
            bench.send(wire, &piece);
            bench.settle();
            bench.pass(SECOND);
            secs += 1;
        }
        assert!((lasts..=lasts + 1).contains(&secs), "{secs} s at {pace} bytes a second");
        assert_eq!(bench.answers(receiver).len(), usize::from(frame.is_empty()), "at {pace} bytes a second");
    }
}

#[test]
fn many_frames_that_are_each_in_time_are_fine_however_they_are_cut() {
    let mut bench = Bench::with(Limits { frame_time: 3 * SECOND, ..quiet() });
    let (wire, _) = bench.enter();
    let mut pings = Vec::new();
    (0..20).for_each(|_| Request::Ping(&[1; 92]).encode(1, &mut pings));
    for piece in pings.chunks(75) {
        bench.send(wire, piece);
        bench.pass(SECOND);
    }
    assert_eq!(bench.answers(wire).len(), 20);
}

#[test]
fn a_hub_that_slept_does_not_blame_those_who_spoke_meanwhile() {
    let mut bench = Bench::new_with_times();
    let (wire, _) = bench.enter();
    bench.ask(wire, Request::Ping(b"I am here"));
    bench.world().now += Duration::from_secs(1000);
    bench.settle();
    assert_eq!(bench.answers(wire)[0], (0x8C, b"I am here".to_vec()));
    bench.pass(Duration::from_secs(80));
    assert!(!bench.is_closed(wire));
}

#[test]
fn one_who_asks_too_often_is_read_later_and_loses_nothing() {
    let mut bench = Bench::with(Limits { rate: 100, ..quiet() });
    let ((eager, _), (modest, _)) = (bench.enter(), bench.enter());
    bench.pass(SECOND);
    (0..500).for_each(|_| bench.ask(eager, Request::Ping(b"")));
    bench.settle();
    let at_once = bench.answers(eager).len();
    assert_eq!(at_once, 100);
    bench.ask(modest, Request::Ping(b""));
    bench.settle();
    assert_eq!(bench.answers(modest).len(), 1);
    bench.pass(2 * SECOND);
    let later = bench.answers(eager).len();
    assert!((195..=205).contains(&later), "{later} in two seconds");
    bench.pass(3 * SECOND);
    assert_eq!(at_once + later + bench.answers(eager).len(), 500);
    assert_eq!(bench.owes(), None);
}

#[test]
fn one_with_a_backlog_is_asked_behind_it_and_stays_if_it_answers() {
    let mut bench = Bench::new_with_times();
    let ((sender, _), (listener, id)) = (bench.enter(), bench.enter());
    bench.world().make_room(listener, 0);
    bench.settle();
    let (mut heard, mut beats) = (Vec::new(), 0);
    for second in 0..200 {
        bench.relay(sender, id, &[7; 50_000]);
        bench.settle();
        if second > 4 {
            bench.world().make_room(listener, 50_016);
        }
        bench.pass(SECOND);
        heard.extend(bench.world().take(listener));
        while let Some(header) = Header::decode(&heard).filter(|header| heard.len() >= header.frame_len()) {
            heard.drain(..header.frame_len());
            if header.kind == 0xCC {
                beats += 1;
                bench.ask(listener, Request::Alive);
            }
        }
    }
    assert!((3..=5).contains(&beats), "{beats} beats");
    assert_eq!(bench.net.hub().stats.closed_with(ErrorCode::Idle), 0);
}

#[test]
fn a_crowd_of_edges_spares_nobody_for_ever() {
    let mut bench = Bench::with(Limits { frame_time: 30 * SECOND, ..quiet() });
    let ((busy, _), (drip, _)) = (bench.enter(), bench.enter());
    bench.world().script.claims_more = true;
    bench.send(drip, &[4, 0, 0, 1, 0, 0]);
    for _ in 0..120 {
        bench.ask(busy, Request::Ping(b""));
        bench.net.turn(Some(Duration::ZERO)).expect("it can not fail");
        bench.world().now += SECOND;
    }
    assert_eq!(bench.net.hub().stats.closed_with(ErrorCode::Idle), 1);
}

#[test]
fn a_process_that_was_stopped_looks_what_came_before_it_blames_anybody() {
    let mut bench = Bench::with(Limits { frame_time: 2 * SECOND, ..quiet() });
    let (wire, _) = bench.enter();
    let mut frame = Vec::new();
    Request::Ping(&[1; 100]).encode(1, &mut frame);
    bench.send(wire, &frame[..50]);
    bench.settle();
    // The next wait takes a minute, and does not report what arrived meanwhile.
    bench.send(wire, &frame[50..]);
    bench.world().script.asleep = Some(60 * SECOND);
    bench.net.turn(None).expect("it can not fail");
    bench.settle();
    assert_eq!(bench.answers(wire).len(), 1);
}
