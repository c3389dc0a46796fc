//! HTTP by literal bytes: requests, responses, and the refusals of invalid requests.

use crate::support::web::*;
use crate::support::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};

/// The response to these bytes on a new connection.
fn answer(daemon: &Daemon, request: impl AsRef<[u8]>) -> Response {
    Web::connect(daemon).ask(request)
}

/// The status of a refusal after which the connection ends.
fn refused_for_good(daemon: &Daemon, request: impl AsRef<[u8]>) -> u16 {
    let mut web = Web::connect(daemon);
    let refusal = web.ask(request);
    assert!(refusal.closes(), "{refusal:?}");
    web.expect_end();
    refusal.refusal()
}

/// The status of a refusal after which the next request is still answered.
fn refused(web: &mut Web, request: impl AsRef<[u8]>) -> Response {
    let refusal = web.ask(request);
    refusal.refusal();
    assert!(!refusal.closes(), "{refusal:?}");
    assert_eq!(web.get("/health").status, 200);
    refusal
}

#[test]
fn health_is_answered_by_these_bytes() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    web.0.send(b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n");
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\
                    Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n{\"status\":\"ok\"}";
    assert_eq!(text(&web.bytes(expected.len())), expected);
    assert_eq!(web.get("/health").body, b"{\"status\":\"ok\"}", "and the connection stays");
}

#[test]
fn the_page_and_its_files_are_served_and_keep_to_their_own_hub() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    for (path, kind) in [
        ("/", "text/html"),
        ("/chat.css", "text/css"),
        ("/chat.js", "text/javascript"),
        ("/roster.js", "text/javascript"),
        ("/cubby.js", "text/javascript"),
    ] {
        let file = web.get(path);
        assert_eq!((file.status, file.header("Content-Type")), (200, Some(&format!("{kind}; charset=utf-8")[..])));
        assert!(file.body.len() > 1000 && !text(&file.body).contains('\u{FFFD}'));
        let policy = file.header("Content-Security-Policy").expect("what the page may do");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(web.get(&format!("{path}?v=1")).body, file.body, "a page may be asked for with a query");
    }
}

#[test]
fn many_requests_may_stand_behind_one_another() {
    let daemon = web_daemon(&[]);
    let mut member = daemon.connect();
    member.join("lobby");
    let mut web = Web::connect(&daemon);
    let get = b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n";
    let last = b"GET /list HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n";
    let all = [&get[..], &post("/rooms/lobby", b"one"), get, &post("/rooms/lobby", b"two"), last, get].concat();
    web.0.send(&all);
    let bodies: Vec<Vec<u8>> = (0..4).map(|_| web.response().body).collect();
    assert_eq!(bodies, [&b"{\"status\":\"ok\"}"[..], b"{\"id\":2}", b"{\"status\":\"ok\"}", b"{\"id\":3}"]);
    assert!(web.response().closes());
    web.expect_end();
    assert_eq!([member.event().body, member.event().body], [b"one", b"two"]);
}

#[test]
fn a_connection_ends_with_its_answer_where_that_is_asked() {
    let daemon = web_daemon(&[]);
    for request in [
        "GET /health HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: hub\r\nConnection: keep-alive, Close\r\n\r\n",
        "GET /health HTTP/1.0\r\n\r\n",
        "POST /rooms/lobby HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        "POST /rooms/lobby HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
        "POST /rooms/ HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n",
    ] {
        let mut web = Web::connect(&daemon);
        assert!(web.ask(request).closes(), "{request}");
        web.expect_end();
    }
}

#[test]
fn a_head_is_answered_without_a_body_whatever_the_answer() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    let targets = [
        ("/", 200),
        ("/health", 200),
        ("/metrics", 200),
        ("/list", 200),
        ("/nowhere", 404),
        ("/list?key=1", 400),
        ("/rooms/nowhere/members", 404),
        ("/rooms/%/history", 400),
        ("/relay", 405),
        ("/ws", 405),
    ];
    for (target, status) in targets {
        web.0.send(format!("HEAD {target} HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
        let head = web.head();
        assert_eq!((head.status, head.closes()), (status, false), "{target}");
        assert!(head.header("Content-Length").is_some_and(|len| len != "0"), "{target}");
        assert_eq!(web.get("/health").status, 200, "{target} has no body, so that the next answer comes next");
    }
}

#[test]
fn a_request_may_come_a_byte_at_a_time() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    for byte in post("/rooms/lobby", b"slow") {
        web.0.send(&[byte]);
    }
    assert_eq!(web.response().json(), json!({"id": 1}));
}

