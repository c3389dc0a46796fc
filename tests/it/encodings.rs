//! Clients that use native frames, binary messages, JSON and HTTP on one hub, and what HTTP callers may do.

use crate::support::web::*;
use crate::support::*;
use serde_json::{Value, json};
use std::io::Write;

/// A daemon with three clients, native, binary and JSON, and their ids.
fn three(arguments: &[&str]) -> (Daemon, (Raw, Ws, Ws), [u64; 3]) {
    let daemon = web_daemon(arguments);
    let (mut native, mut binary, mut json) = (daemon.connect(), Ws::binary(&daemon), Ws::json(&daemon));
    let ids = [native.id(), binary.frame_id(), json.id()];
    assert!(ids.is_sorted_by(|one, other| one < other), "each comes later than the one before: {ids:?}");
    (daemon, (native, binary, json), ids)
}

/// An event in JSON, without its time.
fn event_of(json: &Value) -> Event {
    let types = ["", "message", "join", "add", "remove", "leave", "close"];
    let field = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    Event {
        what: types.iter().position(|name| json["type"] == *name).expect("a type of event") as u8,
        id: json["id"].as_u64().expect("a number"),
        session: field("sessionId").parse().expect("an id"),
        room: field("chatroomId"),
        name: field("userId"),
        body: field("message").into_bytes(),
    }
}

#[test]
fn a_relay_crosses_from_each_encoding_to_each() {
    let (_daemon, (mut native, mut binary, mut json), ids) = three(&[]);
    for body in [&b"text"[..], b"", "é\0\"\\\u{7f}".as_bytes(), &[0, 0xFF, 0xC3]] {
        let payload = relay(&ids, body);
        native.send(&frame(RELAY, 0, 0, &payload));
        binary.send(message(BINARY, frame(RELAY, 0, 0, &payload)));
        let (key, value) = match std::str::from_utf8(body) {
            Ok(text) => ("body", text.to_owned()),
            Err(_) => ("bodyBase64", "AP/D".to_owned()),
        };
        json.say(json!({"type": "relay", "to": ids.map(|id| id.to_string()), (key): value}).to_string());
        let mut heard: [Vec<Vec<u8>>; 2] = [Vec::new(), Vec::new()];
        let mut in_json = Vec::new();
        for _ in 0..3 {
            heard[0].push(native.receive().payload);
            heard[1].push(binary.frame().payload);
            in_json.push(json.next());
        }
        let mut expected: Vec<Vec<u8>> = ids.map(|id| deliver(id, body)).to_vec();
        expected.sort();
        heard.iter_mut().for_each(|heard| heard.sort());
        assert_eq!(heard, [expected.clone(), expected]);
        in_json.sort_by_key(|deliver| deliver["from"].as_str().expect("an id").parse::<u64>().ok());
        let expected = ids.map(|id| json!({"type": "deliver", "from": id.to_string(), (key): value}));
        assert_eq!(in_json, expected);
    }
}

