//! The hub without a loop: situations that would take too many sockets, or too much time, to set up over real ones.

mod account;
mod rooms;

use super::testing::{CODECS, PREFIXED};
use super::{Encoding, Execution, Hub, Outcome, Protocol, RemoteAddr, RequestContext, Role, Session};
use crate::limits::{LIST_FRAME_IDS, Limits, RUN_FULL, TURNED_AWAY};
use crate::wire::{Answer, EventType, HEADER_LEN, Header, Ids, Kind, Request, Status, UserId};
use std::io::IoSlice;
use std::time::Duration;

fn hub() -> Hub<()> {
    Hub::new(Limits::default())
}

fn enter(hub: &mut Hub<()>) -> (usize, UserId) {
    let slot = hub.accept((), RemoteAddr::Unix, Protocol::NATIVE).expect("there is room");
    (slot, hub.session(slot).expect("just let in").id())
}

fn ask(hub: &mut Hub<()>, slot: usize, request: Request<'_>) {
    let mut bytes = Vec::new();
    request.encode(3, &mut bytes);
    hub.begin_turn(true);
    hub.receive(slot, &bytes);
}

/// Runs turns until no session waits only for the next turn.
fn turn(hub: &mut Hub<()>) {
    while is_busy(hub) {
        hub.begin_turn(true);
        let mut resumed = std::mem::take(&mut hub.effects_mut().resumed);
        resumed.extend(std::iter::from_fn(|| hub.end_postponement()));
        resumed.into_iter().for_each(|slot| hub.resume(slot));
        hub.serve_long_requests();
        hub.announce_departures();
    }
}

/// Whether there is something to do in another turn.
fn is_busy(hub: &Hub<()>) -> bool {
    let effects = hub.effects();
    let is_idle = effects.postponed.is_empty() && effects.resumed.is_empty();
    !is_idle || hub.owes_departures() || hub.owes_slices()
}

