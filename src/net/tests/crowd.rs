//! Accepting connections, and what happens if the machine has no room for another one.

use super::*;

#[test]
fn thousands_whose_connections_break_at_once_do_not_hear_of_one_another() {
    let mut bench = Bench::with(Limits { max_connections: 3000, ..quiet() });
    bench.world().descriptors = 4000;
    let members: Vec<usize> = (0..2000).map(|_| bench.enter().0).collect();
    members.iter().for_each(|&member| bench.ask(member, Request::Join { room: "lobby" }));
    bench.settle();
    members.iter().for_each(|&member| drop(bench.answers(member)));
    let told = |bench: &Bench| bench.net.hub().stats().frames.of(Kind::Event).frames;
    let before = told(&bench);
    (0..1990).for_each(|member| bench.world().reset(members[member]));
    bench.settle();
    // Each departure is an event for the ten members that stay. The first few go to more members, because these have
    // not been removed yet.
    let told = told(&bench) - before;
    assert!((19_900..200_000).contains(&told), "{told} events");
    assert!(members[1990..].iter().all(|&member| bench.answers(member).len() == 1990));
    assert_eq!((bench.net.hub().stats.users, bench.net.hub().members_of("lobby").len()), (10, 10));
}

#[test]
fn out_of_descriptors_it_neither_spins_nor_stalls() {
    let mut bench = Bench::new();
    bench.enter();
    bench.world().descriptors = 0;
    let late = bench.connect();
    bench.settle();
    bench.world().accepts = 0;
    let turns = bench.pass(Duration::from_secs(1));
    let retries = (1000 / ACCEPT_RETRY.as_millis()) as u32;
    assert!(turns <= retries + 1 && bench.world().accepts <= retries + 1, "{turns} turns");
    bench.world().descriptors = 2;
    bench.ask(late, Request::Identity);
    bench.pass(ACCEPT_RETRY);
    assert_eq!(bench.answers(late).len(), 1, "it was let in, though no edge came");
    assert_eq!(bench.owes(), None);
}

#[test]
fn a_slot_is_not_given_again_in_the_turn_that_vacates_it() {
    let mut bench = Bench::new();
    let (wire, old) = bench.enter();
    bench.world().end(wire);
    let newcomer = bench.connect();
    bench.net.turn(Some(Duration::ZERO)).expect("it can not fail");
    let slots: Vec<usize> = bench.net.hub().slots().collect();
    assert_eq!(slots, [1], "the newcomer sits beside the leaver, who is gone now");
    bench.ask(newcomer, Request::Identity);
    bench.settle();
    assert!(bench.net.hub().session(0).is_none_or(|session| session.id() != old));
}

#[test]
fn out_of_descriptors_each_is_told_so_by_the_one_in_reserve() {
    let mut bench = Bench::new();
    bench.enter();
    let first = bench.enter().0;
    bench.world().keeps_spare = true;
    bench.world().descriptors = 0;
    bench.world().reset(first);
    bench.settle();
    assert!(bench.world().spare, "the first descriptor that comes back is kept in reserve");
    let late: Vec<usize> = (0..300).map(|_| bench.connect()).collect();
    bench.settle();
    for &wire in &late {
        assert!(matches!(&bench.answers(wire)[..], [(0xFF, payload)] if payload[..2] == [0, 14]));
        assert!(bench.is_closed(wire));
    }
    let rests = bench.net.hub().stats.accept_rests;
    assert_eq!((bench.net.hub().stats.refused_descriptors, rests), (300, 0));
    assert_eq!(bench.owes(), None);
    bench.world().descriptors = 1;
    bench.enter();
}

#[test]
fn one_connection_that_did_not_come_about_does_not_stop_the_others() {
    let mut bench = Bench::new();
    let errors = [libc::ECONNABORTED, libc::EINTR, libc::EPERM, libc::EPROTO];
    bench.world().script.accept_errors.extend(errors);
    bench.enter();
    assert_eq!(bench.net.hub().stats.accept_rests, 0);
    bench.world().script.accept_errors.extend([libc::ENOMEM, libc::ENOBUFS]);
    let wire = bench.connect();
    bench.ask(wire, Request::Identity);
    bench.pass(3 * ACCEPT_RETRY);
    assert_eq!((bench.answers(wire).len(), bench.net.hub().stats.accept_rests), (1, 2));
}

#[test]
fn those_who_have_said_goodbye_count_until_they_are_gone() {
    let mut bench = Bench::with(Limits { max_connections: 2, ..quiet() });
    let mut most = 0;
    for _ in 0..200 {
        let wire = bench.connect();
        bench.ask(wire, Request::Bye);
        bench.settle();
        most = most.max(bench.net.hub().slots().count());
    }
    assert!(most <= 2 + crate::limits::TURNED_AWAY, "{most} connections at once");
    assert_eq!(bench.net.hub().stats.left, 2);
    bench.pass(Limits::default().linger);
    bench.enter();
}
