//! The memory account of a whole hub, and who may have how many rooms.

use super::*;
use crate::wire::ErrorCode;

fn enter_from(hub: &mut Hub<()>, address: [u8; 4]) -> usize {
    hub.accept((), RemoteAddr::Ip(address.into()), Protocol::NATIVE).expect("there is room")
}

fn publish(hub: &mut Hub<()>, slot: usize, room: &str, body: &[u8]) -> Result<(), String> {
    ask(hub, slot, Request::Publish { room, body, receipt: true, no_echo: false });
    answer(hub, slot)
}

fn join(hub: &mut Hub<()>, slot: usize, room: &str) -> Result<(), String> {
    ask(hub, slot, Request::Join { room });
    answer(hub, slot)
}

/// Whether the last request was answered, or the text of error 8.
fn answer(hub: &mut Hub<()>, slot: usize) -> Result<(), String> {
    hub.check_account();
    let frames = heard(hub, slot);
    let frame = frames.iter().find(|frame| frame[0] != Kind::Event as u8).expect("an answer");
    let header = Header::decode(frame).expect("a header");
    match Answer::decode(header, &frame[HEADER_LEN..]) {
        Ok(Answer::Error { code, text, .. }) => {
            assert_eq!(code, ErrorCode::LimitReached);
            Err(text.to_owned())
        }
        _ => Ok(()),
    }
}

/// A room's name of eleven bytes.
fn numbered(number: usize) -> String {
    format!("room {number:06}")
}

#[test]
fn a_membership_takes_at_most_40_bytes_at_any_moment() {
    let mut hub = Hub::new(Limits { memory: 1 << 30, history_total: 0, ..Limits::default() });
    let (host, _) = enter(&mut hub);
    (0..256).for_each(|number| join(&mut hub, host, &numbered(number)).expect("it may"));
    // What the rooms take, each with its smallest list of members.
    let of_rooms = hub.structural() - hub.account.lists;
    let mut memberships = 256;
    let check = |hub: &Hub<()>, memberships: u32| {
        let each = (hub.structural() - of_rooms) as f64 / f64::from(memberships);
        assert!(each <= 40.0, "{each} bytes, with {memberships}");
    };
    let slots: Vec<usize> = (0..80).map(|_| enter(&mut hub).0).collect();
    for &slot in &slots {
        for number in 0..256 {
            ask(&mut hub, slot, Request::Join { room: &numbered(number) });
            memberships += 1;
            check(&hub, memberships);
        }
        slots.iter().for_each(|&slot| drop(heard(&mut hub, slot)));
    }
    hub.check_account();
    // Then they leave: some at once, some room by room.
    for slot in slots {
        if slot % 2 == 0 {
            hub.remove(slot);
            turn(&mut hub);
            memberships -= 256;
        }
        for number in (0..256).filter(|_| slot % 2 == 1) {
            ask(&mut hub, slot, Request::Leave { room: &numbered(number) });
            memberships -= 1;
            check(&hub, memberships);
        }
        check(&hub, memberships);
    }
    hub.check_account();
}

#[test]
fn what_is_gone_is_not_counted() {
    let mut hub = hub();
    let slots: Vec<usize> = (0..50).map(|_| enter(&mut hub).0).collect();
    for (number, &slot) in slots.iter().enumerate() {
        ask(&mut hub, slot, Request::Hello { name: ["ann", "bob", "eve"][number % 3], token: "" });
        (0..20).for_each(|room| join(&mut hub, slot, &numbered(room + number % 7)).expect("it may"));
        publish(&mut hub, slot, &format!("of {number}"), b"hi").expect("it may");
    }
    assert!(hub.structural() > 50 * 20 * 12 && hub.held() >= hub.structural());
    slots.iter().for_each(|&slot| assert!(hub.remove(slot).is_some()));
    turn(&mut hub);
    hub.check_account();
    hub.set_time(hub.limits.history_time * 2, 0);
    hub.expire_rooms();
    hub.check_account();
    assert_eq!((hub.held(), hub.rooms.history_held()), (0, 0));
    hub.set_held_by_host(500);
    hub.set_held_by_host(300);
    assert_eq!((hub.held(), hub.structural()), (300, 0));
}

