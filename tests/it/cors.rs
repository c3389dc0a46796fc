//! Pages of other sites over HTTP: which responses they may read, and what is refused before anything is executed.

use crate::support::web::*;
use crate::support::*;
use serde_json::json;

const NAMED: &str = "https://chat.example";

fn daemon() -> Daemon {
    web_daemon(&["--origin", NAMED, "--origin", "http://[0::1]:3000"])
}

/// A request of a page of this origin.
fn request(line: &str, origin: &str, headers: &str, body: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: hub\r\nOrigin: {origin}\r\n{headers}\r\n{body}")
}

/// Whether a page of this origin may read the response.
fn may_read(response: &Response, origin: &str) -> bool {
    assert_eq!(response.header("Vary"), Some("Origin"), "{response:?}");
    response.header("Access-Control-Allow-Origin") == Some(origin)
}

#[test]
fn a_page_of_a_named_origin_may_read_every_answer_and_every_refusal() {
    let daemon = daemon();
    let mut member = daemon.connect();
    member.join("lobby");
    let long = format!("X: {}\r\n", "x".repeat(40_000));
    for (line, headers, body, status) in [
        ("GET /health", "", "", 200),
        ("GET /metrics", "", "", 200),
        ("GET /list", "", "", 200),
        ("GET /cubby.js", "", "", 200),
        ("GET /rooms/lobby/history", "", "", 200),
        ("POST /rooms/lobby", "Content-Length: 2\r\n", "hi", 200),
        ("POST /relay?to=7", "Content-Length: 2\r\n", "hi", 200),
        ("POST /send?to=ann", "Content-Length: 2\r\n", "hi", 200),
        ("POST /rooms/%01", "Content-Length: 2\r\n", "hi", 400),
        ("POST /relay?to=ann", "Content-Length: 2\r\n", "hi", 400),
        ("GET /rooms/nowhere/history", "", "", 404),
        ("GET /rooms/lobby/history", "Via: 1.1 proxy\r\n", "", 403),
        ("GET /nowhere", "", "", 404),
        ("PUT /rooms/lobby", "", "", 405),
        ("GET /ws", "", "", 426),
        ("POST /rooms/lobby", "", "", 411),
        ("POST /rooms/lobby", "Transfer-Encoding: chunked\r\n", "", 411),
        ("POST /rooms/lobby", "Content-Length: 2000000\r\n", "", 413),
        ("POST /rooms/lobby", "Content-Length: x\r\n", "", 400),
        ("GET /health", &long, "", 431),
        ("GET /health", &"X: 1\r\n".repeat(70), "", 431),
        ("GET /health", "no header\r\n", "", 400),
    ] {
        let response = Web::connect(&daemon).ask(request(line, NAMED, headers, body));
        assert_eq!((response.status, may_read(&response, NAMED)), (status, true), "{line}");
    }
    let head = request("HEAD /health", NAMED, "", "");
    let mut web = Web::connect(&daemon);
    web.0.send(head.as_bytes());
    assert!(may_read(&web.head(), NAMED));
}

#[test]
fn an_answer_that_had_to_wait_may_be_read_as_well() {
    let daemon = web_daemon(&[&["--origin", NAMED][..], &QUEUE].concat());
    let (mut sender, mut full) = (daemon.connect(), daemon.connect());
    let to = full.id();
    let count = fill(&daemon, &mut sender, to);
    let mut web = Web::connect(&daemon);
    let line = format!("POST /relay?to={to}");
    web.0.send(request(&line, NAMED, "Content-Length: 2\r\n", "hi").as_bytes());
    eventually("it waits", || Some(daemon.connect().stats()).filter(|stats| stats["waits"] == 2));
    (0..count).for_each(|_| drop(full.receive()));
    let answer = web.response();
    assert_eq!((answer.json(), may_read(&answer, NAMED)), (json!({"statuses": ["queued"]}), true));
}

