//! Messages over WebSocket: every request and reply in JSON, native frames in binary messages, and the errors for
//! invalid ones.

use crate::support::web::*;
use crate::support::*;
use serde_json::{Value, json};

/// The rest of an event that begins like this, after its two times, which must be recent and equal.
fn after_times<'t>(event: &'t str, start: &str) -> &'t str {
    let rest = event.strip_prefix(start).and_then(|rest| rest.strip_prefix(",\"unixTime\":"));
    let (secs, rest) = rest.and_then(|rest| rest.split_once(",\"unixMs\":")).unwrap_or_else(|| panic!("{event}"));
    let end = rest.find(|c: char| !c.is_ascii_digit()).expect("an end");
    let (secs, ms): (u64, u64) = (secs.parse().expect("a number"), rest[..end].parse().expect("a number"));
    assert_eq!(secs, ms / 1000);
    assert!((1_700_000_000..5_000_000_000).contains(&secs));
    &rest[end..]
}

fn named(daemon: &Daemon, name: &str) -> (Ws, u64) {
    let mut ws = Ws::json(daemon);
    let welcome: Value =
        serde_json::from_str(&ws.ask(json!({"type": "hello", "name": name}).to_string())).expect("JSON");
    let id = welcome["userId"].as_str().expect("a string").parse().expect("an id");
    (ws, id)
}