/// Takes the whole frames out of an outbox.
fn heard(hub: &mut Hub<()>, slot: usize) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = hub.session(slot).expect("somebody is there").outbox().fill(&mut slices);
        let taken: usize = slices[..count].iter().map(|slice| slice.len()).sum();
        bytes.extend(slices[..count].iter().flat_map(|slice| slice.iter().copied()));
        if taken == 0 {
            break;
        }
        hub.sent(slot, taken);
    }
    let mut rest = &bytes[..];
    let mut frames = Vec::new();
    while let Some(header) = Header::decode(rest) {
        let (frame, after) = rest.split_at(header.frame_len());
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

fn list(hub: &mut Hub<()>, slot: usize) -> Vec<(usize, bool)> {
    ask(hub, slot, Request::List);
    let parts = heard(hub, slot);
    let mut all = Vec::new();
    let mut shape = Vec::new();
    for frame in &parts {
        let header = Header::decode(frame).expect("a header");
        let Ok(Answer::List { users, more }) = Answer::decode(header, &frame[HEADER_LEN..]) else {
            panic!("{header:?}")
        };
        assert_eq!(header.tag, 3);
        all.extend(users.iter());
        shape.push((users.len(), more));
    }
    let own = hub.session(slot).expect("it asked").id();
    assert!(all.is_sorted() && !all.contains(&own));
    shape
}

#[test]
fn a_long_list_comes_in_frames_of_8192() {
    let mut hub = hub();
    let (asker, _) = enter(&mut hub);
    for _ in 0..LIST_FRAME_IDS {
        enter(&mut hub);
    }
    assert_eq!(list(&mut hub, asker), [(8192, false)]);
    enter(&mut hub);
    assert_eq!(list(&mut hub, asker), [(8192, true), (1, false)]);
}

#[test]
fn when_all_ids_are_used_up_nobody_is_let_in_rather_than_one_twice() {
    let mut hub = hub();
    hub.sessions.generation = u32::MAX - 1;
    let (last, _) = enter(&mut hub);
    assert!(hub.accept((), RemoteAddr::Unix, Protocol::NATIVE).is_err_and(|(_, farewell)| farewell[8..10] == [0, 14]));
    hub.remove(last);
    assert!(hub.accept((), RemoteAddr::Unix, Protocol::NATIVE).is_err_and(|(_, farewell)| farewell[8..10] == [0, 14]));
}

#[test]
fn those_who_leave_slowly_keep_no_more_places_than_there_are() {
    let mut hub = Hub::new(Limits { max_connections: 10, ..Limits::default() });
    let slots: Vec<usize> = (0..10).map(|_| enter(&mut hub).0).collect();
    let let_in = |hub: &mut Hub<()>| {
        let slot = enter(hub).0;
        hub.session(slot).is_some_and(Session::is_open)
    };
    (0..TURNED_AWAY).for_each(|_| assert!(!let_in(&mut hub), "told so"));
    assert!(hub.accept((), RemoteAddr::Unix, Protocol::NATIVE).is_err(), "told so in one breath");
    slots.iter().for_each(|&slot| hub.depart(slot));
    assert!(
        hub.accept((), RemoteAddr::Unix, Protocol::NATIVE).is_err(),
        "they are still there, though they have departed"
    );
    hub.remove(slots[0]);
    assert!(let_in(&mut hub));
}

#[test]
fn a_stamp_that_begins_anew_hides_nobody() {
    let mut hub = hub();
    let (ann, ann_id) = enter(&mut hub);
    hub.sessions[ann].stamp = 1;
    hub.resolver.stamp = u32::MAX;
    assert_eq!(hub.relay_for_host(&[ann_id, ann_id], b"once"), [Status::Queued; 2]);
    assert_eq!(heard(&mut hub, ann).len(), 1);
}

#[test]
fn a_host_is_refused_where_a_client_would_wait() {
    let mut hub = hub();
    let (_, id) = enter(&mut hub);
    let body = vec![0; 1 << 20];
    for _ in 0..4 {
        assert_eq!(hub.relay_for_host(&[id], &body), [Status::Queued]);
    }
    assert_eq!(hub.relay_for_host(&[id, UserId(9)], &body), [Status::Refused, Status::Unknown]);
}

#[test]
fn a_receiver_that_leaves_lets_those_go_on_who_wait_for_it() {
    let mut hub = hub();
    let (sender, _) = enter(&mut hub);
    let (receiver, id) = enter(&mut hub);
    let block = id.0.to_be_bytes();
    let body = vec![0; 1 << 20];
    let relay = Request::Relay { receivers: Ids::new(&block).expect("one id"), body: &body, receipt: false };
    let mut bytes = Vec::new();
    (0..5).for_each(|_| relay.encode(1, &mut bytes));
    Request::Ping(b"after").encode(2, &mut bytes);
    hub.receive(sender, &bytes);
    turn(&mut hub);
    assert!(hub.session(sender).expect("here").waits_for_receiver());
    assert!(heard(&mut hub, sender).is_empty());
    hub.remove(receiver);
    assert_eq!(hub.effects_mut().resumed, [sender]);
    hub.resume(sender);
    assert_eq!(heard(&mut hub, sender).len(), 1);
}

#[test]
fn the_sessions_of_a_name_are_found_whichever_leaves_first() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 0, 1]] {
        let mut hub = hub();
        let sessions: Vec<usize> = (0..3).map(|_| enter(&mut hub).0).collect();
        sessions.iter().for_each(|&slot| ask(&mut hub, slot, Request::Hello { name: "ann", token: "" }));
        for (gone, &number) in order.iter().enumerate() {
            assert_eq!(hub.send_for_host(&["ann"], b"hi"), [Status::Queued]);
            assert_eq!(
                hub.stats.frames.of(Kind::Mail).frames,
                (0..=gone as u64).map(|gone| 3 - gone).sum::<u64>(),
                "{order:?}"
            );
            hub.remove(sessions[number]);
        }
        assert_eq!(hub.send_for_host(&["ann"], b"hi"), [Status::Unknown]);
    }
}

