//! The command-line client against the real daemon.

use crate::support::*;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Output, Stdio};

/// A `cubby listen` in the background.
struct Listener {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    id: String,
}

impl Listener {
    fn start(daemon: &Daemon, options: &[&str]) -> Listener {
        // It ends with the hub, so that no test leaves it behind.
        let mut command = cubby(&daemon.addresses[0], &[&["listen", "--no-retry"], options].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubby starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let id = lines.next().expect("its own id first").expect("a line");
        Listener { child, lines, id }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a delivery").expect("a line")
    }

    fn end(mut self) -> Output {
        let rest: Vec<String> = self.lines.map_while(Result::ok).collect();
        assert!(rest.is_empty(), "{rest:?}");
        self.child.stdout = None;
        self.child.wait_with_output().expect("it was started")
    }
}

/// Runs `cubby` against a daemon. Returns its exit code, its standard output and its standard error.
fn call(daemon: &Daemon, arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let output = run(cubby(&daemon.addresses[0], arguments), input);
    let code = output.status.code().expect("it ends by itself");
    (code, text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

/// Bytes that begin like a JPEG and are not text.
fn picture() -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0];
    bytes.extend((0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8));
    bytes
}

#[test]
fn a_file_relayed_to_two_is_saved_byte_for_byte() {
    let daemon = Daemon::start();
    let (source, one, two) = (TempPath::new("photo.jpg"), TempPath::new("one"), TempPath::new("two"));
    std::fs::write(&source.0, picture()).expect("a fresh path");
    let mut first = Listener::start(&daemon, &["--save", one.as_str()]);
    let mut second = Listener::start(&daemon, &["--save", two.as_str()]);
    let relay = ["relay", &first.id, &second.id, "--file", source.as_str()];
    let (code, printed, said) = call(&daemon, &relay, b"");
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(printed, format!("relayed {} bytes to 2 of 2\n", picture().len()));
    for listener in [&mut first, &mut second] {
        let line = listener.line();
        let saved = line.split(" saved as ").nth(1).expect("where it was saved");
        assert!(std::fs::read(saved).expect("the saved file") == picture());
    }
}

#[test]
fn standard_input_is_relayed_and_shown_with_its_sender() {
    let daemon = Daemon::start();
    let mut listener = Listener::start(&daemon, &[]);
    let (code, printed, _) = call(&daemon, &["relay", &listener.id], "grüß dich\n".as_bytes());
    assert_eq!((code, printed.as_str()), (0, "relayed 12 bytes to 1 of 1\n"));
    let line = listener.line();
    let (sender, shown) = line.split_once(": ").expect("sender and text");
    assert!(sender.parse::<u64>().is_ok_and(|id| id > 0));
    assert_eq!(shown, "grüß dich");
}

#[test]
fn nothing_from_the_network_reaches_the_terminal_raw() {
    let daemon = Daemon::start();
    let mut listener = Listener::start(&daemon, &[]);
    call(&daemon, &["relay", &listener.id], b"\x1b[2Jboo\r\nsecond line\x07");
    assert!(listener.line().ends_with(": \\u{1b}[2Jboo\\r\\nsecond line\\u{7}"));
    call(&daemon, &["relay", &listener.id], &picture());
    let line = listener.line();
    assert!(
        line.contains(": 300011 bytes, not text: ff d8 ff e0 00 10 4a 46 49 46 00 ") && line.ends_with(" ..."),
        "{line}"
    );
}

#[test]
fn a_receiver_that_is_not_reached_is_named_and_the_exit_code_is_1() {
    let daemon = Daemon::start();
    let mut listener = Listener::start(&daemon, &[]);
    let (code, printed, said) = call(&daemon, &["relay", "999", &listener.id], b"hello");
    assert_eq!((code, printed.as_str()), (1, "relayed 5 bytes to 1 of 2\n"));
    assert!(said.contains("999 was not reached"), "{said}");
    assert!(listener.line().ends_with(": hello"));
}

#[test]
fn id_and_list_print_ids() {
    let daemon = Daemon::start();
    let first = Listener::start(&daemon, &[]);
    let second = Listener::start(&daemon, &[]);
    let (code, printed, _) = call(&daemon, &["list"], b"");
    assert_eq!((code, printed), (0, format!("{}\n{}\n", first.id, second.id)));
    let (code, printed, _) = call(&daemon, &["id"], b"");
    assert_eq!(code, 0);
    assert!(printed.trim().parse::<u64>().is_ok_and(|id| id > second.id.parse().expect("an id")));
}

#[test]
fn json_output_has_one_object_per_line() {
    let daemon = Daemon::start();
    let mut listener = Listener::start(&daemon, &["--json"]);
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    let own = read(&listener.id);
    let id = own["userId"].as_str().expect("a decimal string").to_owned();
    assert_eq!(own["type"], "identity");
    let (code, printed, _) = call(&daemon, &["relay", "--json", &id, "7"], b"a\x1b\"b");
    assert_eq!(code, 1);
    assert_eq!(read(&printed)["statuses"], serde_json::json!(["queued", "unknown"]));
    let delivery = read(&listener.line());
    assert_eq!((&delivery["type"], &delivery["body"]), (&"deliver".into(), &"a\x1b\"b".into()));
    call(&daemon, &["relay", &id], &[0xFF, 0]);
    assert_eq!(read(&listener.line())["bodyBase64"], "/wA=");
    let (_, printed, _) = call(&daemon, &["list", "--json"], b"");
    assert_eq!(read(&printed), serde_json::json!({"type": "list", "userIds": [id]}));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_one_line_that_says_what() {
    let daemon = Daemon::start();
    let cases: [(&[&str], &str); 22] = [
        (&[], "a command is missing"),
        (&["lits"], "did you mean list?"),
        (&["send"], "at least one name"),
        (&["pub"], "one room"),
        (&["pub", "a", "b"], "\"b\""),
        (&["who"], "one room"),
        (&["sub"], "at least one room"),
        (&["sub", "a", "--history", "-1"], "--history"),
        (&["sub", "a", "--mess"], "--mess is an option of chat"),
        (&["id", "--history", "5"], "--history is an option of sub"),
        (&["chat", "--no-retry"], "--no-retry is an option of sub, listen"),
        (&["chat", "now", "--name", "ann"], "now"),
        (&["--frobnicate"], "frobnicate"),
        (&["id", "--jsn"], "did you mean --json?"),
        (&["--json", "bench"], "cubby bench [OPTIONS]"),
        (&["relay"], "needs the id"),
        (&["relay", "bob"], "bob"),
        (&["relay", "-1"], "1"),
        (&["id", "5"], "5"),
        (&["id", "--file", "x"], "--file is an option of pub, send, relay"),
        (&["id", "--timeout", "soon"], "--timeout"),
        (&["id", "--hub", "nowhere"], "nowhere"),
    ];
    for (arguments, what) in cases {
        let (code, printed, said) = call(&daemon, arguments, b"");
        assert_eq!((code, printed.as_str()), (2, ""), "{arguments:?}: {said}");
        assert!(said.contains(what) && said.lines().count() == 1, "{arguments:?}: {said}");
    }
}

#[test]
fn a_hub_that_is_not_there_is_named_and_cubbyd_suggested() {
    // The port is bound but nobody listens: connecting fails, and no other program can get the port.
    let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    held.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let address = held.local_addr().expect("bound").as_socket().expect("an IP address").to_string();
    let output = run(cubby(&address, &["id"]), b"");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&address) && said.contains("cubbyd"), "{said}");
    let output = run(cubby("unix:/nowhere/cubby.sock", &["id"]), b"");
    assert!(text(&output.stderr).contains("unix:/nowhere/cubby.sock"));
}

