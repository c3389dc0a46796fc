//! Clients behind a line that swallows everything without being closed, as a proxy, a NAT or a phone does: they notice
//! it, say so, and come back.

use crate::chat::Chat;
use crate::support::*;
use cubby::{Client, ClientError, Push};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A proxy whose connections can go dead: they stay open, but nothing passes through them any more.
struct Proxy {
    address: String,
    /// How often lines have died. Those that were made before the last time are dead.
    deaths: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(hub: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, hub) = (listener.local_addr().expect("bound").to_string(), hub.to_owned());
        let deaths = Arc::new(AtomicUsize::new(0));
        let died = deaths.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let hub = TcpStream::connect(&hub).expect("the hub accepts");
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                for (from, to) in [(clone(&client), clone(&hub)), (hub, client)] {
                    let (died, born) = (died.clone(), died.load(Ordering::SeqCst));
                    std::thread::spawn(move || pass(from, to, || died.load(Ordering::SeqCst) == born));
                }
            }
        });
        Proxy { address, deaths }
    }

    /// From now on the lines that are there pass nothing any more.
    fn die(&self) {
        self.deaths.fetch_add(1, Ordering::SeqCst);
    }
}

/// Passes on bytes for as long as the line lives. One that is dead is not closed.
fn pass(mut from: TcpStream, mut to: TcpStream, lives: impl Fn() -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if lives() && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    if !lives() {
        std::thread::sleep(2 * PATIENCE);
    }
}

/// A hub with a heartbeat of one second, and a proxy in front of it.
fn hub() -> (Daemon, Proxy) {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--heartbeat-secs", "1"]);
    let proxy = Proxy::start(&daemon.addresses[0]);
    (daemon, proxy)
}

/// The payload of a WELCOME with this heartbeat, in seconds.
fn welcome(heartbeat: u8) -> Vec<u8> {
    let numbers = [&[1][..], &7u64.to_be_bytes(), &1024u32.to_be_bytes(), &[0, 255, 0, heartbeat]].concat();
    [numbers, str8(""), str8("cubby/9")].concat()
}

fn expect_silence<T: std::fmt::Debug>(result: &Result<T, ClientError>) {
    assert!(matches!(result, Err(ClientError::Silent { .. })), "{result:?}");
}

#[test]
fn a_client_that_waits_for_ever_notices_a_dead_line() {
    let (_daemon, proxy) = hub();
    let mut client = Client::connect(&proxy.address).expect("the hub answers");
    proxy.die();
    let begun = Instant::now();
    let next = client.next(None);
    expect_silence(&next);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let said = next.expect_err("as above").to_string();
    assert!(said.contains("the connection is lost") && said.contains("does not answer"), "{said}");
}

#[cfg(feature = "ws")]
#[test]
fn a_client_over_web_socket_notices_a_dead_line_while_it_waits_for_a_reply() {
    let daemon = Daemon::run(daemon(&["--ws", "127.0.0.1:0", "--heartbeat-secs", "1"]), 1);
    let proxy = Proxy::start(daemon.addresses[0].strip_prefix("http://").expect("an address of HTTP"));
    let mut client = Client::connect(&format!("ws://{}", proxy.address)).expect("the hub answers");
    client.set_timeout(Duration::from_secs(86_400));
    assert_eq!(client.next(Some(Duration::from_secs(4))).expect("it lives"), None);
    proxy.die();
    expect_silence(&client.identity());
}

#[test]
fn a_client_that_polls_notices_a_dead_line() {
    let (_daemon, proxy) = hub();
    let mut client = Client::connect(&proxy.address).expect("the hub answers");
    proxy.die();
    let deadline = Instant::now() + PATIENCE;
    let silent = loop {
        assert!(Instant::now() < deadline, "it is never noticed");
        let timeout = client.poll_timeout() + Duration::from_millis(1);
        assert!(timeout < Duration::from_secs(3), "{timeout:?}");
        let timeout = PollTimeout::try_from(timeout).expect("short");
        let _ = poll(&mut [PollFd::new(client.as_fd(), PollFlags::POLLIN)], timeout);
        match client.next(Some(Duration::ZERO)) {
            Ok(None) => {}
            other => break other,
        }
    };
    expect_silence(&silent);
}

#[test]
fn a_hub_that_only_answers_when_it_is_asked_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let answering = std::thread::spawn(move || {
        let mut hub = Raw(listener.accept().expect("a client comes").0);
        let hello = hub.receive();
        hub.send(&frame(0x81, 0, hello.tag, welcome(1)));
        for _ in 0..2 {
            let ping = hub.receive();
            assert_eq!((ping.kind, &ping.payload[..]), (PING, &b""[..]));
            hub.send(&frame(0x8C, 0, ping.tag, []));
        }
        hub.send(&frame(DELIVER, 0, 0, deliver(9, b"here")));
        hub
    });
    let mut client = Client::connect(&address).expect("the hub answers");
    match client.next(None).expect("it answers each time") {
        Some(Push::Delivery(delivery)) => assert_eq!(delivery.body, b"here"),
        other => panic!("{other:?} in place of a delivery"),
    }
    answering.join().expect("it was asked twice");
}

