//! Rooms of a whole hub: what they remember, when they expire, and how members hear who comes and goes.

use super::*;
use crate::limits::EXPIRIES;

/// The requests of a user that joins rooms, publishes in each, and leaves them.
fn come_speak_and_go(hub: &mut Hub<()>, slot: usize, rooms: std::ops::Range<u32>) {
    for number in rooms {
        let room = &format!("room {number}")[..];
        ask(hub, slot, Request::Join { room });
        ask(hub, slot, Request::Publish { room, body: b"hello", receipt: true, no_echo: false });
        ask(hub, slot, Request::Leave { room });
        heard(hub, slot);
    }
}

#[test]
fn rooms_that_expire_leave_nothing_behind() {
    let mut hub = hub();
    let (ann, _) = enter(&mut hub);
    for round in 1..=3u64 {
        come_speak_and_go(&mut hub, ann, 0..2000);
        assert_eq!((hub.stats.rooms, hub.stats.events), (2000, 2000 * 3 * round));
        assert!(hub.next_room_expiry().is_some() && hub.rooms.history_held() > 0);
        hub.set_time(hub.clock.now + hub.limits.history_time, 0);
        for left in (0..2000).rev().step_by(EXPIRIES).map(|last| last + 1) {
            assert_eq!(hub.stats.rooms, left, "a turn removes only so many");
            hub.expire_rooms();
        }
        assert_eq!(
            (hub.stats.rooms, hub.rooms.len(), hub.rooms.history_held(), hub.next_room_expiry()),
            (0, 0, 0, None)
        );
    }
}

#[test]
fn an_empty_room_expires_after_its_last_event_and_not_while_somebody_is_in_it() {
    let mut hub = hub();
    let ((ann, _), hour) = (enter(&mut hub), hub.limits.history_time);
    let second = Duration::from_secs(1);
    come_speak_and_go(&mut hub, ann, 0..1);
    hub.set_time(hour - second, 0);
    ask(&mut hub, ann, Request::Publish { room: "room 0", body: b"", receipt: false, no_echo: false });
    hub.set_time(hour, 0);
    hub.expire_rooms();
    assert_eq!((hub.stats.rooms, hub.next_room_expiry()), (1, Some(2 * hour - second)));
    ask(&mut hub, ann, Request::Join { room: "room 0" });
    assert_eq!(hub.next_room_expiry(), None);
    hub.set_time(3 * hour, 0);
    hub.expire_rooms();
    assert_eq!(hub.stats.rooms, 1);
}

#[test]
fn all_rooms_together_remember_no_more_than_they_may_and_each_has_its_share() {
    let mut hub = Hub::<()>::new(Limits { history_total: 10_000, ..Limits::default() });
    let kept = |hub: &Hub<()>, room: &str| {
        hub.history_of(room, 0, 100).iter().map(|event| event.view().id).collect::<Vec<u64>>()
    };
    for room in ["quiet", "shy"] {
        hub.publish_for_host(room, &[0; 2000]).expect("it may");
    }
    for id in 1..=20 {
        assert_eq!(hub.publish_for_host("loud", &[0; 1000]), Ok(id));
        assert!(hub.rooms.history_held() <= 10_000);
    }
    assert_eq!((kept(&hub, "quiet"), kept(&hub, "shy")), (vec![1], vec![1]));
    assert_eq!(kept(&hub, "loud"), [17, 18, 19, 20]);
    hub.publish_for_host("huge", &[0; 20_000]).expect("it may");
    assert_eq!((kept(&hub, "huge"), kept(&hub, "quiet")), (vec![], vec![1]), "what fits nowhere takes nothing else");
    hub.close_room("quiet");
    hub.close_room("huge");
    assert_eq!((hub.stats.rooms, kept(&hub, "loud").len()), (2, 4));
}