#[test]
fn a_body_is_asked_for_where_its_sender_waits_for_that() {
    let daemon = web_daemon(&["--max-body", "1K"]);
    let mut web = Web::connect(&daemon);
    for id in 1..3 {
        web.0.send(b"POST /rooms/lobby HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        assert_eq!(web.bytes(go_on.len()), go_on);
        web.0.send(b"he");
        web.0.send(b"llo");
        assert_eq!(web.response().json(), json!({"id": id}));
    }
    web.0.send(b"POST /rooms/lobby HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(web.response().json(), json!({"id": 3}), "it did not wait");
    let large = "POST /rooms/lobby HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\nContent-Length: 1025\r\n\r\n";
    assert_eq!(refused_for_good(&daemon, large), 413);
}

#[test]
fn a_head_that_is_too_long_is_431() {
    let daemon = web_daemon(&[]);
    let head = |more: &str| format!("GET /health HTTP/1.1\r\nHost: hub\r\n{more}\r\n");
    let headers = |count: usize| (0..count).map(|i| format!("X-{i}: 1\r\n")).collect::<String>();
    assert_eq!(answer(&daemon, head(&headers(63))).status, 200, "64 with Host");
    assert_eq!(refused_for_good(&daemon, head(&headers(64))), 431);
    assert_eq!(answer(&daemon, head(&format!("X: {}\r\n", "x".repeat(31 * 1024)))).status, 200);
    assert_eq!(refused_for_good(&daemon, head(&format!("X: {}\r\n", "x".repeat(33_000)))), 431);
    assert_eq!(refused_for_good(&daemon, format!("GET /{}", "x".repeat(33_000))), 431, "though it has no end yet");
    assert_eq!(refused_for_good(&daemon, format!("GET /health HTTP/1.1\r\n{}", headers(2000))), 431);
}

#[test]
fn a_long_request_is_not_answered_by_a_longer_refusal() {
    let daemon = web_daemon(&[]);
    let long = "\"".repeat(30_000);
    let requests = [
        format!("GET /{long}"),
        format!("GET /list?{long}"),
        format!("{} /list", "A".repeat(30_000)),
        format!("OPTIONS /{long}"),
    ];
    for request in requests {
        let refusal = answer(&daemon, format!("{request} HTTP/1.1\r\nHost: hub\r\n\r\n"));
        assert!(refusal.refusal() < 500 && refusal.body.len() < 2000, "{} bytes", refusal.body.len());
    }
}

#[test]
fn what_is_no_http_is_400() {
    let daemon = web_daemon(&[]);
    for request in [
        "\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /health\r\n\r\n",
        "GET /health HTTP/2.0\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost hub\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost : hub\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: hub\r\nX: a\r\n folded\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: hub\r\nX: a\0b\r\n\r\n",
        "GET /hea lth HTTP/1.1\r\nHost: hub\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(refused_for_good(&daemon, request), 400, "{request:?}");
    }
}

#[test]
fn a_length_that_is_in_doubt_ends_the_connection() {
    let daemon = web_daemon(&[]);
    let smuggled = "GET /health HTTP/1.1\r\nHost: hub\r\n\r\n";
    for (headers, status) in [
        ("Content-Length: 3\r\nContent-Length: 3\r\n", 400),
        ("Content-Length: 3\r\nContent-Length: 0\r\n", 400),
        ("Content-Length: 3, 3\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: +3\r\n", 400),
        ("Content-Length: 0x3\r\n", 400),
        ("Content-Length: 3.0\r\n", 400),
        ("Content-Length: \r\n", 400),
        ("Content-Length: 99999999999999999999999\r\n", 400),
        ("Content-Length: 18446744073709551615\r\n", 413),
        ("Content-Length: 1048577\r\n", 413),
        ("Transfer-Encoding: chunked\r\n", 411),
        ("Transfer-Encoding: identity\r\n", 411),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 411),
        ("transfer-encoding: xchunked\r\nContent-Length: 3\r\n", 411),
        ("", 411),
    ] {
        let request = format!("POST /rooms/lobby HTTP/1.1\r\nHost: hub\r\n{headers}\r\n{smuggled}");
        assert_eq!(refused_for_good(&daemon, request), status, "{headers}");
    }
    let request = format!("GET /health HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}");
    assert_eq!(refused_for_good(&daemon, request), 411);
    assert_eq!(refused_for_good(&daemon, "GET /health HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\n\r\nhello"), 400);
}

#[test]
fn one_host_is_named_by_each_request_of_http_1_1() {
    let daemon = web_daemon(&[]);
    assert_eq!(answer(&daemon, "GET /health HTTP/1.1\r\n\r\n").refusal(), 400);
    assert_eq!(answer(&daemon, "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").refusal(), 400);
    assert_eq!(answer(&daemon, "GET /health HTTP/1.1\r\nHost:\r\n\r\n").status, 200);
    assert_eq!(answer(&daemon, "GET /health HTTP/1.0\r\n\r\n").status, 200);
}

#[test]
fn a_target_may_be_absolute() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    assert_eq!(web.get("http://hub/health").status, 200);
    assert_eq!(web.get("HTTP://hub:80/rooms/x/members?").refusal(), 404);
    assert!(web.get("http://hub").header("Content-Type").is_some_and(|kind| kind.starts_with("text/html")));
    assert_eq!(web.get("ftp://hub/health").refusal(), 404);
}

