//! Rooms, their events and history, by literal bytes.

use crate::support::*;
use std::collections::HashSet;
use std::net::Shutdown;

/// A session with this name, and its id.
fn named(daemon: &Daemon, name: &str) -> (Raw, u64) {
    let mut raw = daemon.connect();
    raw.hello(name);
    let id = raw.id();
    (raw, id)
}

fn event(what: u8, id: u64, session: u64, name: &str, body: &[u8]) -> Event {
    Event { what, id, session, room: "lobby".to_owned(), name: name.to_owned(), body: body.to_vec() }
}

#[test]
fn a_join_is_answered_then_told_to_all() {
    let daemon = Daemon::start();
    let (mut ann, ann_id) = named(&daemon, "ann");
    let (mut bob, bob_id) = named(&daemon, "bob");
    ann.send(&[7, 0, 0, 5, 0, 0, 0, 6, 5, b'l', b'o', b'b', b'b', b'y']);
    let joined = ann.receive();
    assert_eq!((joined.kind, joined.flags, joined.tag, joined.payload.len()), (0x87, 0, 5, 20));
    assert_eq!(joined.payload[..12], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_ne!(joined.payload[12..], [0; 8], "the epoch");
    assert_eq!(ann.event(), event(JOINED, 1, ann_id, "ann", b""));
    assert_eq!(bob.join("lobby"), (2, 2));
    assert_eq!(ann.event(), event(JOINED, 2, bob_id, "bob", b""));
}

#[test]
fn a_rooms_epoch_stays_as_long_as_its_ids_go_on() {
    let daemons = [Daemon::with(&["--listen", "127.0.0.1:0", "--history", "0"]), Daemon::start()];
    let joined = |raw: &mut Raw, room: &str| raw.ask_until(JOIN, str8(room), 0x87).payload[12..].to_vec();
    let (mut ann, mut bob) = (daemons[0].connect(), daemons[1].connect());
    let first = joined(&mut ann, "lobby");
    let end = ann.ask_until(HISTORY, history("lobby", 0, 9), 0x8A).payload;
    assert_eq!((&end[20..], joined(&mut ann, "lobby")), (&first[..], first.clone()));
    ann.ask_until(LEAVE, str8("lobby"), 0x88);
    let others = [joined(&mut ann, "lobby"), joined(&mut ann, "hall"), joined(&mut bob, "lobby")];
    let all: HashSet<&Vec<u8>> = others.iter().chain([&first]).collect();
    assert_eq!(all.len(), 4, "a room that was made again, another one, and one of another hub");
    assert!(all.iter().all(|epoch| epoch.iter().any(|&byte| byte > 0)));
}

#[test]
fn joining_twice_is_answered_and_no_event() {
    let daemon = Daemon::start();
    let (mut ann, ann_id) = named(&daemon, "ann");
    assert_eq!(ann.join("lobby"), (1, 1));
    assert_eq!(ann.ask_to_join("lobby"), (1, 1));
    assert_eq!(ann.publish("lobby", b"hi"), 2);
    assert_eq!(ann.event(), event(MESSAGE, 2, ann_id, "ann", b"hi"));
    assert_eq!(ann.ask_to_join("lobby"), (1, 2));
}

#[test]
fn the_sessions_of_a_name_join_are_added_are_removed_and_leave() {
    let daemon = Daemon::start();
    let (mut watcher, _) = named(&daemon, "watcher");
    watcher.join("lobby");
    let (mut phone, phone_id) = named(&daemon, "ann");
    let (mut laptop, laptop_id) = named(&daemon, "ann");
    phone.join("lobby");
    assert_eq!(laptop.join("lobby"), (3, 3));
    let left = phone.ask(LEAVE, 0, 9, str8("lobby"));
    assert_eq!(left, event_then(&mut phone, left.clone()), "its last event is not its own leaving");
    drop(laptop);
    let story = [
        event(JOINED, 2, phone_id, "ann", b""),
        event(ADDED, 3, laptop_id, "ann", b""),
        event(REMOVED, 4, phone_id, "ann", b""),
        event(LEFT, 5, laptop_id, "ann", b""),
    ];
    story.iter().for_each(|event| assert_eq!(watcher.event(), *event));
}

/// The LEAVE reply of a session that may first receive the event of another session that joined.
fn event_then(raw: &mut Raw, first: Frame) -> Frame {
    let reply = if first.kind == EVENT { raw.receive() } else { first.clone() };
    assert_eq!(reply, Frame::new(0x88, 0, 9, []));
    assert_eq!(raw.ask(PING, 0, 1, b""), Frame::new(0x8C, 0, 1, []), "nothing more comes");
    first
}

#[test]
fn the_unnamed_are_each_a_name_of_their_own() {
    let daemon = Daemon::start();
    let (mut one, mut two) = (daemon.connect(), daemon.connect());
    let two_id = two.id();
    one.join("lobby");
    two.join("lobby");
    assert_eq!(one.event(), event(JOINED, 2, two_id, "", b""));
    two.send(&frame(LEAVE, 0, 0, str8("lobby")));
    assert_eq!(one.event(), event(LEFT, 3, two_id, "", b""));
}

#[test]
fn whatever_way_a_session_ends_the_others_are_told() {
    let daemon = Daemon::start();
    let (mut watcher, _) = named(&daemon, "watcher");
    watcher.join("lobby");
    let ends: [fn(Raw); 5] = [
        |mut raw| raw.send(&frame(BYE, 0, 0, [])),
        |raw| raw.0.shutdown(Shutdown::Write).expect("it is open"),
        |raw| socket2::SockRef::from(&raw.0).set_linger(Some(std::time::Duration::ZERO)).expect("a reset on close"),
        |mut raw| raw.send(&[0x3F, 0, 0, 0, 0, 0, 0, 0]),
        |mut raw| raw.send(b"G"),
    ];
    for end in ends {
        let (mut raw, id) = named(&daemon, "ann");
        let (_, newest) = raw.join("lobby");
        assert_eq!(watcher.event(), event(JOINED, newest, id, "ann", b""));
        end(raw);
        assert_eq!(watcher.event(), event(LEFT, newest + 1, id, "ann", b""));
    }
    assert_eq!(watcher.who("lobby").len(), 1);
}

#[test]
fn all_members_see_one_order_without_a_gap() {
    let daemon = Daemon::start();
    let mut members: Vec<Raw> = (0..8).map(|_| daemon.connect()).collect();
    members.iter_mut().for_each(|raw| {
        raw.ask_to_join("lobby");
    });
    for round in 0..20u8 {
        // Each has one or more events to read already, and all publish at the same time.
        members.iter_mut().for_each(|raw| raw.send(&frame(PUBLISH, 0, 0, publish("lobby", &[round]))));
    }
    let stories: Vec<Vec<Event>> = members
        .iter_mut()
        .map(|raw| {
            let mut story = vec![raw.event()];
            while story.last().is_some_and(|event| event.id < 8 + 8 * 20) {
                story.push(raw.event());
            }
            story
        })
        .collect();
    for (number, story) in stories.iter().enumerate() {
        assert_eq!(story[..], stories[0][number..], "from its own coming on, the same as the first one saw");
        assert!(story.iter().zip(number as u64 + 1..).all(|(event, id)| event.id == id));
    }
}

#[test]
fn a_message_reaches_the_sender_unless_it_wants_no_echo() {
    let daemon = Daemon::start();
    let (mut ann, ann_id) = named(&daemon, "ann");
    let (mut bob, _) = named(&daemon, "bob");
    bob.join("lobby");
    ann.join("lobby");
    bob.event();
    ann.send(&frame(PUBLISH, NO_ECHO, 0, publish("lobby", b"not to me")));
    ann.send(&frame(PUBLISH, 0, 0, publish("lobby", b"")));
    assert_eq!(ann.event(), event(MESSAGE, 4, ann_id, "ann", b""), "an empty body is a message too");
    assert_eq!(bob.event(), event(MESSAGE, 3, ann_id, "ann", b"not to me"));
    assert_eq!(bob.event(), event(MESSAGE, 4, ann_id, "ann", b""));
    let (events, [oldest, newest, sent]) = ann.history("lobby", 2, 1);
    assert_eq!((events, oldest, newest, sent), (vec![event(MESSAGE, 3, ann_id, "ann", b"not to me")], 1, 4, 1));
}

#[test]
fn whoever_is_not_in_a_room_may_speak_there_but_not_look() {
    let daemon = Daemon::start();
    let (mut ann, ann_id) = named(&daemon, "ann");
    assert_eq!(ann.publish("lobby", b"to nobody"), 1);
    for (kind, payload) in [(LEAVE, str8("lobby")), (HISTORY, history("lobby", 0, 9)), (WHO, str8("nowhere"))] {
        let answer = ann.ask(kind, 0, 8, payload);
        assert_eq!((answer.error(), answer.tag), ((7, kind, false), 8));
    }
    assert_eq!(ann.join("lobby"), (1, 2));
    assert_eq!(ann.history("lobby", 0, 1).0, [event(MESSAGE, 1, ann_id, "ann", b"to nobody")]);
}

#[test]
fn history_is_paged_by_id() {
    let daemon = Daemon::start();
    let mut ann = daemon.connect();
    ann.join("lobby");
    for number in 2..=10u8 {
        assert_eq!(ann.publish("lobby", &[number]), u64::from(number));
        ann.event();
    }
    let ids = |(events, end): (Vec<Event>, [u64; 3])| (events.iter().map(|event| event.id).collect::<Vec<_>>(), end);
    assert_eq!(ids(ann.history("lobby", 0, 4)), (vec![1, 2, 3, 4], [1, 10, 4]));
    assert_eq!(ids(ann.history("lobby", 8, 4)), (vec![9, 10], [1, 10, 2]));
    assert_eq!(ids(ann.history("lobby", 10, 4)), (vec![], [1, 10, 0]));
    assert_eq!(ids(ann.history("lobby", u64::MAX, u32::MAX)), (vec![], [1, 10, 0]), "of the future");
    assert_eq!(ids(ann.history("lobby", 0, 0)), (vec![], [1, 10, 0]));
}

#[test]
fn a_room_remembers_its_newest_events_and_no_more_bytes_than_it_may() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--history", "5", "--history-bytes", "1000"]);
    let mut ann = daemon.connect();
    ann.join("lobby");
    let mut say = |len: usize| {
        let id = ann.publish("lobby", &vec![7; len]);
        ann.event();
        let (events, end) = ann.history("lobby", 0, 100);
        assert_eq!((end[1], end[2]), (id, events.len() as u64));
        (end[0], events.len())
    };
    assert_eq!((say(0), say(0), say(0), say(0), say(0)), ((1, 2), (1, 3), (1, 4), (1, 5), (2, 5)));
    assert_eq!((say(600), say(400), say(1)), ((3, 5), (4, 5), (8, 2)));
    assert_eq!((say(1001), say(3)), ((0, 0), (11, 1)), "one that is too large takes the others with it");
}