#[test]
fn a_body_over_the_hubs_limit_is_refused_before_it_is_sent() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-body", "100"]);
    let (code, _, said) = call(&daemon, &["relay", "5"], &[b'x'; 101]);
    assert_eq!(code, 1);
    assert!(said.contains("larger than the 100 bytes that this hub accepts"), "{said}");
    let (code, _, said) = call(&daemon, &["relay", "5", "--file", "/no/such/file"], b"");
    assert_eq!(code, 1);
    assert!(said.contains("/no/such/file"), "{said}");
}

#[test]
fn listen_says_why_the_hub_closed_the_connection() {
    let daemon = Daemon::start();
    let listener = Listener::start(&daemon, &[]);
    daemon.signal("TERM");
    let output = listener.end();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("error 11 (going away)"), "{}", text(&output.stderr));
}

#[test]
fn a_receiver_that_is_not_reached_is_reported_even_if_nobody_reads_the_output() {
    let daemon = Daemon::start();
    for format in [&["relay", "999"][..], &["relay", "999", "--json"]] {
        let mut command = cubby(&daemon.addresses[0], format);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubby starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it was started");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("999 was not reached"));
    }
}

#[test]
fn json_output_escapes_control_characters() {
    let daemon = Daemon::start();
    let mut listener = Listener::start(&daemon, &["--json"]);
    let id = serde_json::from_str::<serde_json::Value>(&listener.id).expect("JSON")["userId"].clone();
    let body = "\u{1b}\u{9b}\u{7f}\u{202E}\\";
    call(&daemon, &["relay", id.as_str().expect("a string")], body.as_bytes());
    let line = listener.line();
    assert!(line.chars().all(|c| (' '..='~').contains(&c)), "{line}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["body"], body);
}

#[test]
fn arguments_and_environment_must_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let strange = std::ffi::OsStr::from_bytes(b"\xFFile");
    let mut command = cubby("", &["relay", "5", "--file"]);
    command.arg(strange);
    assert_eq!(run(command, b"").status.code(), Some(2));
    let mut command = cubby("", &["id"]);
    command.env("CUBBY_HUB", strange);
    let output = run(command, b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("CUBBY_HUB"));
}