#[test]
fn as_memory_fills_who_has_many_rooms_is_refused_and_who_has_few_is_not() {
    let mut hub = Hub::new(Limits { memory: 16 << 20, ..Limits::default() });
    let (first, _) = enter(&mut hub);
    (0..100).for_each(|number| join(&mut hub, first, &numbered(number)).expect("it may"));
    // Something else takes all but 60 KiB of what is for structure.
    hub.limits.memory = 2 * (hub.structural() + (60 << 10));
    let mut greedy = Vec::new();
    let text = loop {
        let (slot, _) = enter(&mut hub);
        greedy.push(slot);
        if let Err(text) = (0..100).try_for_each(|number| join(&mut hub, slot, &numbered(number))) {
            break text;
        }
    };
    assert!(text.contains("JOIN: this session is in ") && text.contains("half of --memory"), "{text}");
    assert!(hub.structural() <= 8 << 20 && greedy.len() > 10, "{} for {}", hub.structural(), greedy.len());
    for _ in 0..20 {
        let (slot, _) = enter(&mut hub);
        (0..5).for_each(|number| join(&mut hub, slot, &numbered(number)).expect("it has few"));
        assert!(publish(&mut hub, slot, "mine", b"hi").is_ok());
    }
}

#[test]
fn at_the_limit_of_memory_one_room_that_is_there_may_be_joined() {
    let mut hub = Hub::new(Limits { memory: 64 << 10, ..Limits::default() });
    let ((ann, _), (bob, _)) = (enter(&mut hub), enter(&mut hub));
    join(&mut hub, ann, "lobby").expect("there is memory");
    hub.limits.memory = 2 * hub.structural();
    join(&mut hub, bob, "lobby").expect("it is its first");
    let text = publish(&mut hub, bob, "new", b"").expect_err("no memory");
    assert_eq!(
        text,
        "PUBLISH: this session is in 1 rooms, and may not be in more while this hub has so little memory left for \
         rooms (half of --memory); leave one first"
    );
    let (eve, _) = enter(&mut hub);
    let text = publish(&mut hub, eve, "new", b"").expect_err("no memory");
    assert_eq!(text, "PUBLISH: this hub has no memory left for another room (half of --memory)");
}

#[test]
fn a_room_made_by_publish_counts_against_its_maker_until_it_is_joined_or_gone() {
    let limits = Limits { rooms_per_session: 3, ..Limits::default() };
    for protocol in [Protocol::NATIVE, HTTP_CALLER] {
        let mut hub: Hub<()> = Hub::with_codecs(limits.clone(), CODECS);
        let maker = hub.accept((), RemoteAddr::Unix, protocol).expect("there is room");
        let (bob, _) = enter(&mut hub);
        let make = |hub: &mut Hub<()>, room: &str| {
            let before = hub.stats.rooms;
            hub.begin_http_request(maker);
            execute(hub, maker, &Request::Publish { room, body: b"hi", receipt: false, no_echo: false });
            hub.check_account();
            hub.stats.rooms > before
        };
        assert!(["a", "b", "c"].into_iter().all(|room| make(&mut hub, room)));
        assert!(!make(&mut hub, "d"));
        assert!(!make(&mut hub, "a") && hub.history_of("a", 0, 9).len() == 2, "it is there");
        join(&mut hub, bob, "a").expect("it may");
        assert!(make(&mut hub, "d") && !make(&mut hub, "e"));
        hub.close_room("b");
        assert!(make(&mut hub, "e") && !make(&mut hub, "f"));
        hub.set_time(hub.limits.history_time, 0);
        hub.expire_rooms();
        assert!(make(&mut hub, "f"));
        hub.remove(maker);
        hub.check_account();
        let next = hub.accept((), RemoteAddr::Unix, protocol).expect("there is room");
        assert_eq!(next, maker, "who comes next has the slot, and not the rooms");
        assert!(["g", "h", "i"].into_iter().all(|room| make(&mut hub, room)));
    }
}

#[test]
fn who_joins_a_room_that_it_made_has_no_more_rooms_than_before() {
    let mut hub = Hub::new(Limits { rooms_per_session: 2, ..Limits::default() });
    let (ann, _) = enter(&mut hub);
    publish(&mut hub, ann, "a", b"hi").expect("it may");
    publish(&mut hub, ann, "b", b"hi").expect("it may");
    let text = join(&mut hub, ann, "c").expect_err("it made two");
    assert_eq!(
        text,
        "JOIN: this session is in 0 rooms and made 2 that nobody joined; it may not have more; leave one first"
    );
    join(&mut hub, ann, "a").expect("it made this one");
    join(&mut hub, ann, "b").expect("and this one");
    assert!(join(&mut hub, ann, "c").is_err());
}

#[test]
fn rooms_without_members_give_way_the_least_valuable_and_least_recently_used_first() {
    let mut hub = Hub::new(Limits { max_rooms: 5, ..Limits::default() });
    let (ann, _) = enter(&mut hub);
    join(&mut hub, ann, "home").expect("it may");
    hub.publish_for_host("much", &[7; 5000]).expect("it may");
    hub.publish_for_host("early", b"a few words").expect("it may");
    hub.publish_for_host("late", b"a few words").expect("it may");
    join(&mut hub, ann, "silent").expect("it may");
    ask(&mut hub, ann, Request::Leave { room: "silent" });
    heard(&mut hub, ann);
    hub.publish_for_host("early", b"and later ones").expect("it may");
    for (number, gone) in ["silent", "late", "early", "0", "1"].into_iter().enumerate() {
        assert!(hub.has_room(gone));
        publish(&mut hub, ann, &number.to_string(), b"new").expect("it may");
        assert!(!hub.has_room(gone), "{gone} gives way");
    }
    assert_eq!((hub.stats.rooms, hub.stats.rooms_gave_way), (5, 5));
    assert!(hub.has_room("much") && hub.has_room("home"));
}