#[test]
fn a_path_that_leads_nowhere_is_404() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    for path in [
        "/nowhere",
        "//health",
        "/health/",
        "/HEALTH",
        "/../health",
        "/rooms",
        "/rooms/a/b",
        "/rooms/a/members/b",
        "/%68ealth",
        "/chat.js/",
        "*",
    ] {
        assert_eq!(refused(&mut web, format!("GET {path} HTTP/1.1\r\nHost: hub\r\n\r\n")).status, 404, "{path}");
    }
}

#[test]
fn another_method_is_405_and_told_which_would_do() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    let (readable, writable) = (Some("GET, HEAD, OPTIONS"), Some("POST, OPTIONS"));
    for (method, path, allowed) in [
        ("POST", "/health", readable),
        ("DELETE", "/", readable),
        ("TRACE", "/metrics", readable),
        ("PUT", "/list", readable),
        ("POST", "/rooms/a/members", readable),
        ("get", "/rooms/a/history", readable),
        ("HEAD", "/ws", Some("GET, OPTIONS")),
        ("GET", "/relay", writable),
        ("GET", "/send", writable),
        ("PUT", "/rooms/a", writable),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: hub\r\n\r\n");
        if method == "HEAD" {
            web.0.send(request.as_bytes());
            assert_eq!(web.head().header("Allow"), allowed);
            continue;
        }
        let refusal = refused(&mut web, request);
        assert_eq!((refusal.status, refusal.header("Allow")), (405, allowed), "{method} {path}");
    }
    assert_eq!(refused_for_good(&daemon, post("/health", b"hello")), 405, "a body that nobody reads ends it");
}

#[test]
fn a_key_that_will_not_do_is_400() {
    let daemon = web_daemon(&[]);
    daemon.connect().join("lobby");
    let mut web = Web::connect(&daemon);
    let targets = [
        "/list?x=1",
        "/rooms/lobby/members?limit=1",
        "/rooms/lobby/history?before=1",
        "/rooms/lobby/history?after=x",
        "/rooms/lobby/history?after=-1",
        "/rooms/lobby/history?after=1&after=2",
        "/rooms/lobby/history?limit=1.5",
        "/rooms/lobby/history?limit",
        "/rooms/lobby/history?after=18446744073709551616",
        "/rooms/lob%zzby/members",
        "/rooms/%/members",
        "/rooms/%4/members",
        "/rooms/%FF/members",
    ];
    for target in targets {
        assert_eq!(refused(&mut web, format!("GET {target} HTTP/1.1\r\nHost: hub\r\n\r\n")).status, 400, "{target}");
    }
    for target in [
        "/relay",
        "/relay?to=",
        "/relay?to=x",
        "/relay?to=1,",
        "/relay?to=-1",
        "/relay?to=%2B1",
        "/relay?to=+1",
        "/relay?from=1",
        "/relay?to=18446744073709551616",
        "/send",
        "/send?to=",
        "/send?names=ann",
        "/send?to=%FF",
        "/send?to=ann,",
        "/send?to=\"ann",
        "/send?to=\"ann\"lee,bob",
        "/rooms/lobby?x=1",
        "/rooms/a%0Ab",
        "/rooms/",
    ] {
        assert_eq!(refused(&mut web, post(target, b"hello")).status, 400, "{target}");
    }
    let long = "x".repeat(300);
    for target in
        [format!("/rooms/{long}"), format!("/send?to={long}"), format!("/relay?to={}", "1,".repeat(300) + "1")]
    {
        assert_eq!(refused(&mut web, post(&target, b"hi")).status, 400, "{target}");
    }
}

