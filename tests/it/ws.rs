//! The handshake, the frames and the end of a WebSocket: literal bytes against the real daemon.

use crate::support::web::*;
use crate::support::*;

/// A handshake's answer.
fn answer(daemon: &Daemon, request: &str) -> Response {
    Web::connect(daemon).ask(request)
}

/// The code of the close frame that these bytes cause. Nothing may come before it.
fn closed_by(daemon: &Daemon, bytes: &[u8]) -> u16 {
    let mut ws = Ws::json(daemon);
    ws.send(bytes);
    ws.closed()
}

#[test]
fn a_handshake_is_answered_with_the_hash_of_its_key() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    web.0.send(handshake("").as_bytes());
    let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_eq!(text(&web.bytes(expected.len())), expected);
    assert!(Ws(web.0).id() > 0, "JSON is spoken where no subprotocol was asked for");
}

#[test]
fn the_first_subprotocol_that_is_known_is_chosen() {
    let daemon = web_daemon(&[]);
    let cases = [
        ("cubby.v1", "cubby.v1"),
        ("cubby.json.v1", "cubby.json.v1"),
        ("mqtt, cubby.v1, cubby.json.v1", "cubby.v1"),
        ("cubby.json.v1,cubby.v1", "cubby.json.v1"),
        ("mqtt\r\nSec-WebSocket-Protocol: cubby.v1", "cubby.v1"),
    ];
    for (asked, chosen) in cases {
        let mut web = Web::connect(&daemon);
        web.0.send(handshake(&format!("Sec-WebSocket-Protocol: {asked}\r\n")).as_bytes());
        let head = web.head();
        assert_eq!((head.status, head.header("Sec-WebSocket-Protocol")), (101, Some(chosen)), "{asked}");
        let mut ws = Ws(web.0);
        assert!(if chosen == "cubby.v1" { ws.frame_id() } else { ws.id() } > 0);
    }
    for asked in ["mqtt", "mqtt, wamp", "Cubby.V1", "cubby.v1x"] {
        assert_eq!(answer(&daemon, &handshake(&format!("Sec-WebSocket-Protocol: {asked}\r\n"))).refusal(), 400);
    }
}

#[test]
fn no_extension_is_agreed_on() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    web.0.send(handshake("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n").as_bytes());
    let head = web.head();
    assert_eq!((head.status, head.header("Sec-WebSocket-Extensions")), (101, None));
}

#[test]
fn another_version_is_told_which_would_do() {
    let daemon = web_daemon(&[]);
    let good = handshake("");
    for version in ["", "Sec-WebSocket-Version: 8\r\n", "Sec-WebSocket-Version: 13, 8\r\n"] {
        let refused = answer(&daemon, &good.replace("Sec-WebSocket-Version: 13\r\n", version));
        assert_eq!((refused.refusal(), refused.header("Sec-WebSocket-Version")), (426, Some("13")), "{version}");
    }
    for header in ["Upgrade: websocket\r\n", "Connection: Upgrade\r\n"] {
        let refused = answer(&daemon, &good.replacen(header, "", 1));
        assert_eq!((refused.refusal(), refused.header("Upgrade")), (426, Some("websocket")), "{header}");
    }
}

#[test]
fn a_handshake_that_lacks_something_is_refused() {
    let daemon = web_daemon(&[]);
    let good = handshake("");
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let cases = [
        ("no key", good.replace(key, "")),
        ("two keys", good.replace(key, &key.repeat(2))),
        ("a short key", good.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==")),
        ("an empty key", good.replace("dGhlIHNhbXBsZSBub25jZQ==", "")),
        ("two versions", handshake("Sec-WebSocket-Version: 13\r\n")),
        ("a body", handshake("Content-Length: 5\r\n") + "hello"),
        ("HTTP/1.0", good.replace("HTTP/1.1", "HTTP/1.0")),
        ("a connection that is to end", good.replace("Connection: Upgrade", "Connection: Upgrade, close")),
    ];
    for (what, request) in cases {
        assert_eq!(answer(&daemon, &request).refusal(), 400, "{what}");
    }
    let refused = answer(&daemon, &good.replacen("GET", "POST", 1));
    assert_eq!((refused.refusal(), refused.header("Allow")), (405, Some("GET, OPTIONS")));
}

#[test]
fn a_refused_handshake_may_be_tried_again() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    assert_eq!(web.ask(handshake("Sec-WebSocket-Protocol: mqtt\r\n")).refusal(), 400);
    web.0.send(handshake("").as_bytes());
    assert_eq!(web.head().status, 101);
    assert!(Ws(web.0).id() > 0);
}