#[test]
fn a_hub_that_may_remember_nothing_goes_on() {
    let mut hub = Hub::new(Limits { history_total: 0, ..Limits::default() });
    let (ann, _) = enter(&mut hub);
    for number in 0..200 {
        ask(&mut hub, ann, Request::Join { room: &format!("room {number}") });
    }
    assert_eq!((hub.stats.rooms, hub.rooms.history_held()), (200, 0));
    hub.publish_for_host("elsewhere", b"hi").expect("it may");
    assert_eq!(hub.stats.rooms, 200, "one that nobody is in and that remembers nothing is gone");
    let mut hub = Hub::<()>::new(Limits { history_total: 2000, ..Limits::default() });
    (0..50).for_each(|number| drop(hub.publish_for_host(&format!("room {number}"), &[0; 100])));
    assert!(hub.stats.rooms < 10 && hub.rooms.history_held() <= 2000);
}

#[test]
fn statistics_are_for_this_machine_alone_and_asking_is_no_crime() {
    let mut hub = hub();
    let far = hub.accept((), RemoteAddr::Ip([192, 0, 2, 1].into()), Protocol::NATIVE).expect("there is room");
    let near = hub.accept((), RemoteAddr::Ip([127, 0, 0, 1].into()), Protocol::NATIVE).expect("there is room");
    for slot in [far, near] {
        ask(&mut hub, slot, Request::Stats);
    }
    let told = heard(&mut hub, far).concat();
    assert_eq!((told[0], told[1], &told[8..11]), (0xFF, 0, &[0, 5, 0x0F][..]), "not fatal");
    assert!(hub.session(far).is_some_and(Session::is_open));
    assert_eq!(heard(&mut hub, near)[0][0], 0x8F);
}

#[test]
fn a_truncated_outbox_ends_between_messages_wherever_a_replay_stands_in_a_run() {
    for (filled, sent) in (RUN_FULL - 5..RUN_FULL).flat_map(|filled| (0..16).map(move |more| (filled, filled + more))) {
        let mut hub: Hub<()> = Hub::with_codecs(Limits::default(), CODECS);
        let protocol = Protocol { encoding: PREFIXED, role: Role::User };
        let slot = hub.accept((), RemoteAddr::Unix, protocol).expect("there is room");
        execute(&mut hub, slot, &Request::Join { room: "den" });
        execute(&mut hub, slot, &Request::Publish { room: "den", body: &[7; 5000], receipt: false, no_echo: true });
        take(&mut hub, slot, usize::MAX, &mut Vec::new());
        hub.push_bytes(slot, &prefixed_ping(filled));
        execute(&mut hub, slot, &Request::History { room: "den", after: 1, limit: 1 });
        let mut stream = Vec::new();
        take(&mut hub, slot, sent, &mut stream);
        hub.truncate_outbox(slot);
        take(&mut hub, slot, usize::MAX, &mut stream);
        let mut rest = &stream[..];
        while let Some(frame) = rest.strip_prefix(b"->") {
            let len = Header::decode(frame).expect("a header").frame_len();
            assert!(len <= frame.len(), "a part of a message, with {sent} bytes sent behind {filled}");
            rest = &frame[len..];
        }
        assert!(rest.is_empty(), "half a prefix, with {sent} bytes sent behind {filled}");
    }
}

/// A message of this many bytes in the encoding [`PREFIXED`].
fn prefixed_ping(len: usize) -> Vec<u8> {
    let mut message = b"->".to_vec();
    let header = Header { kind: Kind::Pong as u8, flags: 0, tag: 0, length: (len - 2 - HEADER_LEN) as u32 };
    message.extend_from_slice(&header.encode());
    message.resize(len, 0);
    message
}

/// Executes a request that comes as a value.
fn execute(hub: &mut Hub<()>, slot: usize, request: &Request<'_>) {
    hub.begin_turn(true);
    let outcome = hub.execute(slot, &RequestContext::tagged(3), request, Execution::default());
    assert_eq!(outcome, Outcome::Done);
    hub.finish_input();
}

/// Takes this number of bytes out of an outbox, or all if there are fewer.
fn take(hub: &mut Hub<()>, slot: usize, most: usize, into: &mut Vec<u8>) {
    let mut slices = [IoSlice::new(&[]); 64];
    let count = hub.session(slot).expect("somebody is there").outbox().fill(&mut slices);
    let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
    hub.sent(slot, bytes.len());
    into.extend(bytes);
}