#[test]
fn a_published_body_reaches_the_members_each_from_an_id_of_its_own() {
    let daemon = web_daemon(&[]);
    let mut member = daemon.connect();
    let own = member.id();
    member.join("lobby");
    let mut web = Web::connect(&daemon);
    let bodies = [&b"hi"[..], b"", &[0, 0xFF]];
    let mut sessions = vec![own];
    for (number, body) in (2..).zip(bodies) {
        let answer = web.post("/rooms/lobby", body);
        assert_eq!((answer.status, text(&answer.body)), (200, &format!("{{\"id\":{number}}}")[..]));
        let event = member.event();
        assert_eq!((event.what, event.id, &event.name[..], &event.body[..]), (MESSAGE, number, "", body));
        sessions.push(event.session);
    }
    assert!(sessions.is_sorted_by(|one, other| one < other), "{sessions:?}");
    member.send(&frame(RELAY, RECEIPT, 1, relay(&sessions[1..], b"back to you")));
    assert_eq!(member.receive(), Frame::new(0x84, 0, 1, [0, 3, 1, 1, 1]), "they are gone");
}

#[test]
fn rooms_and_names_are_percent_encoded() {
    let daemon = web_daemon(&[]);
    let mut member = daemon.connect();
    member.join("a b/李+,");
    member.hello("x, y+z");
    // It left the room with its old name.
    member.id_after_events();
    member.join("a b/李+,");
    let mut web = Web::connect(&daemon);
    assert!(web.post("/rooms/a%20b%2F%E6%9D%8e+,", "hi").json()["id"].as_u64() > Some(2));
    assert_eq!(member.event().body, b"hi");
}

#[test]
fn a_relay_and_a_send_say_what_became_of_each() {
    let daemon = web_daemon(&[]);
    let (mut ann, mut bob) = (daemon.connect(), daemon.connect());
    let ids = [ann.id(), bob.id()];
    ann.hello("ann, the first");
    let mut web = Web::connect(&daemon);
    let answer = web.post(&format!("/relay?to={},1,{},{}", ids[0], ids[1], ids[0]), "hi");
    let statuses = "{\"statuses\":[\"queued\",\"unknown\",\"queued\",\"queued\"]}";
    assert_eq!((answer.status, text(&answer.body)), (200, statuses));
    for raw in [&mut ann, &mut bob] {
        let told = raw.receive();
        assert_eq!((told.kind, &told.payload[8..]), (DELIVER, &b"hi"[..]));
        assert_eq!(raw.ask(PING, 0, 1, b"").kind, 0x8C, "and nothing else came");
    }
    let answer = web.post("/send?to=ann%2C+the%20first,bob", [0xFF, 0]);
    assert_eq!((answer.status, text(&answer.body)), (200, "{\"statuses\":[\"queued\",\"unknown\"]}"));
    assert!(ann.receive().payload.ends_with(&[0xFF, 0]));
    let mut quoted = daemon.connect();
    quoted.hello("\"Lee\", Bo");
    for to in ["%22Lee%22%2C+Bo", "\"%22Lee%22,+Bo\"", "ann%2C+the%20first,\"%22Lee%22,+Bo\""] {
        let answer = web.post(&format!("/send?to={to}"), to);
        assert!(answer.status == 200 && !text(&answer.body).contains("unknown"), "{to}: {}", text(&answer.body));
        assert!(quoted.receive().payload.ends_with(to.as_bytes()), "{to}");
    }
}

#[test]
fn a_body_may_have_so_many_bytes_and_no_more() {
    let daemon = web_daemon(&["--max-body", "100"]);
    let mut member = daemon.connect();
    member.join("lobby");
    assert_eq!(Web::connect(&daemon).post("/rooms/lobby", [7; 100]).status, 200);
    assert_eq!(member.event().body, [7; 100]);
    assert_eq!(refused_for_good(&daemon, &post("/rooms/lobby", &[7; 101])[..90]), 413, "said before the body comes");
    let daemon = web_daemon(&[]);
    let mut member = daemon.connect();
    let to = member.id();
    let body: Vec<u8> = (0..1 << 20).map(|i| (i * 7 + i / 251) as u8).collect();
    let answer = Web::connect(&daemon).post(&format!("/relay?to={to}"), &body);
    assert_eq!(answer.json(), json!({"statuses": ["queued"]}));
    assert!(member.receive().payload[8..] == body);
}