#[test]
fn header_names_and_their_tokens_may_be_in_any_case() {
    let daemon = web_daemon(&[]);
    let request = handshake("")
        .replace("Upgrade: websocket", "uPGRADE: WebSocket")
        .replace("Connection: Upgrade", "CONNECTION: keep-alive, upgrade")
        .replace("Sec-WebSocket-Key", "sec-websocket-key");
    assert_eq!(answer(&daemon, &request).status, 101);
}

#[test]
fn a_handshake_and_messages_may_come_a_byte_at_a_time() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws(Raw::connect(host(&daemon)));
    let messages = [message(TEXT, r#"{"type":"ping","body":"a"}"#), message(TEXT, [b' '; 200])].concat();
    for byte in [handshake("").as_bytes(), &messages].concat() {
        ws.send([byte]);
    }
    let mut web = Web(ws.0);
    assert_eq!(web.head().status, 101);
    let mut ws = Ws(web.0);
    assert_eq!(ws.text(), r#"{"type":"pong","body":"a"}"#);
    assert_eq!(ws.next()["code"], 1);
}

#[test]
fn messages_may_stand_right_behind_the_handshake() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    let ping = |body: &str| message(TEXT, format!(r#"{{"type":"ping","body":"{body}"}}"#));
    let half = ping("three");
    web.0.send(&[handshake("").as_bytes(), &ping("one"), &ping("two"), &half[..9]].concat());
    assert_eq!(web.head().status, 101);
    let mut ws = Ws(web.0);
    ws.send(&half[9..]);
    for body in ["one", "two", "three"] {
        assert_eq!(ws.text(), format!(r#"{{"type":"pong","body":"{body}"}}"#));
    }
}

#[test]
fn a_page_of_the_hubs_own_or_of_an_origin_named_may_ask() {
    let daemon = web_daemon(&["--origin", "https://chat.example", "--origin", "http://127.0.0.1:3000"]);
    for origin in ["http://hub", "https://hub", "https://chat.example", "HTTPS://Chat.Example", "http://127.0.0.1:3000"]
    {
        assert_eq!(answer(&daemon, &handshake(&format!("Origin: {origin}\r\n"))).status, 101, "{origin}");
    }
    for origin in [
        "null",
        "",
        "hub",
        "http://hub:81",
        "http://hub.evil",
        "http://evilhub",
        "http://chat.example",
        "https://chat.example:444",
        "https://chat.example.evil",
        "http://127.0.0.1:3001",
        "file://",
        "file://hub",
        "capacitor://hub",
        "http://hub/",
        "http://",
    ] {
        let refused = answer(&daemon, &handshake(&format!("Origin: {origin}\r\n")));
        assert_eq!(refused.refusal(), 403, "{origin}");
    }
    // A request that names no host, or an empty one, has no origin that could be its own.
    for origin in ["file://", "http://", "null", "", "http://hub"] {
        let request = handshake(&format!("Origin: {origin}\r\n"));
        assert_eq!(answer(&daemon, &request.replace("Host: hub\r\n", "Host:\r\n")).refusal(), 403, "{origin}");
        let old = format!("POST /rooms/lobby HTTP/1.0\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer(&daemon, &old).refusal(), 403, "{origin}");
    }
    let twice = handshake("Origin: http://hub\r\nOrigin: http://evil\r\n");
    assert_eq!(answer(&daemon, &twice).refusal(), 400);
}

#[test]
fn a_frame_that_breaks_the_protocol_is_answered_with_1002() {
    let daemon = web_daemon(&[]);
    let cases: [(&str, &[u8]); 21] = [
        ("unmasked", &[0x81, 0]),
        ("unmasked, and its payload has yet to come", &[0x82, 0x05]),
        ("first reserved bit", &[0xC1, 0x80, 0, 0, 0, 0]),
        ("second reserved bit", &[0xA1, 0x80]),
        ("third reserved bit", &[0x91, 0x80]),
        ("opcode 3", &[0x83, 0x80]),
        ("opcode 7", &[0x87, 0x80]),
        ("opcode 11", &[0x8B, 0x80]),
        ("opcode 15", &[0x8F, 0x80]),
        ("ping in pieces", &[0x09, 0x80]),
        ("close in pieces", &[0x08, 0x80]),
        ("ping of 126 bytes", &[0x89, 0xFE]),
        ("close of 65,536 bytes", &[0x88, 0xFF]),
        ("continuation of nothing", &[0x80, 0x80, 0, 0, 0, 0]),
        ("unfinished continuation of nothing", &[0x00, 0x80, 0, 0, 0, 0]),
        ("text within a text", &[0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0]),
        ("binary within a text", &[0x01, 0x80, 0, 0, 0, 0, 0x02, 0x80, 0, 0, 0, 0]),
        ("top bit of the length", &[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("every bit of the length", &[0x82, 0xFF, 255, 255, 255, 255, 255, 255, 255, 255]),
        ("125 in sixteen bits", &[0x81, 0xFE, 0, 125]),
        ("65,535 in sixty-four bits", &[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 255, 255]),
    ];
    for (what, bytes) in cases {
        assert_eq!(closed_by(&daemon, bytes), 1002, "{what}");
    }
    let mut watcher = daemon.connect();
    assert_eq!(watcher.stats()["closed"]["malformed"], 21);
}

#[test]
fn a_close_frame_that_may_not_be_sent_is_a_violation() {
    let daemon = web_daemon(&[]);
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(closed_by(&daemon, &message(CLOSE, code.to_be_bytes())), 1002, "{code}");
    }
    assert_eq!(closed_by(&daemon, &message(CLOSE, [3])), 1002, "half a code");
    assert_eq!(closed_by(&daemon, &message(CLOSE, [3, 232, 0xC3])), 1007, "a reason that is no text");
}

#[test]
fn a_close_frame_is_answered_with_its_own_code_behind_what_was_asked_before() {
    let daemon = web_daemon(&[]);
    for code in [1000u16, 1001, 1002, 1008, 3000, 4999] {
        assert_eq!(closed_by(&daemon, &message(CLOSE, code.to_be_bytes())), code);
    }
    assert_eq!(closed_by(&daemon, &message(CLOSE, [])), 1000, "where it gave none");
    assert_eq!(closed_by(&daemon, &message(CLOSE, [&[3, 233][..], "später".as_bytes()].concat())), 1001);
    let mut ws = Ws::json(&daemon);
    let ping = message(TEXT, r#"{"type":"ping","body":"x"}"#);
    ws.send([&ping[..], &message(CLOSE, [3, 232]), &ping].concat());
    assert_eq!(ws.text(), r#"{"type":"pong","body":"x"}"#);
    assert_eq!(ws.closed(), 1000, "and what stood behind it is not carried out");
}

#[test]
fn a_goodbye_is_answered_with_1000() {
    let daemon = web_daemon(&[]);
    let mut json = Ws::json(&daemon);
    let own = json.id();
    json.say(format!(r#"{{"type":"relay","to":["{own}"],"body":"to myself"}}"#));
    json.say(r#"{"type":"bye"}"#);
    assert_eq!(json.text(), format!(r#"{{"type":"deliver","from":"{own}","body":"to myself"}}"#));
    assert_eq!(json.closed(), 1000);
    let mut binary = Ws::binary(&daemon);
    binary.send(message(BINARY, frame(BYE, 0, 0, [])));
    assert_eq!(binary.closed(), 1000);
}

#[test]
fn when_the_hub_stops_it_says_so_and_closes_with_1001() {
    let daemon = web_daemon(&[]);
    let (mut json, mut binary) = (Ws::json(&daemon), Ws::binary(&daemon));
    json.id();
    binary.frame_id();
    daemon.signal("TERM");
    assert!(json.text().starts_with(r#"{"type":"closing","code":11,"error":"going away"#));
    assert_eq!(json.closed(), 1001);
    let closing = binary.frame();
    assert_eq!((closing.kind, &closing.payload[..2]), (CLOSING, &[0, 11][..]));
    assert_eq!(binary.closed(), 1001);
    assert_eq!(daemon.end().0, Some(0));
}

#[test]
fn a_ping_is_answered_with_its_own_bytes() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    for body in [&b""[..], b"hello", &[0xFF; 125]] {
        ws.send(message(WS_PING, body));
        assert_eq!(ws.message(), (WS_PONG, body.to_vec()));
    }
    for byte in message(WS_PING, b"slowly") {
        ws.send([byte]);
    }
    assert_eq!(ws.message(), (WS_PONG, b"slowly".to_vec()));
    ws.send(message(WS_PONG, b"that nobody asked for"));
    assert!(ws.id() > 0);
}

#[test]
fn a_message_in_pieces_is_whole_again_whatever_its_pieces_cut_and_whoever_pings_between() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let text = r#"{"type":"ping","body":"é李🦀"}"#.as_bytes();
    let at = text.iter().position(|byte| *byte > 127).expect("it is there") + 1;
    ws.send([piece(0x01, &text[..at]), message(WS_PING, b"between"), piece(0x00, &text[at..at + 2])].concat());
    assert_eq!(ws.message(), (WS_PONG, b"between".to_vec()));
    ws.send([piece(0x00, []), piece(0x00, &text[at + 2..at + 5]), message(WS_PONG, [])].concat());
    ws.send(piece(0x80, &text[at + 5..]));
    assert_eq!(ws.text(), r#"{"type":"pong","body":"é李🦀"}"#);
    for byte in text {
        ws.send(piece(if *byte == b'{' { 0x01 } else { 0x00 }, [*byte]));
    }
    ws.send(piece(0x80, []));
    assert_eq!(ws.text(), r#"{"type":"pong","body":"é李🦀"}"#);
}

#[test]
fn a_close_between_the_pieces_of_a_message_is_answered() {
    let daemon = web_daemon(&[]);
    assert_eq!(closed_by(&daemon, &[piece(0x01, b"{"), message(CLOSE, [3, 232])].concat()), 1000);
}

#[test]
fn a_text_that_is_not_utf8_is_answered_with_1007_as_soon_as_it_shows() {
    let daemon = web_daemon(&[]);
    let whole = |bytes: &[u8]| message(TEXT, bytes);
    let (crab, half) = ("🦀".as_bytes(), &"🦀".as_bytes()[..2]);
    let cases: [(&str, Vec<u8>); 10] = [
        ("a byte that is never there", whole(&[0xFF])),
        ("a character too long", whole(&[0xC0, 0x80])),
        ("a surrogate", whole(&[0xED, 0xA0, 0x80])),
        ("above the last character", whole(&[0xF4, 0x90, 0x80, 0x80])),
        ("cut at the end", whole(half)),
        ("cut at the end of the last piece", [piece(0x01, half), piece(0x80, &crab[2..3])].concat()),
        ("cut where another begins", [piece(0x01, half), piece(0x00, b"x")].concat()),
        ("in the first of several pieces", piece(0x01, [0xFF])),
        ("in the first byte of many", [&[0x81, 0xFE, 0xFF, 0xFF][..], &[0; 4], &[0xFF]].concat()),
        ("behind a whole message", [message(TEXT, ""), piece(0x01, half), piece(0x00, b"x")].concat()),
    ];
    for (what, bytes) in cases {
        let mut ws = Ws::json(&daemon);
        ws.send(&bytes);
        if what.starts_with("behind") {
            assert_eq!(ws.next()["code"], 1, "{what}");
        }
        assert_eq!(ws.closed(), 1007, "{what}");
    }
}

#[test]
fn a_length_over_the_limit_is_refused_on_the_header() {
    let daemon = web_daemon(&[]);
    let gigabyte = [0x81, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4];
    let most = [0x81, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4];
    let in_pieces = [&piece(0x01, [b' '; 100])[..], &[0x80, 0xFF, 0, 0, 0, 0, 0, 0x90, 0, 0, 1, 2, 3, 4]].concat();
    for header in [&gigabyte[..], &most, &in_pieces] {
        let mut ws = Ws::json(&daemon);
        ws.send(header);
        let error = ws.next();
        assert_eq!((&error["type"], &error["code"], &error["fatal"]), (&"error".into(), &3.into(), &true.into()));
        assert_eq!(ws.closed(), 1009);
    }
    let mut ws = Ws::binary(&daemon);
    ws.send([0x82, 0xFF, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4]);
    assert_eq!(ws.frame().error(), (3, 0, true));
    assert_eq!(ws.closed(), 1009);
}

#[test]
fn announced_megabytes_cost_nothing_until_they_come() {
    let daemon = web_daemon(&[]);
    let mut liars: Vec<Ws> = (0..100).map(|_| Ws::json(&daemon)).collect();
    let before = daemon.status("VmRSS");
    liars.iter_mut().for_each(|ws| ws.send([0x81, 0xFF, 0, 0, 0, 0, 0, 0x40, 0, 0, 1, 2, 3, 4, b'{' ^ 1]));
    // The last connection is read last.
    assert_eq!(daemon.connect().list().len(), 100);
    let grown = daemon.status("VmHWM").saturating_sub(before);
    assert!(grown < 4096, "{grown} kB");
}

#[test]
fn ten_thousand_empty_pieces_cost_next_to_nothing() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    ws.send(piece(0x01, br#"{"type":"#));
    ws.send(piece(0x00, []).repeat(10_000));
    ws.send(message(WS_PING, b"all read?"));
    assert_eq!(ws.message(), (WS_PONG, b"all read?".to_vec()));
    let held = daemon.connect().stats()["held"].as_u64().expect("a number");
    assert!(held < 1024, "{held}");
    ws.send(piece(0x80, br#""ping","body":"x"}"#));
    assert_eq!(ws.text(), r#"{"type":"pong","body":"x"}"#);
}

#[test]
fn a_message_that_is_never_finished_ends_its_connection_whatever_else_comes() {
    let daemon = web_daemon(&["--frame-secs", "1"]);
    let (mut silent, mut flooding, mut pinging, mut half) =
        (Ws::json(&daemon), Ws::json(&daemon), Ws::json(&daemon), Ws::binary(&daemon));
    silent.send(piece(0x01, b"{"));
    flooding.send([piece(0x01, b"{"), piece(0x00, []).repeat(10_000)].concat());
    pinging.send([piece(0x01, b"{"), message(WS_PING, [])].concat());
    assert_eq!(pinging.message(), (WS_PONG, vec![]));
    half.send(&message(BINARY, frame(PING, 0, 1, b"x"))[..1]);
    for ws in [&mut silent, &mut flooding, &mut pinging] {
        assert!(ws.text().starts_with(r#"{"type":"closing","code":13,"error":"idle: "#));
        assert_eq!(ws.closed(), 1008);
    }
    let closing = half.frame();
    assert_eq!((closing.kind, &closing.payload[..2]), (CLOSING, &[0, 13][..]));
    assert_eq!(half.closed(), 1008);
}

#[test]
fn a_beat_goes_with_a_ping_and_a_pong_is_a_sign_of_life() {
    let daemon = web_daemon(&["--heartbeat-secs", "1", "--idle-secs", "2"]);
    let (mut silent, mut alive, mut binary) = (Ws::json(&daemon), Ws::json(&daemon), Ws::binary(&daemon));
    let mut beats = 0;
    loop {
        let said = silent.next();
        if said["type"] == "closing" {
            assert_eq!(said["code"], 13);
            break;
        }
        assert!(said["type"] == "beat" && said["unixTime"].as_u64() > Some(1_700_000_000), "{said}");
        assert_eq!(silent.message(), (WS_PING, vec![]));
        beats += 1;
        assert_eq!((alive.next()["type"].as_str(), alive.message()), (Some("beat"), (WS_PING, vec![])));
        alive.send(message(WS_PONG, []));
    }
    assert_eq!(silent.closed(), 1008);
    assert!(beats > 0);
    alive.say(r#"{"type":"ping","body":"still here"}"#);
    while alive.message().1 != br#"{"type":"pong","body":"still here"}"# {}
    let beat = binary.frame();
    assert_eq!((beat.kind, beat.flags, beat.tag, beat.payload.len()), (BEAT, 0, 0, 8));
    assert_eq!(binary.message(), (WS_PING, vec![]));
}

#[test]
fn masks_are_taken_off_wherever_a_message_is_cut() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let own = ws.id();
    let body = "0123456789abcdefg".repeat(60);
    let text = format!(r#"{{"type":"relay","to":["{own}"],"body":"{body}"}}"#);
    let expected = format!(r#"{{"type":"deliver","from":"{own}","body":"{body}"}}"#);
    for mask in [[0; 4], [0xFF; 4], [1, 2, 4, 8], MASK] {
        for cut in [1, 2, 7, 8, 9, 10, 11, 12, 13, 15, 100, 511] {
            let mut bytes = Vec::new();
            cubby::wire::websocket::encode_masked(TEXT, text.as_bytes(), mask, &mut bytes);
            let (front, rest) = bytes.split_at(cut);
            ws.send(front);
            ws.send(&rest[..1]);
            ws.send(&rest[1..]);
            assert_eq!(ws.text(), expected, "{mask:?} {cut}");
        }
    }
}

#[test]
fn what_stands_before_a_violation_is_carried_out() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let ping = message(TEXT, r#"{"type":"ping","body":"x"}"#);
    ws.send([&ping[..], &[0xC1, 0x80, 0, 0, 0, 0], &ping].concat());
    assert_eq!(ws.text(), r#"{"type":"pong","body":"x"}"#);
    assert_eq!(ws.closed(), 1002);
}

#[test]
fn one_who_ends_its_side_is_answered_and_closed() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    ws.send(message(TEXT, r#"{"type":"ping","body":"x"}"#));
    ws.0.half_close();
    assert_eq!(ws.text(), r#"{"type":"pong","body":"x"}"#);
    let (opcode, payload) = ws.message();
    assert_eq!((opcode, &payload[..]), (CLOSE, &[3, 232][..]));
    ws.0.expect_end();
}

#[test]
fn one_who_pings_and_does_not_read_costs_little() {
    let daemon = web_daemon(&["--queue", "64K"]);
    let mut ws = Ws::json(&daemon);
    let pings = message(WS_PING, [7; 125]).repeat(1000);
    // More than both kernels hold of the answers.
    (0..200).for_each(|_| ws.send(&pings));
    ws.say(r#"{"type":"ping","body":"the last"}"#);
    let last = loop {
        let (opcode, payload) = ws.message();
        if opcode == TEXT {
            break payload;
        }
        assert_eq!((opcode, &payload[..]), (WS_PONG, &[7; 125][..]));
    };
    assert_eq!(text(&last), r#"{"type":"pong","body":"the last"}"#);
    let most = daemon.connect().stats()["most-held"].as_u64().expect("a number");
    assert!(most < 1 << 20, "{most}");
}