#[test]
fn a_browser_is_told_beforehand_what_a_page_may_send() {
    let daemon = daemon();
    let mut web = Web::connect(&daemon);
    for (path, method, methods) in [
        ("/rooms/lobby", "POST", "POST, OPTIONS"),
        ("/send?to=ann", "POST", "POST, OPTIONS"),
        ("/list", "GET", "GET, HEAD, OPTIONS"),
        ("/rooms/lobby/history", "GET", "GET, HEAD, OPTIONS"),
    ] {
        let asks = format!(
            "Access-Control-Request-Method: {method}\r\n\
             Access-Control-Request-Headers: authorization,content-type, x-a b\r\n"
        );
        let answer = web.ask(request(&format!("OPTIONS {path}"), NAMED, &asks, ""));
        assert_eq!((answer.status, may_read(&answer, NAMED), &answer.body[..]), (200, true, &b""[..]), "{path}");
        assert_eq!(answer.header("Access-Control-Allow-Methods"), Some(methods));
        assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("authorization, content-type"));
        assert!(answer.header("Access-Control-Max-Age").is_some());
    }
    let asks = "Access-Control-Request-Method: POST\r\n";
    for origin in ["https://evil.example", "null"] {
        let refused = web.ask(request("OPTIONS /rooms/lobby", origin, asks, ""));
        assert_eq!((refused.refusal(), may_read(&refused, origin)), (403, false), "{origin}");
    }
}

#[test]
fn a_page_of_another_site_is_refused_before_anything_is_executed() {
    let daemon = daemon();
    let mut member = daemon.connect();
    member.join("lobby");
    for origin in ["https://evil.example", "http://chat.example", "https://chat.example:8443", "null", "file://"] {
        for line in ["POST /rooms/lobby", "POST /rooms/made", "POST /send?to=ann"] {
            let refused = Web::connect(&daemon).ask(request(line, origin, "Content-Length: 4\r\n", "evil"));
            assert_eq!((refused.refusal(), may_read(&refused, origin)), (403, false), "{origin}");
        }
    }
    let mut web = Web::connect(&daemon);
    for (id, origin) in (2..).zip([NAMED, "HTTPS://Chat.Example:443", "http://[::1]:3000", "http://hub:80"]) {
        let answer = web.ask(request("POST /rooms/lobby", origin, "Content-Length: 4\r\n", "good"));
        assert_eq!(answer.json(), json!({"id": id}), "the first event is that of joining: {origin}");
        assert_eq!(may_read(&answer, origin), origin != "http://hub:80", "its own page needs no permission");
        assert_eq!(member.event().body, b"good");
    }
    assert_eq!(web.get("/rooms/made/history").status, 404);
}

#[test]
fn pages_without_an_origin_of_their_own_are_let_in_by_a_hub_that_names_null() {
    let daemon = web_daemon(&["--origin", "null"]);
    let mut web = Web::connect(&daemon);
    let answer = web.ask(request("POST /rooms/lobby", "null", "Content-Length: 2\r\n", "hi"));
    assert_eq!((answer.status, may_read(&answer, "null")), (200, true));
    assert_eq!(web.ask(request("GET /health", "https://null", "", "")).refusal(), 403);
    daemon.signal("TERM");
    let (_, output) = daemon.end();
    assert!(output.contains("--origin null"), "the log warns: {output}");
}

#[test]
fn a_hub_that_names_no_origin_says_nothing_of_origins() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    for origin in ["http://hub", "https://evil.example"] {
        let answer = web.ask(request("GET /health", origin, "", ""));
        assert!(!answer.headers.contains("Access-Control") && !answer.headers.contains("Vary"), "{answer:?}");
    }
}

#[test]
fn every_path_tells_its_methods() {
    let daemon = web_daemon(&[]);
    let mut web = Web::connect(&daemon);
    for (path, methods) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/ws", "GET, OPTIONS"),
        ("/rooms/lobby", "POST, OPTIONS"),
        ("*", "GET, HEAD, POST, OPTIONS"),
    ] {
        let answer = web.ask(format!("OPTIONS {path} HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!((answer.status, answer.header("Allow"), answer.closes()), (200, Some(methods), false), "{path}");
    }
    assert_eq!(web.ask("OPTIONS /nowhere HTTP/1.1\r\nHost: hub\r\n\r\n").refusal(), 404);
    let with_body = "OPTIONS /rooms/lobby HTTP/1.1\r\nHost: hub\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(Web::connect(&daemon).ask(with_body).refusal(), 400);
    // HAProxy's `option httpchk` asks so.
    for bare in ["OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.0\r\n\r\n"] {
        let mut web = Web::connect(&daemon);
        let answer = web.ask(bare);
        assert_eq!((answer.status, answer.closes()), (200, true), "a load balancer asks so whether the hub is there");
        web.expect_end();
    }
}