#[test]
fn a_burst_that_many_hear_is_told_in_several_turns_and_in_order() {
    let mut hub = Hub::new(Limits { fan_out: 1 << 20, ..Limits::default() });
    let members: Vec<usize> = (0..100).map(|_| enter(&mut hub).0).collect();
    for &slot in &members {
        ask(&mut hub, slot, Request::Join { room: "lobby" });
        members.iter().for_each(|&slot| drop(heard(&mut hub, slot)));
    }
    let (eve, _) = enter(&mut hub);
    let mut burst = Vec::new();
    (0..5000).for_each(|_| {
        Request::Publish { room: "lobby", body: b"", receipt: false, no_echo: false }.encode(0, &mut burst);
    });
    Request::Ping(b"after").encode(9, &mut burst);
    hub.begin_turn(true);
    hub.receive(eve, &burst);
    let (mut turns, mut told) = (1, 0);
    while hub.session(eve).is_some_and(Session::is_waiting) {
        assert!(
            hub.session(members[7]).is_some_and(|user| user.outbox().queued() * 100 <= hub.limits.fan_out + 10_000)
        );
        told += members.iter().map(|&slot| heard(&mut hub, slot).len()).sum::<usize>();
        assert!(!hub.effects_mut().postponed.is_empty(), "another turn is owed");
        hub.begin_turn(true);
        while !hub.is_turn_spent()
            && let Some(slot) = hub.end_postponement()
        {
            hub.resume(slot);
        }
        turns += 1;
    }
    told += members.iter().map(|&slot| heard(&mut hub, slot).len()).sum::<usize>();
    assert!(turns > 3 && told == 5000 * 100, "{turns} {told}");
    assert_eq!(heard(&mut hub, eve).len(), 1, "the pong comes after all");
}

#[test]
fn a_history_that_is_larger_than_half_a_queue_comes_in_pages() {
    let mut hub = Hub::new(Limits { history_bytes: 64 << 20, ..Limits::default() });
    let (ann, _) = enter(&mut hub);
    for _ in 0..5 {
        hub.publish_for_host("lobby", &vec![7; 900 << 10]).expect("it may");
    }
    ask(&mut hub, ann, Request::Join { room: "lobby" });
    heard(&mut hub, ann);
    let mut page = |after| {
        ask(&mut hub, ann, Request::History { room: "lobby", after, limit: u32::MAX });
        let mut frames = 0;
        while hub.session(ann).is_some_and(|user| user.outbox().queued() > 0) {
            assert!(hub.session(ann).is_some_and(|user| user.outbox().queued() <= 1 << 20), "one event at a time");
            frames += heard(&mut hub, ann).len();
            turn(&mut hub);
        }
        frames - 1
    };
    assert_eq!((page(0), page(2), page(4), page(6)), (2, 2, 2, 0), "the last is a megabyte, and one who came in");
}

#[test]
fn thousands_leave_a_room_one_by_one_and_each_time_all_others_are_told() {
    let mut hub = hub();
    let slots: Vec<usize> = (0..1000).map(|_| enter(&mut hub).0).collect();
    for &slot in &slots {
        ask(&mut hub, slot, Request::Join { room: "lobby" });
    }
    let before = hub.stats.frames.of(Kind::Event).frames;
    assert_eq!(before, 1000 * 1001 / 2);
    for &slot in slots.iter().step_by(2) {
        hub.begin_turn(true);
        hub.remove(slot);
    }
    let told: u64 = (500..1000).sum();
    assert_eq!(hub.stats.frames.of(Kind::Event).frames - before, told);
    assert_eq!(hub.members_of("lobby").len(), 500);
}

/// A hub with a small budget for each turn, and a room of this number of members, which have received all events so
/// far.
fn crowd(members: usize) -> (Hub<()>, Vec<usize>) {
    let mut hub = Hub::new(Limits { fan_out: 4096, ..Limits::default() });
    let slots: Vec<usize> = (0..members).map(|_| enter(&mut hub).0).collect();
    for &slot in &slots {
        ask(&mut hub, slot, Request::Join { room: "lobby" });
        turn(&mut hub);
        slots.iter().for_each(|&slot| drop(heard(&mut hub, slot)));
    }
    (hub, slots)
}

