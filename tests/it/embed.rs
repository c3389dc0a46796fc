//! The hub inside another program.

use crate::support::*;
use cubby::wire::Kind;
use cubby::{Client, Delivery, ErrorCode, HOST, HostError, Push, Server, Status, UserId};
use std::os::fd::AsRawFd;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// A hub on a thread of its own: its address, its handle, and the result of its thread.
fn in_a_thread(builder: cubby::Builder) -> (String, cubby::Handle, JoinHandle<std::io::Result<()>>) {
    let mut server = builder.listen("127.0.0.1:0").bind().expect("a free port");
    let (address, handle) = (server.addresses()[0].to_string(), server.handle());
    (address, handle, spawn(move || server.run()))
}

/// The next push of a client, which is a delivery.
fn delivery(client: &mut Client) -> Delivery {
    match client.next(Some(Duration::from_secs(20))).expect("the hub is up") {
        Some(Push::Delivery(delivery)) => delivery,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handle_relays_asks_and_stops_from_another_thread() {
    let (address, handle, hub) = in_a_thread(Server::builder());
    let mut client = Client::connect(&address).expect("the hub is up");
    let id = client.identity().expect("an answer");
    let statuses = handle.relay(&[id, UserId(5), id], b"from the host").expect("the hub is up");
    assert_eq!(statuses, [Status::Queued, Status::Unknown, Status::Queued]);
    let delivery = delivery(&mut client);
    assert_eq!((delivery.sender, &delivery.body[..]), (HOST, &b"from the host"[..]));
    let stats = handle.stats().expect("the hub is up");
    assert_eq!((stats.users, stats.accepted, stats.frames.of(Kind::Deliver).frames), (1, 1, 1));
    handle.clone().stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
    assert!(handle.stats().is_err());
    assert_eq!(handle.relay(&[id], b""), Err(HostError::Gone));
}

#[test]
fn what_clients_were_promised_holds_for_the_host_too() {
    let (_, handle, _hub) = in_a_thread(Server::builder().max_body(10));
    assert_eq!(handle.relay(&[UserId(5)], &[0; 11]), Err(HostError::TooLarge(10)));
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
        let delivery = delivery(&mut ann);
        assert_eq!((delivery.sender, delivery.body), (bob_id, vec![i]));
    }
    assert_eq!(ann.next(Some(Duration::ZERO)).expect("nothing is wrong"), None);
    handle.stop().expect("the hub is up");
    let end = ann.next(None).expect_err("the hub has gone");
    assert!(matches!(end, cubby::ClientError::Closing { code: ErrorCode::GoingAway, .. }), "{end}");
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
    assert_eq!(server.stats().frames.requests().frames, 2, "HELLO and IDENTITY");
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
    assert_eq!(error.to_string(), "max-receivers is 0; it must be from 1 to 65535");
}

#[test]
fn a_host_that_turns_the_server_itself_relays_without_a_handle() {
    let mut server = Server::bind("127.0.0.1:0").expect("a free port");
    let address = server.addresses()[0].to_string();
    let client = spawn(move || delivery(&mut Client::connect(&address).expect("the hub is up")));
    while server.stats().frames.requests().frames == 0 {
        server.turn(None).expect("the poll works");
    }
    let first = UserId(1 << 22);
    assert_eq!(server.relay(&[first], b"hello").expect("short"), [Status::Queued]);
    while !client.is_finished() {
        server.turn(Some(Duration::from_millis(10))).expect("the poll works");
    }
    let delivery = client.join().expect("no panic");
    assert_eq!((delivery.sender, &delivery.body[..]), (HOST, &b"hello"[..]));
}

#[test]
fn a_handle_is_told_when_the_hub_has_ended_though_the_server_lives() {
    let mut server = Server::bind("127.0.0.1:0").expect("a free port");
    let handle = server.handle();
    handle.stop().expect("the hub is up");
    server.run().expect("an orderly end");
    assert!(handle.stats().is_err());
    assert_eq!(handle.relay(&[], b""), Err(HostError::Gone));
}

#[test]
fn clients_that_all_write_at_once_do_not_lock_each_other_up() {
    let path = TempPath::new("crowd.sock");
    let address = format!("unix:{}", path.as_str());
    let mut server = Server::bind(&address).expect("a fresh path");
    let handle = server.handle();
    let hub = spawn(move || server.run().map(|()| server.stats()));
    const CROWD: usize = 12;
    let clients: Vec<Client> = (0..CROWD).map(|_| Client::connect(&address).expect("the hub is up")).collect();
    let ids: Vec<UserId> = clients.iter().map(|client| client.welcome().user).collect();
    let talk = |(number, mut client): (usize, Client)| {
        let others: Vec<UserId> = ids.iter().copied().filter(|id| *id != ids[number]).collect();
        spawn(move || {
            for _ in 0..3 {
                client.relay(&others, &vec![7; 1 << 20]).expect("the hub takes it");
            }
            (0..3 * (CROWD - 1)).for_each(|_| assert!(client.next(None).expect("the hub is up").is_some()));
        })
    };
    let talkers: Vec<_> = clients.into_iter().enumerate().map(talk).collect();
    talkers.into_iter().for_each(|talker| talker.join().expect("nobody is closed"));
    handle.stop().expect("the hub is up");
    assert_eq!(hub.join().expect("no panic").expect("an orderly end").closed_with(ErrorCode::TooSlow), 0);
}

#[test]
fn more_edges_than_one_wait_takes_are_owed_a_turn() {
    need_descriptors(4000);
    let mut server = Server::bind("127.0.0.1:0").expect("a free port");
    let address = server.addresses()[0].to_string();
    let mut poll = mio::Poll::new().expect("a poll");
    let descriptor = server.as_raw_fd();
    let source = &mut mio::unix::SourceFd(&descriptor);
    poll.registry().register(source, mio::Token(0), mio::Interest::READABLE).expect("a descriptor like others");
    let mut events = mio::Events::with_capacity(4);
    let mut turn_while_owed = |server: &mut Server, poll: &mut mio::Poll| {
        poll.poll(&mut events, Some(Duration::from_millis(100))).expect("the outer poll works");
        if !events.is_empty() {
            server.turn(Some(Duration::ZERO)).expect("it works");
        }
        while server.patience() == Some(Duration::ZERO) {
            server.turn(Some(Duration::ZERO)).expect("it works");
        }
    };
    const CROWD: u64 = 1500;
    let mut crowd: Vec<Raw> = Vec::new();
    while server.stats().users < CROWD {
        (0..100).for_each(|_| crowd.push(Raw::connect(&address)));
        turn_while_owed(&mut server, &mut poll);
    }
    crowd.iter_mut().for_each(|raw| raw.send(&frame(ALIVE, 0, 0, [])));
    turn_while_owed(&mut server, &mut poll);
    assert_eq!(server.stats().frames.requests().frames, CROWD);
}

#[test]
fn draining_returns_when_everybody_was_told_and_the_hub_has_ended() {
    let (address, handle, hub) = in_a_thread(Server::builder());
    let mut client = Client::connect(&address).expect("it listens");
    handle.drain().expect("it is up");
    assert_eq!(handle.drain(), Err(HostError::Gone), "it has ended by then");
    let end = client.next(None).expect_err("it was told");
    assert!(matches!(end, cubby::ClientError::Closing { code: ErrorCode::GoingAway, .. }), "{end}");
    hub.join().expect("no panic").expect("an orderly end");
}