#[test]
fn rooms_without_members_give_way_when_memory_is_full() {
    let mut hub = Hub::new(Limits { memory: 64 << 10, ..Limits::default() });
    for number in 0..1000 {
        hub.publish_for_host(&numbered(number), b"hi").expect("others give way");
        assert!(hub.structural() <= 32 << 10);
    }
    hub.check_account();
    assert!(hub.stats.rooms > 50 && hub.stats.rooms + hub.stats.rooms_gave_way == 1000);
    let (ann, _) = enter(&mut hub);
    (0..7).for_each(|number| join(&mut hub, ann, &format!("of ann {number}")).expect("others give way"));
}

#[test]
fn who_joins_rooms_that_are_there_makes_others_give_way_too() {
    let mut hub = Hub::new(Limits { memory: 64 << 10, ..Limits::default() });
    let (ann, _) = enter(&mut hub);
    join(&mut hub, ann, "lobby").expect("it may");
    for number in 0..1000 {
        hub.publish_for_host(&numbered(number), b"hi").expect("others give way");
    }
    for _ in 0..50 {
        let (slot, _) = enter(&mut hub);
        join(&mut hub, slot, "lobby").expect("it is its first");
        heard(&mut hub, ann);
        assert!(hub.structural() <= 32 << 10);
    }
}

#[test]
fn names_without_end_do_not_stop_the_traffic() {
    let mut hub = Hub::new(Limits { memory: 64 << 10, ..Limits::default() });
    let slots: Vec<usize> = (0..1000).map(|_| enter(&mut hub).0).collect();
    for &slot in &slots {
        ask(&mut hub, slot, Request::Hello { name: &format!("a name of {slot}"), token: "" });
        assert_eq!(heard(&mut hub, slot).len(), 1);
    }
    hub.check_account();
    assert!(hub.held() > hub.limits.memory && !hub.is_over_memory());
    assert!(publish(&mut hub, slots[0], "room", b"hi").is_err_and(|text| text.contains("no memory left")));
}

#[test]
fn one_client_that_publishes_in_every_room_takes_none_from_others() {
    let mut hub = Hub::new(Limits { max_rooms: 700, ..Limits::default() });
    let by_session =
        "PUBLISH: this session is in 0 rooms and made 256 that nobody joined; it may not have more; leave one first";
    let by_address = "PUBLISH: this address made 526 of 700 rooms, and may not make more while 174 are free";
    for text in [by_session, by_session, by_address] {
        let eve = enter_from(&mut hub, [192, 0, 2, 1]);
        let result = (0..700).try_for_each(|number| publish(&mut hub, eve, &format!("{eve} {number}"), b"x"));
        assert_eq!(result, Err(text.to_owned()));
    }
    let ann = enter_from(&mut hub, [192, 0, 2, 2]);
    (0..50).for_each(|number| join(&mut hub, ann, &format!("of ann {number}")).expect("it may"));
}

#[test]
fn an_address_that_stays_in_its_rooms_has_three_quarters_of_all_at_most() {
    let mut hub = Hub::new(Limits { max_rooms: 400, ..Limits::default() });
    let mut rooms = 0;
    let text = (0..)
        .find_map(|_| {
            let eve = enter_from(&mut hub, [192, 0, 2, 1]);
            (0..100).find_map(|_| {
                rooms += 1;
                join(&mut hub, eve, &numbered(rooms)).err()
            })
        })
        .expect("there is a limit");
    assert_eq!(rooms, 302, "three quarters, and the one too many");
    assert_eq!(text, "JOIN: this address made 301 of 400 rooms, and may not make more while 99 are free");
    let ann = enter_from(&mut hub, [192, 0, 2, 2]);
    (0..70).for_each(|number| join(&mut hub, ann, &format!("of ann {number}")).expect("it may"));
    // On this machine, all clients of a proxy have one address.
    let mut hub = Hub::new(Limits { max_rooms: 400, rooms_per_session: 400, ..Limits::default() });
    let proxy = enter_from(&mut hub, [127, 0, 0, 1]);
    (0..400).for_each(|number| join(&mut hub, proxy, &numbered(number)).expect("it may"));
    assert_eq!(
        join(&mut hub, proxy, "one more"),
        Err("JOIN: this session is in 400 rooms, and may not be in more; leave one first".to_owned())
    );
}