#[test]
fn a_large_event_is_replayed_byte_for_byte() {
    let daemon = Daemon::start();
    let mut ann = daemon.connect();
    let own = ann.id();
    ann.join("lobby");
    let body: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(ann.publish("lobby", &body), 2);
    let live = ann.event();
    assert!(live == event(MESSAGE, 2, own, "", &body));
    assert!(ann.history("lobby", 1, 1).0 == [live]);
}

#[test]
fn members_come_in_frames_of_512_and_in_the_order_they_came() {
    let daemon = Daemon::start();
    let mut ann = daemon.connect();
    let mut others: Vec<Raw> = (0..600).map(|_| daemon.connect()).collect();
    for other in others.iter_mut().rev() {
        other.send(
            &[frame(HELLO, 0, 0, [&[1], &str8("bob")[..], &[0, 0]].concat()), frame(JOIN, 0, 0, str8("lobby"))]
                .concat(),
        );
        assert_eq!(other.receive().kind, 0x81);
        assert_eq!(other.receive().kind, 0x87);
    }
    ann.join("lobby");
    let members = ann.who("lobby");
    assert!(members.len() == 601 && members.is_sorted());
    assert_eq!((&members[0].1[..], &members[1].1[..], members[0].0), ("", "bob", ann.id()));
}

