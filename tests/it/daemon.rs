//! The daemon as its operator sees it: options, what it prints, signals, exit codes.

use crate::support::*;
use std::io::{BufRead, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};

/// Runs `cubbyd` with arguments that it refuses. Returns its exit code and its one line on standard error.
fn refused(arguments: &[&str]) -> (i32, String) {
    let mut command = daemon(arguments);
    command.env("RUST_LOG", "off");
    let output = run(command, b"");
    let said = text(&output.stderr).to_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(output.stdout.is_empty());
    (output.status.code().expect("it ends by itself"), said)
}

#[test]
fn a_wrong_option_ends_it_with_2_and_is_named() {
    let cases: [(&[&str], &str); 20] = [
        (&["--frobnicate"], "frobnicate"),
        (&["--heartbeat-sec", "5"], "did you mean --heartbeat-secs?"),
        (&["--listen"], "listen"),
        (&["--listen", "7070"], "--listen"),
        (&["--listen", "localhost:99999"], "--listen"),
        (&["--listen", "unix:"], "--listen"),
        (&["--listen", "ws://127.0.0.1:8080"], "--ws HOST:PORT"),
        (&["--ws", "ws://127.0.0.1:8080"], "is not HOST:PORT"),
        (&["--origin", "NULL"], "is not an origin"),
        (&["--origin", "file://"], "is not an origin"),
        (&["--origin", "https://chat.example/"], "is not an origin"),
        (&["--origin", "https://chat.example:https"], "is not an origin"),
        (&["--max-body", "huge"], "--max-body"),
        (&["--max-body", "0"], "--max-body"),
        (&["--max-body", "2G"], "--max-body"),
        (&["--max-receivers", "65536"], "--max-receivers"),
        (&["--max-connections", "-1"], "--max-connections"),
        (&["--max-connections", "0"], "--max-connections"),
        (&["--log", "loud"], "--log"),
        (&["stray"], "stray"),
    ];
    for (arguments, name) in cases {
        let (code, said) = refused(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(name), "{arguments:?}: {said}");
    }
}

#[test]
fn the_help_fits_a_screen_and_the_version_is_the_crates() {
    let help = run(daemon(&["--help"]), b"");
    assert!(help.status.success() && text(&help.stdout).lines().count() <= 24, "{}", text(&help.stdout));
    assert!(text(&help.stdout).lines().all(|line| line.len() <= 80));
    let version = run(daemon(&["--version"]), b"");
    assert_eq!(text(&version.stdout), concat!("cubbyd ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_port_in_use_ends_it_with_1_and_advice() {
    let first = Daemon::start();
    let (code, said) = refused(&["--listen", &first.addresses[0]]);
    assert_eq!(code, 1);
    assert!(
        said.contains(&first.addresses[0])
            && said.contains("--listen: cannot listen")
            && said.contains("choose another address"),
        "{said}"
    );
}

#[test]
fn an_address_of_another_machine_ends_it_with_1_and_advice() {
    let (code, said) = refused(&["--listen", "192.0.2.1:7070"]);
    assert_eq!(code, 1);
    assert!(said.contains("an address of this machine"), "{said}");
    let (code, said) = refused(&["--listen", "unix:/nowhere/at/all/cubby.sock"]);
    assert_eq!(code, 1);
    assert!(said.contains("create the directory first"), "{said}");
}

#[test]
fn it_listens_on_every_address_that_is_named() {
    let path = TempPath::new("both.sock");
    let unix = format!("unix:{}", path.as_str());
    let mut arguments = vec!["--listen", "127.0.0.1:0", "--listen", &unix];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        arguments.extend(["--listen", "[::1]:0"]);
    }
    let daemon = Daemon::with(&arguments);
    assert_eq!(daemon.addresses[1], unix);
    for address in &daemon.addresses {
        assert!(run(cubby(address, &["id"]), b"").status.success(), "{address}");
    }
}

#[test]
fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
    let path = TempPath::new("stale.sock");
    let unix = format!("unix:{}", path.as_str());
    drop(UnixListener::bind(&path.0).expect("a fresh path"));
    assert!(path.0.exists(), "the listener left its file behind");
    let daemon = Daemon::with(&["--listen", &unix]);
    let (code, said) = refused(&["--listen", &unix]);
    assert_eq!(code, 1);
    assert!(said.contains("in use"), "{said}");
    UnixStream::connect(&path.0).expect("the live one still answers");
    daemon.signal("TERM");
    assert_eq!(daemon.end().0, Some(0));
    assert!(!path.0.exists(), "it takes its file away");
}

#[test]
fn a_socket_file_that_another_program_created_since_is_left_alone() {
    let path = TempPath::new("others.sock");
    let daemon = Daemon::with(&["--listen", &format!("unix:{}", path.as_str())]);
    std::fs::remove_file(&path.0).expect("it is there");
    let _other = UnixListener::bind(&path.0).expect("the path is free");
    daemon.signal("TERM");
    assert_eq!(daemon.end().0, Some(0));
    assert!(path.0.exists());
}