#[test]
fn a_limit_reached_is_429() {
    let daemon = web_daemon(&["--max-rooms", "1"]);
    let (mut ann, mut web) = (daemon.connect(), Web::connect(&daemon));
    ann.join("one");
    assert_eq!(web.post("/rooms/one", "").status, 200);
    let refusal = refused(&mut web, post("/rooms/two", b"hi"));
    assert_eq!((refusal.status, &refusal.json()["code"]), (429, &json!(8)));
}

#[test]
fn rooms_are_shown_to_this_machine_and_through_a_proxy_only_where_that_is_allowed() {
    for is_open in [false, true] {
        let daemon = web_daemon(if is_open { &["--http-read"] } else { &[] });
        let mut ann = daemon.connect();
        ann.hello("ann");
        let id = ann.id();
        ann.join("a b");
        ann.send(&frame(PUBLISH, 0, 0, publish("a b", b"hi")));
        ann.send(&frame(PUBLISH, 0, 0, publish("a b", &[0xFF])));
        ann.id_after_events();
        let mut web = Web::connect(&daemon);
        assert_eq!(
            web.get("/rooms/a%20b/members").json(),
            json!({"members": [{"userId": id.to_string(), "name": "ann"}]})
        );
        let history = web.get("/rooms/a%20b/history?after=1").json();
        let events = history["events"].as_array().expect("a list");
        let told: Vec<_> = events.iter().map(|event| (event["id"].as_u64(), event.get("message"))).collect();
        assert_eq!(told, [(Some(2), Some(&json!("hi"))), (Some(3), None)]);
        assert_eq!(events[1]["messageBase64"], "/w==");
        assert_eq!(web.get("/rooms/a%20b/history?limit=1&after=0").json()["events"][0]["type"], "join");
        assert_eq!(web.get("/rooms/a%20b/history?after=99").json(), json!({"events": []}));
        for what in ["members", "history"] {
            let missing = web.get(&format!("/rooms/nowhere/{what}"));
            assert_eq!((missing.refusal(), missing.closes()), (404, false));
            for header in ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: ::1", "Via: 1.1 proxy"]
            {
                let by_proxy = web.ask(format!("GET /rooms/a%20b/{what} HTTP/1.1\r\nHost: hub\r\n{header}\r\n\r\n"));
                assert_eq!((by_proxy.status, by_proxy.closes()), (if is_open { 200 } else { 403 }, false), "{header}");
            }
        }
    }
}

#[test]
fn a_page_of_another_may_not_ask() {
    let daemon = web_daemon(&["--origin", "https://chat.example"]);
    let mut web = Web::connect(&daemon);
    let ask = |web: &mut Web, origin: &str| {
        web.ask(format!("POST /rooms/lobby HTTP/1.1\r\nHost: hub\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n"))
            .status
    };
    let statuses =
        ["null", "https://evil.example", "http://hub", "https://chat.example"].map(|origin| ask(&mut web, origin));
    assert_eq!(statuses, [403, 403, 200, 200]);
}

#[test]
fn a_post_waits_for_a_receiver_that_is_full_and_others_do_not() {
    let daemon = web_daemon(&QUEUE);
    let (mut sender, mut full) = (daemon.connect(), daemon.connect());
    let to = full.id();
    fill(&daemon, &mut sender, to);
    let mut web = Web::connect(&daemon);
    let get = b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n";
    web.0.send(&[&post(&format!("/relay?to={to}"), b"the last")[..], get].concat());
    let mut other = daemon.connect();
    eventually("it waits as well", || Some(other.stats()).filter(|stats| stats["waits"] == 2));
    let mut last = Web::connect(&daemon);
    let head = format!("POST /relay?to={to} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: 5\r\n\r\n");
    last.0.send(&[head.as_bytes(), b"hello"].concat());
    eventually("and so does another", || Some(other.stats()).filter(|stats| stats["waits"] == 3));
    assert_eq!(Web::connect(&daemon).get("/health").status, 200);
    web.0.0.set_nonblocking(true).expect("it can be");
    assert!(web.0.0.peek(&mut [0]).is_err(), "it has no answer yet");
    web.0.0.set_nonblocking(false).expect("it can be");
    let mut heard: Vec<Vec<u8>> = Vec::new();
    while heard.len() < 2 {
        let body = full.receive().payload.split_off(8);
        heard.extend(Some(body).filter(|body| body.len() < 10));
    }
    heard.sort();
    assert_eq!(heard, [&b"hello"[..], b"the last"]);
    let answer = last.response();
    assert_eq!((answer.json(), answer.closes()), (json!({"statuses": ["queued"]}), true));
    last.expect_end();
    assert_eq!(web.response().json(), json!({"statuses": ["queued"]}));
    assert_eq!(web.response().json(), json!({"status": "ok"}), "what stood behind it is answered behind it");
}