#[test]
fn another_name_leaves_the_rooms_under_the_old_one_and_sees_so() {
    let daemon = Daemon::start();
    let (mut ann, id) = named(&daemon, "ann");
    let (mut bob, _) = named(&daemon, "bob");
    bob.join("lobby");
    ann.join("lobby");
    bob.event();
    ann.hello("ann");
    assert_eq!(ann.publish("lobby", b"still here"), 3, "the same name changes nothing");
    assert_eq!((ann.event().id, bob.event().id), (3, 3));
    ann.hello("anna");
    assert_eq!(ann.event(), event(LEFT, 4, id, "ann", b""));
    assert_eq!(bob.event(), event(LEFT, 4, id, "ann", b""));
    assert_eq!(ann.ask(WHO, 0, 1, str8("lobby")).error().0, 7);
    assert_eq!(ann.join("lobby"), (2, 5));
    assert_eq!(bob.event(), event(JOINED, 5, id, "anna", b""));
}

#[test]
fn a_name_that_will_not_do_is_survived_in_every_request() {
    let daemon = Daemon::start();
    let mut ann = daemon.connect();
    let long = "x".repeat(65);
    for bad in ["", "a\nb", "\u{1b}[2J", "\u{202E}x", " x", "x\u{3000}", "a\u{2028}b", &long] {
        let payloads = [
            (JOIN, str8(bad)),
            (LEAVE, str8(bad)),
            (PUBLISH, publish(bad, b"hi")),
            (HISTORY, history(bad, 0, 1)),
            (WHO, str8(bad)),
            (SEND, send(&["ann", bad], b"hi")),
        ];
        for (kind, payload) in payloads {
            let answer = ann.ask(kind, 0, 3, payload);
            assert_eq!((answer.error(), answer.tag), ((6, kind, false), 3), "{bad:?}");
        }
    }
    ann.join(&"x".repeat(64));
}