#[test]
fn a_hello_is_welcomed_with_what_the_hub_is_and_allows() {
    let daemon = web_daemon(&["--max-body", "64K", "--max-receivers", "9", "--heartbeat-secs", "20"]);
    let mut ws = Ws::json(&daemon);
    let id = ws.id();
    let rest = format!(
        r#""userId":"{id}","name":"ann","maxBody":65536,"maxReceivers":9,"heartbeatSecs":20,"server":"cubby/{}"}}"#,
        env!("CARGO_PKG_VERSION")
    );
    let expected = format!(r#"{{"type":"welcome",{rest}"#);
    assert_eq!(ws.ask(r#"{"type":"hello","name":"ann","token":""}"#), expected);
    let expected = format!(r#"{{"type":"welcome","tag":3,{rest}"#);
    assert_eq!(ws.ask(r#"{"tag":3,"name":"ann","type":"hello"}"#), expected);
}

#[test]
fn a_reply_has_a_tag_where_the_request_had_one() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let id = ws.id();
    for tag in [0, 1, 65_535] {
        let expected = format!(r#"{{"type":"identity","tag":{tag},"userId":"{id}"}}"#);
        assert_eq!(ws.ask(format!(r#"{{"type":"identity","tag":{tag}}}"#)), expected);
        assert_eq!(
            ws.ask(format!(r#"{{"type":"leave","tag":{tag},"room":"lobby"}}"#)).split(",\"error\"").next(),
            Some(&format!(r#"{{"type":"error","tag":{tag},"code":7"#)[..])
        );
        assert!(ws.ask(format!(r#"{{"type":"nosuch","tag":{tag}}}"#)).contains(&format!("\"tag\":{tag},")));
    }
    for none in ["", r#","tag":null"#] {
        let expected = format!(r#"{{"type":"identity","userId":"{id}"}}"#);
        assert_eq!(ws.ask(format!(r#"{{"type":"identity"{none}}}"#)), expected);
        assert!(!ws.ask(format!(r#"{{"type":"leave","room":"lobby"{none}}}"#)).contains("tag"));
        assert!(!ws.ask(format!(r#"{{"type":"nosuch"{none}}}"#)).contains("\"tag\""));
    }
}

#[test]
fn a_list_holds_all_others_as_strings() {
    let daemon = web_daemon(&[]);
    let (mut ann, ann_id) = named(&daemon, "ann");
    assert_eq!(ann.ask(r#"{"type":"list"}"#), r#"{"type":"list","userIds":[],"more":false}"#);
    let (mut native, mut binary) = (daemon.connect(), Ws::binary(&daemon));
    let (two, three) = (native.id(), binary.frame_id());
    let expected = format!(r#"{{"type":"list","tag":8,"userIds":["{two}","{three}"],"more":false}}"#);
    assert_eq!(ann.ask(r#"{"type":"list","tag":8}"#), expected);
    assert_eq!(native.list(), [ann_id, three]);
    assert_eq!(binary.ask_frame(LIST, 0, 4, []).payload, [ann_id.to_be_bytes(), two.to_be_bytes()].concat());
}

#[test]
fn a_relay_is_delivered_and_its_receipt_says_to_whom() {
    let daemon = web_daemon(&[]);
    let ((mut ann, ann_id), (mut bob, bob_id)) = (named(&daemon, "ann"), named(&daemon, "bob"));
    let relay = format!(r#"{{"type":"relay","tag":4,"to":["{bob_id}",{ann_id},"1",0],"body":"hi","receipt":true}}"#);
    ann.say(relay);
    assert_eq!(ann.text(), format!(r#"{{"type":"deliver","from":"{ann_id}","body":"hi"}}"#));
    let receipt = r#"{"type":"receipt","tag":4,"statuses":["queued","queued","unknown","unknown"]}"#;
    assert_eq!(ann.text(), receipt);
    assert_eq!(bob.text(), format!(r#"{{"type":"deliver","from":"{ann_id}","body":"hi"}}"#));
    ann.say(format!(r#"{{"type":"relay","to":[{bob_id}],"bodyBase64":"/wA=","receipt":false}}"#));
    ann.say(format!(r#"{{"type":"relay","to":["{bob_id}"],"bodyBase64":"aGk="}}"#));
    ann.say(format!(r#"{{"type":"relay","to":["{bob_id}"]}}"#));
    for body in [r#""bodyBase64":"/wA=""#, r#""body":"hi""#, r#""body":"""#] {
        assert_eq!(bob.text(), format!(r#"{{"type":"deliver","from":"{ann_id}",{body}}}"#));
    }
    ann.id();
}

#[test]
fn a_send_reaches_a_name_and_its_receipt_says_which() {
    let daemon = web_daemon(&[]);
    let ((mut ann, ann_id), (mut bob, _)) = (named(&daemon, "ann"), named(&daemon, "bob"));
    ann.say(r#"{"type":"send","names":["bob","carl"],"body":"hi","receipt":true,"store":false}"#);
    assert_eq!(ann.text(), r#"{"type":"receipt","statuses":["queued","unknown"]}"#);
    let mail = bob.next();
    assert_eq!(
        (&mail["type"], &mail["from"], &mail["name"]),
        (&json!("mail"), &json!(ann_id.to_string()), &json!("ann"))
    );
    assert_eq!((&mail["body"], &mail["ack"]), (&json!("hi"), &json!(false)));
    assert!(mail["unixTime"].as_u64() > Some(1_700_000_000) && mail["mailId"].is_string(), "{mail}");
    assert_eq!(mail.as_object().map(serde_json::Map::len), Some(7), "{mail}");
    bob.say(format!(r#"{{"type":"ack","mailId":{}}}"#, mail["mailId"]));
    bob.say(r#"{"type":"ack","mailId":18446744073709551615}"#);
    bob.say(r#"{"type":"alive"}"#);
    assert_eq!(bob.ask(r#"{"type":"ping","body":"x"}"#), r#"{"type":"pong","body":"x"}"#, "neither is answered");
}

#[test]
fn a_room_is_joined_spoken_in_and_left() {
    let daemon = web_daemon(&[]);
    let (mut ann, id) = named(&daemon, "ann");
    let joined = ann.ask(r#"{"type":"join","tag":7,"room":"lobby"}"#);
    let (joined, epoch) = joined.split_once(r#","epoch":""#).expect("an epoch");
    assert_eq!(joined, r#"{"type":"joined","tag":7,"room":"lobby","sessions":1,"newest":1"#);
    let epoch = format!(r#","epoch":"{epoch}"#);
    let event = |number: u32, what: &str, more: &str| {
        format!(r#"{{"id":{number},"chatroomId":"lobby","type":"{what}","userId":"ann","sessionId":"{id}"{more}"#)
    };
    assert_eq!(after_times(&ann.text(), &event(1, "join", "")), "}", "an event of its own has no tag");
    ann.say(r#"{"type":"publish","tag":0,"room":"lobby","body":"hi","receipt":true,"noEcho":false}"#);
    assert_eq!(ann.text(), r#"{"type":"published","tag":0,"room":"lobby","id":2}"#);
    assert_eq!(after_times(&ann.text(), &event(2, "message", r#","message":"hi""#)), "}");
    ann.say(r#"{"type":"publish","room":"lobby","bodyBase64":"gA==","receipt":true,"noEcho":true}"#);
    assert_eq!(ann.text(), r#"{"type":"published","room":"lobby","id":3}"#);
    ann.say(r#"{"type":"history","tag":9,"room":"lobby","after":1,"limit":5}"#);
    let replayed = r#","replay":true,"tag":9}"#;
    assert_eq!(after_times(&ann.text(), &event(2, "message", r#","message":"hi""#)), replayed);
    assert_eq!(after_times(&ann.text(), &event(3, "message", r#","messageBase64":"gA==""#)), replayed);
    let end = r#"{"type":"historyEnd","tag":9,"room":"lobby","oldest":1,"newest":3,"sent":2"#;
    assert_eq!(ann.text(), [end, &epoch].concat());
    ann.say(r#"{"type":"history","room":"lobby","limit":1}"#);
    assert_eq!(after_times(&ann.text(), &event(1, "join", "")), r#","replay":true}"#, "no tag was given");
    let end = r#"{"type":"historyEnd","room":"lobby","oldest":1,"newest":3,"sent":1"#;
    assert_eq!(ann.text(), [end, &epoch].concat());
    assert_eq!(
        ann.ask(r#"{"type":"who","room":"lobby"}"#),
        format!(r#"{{"type":"who","room":"lobby","members":[{{"userId":"{id}","name":"ann"}}],"more":false}}"#)
    );
    assert_eq!(ann.ask(r#"{"type":"leave","room":"lobby"}"#), r#"{"type":"left","room":"lobby"}"#);
}

#[test]
fn the_unnamed_have_no_user_id_in_their_events() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let id = ws.id();
    ws.say(r#"{"type":"join","room":"a \"room\" of \\ 李"}"#);
    let joined = r#"{"type":"joined","room":"a \"room\" of \\ 李","sessions":1,"newest":1,"epoch":""#;
    assert!(ws.text().starts_with(joined));
    let start = format!(r#"{{"id":1,"chatroomId":"a \"room\" of \\ 李","type":"join","sessionId":"{id}""#);
    assert_eq!(after_times(&ws.text(), &start), "}");
}

#[test]
fn many_members_come_in_parts_and_all_but_the_last_say_so() {
    need_descriptors(2000);
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    ws.say(r#"{"type":"join","room":"crowd"}"#);
    let own = ws.id_after_events();
    let mut ids = vec![own];
    let crowd: Vec<Raw> = (0..520)
        .map(|_| {
            let mut raw = daemon.connect();
            ids.push(raw.id());
            assert_eq!(raw.ask(JOIN, 0, 1, str8("crowd")).kind, 0x87);
            raw
        })
        .collect();
    ws.say(r#"{"type":"who","tag":5,"room":"crowd"}"#);
    let mut members = Vec::new();
    let mut parts = Vec::new();
    while parts.last() != Some(&false) {
        let part = ws.next();
        if part["type"] == "who" {
            assert_eq!((&part["tag"], &part["room"]), (&json!(5), &json!("crowd")));
            members.extend(part["members"].as_array().expect("a list").clone());
            parts.push(part["more"].as_bool().expect("true or false"));
        }
    }
    let expected: Vec<Value> = ids.iter().map(|id| json!({"userId": id.to_string(), "name": ""})).collect();
    assert_eq!((parts, members), (vec![true, false], expected));
    drop(crowd);
}

#[test]
fn json_that_is_no_request_is_an_error_that_says_where_and_the_connection_lives_on() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let cases = [
        ("", "a request is a JSON object"),
        ("   ", "a request is a JSON object"),
        ("[]", "a request is a JSON object"),
        ("42", "a request is a JSON object"),
        ("null", "a request is a JSON object"),
        ("\"identity\"", "a request is a JSON object"),
        ("\u{feff}{\"type\":\"list\"}", "a request is a JSON object"),
        ("{", "line 1 column 1"),
        ("{\"type\":\"list\"", "line 1 column 14"),
        ("{\"type\":\"list\",}", "line 1 column 16"),
        ("{\n\"type\":\n\"list\" \"tag\"}", "line 3 column 8"),
        ("{\"type\":\"list\"} {}", "line 1 column 17"),
        ("{'type':'list'}", "line 1 column 2"),
        ("{\"type\":\"list\",\"tag\":01}", "line 1 column 23"),
        ("{}", "\"type\" is missing"),
        ("{\"type\":null}", "\"type\" is missing"),
        ("{\"type\":5}", "line 1 column 9"),
        ("{\"type\":\"nosuch\"}", "no type \"nosuch\""),
        ("{\"type\":\"stats\"}", "no type \"stats\""),
        ("{\"type\":\"LIST\"}", "no type \"LIST\""),
        ("{\"type\":\"list\",\"bogus\":1}", "`bogus`"),
        ("{\"type\":\"list\",\"Tag\":1}", "`Tag`"),
        ("{\"type\":\"list\",\"type\":\"list\"}", "duplicate field `type`"),
        ("{\"type\":\"join\",\"room\":\"a\",\"room\":\"b\"}", "duplicate field `room`"),
        ("{\"type\":\"list\",\"body\":\"x\"}", "\"list\" has no key \"body\""),
        ("{\"type\":\"join\",\"room\":\"a\",\"to\":[\"1\"]}", "\"join\" has no key \"to\""),
        ("{\"type\":\"relay\",\"to\":[\"1\"],\"store\":true}", "\"relay\" has no key \"store\""),
        ("{\"type\":\"join\"}", "\"join\" needs the key \"room\""),
        ("{\"type\":\"join\",\"room\":null}", "\"join\" needs the key \"room\""),
        ("{\"type\":\"relay\",\"body\":\"x\"}", "\"relay\" needs the key \"to\""),
        ("{\"type\":\"send\",\"body\":\"x\"}", "\"send\" needs the key \"names\""),
        ("{\"type\":\"ack\"}", "\"ack\" needs the key \"mailId\""),
        ("{\"type\":\"publish\",\"body\":\"x\"}", "\"publish\" needs the key \"room\""),
        ("{\"type\":\"ping\",\"body\":\"a\",\"bodyBase64\":\"YQ==\"}", "both"),
        ("{\"type\":\"ping\",\"body\":\"\",\"bodyBase64\":\"\"}", "both"),
        ("{\"type\":\"ping\",\"bodyBase64\":\"!!!!\"}", "no base64"),
        ("{\"type\":\"ping\",\"bodyBase64\":\"YQ\"}", "no base64"),
        ("{\"type\":\"ping\",\"bodyBase64\":\"YQ==YQ==\"}", "no base64"),
        ("{\"type\":\"ping\",\"bodyBase64\":\"YR==\"}", "no base64"),
        ("{\"type\":\"ping\",\"body\":5}", "line 1 column 23"),
        ("{\"type\":\"ping\",\"body\":\"\\ud800\"}", "line 1 column"),
        ("{\"type\":\"ping\",\"body\":\"\\ud800\\u0041\"}", "line 1 column"),
        ("{\"type\":\"ping\",\"body\":\"\\udc00x\"}", "line 1 column"),
        ("{\"type\":\"ping\",\"body\":\"\n\"}", "control character"),
        ("{\"type\":\"join\",\"room\":[\"a\"]}", "line 1 column"),
        ("{\"type\":\"relay\",\"to\":\"1\"}", "line 1 column"),
        ("{\"type\":\"relay\",\"to\":[\"1\"],\"receipt\":1}", "line 1 column"),
        ("{\"type\":\"history\",\"room\":\"a\",\"after\":-1}", "line 1 column"),
        ("{\"type\":\"history\",\"room\":\"a\",\"limit\":4294967296}", "line 1 column"),
    ];
    for (json, says) in cases {
        let (code, said) = ws.survived(json);
        assert!(code == 1 && said.starts_with("malformed: ") && said.contains(says), "{json}: {code} {said}");
    }
}

#[test]
fn an_id_is_a_whole_number_or_a_string_of_one() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let wrong = [
        "\"x\"",
        "\"\"",
        "\"+1\"",
        "\"-1\"",
        "\" 1\"",
        "\"1.0\"",
        "\"0x1\"",
        "\"18446744073709551616\"",
        "-1",
        "1.5",
        "1e3",
        "18446744073709551616",
        "true",
        "null",
        "[\"1\"]",
        "{}",
    ];
    for id in wrong {
        for json in
            [format!(r#"{{"type":"relay","to":["1",{id}],"body":"x"}}"#), format!(r#"{{"type":"ack","mailId":{id}}}"#)]
        {
            let (code, said) = ws.survived(&json);
            let is_missing = id == "null" && said.contains("needs the key \"mailId\"");
            assert!(code == 1 && (is_missing || said.contains("line 1 column")), "{json}: {said}");
        }
    }
    let most = r#"{"type":"relay","to":["18446744073709551615",18446744073709551615,"000"],"receipt":true}"#;
    assert_eq!(ws.ask(most), r#"{"type":"receipt","statuses":["unknown","unknown","unknown"]}"#);
}

#[test]
fn a_tag_is_a_whole_number_of_sixteen_bits() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    for tag in ["65536", "-1", "1.0", "\"1\"", "true", "[]", "99999999999999999999"] {
        let (code, said) = ws.survived(format!(r#"{{"type":"list","tag":{tag}}}"#));
        assert!(code == 1 && said.contains("line 1 column"), "{tag}: {said}");
    }
}

#[test]
fn an_error_names_its_request_and_has_its_tag_where_they_can_be_read() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let error = |ws: &mut Ws, json: &str| -> Value { serde_json::from_str(&ws.ask(json)).expect("JSON") };
    for (json, request) in [
        (r#"{"type":"relay","to":[-1],"tag":7}"#, "relay"),
        (r#"{"tag":7,"room":"x","type":"list"}"#, "list"),
        (r#"{"tag":7,"type":"join","room":"x","more":[[[]]]}"#, "join"),
        (r#"{"tag":7,"type":"join","room":""}"#, "join"),
        (r#"{"tag":7,"type":"leave","room":"x"}"#, "leave"),
        (r#"{"tag":7,"type":"relay","to":[]}"#, "relay"),
    ] {
        let error = error(&mut ws, json);
        assert_eq!((&error["request"], &error["tag"]), (&json!(request), &json!(7)), "{json}");
    }
    for json in ["[7]", r#"{"type":"nosuch"}"#, r#"{"type":"list""#] {
        let error = error(&mut ws, json);
        assert_eq!((error.get("request"), error.get("tag"), &error["code"]), (None, None, &json!(1)), "{json}");
    }
}

#[test]
fn names_and_rooms_that_will_not_do_are_bad_names() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let long = ["x".repeat(65), "x".repeat(300), "é".repeat(150), "x".repeat(70_000)];
    for name in [&long[..], &["a\\u0000".to_owned(), "a\\nb".to_owned(), "a\\u202eb".to_owned()]].concat() {
        for json in [
            format!(r#"{{"type":"hello","name":"{name}"}}"#),
            format!(r#"{{"type":"join","room":"{name}"}}"#),
            format!(r#"{{"type":"publish","room":"{name}","body":"x"}}"#),
        ] {
            assert_eq!(ws.survived(&json).0, 6, "{json}");
        }
    }
    assert_eq!(ws.survived(r#"{"type":"join","room":""}"#).0, 6);
    assert!(ws.ask(format!(r#"{{"type":"hello","name":"{}"}}"#, "x".repeat(64))).contains("welcome"));
    assert_eq!(ws.survived(format!(r#"{{"type":"send","names":["ann","{}"]}}"#, "x".repeat(300))).0, 6);
}

#[test]
fn a_room_and_a_name_are_told_in_the_form_in_which_the_hub_knows_them() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    assert!(ws.ask(r#"{"type":"hello","name":"Zoe\u0308"}"#).contains("\"name\":\"Zo\u{eb}\""));
    assert!(ws.ask(r#"{"type":"join","room":"de\u0301n"}"#).contains("\"room\":\"d\u{e9}n\""));
    assert!(ws.text().contains("\"chatroomId\":\"d\u{e9}n\""));
    assert!(ws.ask(r#"{"type":"who","room":"de\u0301n"}"#).contains("\"room\":\"d\u{e9}n\""));
    let response = Web::connect(&daemon).post("/rooms/de%CC%81n", "hi");
    assert_eq!(response.status, 200);
    assert!(ws.text().contains("\"chatroomId\":\"d\u{e9}n\""));
    assert_eq!(Web::connect(&daemon).get("/rooms/de%CC%81n/members").status, 200);
}

#[test]
fn none_and_too_many_receivers_are_survived() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let many = |count: usize| vec!["\"1\""; count].join(",");
    for count in [0, 256, 70_000] {
        assert_eq!(ws.survived(format!(r#"{{"type":"relay","to":[{}]}}"#, many(count))).0, 4, "{count}");
        assert_eq!(ws.survived(format!(r#"{{"type":"send","names":[{}]}}"#, many(count))).0, 4, "{count}");
    }
    let most = ws.ask(format!(r#"{{"type":"relay","to":[{}],"receipt":true}}"#, many(255)));
    assert_eq!(most.matches("unknown").count(), 255);
}

#[test]
fn a_message_of_millions_of_receivers_is_not_read_to_its_end_and_costs_little_more_than_its_bytes() {
    for (start, item, end) in [
        (r#"{"type":"send","tag":5,"names":["#, r#""","#, r#"""]}"#),
        (r#"{"type":"relay","tag":5,"to":["#, "1,", "1]}"),
        (r#"{"type":"relay","tag":5,"to":["#, "1,", "x]}"),
    ] {
        let daemon = web_daemon(&[]);
        let mut ws = Ws::json(&daemon);
        ws.id();
        let before = daemon.status("VmRSS");
        let json = format!("{start}{}{end}", item.repeat((6 << 20) / item.len()));
        let (code, said) = ws.survived(&json);
        assert!(code == 4 && said.contains("more than 65535 receivers"), "{said}");
        let grown = daemon.status("VmHWM").saturating_sub(before);
        assert!(grown < 20 * 1024, "{start} {grown} kB");
    }
}

#[test]
fn what_nests_deeply_is_survived() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for json in [
        deep.clone(),
        "[".repeat(10_000),
        "{\"a\":".repeat(10_000),
        format!(r#"{{"type":"relay","to":{deep}}}"#),
        format!(r#"{{"type":"list","unknown":{deep}}}"#),
        format!(r#"{{"unknown":{deep},"type":"list"}}"#),
        format!(r#"{{"unknown":{}"#, "{\"a\":".repeat(100_000)),
    ] {
        assert_eq!(ws.survived(&json).0, 1);
    }
}

#[test]
fn an_error_quotes_no_more_of_its_request_than_a_native_one_may() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let long = "\u{7f}é".repeat(300_000);
    for json in [
        format!(r#"{{"type":"{long}"}}"#),
        format!(r#"{{"type":"list","{long}":1}}"#),
        format!(r#"{{"type":"{long}","{long}":1}}"#),
        format!(r#"{{"type":"relay","to":["{long}"]}}"#),
        format!(r#"{{"type":"ping","bodyBase64":"{long}"}}"#),
        format!(r#"{{"type":"list","tag":"{long}"}}"#),
    ] {
        let (code, said) = ws.survived(&json);
        assert!(code == 1 && said.len() < 300, "{} bytes of text", said.len());
    }
}

#[test]
fn a_body_may_be_all_escapes() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::json(&daemon);
    let own = ws.id();
    let body = "\\u0000".repeat(174_000);
    ws.say(format!(r#"{{"type":"relay","to":["{own}"],"body":"{body}"}}"#));
    assert!(ws.text() == format!(r#"{{"type":"deliver","from":"{own}","body":"{body}"}}"#));
    let body = "\\u0000".repeat(1 << 20);
    ws.say(format!(r#"{{"type":"relay","to":["{own}"],"body":"{body}"}}"#));
    assert!(
        ws.text() == format!(r#"{{"type":"deliver","from":"{own}","body":"{body}"}}"#),
        "the largest body there is"
    );
    let escaped = r#"{"\u0074ype":"\u0070ing","body":"\ud83e\udd80\/\"\\\b\f\n\r\t"}"#;
    assert_eq!(ws.ask(escaped), r#"{"type":"pong","body":"🦀/\"\\\b\f\n\r\t"}"#);
}

#[test]
fn what_is_over_a_limit_is_fatal_also_in_json() {
    let daemon = web_daemon(&[]);
    for json in [
        format!(r#"{{"type":"relay","tag":3,"to":["1"],"body":"{}"}}"#, "x".repeat((1 << 20) + 1)),
        format!(r#"{{"type":"publish","tag":3,"room":"a","body":"{}"}}"#, "x".repeat((1 << 20) + 1)),
        format!(r#"{{"type":"ping","tag":3,"body":"{}"}}"#, "x".repeat(126)),
    ] {
        let mut ws = Ws::json(&daemon);
        ws.say(&json);
        let error = ws.next();
        assert_eq!((&error["code"], &error["fatal"], &error["tag"]), (&json!(3), &json!(true), &json!(3)), "{error}");
        assert_eq!(ws.closed(), 1009);
    }
}

#[test]
fn a_binary_message_where_json_is_spoken_is_fatal() {
    let daemon = web_daemon(&[]);
    for payload in [&b"{\"type\":\"list\"}"[..], b"", &frame(LIST, 0, 0, [])] {
        let mut ws = Ws::json(&daemon);
        ws.send(message(BINARY, payload));
        let error = ws.next();
        assert_eq!((&error["type"], &error["code"], &error["fatal"]), (&json!("error"), &json!(1), &json!(true)));
        assert_eq!(ws.closed(), 1002);
    }
}

#[test]
fn a_binary_message_is_one_native_frame_both_ways() {
    let daemon = web_daemon(&[]);
    let mut ws = Ws::binary(&daemon);
    let own = ws.frame_id();
    assert_eq!(ws.ask_frame(PING, 0, 9, [0xFF; 125]), Frame::new(0x8C, 0, 9, [0xFF; 125]));
    ws.send(message(BINARY, frame(RELAY, RECEIPT, 6, relay(&[own, 1], b"hi"))));
    assert_eq!(ws.frame(), Frame::new(DELIVER, 0, 0, deliver(own, b"hi")));
    assert_eq!(ws.frame(), Frame::new(0x84, 0, 6, [0, 2, 0, 1]));
    let join = frame(JOIN, 0, 2, str8("lobby"));
    ws.send([piece(0x02, &join[..3]), piece(0x00, &join[3..9]), piece(0x80, &join[9..])].concat());
    assert_eq!((ws.frame().kind, ws.frame().kind), (0x87, EVENT), "a frame may come in pieces of a message");
    let stats = ws.ask_frame(STATS, 0, 3, []);
    assert!(stats.kind == 0x8F && stats.payload.starts_with(b"{\"users\":1,"));
    let error = ws.ask_frame(LEAVE, 0, 5, str8("elsewhere"));
    assert_eq!((error.error(), error.tag), ((7, LEAVE, false), 5));
    ws.frame_id();
}

#[test]
fn a_binary_message_that_is_not_one_frame_is_fatal() {
    let daemon = web_daemon(&[]);
    let ping = frame(PING, 0, 9, b"x");
    let cases: [(&str, u8, Vec<u8>, u16); 12] = [
        ("two frames", BINARY, ping.repeat(2), 1),
        ("a frame and a byte", BINARY, [&ping[..], &[0]].concat(), 1),
        ("half a frame", BINARY, ping[..8].to_vec(), 1),
        ("half a header", BINARY, ping[..7].to_vec(), 1),
        ("nothing", BINARY, vec![], 1),
        ("a text", TEXT, br#"{"type":"list"}"#.to_vec(), 1),
        ("a text that is a frame", TEXT, ping.clone(), 1),
        ("kind 0x7f", BINARY, frame(0x7F, 0, 9, []), 2),
        ("kind 0x7f that says goodbye", BINARY, frame(0x7F, 2, 9, [0x88, 0]), 2),
        ("kind 0x40", BINARY, frame(0x40, 0, 9, []), 2),
        ("a reply", BINARY, frame(0x82, 0, 9, []), 2),
        ("an undefined flag", BINARY, frame(PING, 0x80, 9, b"x"), 1),
    ];
    for (what, opcode, payload, code) in cases {
        let mut ws = Ws::binary(&daemon);
        ws.send(message(opcode, payload));
        let error = ws.frame().error();
        assert_eq!((error.0, error.2), (code, true), "{what}");
        assert_eq!(ws.closed(), 1002, "{what}");
    }
}

#[test]
fn an_unfinished_binary_message_is_refused_as_soon_as_its_front_will_not_do() {
    let daemon = web_daemon(&[]);
    let cases: [(&[u8], u16, u16); 4] = [
        (&[0x7F], 2, 1002),
        (b"G", 2, 1002),
        (&[LIST, 0, 0, 9, 0, 0, 0, 1], 1, 1002),
        (&[PING, 0, 0, 9, 0, 0, 0, 126], 3, 1009),
    ];
    for (front, code, close) in cases {
        let mut ws = Ws::binary(&daemon);
        ws.send(piece(0x02, front));
        let error = ws.frame().error();
        assert_eq!((error.0, error.2), (code, true), "{front:?}");
        assert_eq!(ws.closed(), close);
    }
}