#[test]
fn a_chat_on_a_dead_line_reconnects_and_catches_up() {
    let (daemon, proxy) = hub();
    let mut bob = daemon.connect();
    bob.hello("bob");
    let mut ann = Chat::start(&proxy.address, "ann");
    ann.type_line("sub lobby");
    assert_eq!(ann.shown(), "[r/lobby]> ann joined");
    proxy.die();
    bob.publish("lobby", b"meanwhile");
    assert!(ann.said().contains("the connection is lost: nothing has come from the hub"));
    assert_eq!(ann.said(), "cubby: the hub is back");
    // For the hub, the session on the dead line is still there.
    assert_eq!(ann.shown(), "[r/lobby]> (@bob): meanwhile");
    assert_eq!(ann.shown(), "[r/lobby]> ann joined once more");
    assert_eq!(ann.end(), (vec![], vec![], Some(0)));
}

#[test]
fn sub_and_listen_on_a_dead_line_say_so_and_come_back() {
    let (daemon, proxy) = hub();
    let mut bob = daemon.connect();
    bob.hello("bob");
    let mut sub = Chat::run(cubby(&proxy.address, &["sub", "lobby", "--name", "ann"]));
    assert_eq!(sub.shown(), "[r/lobby]> ann joined");
    let mut listen = Chat::run(cubby(&proxy.address, &["listen", "--name", "eve"]));
    let former = listen.shown();
    proxy.die();
    bob.publish("lobby", b"meanwhile");
    for command in [&mut sub, &mut listen] {
        let said = command.said();
        assert!(said.contains("the connection is lost") && said.ends_with("trying to reconnect"), "{said}");
        assert_eq!(command.said(), "cubby: the hub is back");
    }
    assert_eq!(sub.shown(), "[r/lobby]> (@bob): meanwhile");
    assert_eq!(sub.shown(), "[r/lobby]> ann joined once more");
    let id = listen.shown();
    assert_ne!(id, former, "it is another session");
    bob.send(&frame(RELAY, 0, 0, relay(&[id.parse().expect("an id")], b"hello again")));
    assert!(listen.shown().ends_with(": hello again"));
}

#[test]
fn with_no_retry_sub_and_listen_end_with_1_when_the_line_is_dead() {
    let (_daemon, proxy) = hub();
    let mut sub = Chat::run(cubby(&proxy.address, &["sub", "lobby", "--no-retry"]));
    sub.shown();
    let mut listen = Chat::run(cubby(&proxy.address, &["listen", "--no-retry"]));
    listen.shown();
    proxy.die();
    for command in [sub, listen] {
        let (shown, said, code) = command.end();
        assert_eq!((shown, code), (vec![], Some(1)));
        assert!(said.len() == 1 && said[0].contains("the connection is lost"), "{said:?}");
    }
}

#[test]
fn sub_prints_what_was_missed_and_says_what_begins_anew_after_a_restart() {
    let path = TempPath::new("sub.sock");
    let address = format!("unix:{}", path.as_str());
    let daemon = Daemon::with(&["--listen", &address]);
    let mut sub = Chat::run(cubby(&address, &["sub", "lobby", "lobby", "--name", "ann"]));
    assert_eq!(sub.shown(), "[r/lobby]> ann joined");
    daemon.signal("TERM");
    assert!(sub.said().contains("error 11 (going away)"));
    assert_eq!(daemon.end().0, Some(0));
    let _daemon = Daemon::with(&["--listen", &address]);
    assert_eq!(sub.said(), "cubby: the hub is back");
    assert!(sub.said().contains("r/lobby begins anew"));
    assert_eq!(sub.shown(), "[r/lobby]> ann joined");
}

#[test]
fn who_is_refused_on_the_way_back_is_told_and_not_tried_for_ever() {
    for arguments in [&["chat", "--name", "ann"][..], &["listen", "--name", "ann"]] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let refusing = std::thread::spawn(move || {
            let accept = || Raw(listener.accept().expect("a client comes").0);
            let mut first = accept();
            let hello = first.receive();
            first.send(&frame(0x81, 0, hello.tag, welcome(30)));
            drop(first);
            let mut second = accept();
            let hello = second.receive();
            second.send(&frame(ERROR, 0, hello.tag, [&[0, 6, HELLO][..], &str8("name: taken by the house")].concat()));
            // The client closes; until then nothing else is read.
            let _ = second.0.read(&mut [0]);
        });
        // Its input stays open: it ends by itself.
        let mut client = Chat::run(cubby(&address, arguments));
        assert!(client.said().contains("trying to reconnect"));
        let said = client.said();
        assert!(said.contains("error 6 (bad name): name: taken by the house"), "{said}");
        assert_eq!(client.code(), Some(1));
        refusing.join().expect("it was asked twice");
    }
}