#[test]
fn too_many_rooms_is_an_error_that_says_whose() {
    let limits = ["--listen", "127.0.0.1:0", "--max-rooms", "3", "--rooms-per-session", "2"];
    let daemon = Daemon::with(&limits);
    let (mut ann, mut bob) = (daemon.connect(), daemon.connect());
    ann.join("a");
    ann.join("b");
    let refused = |answer: Frame, kind: u8, what: &str| {
        assert_eq!(answer.error(), (8, kind, false));
        assert!(text(&answer.payload[4..]).contains(what), "{}", text(&answer.payload[4..]));
    };
    refused(ann.ask(JOIN, 0, 1, str8("c")), JOIN, "this session is in 2 rooms");
    bob.join("c");
    refused(bob.ask(JOIN, 0, 1, str8("d")), JOIN, "this hub has 3 rooms");
    refused(bob.ask(PUBLISH, 0, 1, publish("d", b"")), PUBLISH, "this hub has 3 rooms");
    assert_eq!(bob.join("b").0, 2, "rooms that are there may be joined");
}

#[test]
fn a_room_that_nobody_is_in_gives_way_to_a_new_one() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-rooms", "3"]);
    let (mut ann, mut bob) = (daemon.connect(), daemon.connect());
    ann.join("home");
    assert_eq!((ann.publish("old", b"1"), ann.publish("new", b"1"), ann.publish("old", b"2")), (1, 1, 2));
    assert_eq!((bob.join("another"), bob.join("old")), ((1, 1), (1, 3)), "the new one was not used for longer");
    assert_eq!((bob.stats()["rooms"].as_u64(), bob.stats()["rooms-gave-way"].as_u64()), (Some(3), Some(1)));
}