#[test]
fn two_thousand_posts_behind_one_another_are_done_in_order() {
    let daemon = web_daemon(&[]);
    let mut member = daemon.connect();
    member.join("lobby");
    let mut web = Web::connect(&daemon);
    let posts: Vec<u8> = (0..2000_u32).flat_map(|number| post("/rooms/lobby", number.to_string().as_bytes())).collect();
    let mut writer = web.0.0.try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || writer.write_all(&posts).expect("the hub reads"));
    for number in 0..2000_u64 {
        assert_eq!(web.response().json(), json!({"id": number + 2}));
        assert_eq!(member.event().body, number.to_string().as_bytes());
    }
    writing.join().expect("all was sent");
}

#[test]
fn a_post_to_the_full_is_refused_where_the_daemon_does_that() {
    let daemon = web_daemon(&["--queue", "64K", "--when-full", "refuse"]);
    let (mut sender, mut full) = (daemon.connect(), daemon.connect());
    let to = full.id();
    (0..12).for_each(|_| sender.send(&frame(RELAY, 0, 0, relay(&[to], &[b'x'; 1 << 20]))));
    sender.send(&frame(PING, 0, 1, b""));
    while sender.receive().kind != 0x8C {}
    let answer = Web::connect(&daemon).post(&format!("/relay?to={to},1"), "hi");
    assert_eq!(answer.json(), json!({"statuses": ["refused", "unknown"]}));
}

#[test]
fn one_who_asks_for_much_and_reads_nothing_costs_little_and_holds_up_nobody() {
    let daemon = web_daemon(&["--queue", "64K", "--max-body", "64K"]);
    let mut greedy = Web::connect(&daemon);
    let requests = b"GET /chat.js HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(1000);
    greedy.0.0.set_nonblocking(true).expect("it can be");
    // The hub may not receive all of it.
    let sent = greedy.0.0.write(&requests).expect("some of it");
    let mut other = daemon.connect();
    let stats = eventually("it is held up", || Some(other.stats()).filter(|stats| stats["waits"].as_u64() > Some(0)));
    assert!(stats["most-held"].as_u64() < Some(1 << 20), "{stats}");
    assert_eq!(Web::connect(&daemon).get("/health").status, 200);
    greedy.0.0.set_nonblocking(false).expect("it can be");
    let file = greedy.response();
    for _ in 1..sent / (requests.len() / 1000) {
        assert!(greedy.response() == file, "all that was asked is answered once it reads");
    }
}

#[test]
fn a_request_that_is_never_finished_is_408() {
    let daemon = web_daemon(&["--frame-secs", "1"]);
    let starts: [&[u8]; 4] = [
        b"G",
        b"GET /health HTTP/1.1\r\nHost: hub\r\n",
        b"POST /rooms/lobby HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\n\r\nhell",
        b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\nGET",
    ];
    let mut all: Vec<Web> = starts.map(|_| Web::connect(&daemon)).into();
    all.iter_mut().zip(starts).for_each(|(web, start)| web.0.send(start));
    assert_eq!(all[3].response().status, 200);
    for mut web in all {
        let late = web.response();
        assert_eq!((late.refusal(), late.closes()), (408, true));
        web.expect_end();
    }
}

#[test]
fn one_who_asks_nothing_for_long_is_closed_without_an_answer_to_nothing() {
    let daemon = web_daemon(&["--idle-secs", "1", "--heartbeat-secs", "0"]);
    let mut web = Web::connect(&daemon);
    assert_eq!(web.get("/health").status, 200);
    web.expect_end();
}

#[test]
fn one_who_ends_its_side_is_answered_all_that_it_asked() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    web.0.send(&b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(3));
    web.0.half_close();
    (0..3).for_each(|_| assert_eq!(web.response().status, 200));
    web.expect_end();
}