#[test]
fn those_who_go_together_are_told_turn_by_turn_to_those_who_stay_and_to_nobody_else() {
    let (mut hub, slots) = crowd(200);
    let before = hub.stats.frames.of(Kind::Event).bytes;
    hub.begin_turn(true);
    slots[5..].iter().for_each(|&slot| hub.depart(slot));
    let mut turns = 0;
    while hub.owes_departures() {
        hub.begin_turn(true);
        hub.announce_departures();
        turns += 1;
    }
    let told = hub.stats.frames.of(Kind::Event).bytes - before;
    assert!(turns > 10 && told < 195 * 5 * 60 + 200 * 60, "{turns} turns, {told} bytes");
    assert!(slots[..5].iter().all(|&slot| heard(&mut hub, slot).len() == 195));
    assert_eq!(hub.members_of("lobby").len(), 5);
}

#[test]
fn who_is_gone_is_counted_until_the_room_is_told() {
    let (mut hub, slots) = crowd(50);
    slots[1..].iter().for_each(|&slot| {
        hub.remove(slot);
    });
    let (late, _) = enter(&mut hub);
    ask(&mut hub, late, Request::Join { room: "lobby" });
    let joined = heard(&mut hub, late)[0].clone();
    let sessions = u32::from_be_bytes(joined[HEADER_LEN..][..4].try_into().expect("four bytes")) as usize;
    assert!((3..50).contains(&sessions), "{sessions} as far as anybody was told");
    assert_eq!(hub.members_of("lobby").len(), sessions);
    turn(&mut hub);
    let of_type = |frame: &Vec<u8>, what: EventType| frame[HEADER_LEN] == what as u8;
    let left = heard(&mut hub, late).iter().filter(|frame| of_type(frame, EventType::Leave)).count();
    assert_eq!((sessions - left, hub.members_of("lobby").len()), (2, 2));
}

#[test]
fn those_who_ask_and_other_rooms_do_not_wait_until_all_partings_are_told() {
    let (mut hub, slots) = crowd(200);
    let ((ann, _), (bob, _)) = (enter(&mut hub), enter(&mut hub));
    for slot in [ann, bob] {
        ask(&mut hub, slot, Request::Join { room: "den" });
        turn(&mut hub);
    }
    hub.begin_turn(true);
    slots[..100].iter().for_each(|&slot| hub.depart(slot));
    hub.depart(bob);
    heard(&mut hub, ann);
    hub.begin_turn(true);
    hub.announce_departures();
    assert!(!hub.is_turn_half_spent(), "what is told of those who are gone is not at the cost of requests");
    hub.begin_turn(true);
    hub.announce_departures();
    assert!(hub.owes_departures());
    assert_eq!(heard(&mut hub, ann).len(), 1, "each room gets its turn");
}

#[test]
fn who_comes_and_goes_as_fast_as_can_be_leaves_no_more_to_tell_than_there_were_members() {
    let (mut hub, _) = crowd(30);
    for _ in 0..1000 {
        let (slot, _) = enter(&mut hub);
        ask(&mut hub, slot, Request::Join { room: "lobby" });
        hub.budget.departures.copied = usize::MAX;
        hub.remove(slot);
    }
    assert_eq!(hub.members_of("lobby").len(), 31);
}