#[test]
fn a_client_that_publishes_in_ever_new_rooms_takes_them_from_nobody() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-rooms", "300"]);
    for client in 0..3 {
        let mut eve = daemon.connect();
        for number in 0..256 {
            assert_eq!(eve.publish(&format!("{client} {number}"), b"mine"), 1);
        }
        let answer = eve.ask(PUBLISH, 0, 1, publish("one more", b"mine"));
        assert_eq!(answer.error(), (8, PUBLISH, false));
        assert!(text(&answer.payload[4..]).contains("made 256 that nobody joined"), "{}", text(&answer.payload[4..]));
    }
    let mut ann = daemon.connect();
    (0..250).for_each(|number| assert_eq!(ann.join(&format!("of ann {number}")), (1, 1)));
}

#[test]
fn when_the_memory_for_rooms_is_nearly_used_up_who_has_many_is_told_so_and_who_has_few_joins() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--memory", "256K", "--queue", "64K", "--max-body", "16K"]);
    let mut eve = daemon.connect();
    let refused = (0..256).find_map(|number| {
        let answer = eve.ask(JOIN, 0, 1, str8(&format!("room {number}")));
        if answer.kind == 0x87 {
            eve.event();
            return None;
        }
        Some(answer)
    });
    let answer = refused.expect("there is little memory");
    assert_eq!(answer.error(), (8, JOIN, false));
    assert!(text(&answer.payload[4..]).contains("half of --memory"), "{}", text(&answer.payload[4..]));
    let mut ann = daemon.connect();
    (0..5).for_each(|number| assert_eq!(ann.join(&format!("of ann {number}")), (1, 1)));
}

#[test]
fn an_empty_room_is_forgotten_when_its_history_expires() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--history-secs", "0"]);
    let mut ann = daemon.connect();
    ann.join("lobby");
    assert_eq!(ann.publish("lobby", b"hi"), 2);
    ann.event();
    ann.send(&frame(LEAVE, 0, 0, str8("lobby")));
    assert_eq!(ann.receive().kind, 0x88);
    assert_eq!(ann.join("lobby"), (1, 1), "numbers begin anew");
    assert_eq!((ann.publish("elsewhere", b"1"), ann.publish("elsewhere", b"2")), (1, 1));
}

#[test]
fn a_send_reaches_every_session_of_each_name_once() {
    let daemon = Daemon::start();
    let (mut phone, _) = named(&daemon, "ann");
    let (mut laptop, laptop_id) = named(&daemon, "ann");
    let (mut bob, _) = named(&daemon, "bob");
    let answer = laptop.ask(SEND, RECEIPT, 4, send(&["ann", "eve", "bob", "ann"], b"hi"));
    assert_eq!((answer.kind, answer.flags, answer.tag, answer.payload.len()), (MAIL, 0, 0, 8 + 8 + 8 + 4 + 2));
    assert_eq!(answer.payload[..8], 1u64.to_be_bytes());
    assert_eq!(answer.payload[16..], [&laptop_id.to_be_bytes()[..], b"\x03annhi"].concat());
    assert_eq!(laptop.receive(), Frame::new(0x85, 0, 4, [0, 4, 0, 1, 0, 0]));
    assert_eq!((phone.receive(), bob.receive()), (answer.clone(), answer));
    // STORE stores nothing yet, and an ACK of any id is accepted.
    assert_eq!(bob.ask(SEND, RECEIPT | 2, 5, send(&["eve"], b"")), Frame::new(0x85, 0, 5, [0, 1, 1]));
    bob.send(&frame(ACK, 0, 6, 77u64.to_be_bytes()));
    bob.id();
    assert_eq!(bob.ask(SEND, 0, 7, send(&[], b"")).error(), (4, SEND, false));
    assert_eq!(bob.ask(SEND, 0, 7, send(&["x"; 256], b"")).error(), (4, SEND, false));
}