#[test]
fn all_encodings_receive_the_events_of_a_room_in_one_order() {
    let (_daemon, (mut native, mut binary, mut json), ids) = three(&[]);
    native.join("lobby");
    assert_eq!(binary.ask_frame(JOIN, 0, 1, str8("lobby")).kind, 0x87);
    json.say(r#"{"type":"join","room":"lobby"}"#);
    assert_eq!(json.next()["newest"], 3);
    let said = |who: &str, number: u32| format!("{who} {number}");
    let requests = |who: &str| {
        (0..40).map(|n| frame(PUBLISH, 0, 0, publish("lobby", said(who, n).as_bytes()))).collect::<Vec<_>>()
    };
    native.send(&requests("native").concat());
    binary.send(requests("binary").iter().flat_map(|frame| message(BINARY, frame)).collect::<Vec<_>>());
    let texts = (0..40).map(|n| json!({"type": "publish", "room": "lobby", "body": said("json", n)}).to_string());
    json.send(texts.flat_map(|text| message(TEXT, text)).collect::<Vec<_>>());
    let by_native: Vec<Event> = (2..=123).map(|_| native.event()).collect();
    let by_binary: Vec<Event> = (2..=123).map(|_| Event::of(&binary.frame())).collect();
    let by_json: Vec<Event> = (3..=123).map(|_| event_of(&json.next())).collect();
    assert_eq!(by_native, by_binary);
    assert_eq!(by_native[1..], by_json);
    assert!(by_native.iter().map(|event| event.id).eq(2..=123), "without a gap");
    for (who, id) in ["native", "binary", "json"].iter().zip(ids) {
        let own = by_native.iter().filter(|event| event.what == MESSAGE && event.session == id);
        assert!(own.map(|event| event.body.clone()).eq((0..40).map(|n| said(who, n).into_bytes())), "{who}");
    }
}

#[test]
fn comings_and_goings_are_told_across_encodings() {
    let (daemon, (mut native, mut binary, mut json), ids) = three(&[]);
    native.hello("ann");
    assert_eq!(binary.ask_frame(HELLO, 0, 1, [&[1], &str8("ann")[..], &[0, 0]].concat()).kind, 0x81);
    assert!(json.ask(r#"{"type":"hello","name":"bob"}"#).contains("welcome"));
    native.join("lobby");
    binary.ask_frame(JOIN, 0, 1, str8("lobby"));
    json.ask(r#"{"type":"join","room":"lobby"}"#);
    let event = |what, id, session, name: &str| Event {
        what,
        id,
        session,
        room: "lobby".to_owned(),
        name: name.to_owned(),
        body: vec![],
    };
    assert_eq!([native.event(), native.event()], [event(ADDED, 2, ids[1], "ann"), event(JOINED, 3, ids[2], "bob")]);
    assert_eq!(event_of(&json.next()), event(JOINED, 3, ids[2], "bob"));
    // One closes properly, the other just disconnects.
    binary.send(message(CLOSE, []));
    assert_eq!(native.event(), event(REMOVED, 4, ids[1], "ann"));
    assert_eq!(event_of(&json.next()), event(REMOVED, 4, ids[1], "ann"));
    drop(json);
    assert_eq!(native.event(), event(LEFT, 5, ids[2], "bob"));
    assert_eq!(native.history("lobby", 3, 9).1, [1, 5, 2]);
    assert_eq!(Web::connect(&daemon).get("/list").json(), json!({"userIds": [ids[0].to_string()]}));
}

#[test]
fn a_name_is_one_whatever_its_sessions_speak() {
    let (daemon, (mut native, mut binary, mut json), _) = three(&[]);
    native.hello("ann");
    binary.ask_frame(HELLO, 0, 1, [&[1], &str8("ann")[..], &[0, 0]].concat());
    json.ask(r#"{"type":"hello","name":"ann"}"#);
    let answer = Web::connect(&daemon).post("/send?to=ann,bob", "hi");
    assert_eq!((answer.status, answer.json()), (200, json!({"statuses": ["queued", "unknown"]})));
    let [one, other] = [native.receive(), binary.frame()];
    assert_eq!((one.kind, &one.payload), (MAIL, &other.payload));
    let mail = json.next();
    assert_eq!((&mail["type"], &mail["name"], &mail["body"]), (&json!("mail"), &json!(""), &json!("hi")));
}

#[test]
fn a_body_at_the_limit_crosses_from_each_encoding_to_each() {
    let (_daemon, (mut native, mut binary, mut json), ids) = three(&[]);
    let bytes: Vec<u8> = (0..1 << 20).map(|i| (i * 7 + i / 251) as u8).collect();
    let letters = "é\n\"x".repeat((1 << 20) / 5) + "y";
    assert_eq!(letters.len(), 1 << 20);
    let payload = relay(&ids, &bytes);
    native.send(&frame(RELAY, 0, 0, &payload));
    let told = deliver(ids[0], &bytes);
    assert!(native.receive().payload == told && binary.frame().payload == told);
    let answer = json.next();
    let encoded = answer["bodyBase64"].as_str().expect("it is no text");
    assert_eq!((encoded.len(), &encoded[..8]), (1_398_104, "AAcOFRwj"));
    // JSON returns what JSON was given.
    json.say(json!({"type": "relay", "to": ids, "bodyBase64": encoded}).to_string());
    let told = deliver(ids[2], &bytes);
    assert!(native.receive().payload == told && binary.frame().payload == told);
    assert!(json.next()["bodyBase64"] == encoded);
    json.say(json!({"type": "relay", "to": ids, "body": letters}).to_string());
    let told = deliver(ids[2], letters.as_bytes());
    assert!(native.receive().payload == told && binary.frame().payload == told);
    assert!(json.next()["body"] == letters);
    binary.send(message(BINARY, frame(RELAY, 0, 0, &payload)));
    let told = deliver(ids[1], &bytes);
    assert!(native.receive().payload == told && binary.frame().payload == told);
    assert!(json.next()["bodyBase64"] == encoded);
}

#[test]
fn large_events_are_told_and_replayed_in_every_encoding() {
    let (_daemon, (mut native, mut binary, mut json), _) = three(&[]);
    let body = "\u{1}é".repeat(30_000);
    native.join("lobby");
    binary.ask_frame(JOIN, 0, 1, str8("lobby"));
    json.say(r#"{"type":"join","room":"lobby"}"#);
    json.next();
    native.send(&frame(PUBLISH, NO_ECHO, 0, publish("lobby", body.as_bytes())));
    assert!((0..3).map(|_| Event::of(&binary.frame())).any(|event| event.body == body.as_bytes()));
    assert!((0..2).map(|_| json.next()).any(|event| event["message"] == body));
    json.say(r#"{"type":"history","room":"lobby","after":3}"#);
    let replayed = json.next();
    assert!(replayed["message"] == body && replayed["replay"] == true);
    assert_eq!(json.next()["type"], "historyEnd");
}

#[test]
fn an_http_caller_is_not_a_user() {
    let (daemon, (mut native, _binary, mut json), ids) = three(&[]);
    let silent: Vec<Raw> = (0..5).map(|_| Raw::connect(host(&daemon))).collect();
    let mut web = Web::connect(&daemon);
    assert_eq!(web.get("/list").json(), json!({"userIds": ids.map(|id| id.to_string())}));
    let mut half = Raw::connect(host(&daemon));
    half.send(b"GET /ws HT");
    web.get("/health");
    assert_eq!(native.list(), ids[1..]);
    assert_eq!(json.list(), ids[..2]);
    let stats = native.stats();
    assert_eq!((&stats["users"], &stats["most-users"], &stats["upgraded"]), (&json!(3), &json!(3), &json!(2)));
    // A caller that becomes a user gets the newest id, however long it has been connected.
    let mut late = Web(half);
    late.0.send(&handshake("").as_bytes()[10..]);
    assert_eq!(late.head().status, 101);
    let mut late = Ws(late.0);
    let newest = late.id();
    assert!(newest > ids[2]);
    assert_eq!(native.list(), [ids[1], ids[2], newest]);
    drop(silent);
}

#[test]
fn no_id_is_given_twice_whatever_came_by() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    let mut ids = Vec::new();
    for room in ["a", "b", "c"] {
        let mut member = daemon.connect();
        ids.push(member.id());
        member.join(room);
        web.post(&format!("/rooms/{room}"), "one");
        ids.push(member.event().session);
        web.get("/health");
        web.post(&format!("/rooms/{room}"), "two");
        ids.push(member.event().session);
        let mut ws = Ws::json(&daemon);
        ids.push(ws.id());
        ws.say(r#"{"type":"bye"}"#);
        assert_eq!(ws.closed(), 1000);
        member.wait_until_gone(ids[ids.len() - 1]);
    }
    assert!(ids.is_sorted_by(|one, other| one < other), "{ids:?}");
}

#[test]
fn the_limit_of_connections_counts_http_callers() {
    let daemon = web_daemon(&["--max-connections", "2"]);
    let (mut web, mut native) = (Web::connect(&daemon), daemon.connect());
    web.get("/health");
    native.id();
    let mut third = Web::connect(&daemon);
    let refused = third.response();
    assert_eq!((refused.refusal(), &refused.json()["code"], refused.closes()), (503, &json!(14), true));
    third.expect_end();
    assert_eq!(daemon.connect().expect_closing(), 14);
    let mut ws = {
        web.0.send(handshake("").as_bytes());
        assert_eq!(web.head().status, 101, "who is in may stay");
        Ws(web.0)
    };
    let own = ws.id();
    assert_eq!(native.stats()["refused-full"], 2);
    drop(ws);
    native.wait_until_gone(own);
    eventually("there is room again", || {
        Some(Web::connect(&daemon).get("/health")).filter(|answer| answer.status == 200)
    });
}

#[test]
fn a_sender_waits_for_who_does_not_read_and_nobody_else_does() {
    for asks in ["", ASKS_BINARY] {
        let daemon = web_daemon(&QUEUE);
        let (mut sender, mut other) = (daemon.connect(), daemon.connect());
        let (own, mut slow) = (sender.id(), Ws::with(&daemon, asks));
        let to = if asks.is_empty() { slow.id() } else { slow.frame_id() };
        let count = fill(&daemon, &mut sender, to);
        assert_eq!(other.ask(PING, 0, 1, b"held up?").kind, 0x8C);
        if asks.is_empty() {
            (0..count).for_each(|_| assert_eq!(slow.next()["body"].as_str().map(str::len), Some(1 << 20)));
        } else {
            (0..count).for_each(|_| assert!(slow.frame().payload == deliver(own, &[b'x'; 1 << 20])));
        }
        assert_eq!(sender.receive(), Frame::new(0x84, 0, 1, [0, 1, 0]), "it was let go on");
    }
}

#[test]
fn one_who_does_not_read_is_closed_in_time_and_can_still_read_why_over_websocket_too() {
    let daemon = web_daemon(&["--queue", "64K", "--stall-secs", "1"]);
    let (mut sender, mut slow) = (daemon.connect(), Ws::json(&daemon));
    let to = slow.id();
    (0..12).for_each(|_| sender.send(&frame(RELAY, 0, 0, relay(&[to], &[b'x'; 1 << 20]))));
    sender.wait_until_gone(to);
    let closing = eventually("it is told why", || Some(slow.next()).filter(|said| said["type"] == "closing"));
    assert_eq!(closing["code"], 12);
    assert_eq!(slow.closed(), 1008);
    assert_eq!(sender.stats()["closed"]["too slow"], 1);
}

#[test]
fn a_websocket_member_that_does_not_read_misses_events_and_sees_so() {
    let daemon = web_daemon(&["--queue", "64K", "--history", "9"]);
    let (mut speaker, mut slow) = (daemon.connect(), Ws::json(&daemon));
    slow.say(r#"{"type":"join","room":"lobby"}"#);
    assert_eq!((slow.next()["newest"].as_u64(), slow.next()["id"].as_u64()), (Some(1), Some(1)));
    let said = eventually("it misses some", || {
        (0..20).for_each(|_| _ = speaker.publish("lobby", &[b'x'; 1 << 19]));
        speaker.stats()["events-missed"].as_u64().filter(|missed| *missed > 0)?;
        Some(speaker.publish("lobby", b"the last"))
    });
    let mut last = 1;
    slow.say(r#"{"type":"ping","body":"where am I?"}"#);
    loop {
        let next = slow.next();
        if next["type"] == "pong" {
            break;
        }
        assert!(next["id"].as_u64() > Some(last));
        last = next["id"].as_u64().expect("a number");
    }
    assert!(last < said, "what came last is missing");
    slow.say(format!(r#"{{"type":"history","room":"lobby","after":{}}}"#, said - 1));
    assert_eq!(slow.next()["message"], "the last");
}

#[test]
fn who_asks_too_often_waits_and_loses_nothing_over_http_too() {
    let daemon = web_daemon(&["--rate", "50"]);
    let (mut json, mut binary, mut web) = (Ws::json(&daemon), Ws::binary(&daemon), Web::connect(&daemon));
    json.send(message(TEXT, r#"{"type":"ping"}"#).repeat(60));
    binary.send(message(BINARY, frame(PING, 0, 1, b"")).repeat(60));
    web.0.send(b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(60).as_slice());
    for _ in 0..60 {
        assert_eq!(json.text(), r#"{"type":"pong","body":""}"#);
        assert_eq!(binary.frame(), Frame::new(0x8C, 0, 1, []));
        assert_eq!(web.response().status, 200);
    }
    assert!(daemon.connect().stats()["paced"].as_u64() >= Some(3));
}

#[test]
fn the_budget_of_memory_bounds_what_is_half_received_over_http() {
    let daemon = web_daemon(&["--memory", "32M"]);
    let mut bystander = daemon.connect();
    bystander.id();
    let before = daemon.status("VmRSS");
    let text = message(TEXT, vec![b' '; 1 << 20]);
    let post = post("/rooms/lobby", &[7; 1 << 20]);
    let halves: Vec<Raw> = (0..120)
        .map(|number| {
            let (raw, whole) = match number % 3 {
                0 => (Ws::json(&daemon).0, &text),
                1 => (Ws::binary(&daemon).0, &text),
                _ => (Raw::connect(host(&daemon)), &post),
            };
            raw.0.set_nonblocking(true).expect("it can be");
            // The hub may not receive all of it.
            let _ = (&raw.0).write(&whole[..900_000]);
            raw
        })
        .collect();
    assert_eq!(bystander.ask(PING, 0, 1, b"").kind, 0x8C, "those who ask for little go on");
    let peak = daemon.status("VmHWM") - before;
    assert!(peak < 56 * 1024, "{peak} kB");
    drop(halves);
}

#[test]
fn what_many_hear_in_json_is_held_once() {
    let daemon = web_daemon(&[]);
    let mut sender = daemon.connect();
    let mut stalled: Vec<Ws> = (0..200).map(|_| Ws::json(&daemon)).collect();
    let ids: Vec<u64> = stalled.iter_mut().map(Ws::id).collect();
    let before = daemon.status("VmRSS");
    // Each byte of it becomes six.
    let receipt = sender.ask(RELAY, RECEIPT, 1, relay(&ids, &[0; 1 << 20]));
    assert_eq!(receipt.payload, [&[0, 200][..], &[0; 200]].concat());
    sender.id();
    let peak = daemon.status("VmHWM") - before;
    assert!(peak < 64 * 1024, "{peak} kB");
    assert_eq!(
        stalled[99].text().len(),
        (6 << 20) + format!(r#"{{"type":"deliver","from":"{}","body":""}}"#, sender.id()).len()
    );
}

#[test]
fn who_comes_through_a_proxy_is_not_taken_for_one_on_this_machine() {
    let daemon = web_daemon(&[]);
    assert_eq!(Ws::binary(&daemon).ask_frame(STATS, 0, 3, []).kind, 0x8F);
    let mut ws = Ws::with(&daemon, &format!("{ASKS_BINARY}X-Forwarded-For: 127.0.0.1\r\n"));
    let error = ws.ask_frame(STATS, 0, 3, []);
    assert_eq!((error.error(), error.tag), ((5, STATS, false), 3));
    ws.frame_id();
}

#[test]
fn a_full_hub_tells_those_who_watch_it_that_it_is_well() {
    for limit in ["--max-connections", "--max-per-address"] {
        let daemon = web_daemon(&[limit, "1"]);
        let mut only = daemon.connect();
        let own = only.id();
        for round in 0..100 {
            for path in ["/health", "/metrics"] {
                let answer = Web::connect(&daemon).get(path);
                assert_eq!((answer.status, answer.closes()), (200, true), "{path} in round {round}");
            }
            let mut web = Web::connect(&daemon);
            assert_eq!(web.ask("OPTIONS / HTTP/1.0\r\n\r\n").status, 200);
            web.expect_end();
        }
        let health = b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n";
        let mut web = Web::connect(&daemon);
        assert_eq!(web.ask([&health[..], health].concat()).status, 200);
        web.expect_end();
        let others = [
            "GET /list HTTP/1.1\r\nHost: hub\r\n\r\n".into(),
            "GET / HTTP/1.1\r\nHost: hub\r\n\r\n".into(),
            handshake(""),
            String::from_utf8(post("/rooms/lobby", b"hi")).expect("text"),
        ];
        for request in others {
            let mut web = Web::connect(&daemon);
            let refused = web.ask(&request);
            let code = refused.json()["code"].clone();
            assert_eq!((refused.refusal(), code, refused.closes()), (503, json!(14), true), "{request}");
            web.expect_end();
        }
        assert_eq!(answer_without_a_request(&daemon).refusal(), 503, "in time");
        let stats = only.stats();
        let refused = stats["refused-full"].as_u64().zip(stats["refused-address"].as_u64()).map(|(one, two)| one + two);
        assert_eq!(refused, Some(5), "who was answered was not refused");
        drop(only);
        let again = eventually("there is room again", || {
            Some(Web::connect(&daemon).get("/list")).filter(|answer| answer.status == 200)
        });
        assert!(!text(&again.body).contains(&own.to_string()));
    }
}

/// What the hub says to a caller that asks nothing.
fn answer_without_a_request(daemon: &Daemon) -> Response {
    let mut web = Web::connect(daemon);
    let answer = web.response();
    web.expect_end();
    answer
}

#[test]
fn the_limit_of_an_address_counts_http_callers() {
    let daemon = web_daemon(&["--max-per-address", "2"]);
    let (mut ws, mut web) = (Ws::json(&daemon), Web::connect(&daemon));
    ws.id();
    web.get("/health");
    assert_eq!(daemon.connect().expect_closing(), 14);
    assert_eq!(Web::connect(&daemon).response().refusal(), 503);
    assert!(ws.id() > 0 && web.get("/health").status == 200);
}

#[test]
fn each_port_refuses_what_belongs_to_the_other() {
    let daemon = web_daemon(&[]);
    let mut native = daemon.connect();
    native.send(handshake("").as_bytes());
    assert_eq!(native.receive().error(), (2, b'G', true));
    native.expect_end();
    let hello = frame(HELLO, 0, 1, b"\x01\0\0\0");
    let client_hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";
    let cases =
        [&hello[..], &frame(IDENTITY, 0, 1, []), client_hello, b"\0", b"\xff\xff", b"hello\r\n\r\n", b"SSH-2.0-x\r\n"];
    for bytes in cases {
        let mut web = Web::connect(&daemon);
        let answer = web.ask(bytes);
        assert_eq!((answer.refusal(), answer.closes()), (400, true), "{bytes:?}");
        web.expect_end();
    }
}