#[test]
fn over_the_budget_of_memory_nobody_is_told_who_is_gone_until_something_drains() {
    let mut hub = Hub::new(Limits { memory: 1 << 20, max_body: 100 << 10, ..Limits::default() });
    let slots: Vec<usize> = (0..10).map(|_| enter(&mut hub).0).collect();
    slots.iter().for_each(|&slot| ask(&mut hub, slot, Request::Join { room: "lobby" }));
    slots.iter().for_each(|&slot| drop(heard(&mut hub, slot)));
    hub.publish_for_host("lobby", &[7; 2 << 20]).expect("it may");
    let told = hub.stats.events;
    hub.depart(slots[0]);
    hub.announce_departures();
    assert_eq!((hub.stats.events - told, hub.owes_departures()), (0, false));
    slots.iter().for_each(|&slot| drop(heard(&mut hub, slot)));
    assert!(hub.owes_departures());
    // Before requests, which may fill it again.
    hub.begin_turn(true);
    assert_eq!((hub.stats.events - told, heard(&mut hub, slots[1]).len()), (1, 1));
}

#[test]
fn a_room_is_there_until_it_was_told_of_the_last_and_may_be_closed_before() {
    let (mut hub, slots) = crowd(50);
    hub.begin_turn(true);
    slots.iter().for_each(|&slot| {
        hub.remove(slot);
    });
    assert!(!hub.members_of("lobby").is_empty() && hub.next_room_expiry().is_none());
    turn(&mut hub);
    assert!(hub.members_of("lobby").is_empty() && hub.next_room_expiry().is_some());
    let (mut hub, slots) = crowd(50);
    hub.begin_turn(true);
    slots.iter().for_each(|&slot| {
        hub.remove(slot);
    });
    assert!(hub.owes_departures() && hub.close_room("lobby") && !hub.owes_departures());
    assert_eq!(hub.publish_for_host("lobby", b"anew"), Ok(1));
}

#[test]
fn when_everybody_is_dismissed_listeners_hear_who_leaves_and_nobody_else() {
    let mut hub = hub();
    let slots: Vec<usize> = (0..100).map(|_| enter(&mut hub).0).collect();
    for &slot in &slots {
        ask(&mut hub, slot, Request::Join { room: "lobby" });
        slots.iter().for_each(|&slot| drop(heard(&mut hub, slot)));
    }
    let (tell, told) = std::sync::mpsc::channel();
    hub.listeners.add(Box::new(move |event: &crate::hub::SharedEvent| {
        tell.send(event.view().what).expect("the test listens");
    }));
    hub.close_all(crate::wire::ErrorCode::GoingAway, "enough");
    assert!(slots.iter().all(|&slot| heard(&mut hub, slot).len() == 1), "CLOSING and no more");
    assert_eq!(told.try_iter().filter(|what| *what == EventType::Leave).count(), 100);
}

#[test]
fn a_full_member_misses_events_that_others_get() {
    let mut hub = hub();
    let ((slow, _), (quick, _)) = (enter(&mut hub), enter(&mut hub));
    for slot in [slow, quick] {
        ask(&mut hub, slot, Request::Join { room: "lobby" });
    }
    for _ in 0..10 {
        hub.publish_for_host("lobby", &vec![7; 1 << 20]).expect("it may");
        heard(&mut hub, quick);
    }
    assert!(hub.session(slow).is_some_and(|user| user.is_full() && !user.is_waiting()));
    assert_eq!((hub.effects_mut().filled.clone(), hub.stats.events_missed), (vec![slow], 6));
}

#[test]
fn rooms_are_left_in_any_order() {
    let mut hub = hub();
    let ((ann, id), (bob, _)) = (enter(&mut hub), enter(&mut hub));
    let rooms = ["a", "b", "c", "d"];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [0, 3, 1, 2], [2, 0, 1, 3], [1, 3, 0, 2]] {
        for slot in [ann, bob] {
            rooms.iter().for_each(|room| ask(&mut hub, slot, Request::Join { room }));
        }
        for room in order.map(|number| rooms[number]) {
            ask(&mut hub, ann, Request::Leave { room });
            assert!(hub.members_of(room).iter().all(|(member, _)| *member != id), "{room} in {order:?}");
        }
        assert!(hub.session(ann).is_some_and(|user| user.rooms.is_empty()));
        assert!(rooms.iter().all(|room| hub.members_of(room).len() == 1));
    }
    // A departing session leaves all rooms that it is still in, whichever it left before.
    rooms.iter().for_each(|room| ask(&mut hub, ann, Request::Join { room }));
    ask(&mut hub, ann, Request::Leave { room: "a" });
    hub.remove(ann);
    assert!(rooms.iter().all(|room| hub.members_of(room).len() == 1));
}