#[test]
fn what_runs_past_its_payload_is_malformed() {
    let daemon = Daemon::start();
    let cases: [(&str, &[u8]); 9] = [
        ("room past the payload", &[JOIN, 0, 0, 9, 0, 0, 0, 3, 3, b'a', b'b']),
        ("bytes after the room", &[LEAVE, 0, 0, 9, 0, 0, 0, 3, 1, b'a', b'b']),
        ("no room at all", &[WHO, 0, 0, 9, 0, 0, 0, 0]),
        ("room that is not UTF-8", &[PUBLISH, 0, 0, 9, 0, 0, 0, 2, 1, 0xFF]),
        ("limit cut short", &[HISTORY, 0, 0, 9, 0, 0, 0, 13, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("second name past the payload", &[SEND, 0, 0, 9, 0, 0, 0, 5, 0, 2, 1, b'a', 9]),
        ("mail id cut short", &[ACK, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 1]),
        ("unknown flag of PUBLISH", &[PUBLISH, 4, 0, 9, 0, 0, 0, 2, 1, b'a']),
        ("unknown flag of JOIN", &[JOIN, 1, 0, 9, 0, 0, 0, 2, 1, b'a']),
    ];
    for (what, bytes) in cases {
        let mut raw = daemon.connect();
        raw.send(bytes);
        let answer = raw.receive();
        assert_eq!((answer.error(), answer.tag), ((1, bytes[0], true), 9), "{what}");
        raw.expect_end();
    }
}

#[test]
fn a_member_that_does_not_read_misses_events_and_sees_so() {
    let daemon = Daemon::start();
    let (mut slow, _) = named(&daemon, "slow");
    let (mut ann, _) = named(&daemon, "ann");
    slow.join("lobby");
    ann.join("lobby");
    let body = vec![7; 64 * 1024];
    // Far more than the queue and the kernel's buffers on both sides hold: nobody waits for the slow member.
    let mut last = 0;
    for _ in 0..400 {
        last = ann.publish("lobby", &body);
        assert_eq!(ann.event().id, last);
    }
    slow.send(&frame(PING, 0, 1, []));
    let mut seen = Vec::new();
    loop {
        let frame = slow.receive();
        if frame.kind == 0x8C {
            break;
        }
        seen.push(Event::of(&frame).id);
    }
    assert_eq!(ann.publish("lobby", b"after"), last + 1);
    seen.push(slow.event().id);
    assert_eq!(seen.last(), Some(&(last + 1)));
    let gap = seen.windows(2).find(|pair| pair[1] != pair[0] + 1).expect("it missed something");
    let (missed, _) = slow.history("lobby", last - 3, 2);
    assert!(seen.is_sorted() && gap[1] > gap[0], "{seen:?}");
    assert_eq!(missed.iter().map(|event| event.id).collect::<Vec<_>>(), [last - 2, last - 1], "and can ask for it");
}

#[test]
fn when_the_hub_stops_members_hear_that_and_not_who_leaves() {
    let daemon = Daemon::start();
    let (mut ann, _) = named(&daemon, "ann");
    let (mut bob, _) = named(&daemon, "bob");
    ann.join("lobby");
    bob.join("lobby");
    ann.event();
    daemon.signal("TERM");
    for raw in [&mut ann, &mut bob] {
        let closing = raw.receive();
        assert_eq!((closing.kind, &closing.payload[..2]), (CLOSING, &[0, 11][..]));
        raw.expect_end();
    }
    assert_eq!(daemon.end().0, Some(0));
}