#[test]
fn an_http_caller_that_would_become_a_user_when_all_ids_are_used_up_is_told_so() {
    let mut hub: Hub<()> = Hub::with_codecs(Limits::default(), CODECS);
    let slot = hub.accept((), RemoteAddr::Unix, HTTP_CALLER).expect("there is room");
    hub.sessions.generation = u32::MAX;
    assert!(!hub.upgrade(slot, Encoding::NATIVE, false));
    let mut said = Vec::new();
    take(&mut hub, slot, usize::MAX, &mut said);
    assert_eq!((&said[..3], &said[10..12]), (&b"->\xFF"[..], &[0, 14][..]));
    assert!(!hub.session(slot).expect("it has yet to read that").is_open());
}

/// An HTTP caller, whatever its encoding is.
const HTTP_CALLER: Protocol = Protocol { encoding: PREFIXED, role: Role::HttpCaller };

#[test]
fn however_much_is_asked_over_http_ids_do_not_run_out_by_it() {
    let mut hub: Hub<()> = Hub::with_codecs(Limits::default(), CODECS);
    let caller = hub.accept((), RemoteAddr::Unix, HTTP_CALLER).expect("there is room");
    let post = Request::Publish { room: "lobby", body: b"hi", receipt: false, no_echo: false };
    let ask = |hub: &mut Hub<()>, times: usize| {
        let mut ids = Vec::new();
        for _ in 0..times {
            hub.begin_http_request(caller);
            execute(hub, caller, &post);
            ids.push(hub.session(caller).expect("it asks").id());
        }
        assert!(ids.is_sorted());
        ids.dedup();
        ids.len()
    };
    assert_eq!(ask(&mut hub, 20_100), 20_000, "then they share one");
    hub.set_time(Duration::from_secs(1), 0);
    assert_eq!(ask(&mut hub, 10), 10);
}

#[test]
fn a_request_that_is_blocked_does_nothing_until_it_is_executed_again() {
    let mut hub: Hub<()> = Hub::with_codecs(Limits { queue: 2000, ..Limits::default() }, CODECS);
    let [ann, bob] = [0; 2].map(|_| {
        let protocol = Protocol { encoding: PREFIXED, role: Role::User };
        hub.accept((), RemoteAddr::Unix, protocol).expect("there is room")
    });
    let mut block = Vec::new();
    Ids::encode(&[hub.session(bob).expect("bob").id()], &mut block);
    let receivers = Ids::new(&block).expect("one id");
    let relay = Request::Relay { receivers, body: &[7; 2500], receipt: true };
    hub.begin_turn(true);
    execute(&mut hub, ann, &relay);
    hub.begin_turn(true);
    assert_eq!(hub.end_postponement(), Some(ann));
    let before = hub.session(bob).expect("bob").outbox().queued();
    let again = |hub: &mut Hub<()>, waited| {
        hub.execute(ann, &RequestContext::tagged(4), &relay, Execution { waited, more: false })
    };
    assert_eq!(again(&mut hub, false), Outcome::Blocked);
    assert!(hub.session(ann).expect("ann").is_waiting());
    assert_eq!(hub.session(bob).expect("bob").outbox().queued(), before);
    take(&mut hub, bob, usize::MAX, &mut Vec::new());
    assert!(hub.session(ann).expect("ann").accepts_requests(), "bob has read");
    assert_eq!(again(&mut hub, true), Outcome::Done);
    assert_eq!(hub.session(bob).expect("bob").outbox().queued(), before);
}

#[test]
fn the_counters_are_charged_to_the_turn() {
    let mut hub: Hub<()> = Hub::new(Limits { fan_out: 100_000, ..Limits::default() });
    let ann = hub.accept((), RemoteAddr::Unix, Protocol::NATIVE).expect("there is room");
    hub.begin_turn(true);
    let mut stats = Vec::new();
    Request::Stats.encode(0, &mut stats);
    hub.receive(ann, &stats.repeat(1000));
    let answers = hub.stats.frames.of(Kind::StatsReply).frames;
    assert!((1..10).contains(&answers) && hub.session(ann).expect("ann").is_waiting(), "{answers} answers");
}
