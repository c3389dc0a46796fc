//! The hub inside another program.

use crate::support::*;
use cubby::{Client, HOST, RelayError, Server, Status, UserId};
use std::os::fd::AsRawFd;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// A hub on a thread of its own: where it listens, what to ask it, and how it ended.
fn in_a_thread(builder: cubby::Builder) -> (String, cubby::Handle, JoinHandle<std::io::Result<()>>) {
    let mut server = builder.listen("127.0.0.1:0").bind().expect("a free port");
    let (address, handle) = (server.addresses()[0].to_string(), server.handle());
    (address, handle, spawn(move || server.run()))
}

#[test]
fn a_handle_relays_asks_and_stops_from_another_thread() {
    let (address, handle, hub) = in_a_thread(Server::builder());
    let mut client = Client::connect(&address).expect("the hub is up");
    let id = client.identity().expect("an answer");
    let statuses = handle.relay(&[id, UserId(5), id], b"from the host").expect("the hub is up");
    assert_eq!(statuses, [Status::Queued, Status::Unknown, Status::Queued]);
    let delivery = client.next(None).expect("the hub is up").expect("a delivery");
    assert_eq!((delivery.sender, &delivery.body[..]), (HOST, &b"from the host"[..]));
    let stats = handle.stats().expect("the hub is up");
    assert_eq!((stats.users, stats.accepted, stats.relays, stats.deliveries), (1, 1, 1, 1));
    handle.clone().stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
    assert!(handle.stats().is_err());
    assert_eq!(handle.relay(&[id], b""), Err(RelayError::Gone));
}

#[test]
fn what_clients_were_promised_holds_for_the_host_too() {
    let (_, handle, _hub) = in_a_thread(Server::builder().max_body(10));
    assert_eq!(handle.relay(&[UserId(5)], &[0; 11]), Err(RelayError::TooLarge(10)));
    handle.stop().expect("the hub is up");
}

#[test]
fn a_client_gets_deliveries_that_came_while_it_waited_for_an_answer() {
    let (address, handle, hub) = in_a_thread(Server::builder());
    let mut ann = Client::connect_as(&address, "ann", Duration::from_secs(20)).expect("the hub is up");
    let mut bob = Client::connect(&address).expect("the hub is up");
    let (ann_id, bob_id) = (ann.welcome().user, bob.welcome().user);
    for i in 0..10u8 {
        assert_eq!(bob.relay(&[ann_id], &[i]).expect("an answer"), [Status::Queued]);
    }
    assert_eq!(ann.list().expect("an answer"), [bob_id]);
    for i in 0..10u8 {
        let delivery = ann.next(Some(Duration::from_secs(20))).expect("the hub is up").expect("a delivery");
        assert_eq!((delivery.sender, delivery.body), (bob_id, vec![i]));
    }
    assert_eq!(ann.next(Some(Duration::ZERO)).expect("nothing is wrong"), None);
    handle.stop().expect("the hub is up");
    let end = ann.next(None).expect_err("the hub has gone");
    assert!(matches!(end, cubby::ClientError::Closing { code: cubby::ErrorCode::GoingAway, .. }), "{end}");
    hub.join().expect("no panic").expect("an orderly end");
}

#[test]
fn a_host_can_nest_the_hub_in_its_own_poll() {
    let mut server = Server::bind("127.0.0.1:0").expect("a free port");
    let mut poll = mio::Poll::new().expect("a poll");
    let descriptor = server.as_raw_fd();
    let mut source = mio::unix::SourceFd(&descriptor);
    poll.registry().register(&mut source, mio::Token(7), mio::Interest::READABLE).expect("a descriptor like others");
    let address = server.addresses()[0].to_string();
    let client = spawn(move || Client::connect(&address).and_then(|mut client| client.identity()));
    let mut events = mio::Events::with_capacity(4);
    while !client.is_finished() {
        poll.poll(&mut events, Some(Duration::from_millis(20))).expect("the outer poll works");
        if !events.is_empty() || server.patience() == Some(Duration::ZERO) {
            assert!(events.iter().all(|event| event.token() == mio::Token(7)));
            assert!(server.turn(Some(Duration::ZERO)).expect("the inner poll works"));
        }
    }
    assert!(client.join().expect("no panic").is_ok());
    assert_eq!(server.stats().requests, 2, "HELLO and IDENTITY");
}

#[test]
fn a_turn_ends_when_the_hosts_own_descriptor_is_readable() {
    let mut server = Server::builder().bind().expect("nothing to fail");
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    server.wake_on(ours).expect("it can be polled");
    let writer = spawn(move || std::io::Write::write_all(&mut theirs, b"x").map(|()| theirs));
    assert!(server.turn(None).expect("the poll works"), "this turn would have lasted for ever");
    drop(writer.join().expect("no panic"));
}

#[test]
fn a_stopped_hub_without_clients_ends_at_once() {
    let mut server = Server::bind("127.0.0.1:0").expect("a free port");
    server.stop();
    server.run().expect("an orderly end");
    assert_eq!(server.stats().turns, 1);
}

#[test]
fn limits_that_can_not_be_kept_are_refused() {
    let error = Server::builder().max_receivers(0).bind().expect_err("no relay could name anybody");
    assert_eq!(error.to_string(), "max-receivers can not be 0: give a number from 1 to 65535");
}

#[test]
fn a_write_to_a_peer_that_left_does_not_end_a_host_with_sigpipe_at_its_default() {
    // The daemon is such a host once `env` has put the signal back to its default.
    let mut command = std::process::Command::new("env");
    command.args(["--default-signal=PIPE", env!("CARGO_BIN_EXE_cubbyd"), "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::run(command, 1);
    let mut sender = daemon.connect();
    for _ in 0..20 {
        let mut leaver = daemon.connect();
        let target = leaver.id();
        sender.send(&frame(RELAY, 0, 0, relay(&[target], &[1; 100_000])));
        drop(leaver);
        sender.send(&frame(RELAY, 0, 0, relay(&[target], &[1; 100_000])));
    }
    sender.id();
}