#[test]
fn a_client_that_still_sends_during_shutdown_gets_what_was_queued() {
    let daemon = Daemon::start();
    let (mut sender, mut receiver) = (daemon.connect(), daemon.connect());
    let to = receiver.id();
    for _ in 0..3 {
        sender.ask(RELAY, RECEIPT, 1, relay(&[to], &[3; 1 << 20]));
    }
    daemon.signal("TERM");
    assert_eq!(sender.receive().kind, CLOSING);
    for _ in 0..3 {
        receiver.send(&frame(PING, 0, 1, b"anybody there?"));
        assert_eq!(receiver.receive().payload.len(), 8 + (1 << 20));
    }
    assert_eq!(receiver.receive().kind, CLOSING);
    receiver.expect_end();
}

#[test]
fn it_does_not_panic_if_standard_error_is_broken() {
    for argument in ["--frobnicate", "--listen=nowhere"] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has one");
        let status = daemon(&[argument]).stderr(full).status().expect("it starts");
        assert_eq!(status.code(), Some(2));
    }
}

#[test]
fn a_file_that_is_not_a_socket_is_left_alone() {
    let path = TempPath::new("precious");
    std::fs::write(&path.0, "precious").expect("a fresh path");
    let (code, said) = refused(&["--listen", &format!("unix:{}", path.as_str())]);
    assert_eq!(code, 1);
    assert!(said.contains("not a socket"), "{said}");
    assert_eq!(std::fs::read_to_string(&path.0).expect("still there"), "precious");
}

#[test]
fn on_sigterm_and_sigint_it_tells_all_clients_and_ends_with_0() {
    for signal in ["TERM", "INT"] {
        let daemon = Daemon::start();
        let mut raw = daemon.connect();
        raw.id();
        daemon.signal(signal);
        let closing = raw.receive();
        assert_eq!((closing.kind, closing.flags, closing.tag), (CLOSING, 0, 0));
        assert_eq!(closing.payload[..2], [0, 11]);
        raw.expect_end();
        assert_eq!(daemon.end().0, Some(0));
    }
}

#[test]
fn what_is_queued_is_sent_before_it_ends() {
    let daemon = Daemon::start();
    let (mut sender, mut receiver) = (daemon.connect(), daemon.connect());
    let (from, to) = (sender.id(), receiver.id());
    let body = vec![3; 1 << 20];
    for _ in 0..3 {
        assert_eq!(sender.ask(RELAY, RECEIPT, 1, relay(&[to], &body)), Frame::new(0x84, 0, 1, [0, 1, 0]));
    }
    daemon.signal("TERM");
    assert_eq!(sender.receive().kind, CLOSING, "it is stopping, and nobody has read yet");
    for _ in 0..3 {
        assert!(receiver.receive() == Frame::new(DELIVER, 0, 0, deliver(from, &body)));
    }
    assert_eq!(receiver.receive().kind, CLOSING);
    assert_eq!(daemon.end().0, Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let path = TempPath::new("stuck.sock");
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--listen", &format!("unix:{}", path.as_str())]);
    let mut sender = daemon.connect();
    sender.id();
    // The kernel buffers much less than this for a unix socket that nobody reads.
    let stalled = UnixStream::connect(&path.0).expect("it listens");
    let target = loop {
        if let [target] = sender.list()[..] {
            break target;
        }
    };
    let receipt = sender.ask(RELAY, RECEIPT, 1, relay(&[target], &[9; 1 << 20]));
    assert_eq!(receipt, Frame::new(0x84, 0, 1, [0, 1, 0]));
    daemon.signal("TERM");
    assert_eq!(sender.receive().kind, CLOSING, "it is stopping, but can not get rid of what is queued");
    daemon.signal("TERM");
    assert_eq!(daemon.end().0, Some(128 + 15));
    drop(stalled);
}

#[test]
fn on_sigusr1_it_logs_its_statistics() {
    let mut daemon = Daemon::start();
    let mut raw = daemon.connect();
    raw.id();
    let log = BufReader::new(daemon.stderr());
    daemon.signal("USR1");
    let line = log.lines().map_while(Result::ok).find(|line| line.contains("statistics")).expect("such a line");
    assert!(line.contains("users 1 accepted 1 ") && line.contains(" requests 1 "), "{line}");
    raw.id();
}

#[test]
fn it_logs_the_descriptor_limit_before_and_after() {
    let daemon = Daemon::start();
    daemon.signal("TERM");
    let (_, said) = daemon.end();
    assert!(said.lines().any(|line| line.contains("descriptor limit: soft ") && line.contains(", hard ")), "{said}");
}