#[test]
fn a_name_that_is_not_valid_is_refused() {
    let daemon = Daemon::start();
    assert_eq!(call(&daemon, &["id", "--name", "ann"], b"").0, 0);
    let (code, _, said) = call(&daemon, &["id", "--name", "\u{1b}ann"], b"");
    assert_eq!(code, 1);
    assert!(said.contains("bad name"), "{said}");
}

#[test]
fn it_is_not_an_error_if_nobody_reads_the_output() {
    let daemon = Daemon::start();
    let mut command = cubby(&daemon.addresses[0], &["id"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubby starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it was started");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

/// A `cubby sub` in the background that ends with the hub, and the lines that it prints.
fn subscriber(daemon: &Daemon, arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = cubby(&daemon.addresses[0], &[&["sub", "lobby", "--no-retry"], arguments].concat());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("cubby starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    (child, lines)
}

#[test]
fn subscribers_see_the_history_and_then_new_events() {
    let daemon = Daemon::start();
    for number in ["1", "2", "3"] {
        let (code, printed, _) = call(&daemon, &["pub", "lobby", "--name", "ann"], number.as_bytes());
        assert_eq!((code, printed), (0, format!("published 1 bytes as event {number}\n")));
    }
    let (mut child, mut lines) = subscriber(&daemon, &["--name", "bob", "--history", "2"]);
    let mut line = || lines.next().expect("another line").expect("text");
    assert_eq!((line(), line()), ("[r/lobby]> (@ann): 2".to_owned(), "[r/lobby]> (@ann): 3".to_owned()));
    assert_eq!(line(), "[r/lobby]> bob joined", "once, though it is remembered as well");
    let (code, printed, _) = call(&daemon, &["who", "lobby"], b"");
    assert!(code == 0 && printed.ends_with(" bob\n") && printed.lines().count() == 1, "{printed}");
    assert!(line().ends_with(" joined") && line().ends_with(" left"), "whoever asks comes in for a moment");
    call(&daemon, &["pub", "lobby"], b"\x1b[2J\n");
    assert!(line().ends_with("): \\u{1b}[2J"));
    child.kill().expect("it runs");
    child.wait().expect("it was started");
}

#[test]
fn events_and_members_are_printed_as_json() {
    let daemon = Daemon::start();
    let (mut child, mut lines) = subscriber(&daemon, &["--json", "--name", "bob"]);
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    let mut event = || read(&lines.next().expect("another line").expect("text"));
    let joined = event();
    assert_eq!((&joined["type"], &joined["userId"], &joined["id"]), (&"join".into(), &"bob".into(), &1.into()));
    let (_, printed, _) = call(&daemon, &["pub", "lobby", "--json"], "hello \u{9b}".as_bytes());
    assert_eq!(read(&printed), serde_json::json!({"type": "published", "room": "lobby", "id": 2}));
    let message = event();
    assert_eq!((&message["message"], &message["chatroomId"]), (&"hello \u{9b}".into(), &"lobby".into()));
    let (ms, secs) = (message["unixMs"].as_u64().expect("a number"), message["unixTime"].as_u64().expect("a number"));
    assert!(ms / 1000 == secs && message["sessionId"].is_string() && message.get("userId").is_none());
    let (_, printed, _) = call(&daemon, &["who", "lobby", "--json"], b"");
    assert_eq!(read(&printed)["members"][0]["name"], "bob");
    child.kill().expect("it runs");
    child.wait().expect("it was started");
}

#[test]
fn a_body_sent_to_a_name_is_shown_with_its_sender() {
    let daemon = Daemon::start();
    let mut listener = Listener::start(&daemon, &["--name", "bob"]);
    let (code, printed, said) = call(&daemon, &["send", "bob", "eve", "--name", "ann"], b"hello");
    assert_eq!((code, printed.as_str()), (1, "sent 5 bytes to 1 of 2\n"));
    assert_eq!(said, "cubby: eve was not reached: nobody here has this name\n");
    assert!(listener.line().ends_with(" (@ann): hello"));
    let mut listener = Listener::start(&daemon, &["--name", "carl", "--json"]);
    call(&daemon, &["send", "carl", "--name", "ann"], b"hi");
    let mail = serde_json::from_str::<serde_json::Value>(&listener.line()).expect("JSON");
    assert_eq!((&mail["type"], &mail["name"], &mail["body"]), (&"mail".into(), &"ann".into(), &"hi".into()));
}