#[test]
fn while_the_hub_ends_health_says_so_and_nothing_more_is_done() {
    let daemon = web_daemon(&[&QUEUE[..], &["--drain-secs", "20"]].concat());
    let (mut sender, mut slow) = (daemon.connect(), daemon.connect());
    let to = slow.id();
    fill(&daemon, &mut sender, to);
    let (mut web, mut idle) = (Web::connect(&daemon), Web::connect(&daemon));
    assert_eq!((web.get("/health").status, idle.get("/health").status), (200, 200));
    daemon.signal("TERM");
    let answer = eventually("it drains", || Some(web.get("/health")).filter(|answer| answer.status == 503));
    assert_eq!((text(&answer.body), answer.closes()), ("{\"status\":\"draining\"}", false));
    let options = web.ask("OPTIONS / HTTP/1.1\r\nHost: hub\r\n\r\n");
    assert_eq!((options.refusal(), options.closes()), (503, true), "a load balancer may ask in this way");
    let mut web = Web::connect(&daemon);
    let mut late = Web::connect(&daemon);
    assert_eq!(late.get("/health").status, 503, "newcomers are told as well");
    assert_eq!(late.get("/list").status, 200, "what there is may be seen");
    assert_eq!(late.post("/rooms/lobby", "hi").refusal(), 503);
    late.expect_end();
    assert_eq!(idle.ask(handshake("")).refusal(), 503);
    drop((sender, slow));
    assert_eq!(daemon.end().0, Some(0));
    let mut rest = Vec::new();
    web.0.0.read_to_end(&mut rest).expect("an orderly end");
    assert!(rest.is_empty());
}

/// The samples of a text in the exposition format, by name and labels. The format is parsed strictly.
fn samples(text: &str) -> BTreeMap<String, u64> {
    let mut samples = BTreeMap::new();
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let mut family = "";
    assert!(text.ends_with('\n') && text.is_ascii());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').expect("a name and its help").0;
            assert!(!families.contains_key(family), "{family} is there once");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and its type");
            assert!(name == family && ["gauge", "counter"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.insert(name, kind);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
        assert!(name == family && families.contains_key(name), "{line} stands below its type");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        for label in
            labels.map(|rest| rest.strip_suffix('}').expect("a brace")).into_iter().flat_map(|all| all.split(','))
        {
            let (key, value) = label.split_once("=\"").expect("a key and a value");
            assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            assert!(value.ends_with('"') && value.matches(['"', '\\']).count() == 1, "{line}");
        }
        let value = value.parse().expect("a number");
        assert!(samples.insert(series.to_owned(), value).is_none(), "{series} is there once");
    }
    samples
}

#[test]
fn metrics_are_every_counter_there_is() {
    let daemon = web_daemon(&[]);
    let mut member = daemon.connect();
    member.join("lobby");
    let mut ws = Ws::json(&daemon);
    ws.survived("{}");
    let gone = ws.id();
    drop(ws);
    member.wait_until_gone(gone);
    let stats = member.stats();
    let answer = Web::connect(&daemon).get("/metrics");
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = samples(text(&answer.body));
    let gauges = ["users", "most-users", "held", "most-held", "rooms", "longest-turn-us"];
    for (name, value) in stats.as_object().expect("an object") {
        let is_gauge = gauges.contains(&&name[..]);
        let sample = format!("cubby_{}{}", name.replace('-', "_"), if is_gauge { "" } else { "_total" });
        match value.as_u64() {
            Some(least) if is_gauge => assert!(samples.contains_key(&sample), "{name} {least}"),
            Some(least) => assert!(samples[&sample] >= least, "{name}"),
            None => assert!(["closed", "frames-in", "frames-out", "turn-times"].contains(&&name[..]), "{name}"),
        }
    }
    assert_eq!(samples["cubby_users"], 1);
    assert_eq!(samples["cubby_frames_total{direction=\"in\",kind=\"JOIN\"}"], 1);
    assert_eq!(samples["cubby_closed_total{code=\"12\",error=\"too slow\"}"], 0);
    let turns: u64 = samples.iter().filter(|(name, _)| name.starts_with("cubby_turns_by_time")).map(|(_, n)| n).sum();
    assert_eq!(turns + 1, samples["cubby_turns_total"], "the turn that answers takes a time not known yet");
}