/// The types of the events in these frames.
fn event_types(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.iter().filter(|frame| frame[0] == Kind::Event as u8).map(|frame| frame[HEADER_LEN]).collect()
}

#[test]
fn a_session_whose_departure_is_not_announced_yet_is_still_one_of_its_name() {
    let mut hub = hub();
    let [eve, first, second, third] = [0; 4].map(|_| enter(&mut hub).0);
    ask(&mut hub, eve, Request::Join { room: "lobby" });
    for slot in [first, second] {
        ask(&mut hub, slot, Request::Hello { name: "ann", token: "" });
        ask(&mut hub, slot, Request::Join { room: "lobby" });
    }
    ask(&mut hub, third, Request::Hello { name: "ann", token: "" });
    heard(&mut hub, eve);
    hub.budget.departures.copied = usize::MAX;
    hub.remove(first);
    hub.remove(second);
    assert_eq!(hub.names.sessions("ann"), [third as u32], "the others are gone");
    // Another one joins, under the same name. Before that one departure is announced.
    let mut bytes = Vec::new();
    Request::Join { room: "lobby" }.encode(3, &mut bytes);
    hub.receive(third, &bytes);
    turn(&mut hub);
    ask(&mut hub, third, Request::Leave { room: "lobby" });
    let [remove, add, leave] = [EventType::Remove, EventType::Add, EventType::Leave].map(|what| what as u8);
    assert_eq!(event_types(&heard(&mut hub, eve)), [remove, add, remove, leave]);
}

#[test]
fn a_name_that_was_gone_while_a_departure_waited_is_the_same_name() {
    let mut hub = hub();
    let [first, second, other, third] = [0; 4].map(|_| enter(&mut hub).0);
    for slot in [first, second] {
        ask(&mut hub, slot, Request::Hello { name: "ann", token: "" });
        ask(&mut hub, slot, Request::Join { room: "lobby" });
    }
    hub.budget.departures.copied = usize::MAX;
    hub.remove(first);
    hub.remove(second);
    let mut requests = Vec::new();
    Request::Hello { name: "ann", token: "" }.encode(3, &mut requests);
    hub.receive(other, &requests);
    Request::Join { room: "lobby" }.encode(3, &mut requests);
    hub.receive(third, &requests);
    turn(&mut hub);
    let [add, remove] = [EventType::Add, EventType::Remove].map(|what| what as u8);
    assert_eq!(event_types(&heard(&mut hub, third)), [add, remove]);
}

#[test]
fn the_first_and_the_last_session_of_a_name_in_a_room_are_told_apart_from_those_elsewhere() {
    let mut hub = hub();
    let [eve, here, there, both] = [0; 4].map(|_| enter(&mut hub).0);
    [here, there, both].iter().for_each(|&slot| ask(&mut hub, slot, Request::Hello { name: "ann", token: "" }));
    for (slot, room) in [(eve, "lobby"), (there, "den"), (here, "lobby"), (both, "lobby"), (both, "den")] {
        ask(&mut hub, slot, Request::Join { room });
    }
    for slot in [here, both] {
        ask(&mut hub, slot, Request::Leave { room: "lobby" });
    }
    let (join, add) = (EventType::Join as u8, EventType::Add as u8);
    let (remove, leave) = (EventType::Remove as u8, EventType::Leave as u8);
    assert_eq!(event_types(&heard(&mut hub, eve)), [join, join, add, remove, leave]);
    assert_eq!(event_types(&heard(&mut hub, there)), [join, add]);
}
