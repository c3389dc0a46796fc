//! The core requests: identity, list and relay, by literal bytes.

use crate::support::*;

#[test]
fn hello_is_answered_with_what_the_hub_allows() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-body", "64K", "--max-receivers", "9"]);
    let mut raw = daemon.connect();
    let answer = raw.ask(HELLO, 0, 7, b"\x01\x03ann\x00\x00");
    assert_eq!((answer.kind, answer.flags, answer.tag), (0x81, 0, 7));
    let id = raw.id();
    let server = concat!("cubby/", env!("CARGO_PKG_VERSION"));
    let mut expected = vec![1];
    expected.extend(id.to_be_bytes());
    expected.extend([0, 1, 0, 0, 0, 9, 0, 30, 3]);
    expected.extend(b"ann");
    expected.push(u8::try_from(server.len()).expect("short"));
    expected.extend(server.as_bytes());
    assert_eq!(answer.payload, expected);
}

#[test]
fn a_list_holds_everybody_else_in_the_order_they_came() {
    let daemon = Daemon::start();
    let mut all: Vec<Raw> = (0..20).map(|_| daemon.connect()).collect();
    let mut ids: Vec<u64> = all.iter_mut().map(Raw::id).collect();
    assert!(ids.is_sorted() && ids[0] > 0);
    let gone = ids.remove(3);
    drop(all.remove(3));
    all[0].wait_until_gone(gone);
    let mut newcomer = daemon.connect();
    assert_eq!(newcomer.list(), ids, "the newcomer sits in the freed slot and is left out");
    ids.push(newcomer.id());
    assert_eq!(all[5].list(), [&ids[..5], &ids[6..]].concat());
}

#[test]
fn an_empty_list_is_one_empty_frame() {
    let daemon = Daemon::start();
    assert_eq!(daemon.connect().ask(LIST, 0, 4, []), Frame::new(0x83, 0, 4, []));
}

#[test]
fn a_relay_reaches_each_distinct_receiver_once() {
    let daemon = Daemon::start();
    let mut sender = daemon.connect();
    let own = sender.id();
    let mut others: Vec<Raw> = (0..3).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = others.iter_mut().map(Raw::id).collect();
    let named = [ids[2], ids[0], ids[2], own, ids[0], 0, 12345];
    sender.send(&frame(RELAY, RECEIPT, 6, relay(&named, b"hello")));
    assert_eq!(sender.receive(), Frame::new(DELIVER, 0, 0, deliver(own, b"hello")));
    assert_eq!(sender.receive(), Frame::new(0x84, 0, 6, [0, 7, 0, 0, 0, 0, 0, 1, 1]));
    for i in [0, 2] {
        assert_eq!(others[i].receive(), Frame::new(DELIVER, 0, 0, deliver(own, b"hello")));
    }
    for other in &mut others {
        assert_eq!(other.ask(PING, 0, 1, b""), Frame::new(0x8C, 0, 1, []), "and nothing else came");
    }
}

#[test]
fn a_relay_without_a_receipt_says_nothing() {
    let daemon = Daemon::start();
    let mut sender = daemon.connect();
    sender.send(&frame(RELAY, 0, 1, relay(&[999], b"to nobody")));
    assert_eq!(sender.ask(PING, 0, 2, b""), Frame::new(0x8C, 0, 2, []));
}

#[test]
fn bodies_of_every_size_keep_their_bytes_and_their_order() {
    let daemon = Daemon::start();
    let mut sender = daemon.connect();
    let own = sender.id();
    let mut receivers: Vec<Raw> = (0..3).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = receivers.iter_mut().map(Raw::id).collect();
    let sizes = [0, 1, 4095, 4096, 70, 65_527, 65_528, 65_536, 3, 200_000, 1 << 20, 17];
    let body = |size: usize| -> Vec<u8> { (0..size).map(|i| (i ^ (i >> 8) ^ size) as u8).collect() };
    let writer = std::thread::spawn(move || {
        for size in sizes {
            sender.send(&frame(RELAY, 0, 0, relay(&ids, &body(size))));
        }
        sender
    });
    for receiver in &mut receivers {
        for size in sizes {
            assert!(receiver.receive() == Frame::new(DELIVER, 0, 0, deliver(own, &body(size))), "{size} bytes");
        }
    }
    drop(writer.join().expect("all was sent"));
}

#[test]
fn bye_sends_what_is_queued_and_closes() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    let own = raw.id();
    let after = frame(PING, 0, 1, b"too late");
    raw.send(&[frame(RELAY, 0, 0, relay(&[own], &[5; 100_000])), frame(BYE, 0, 0, []), after].concat());
    assert_eq!(raw.receive(), Frame::new(DELIVER, 0, 0, deliver(own, &[5; 100_000])));
    raw.expect_end();
}

#[test]
fn alive_is_not_answered() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    raw.send(&frame(ALIVE, 0, 8, []));
    assert_eq!(raw.ask(PING, 0, 9, b""), Frame::new(0x8C, 0, 9, []));
}

#[test]
fn one_connection_too_many_is_told_so_and_the_others_stay() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-connections", "2"]);
    let (mut first, mut second) = (daemon.connect(), daemon.connect());
    let (one, two) = (first.id(), second.id());
    let mut third = daemon.connect();
    let refusal = third.receive();
    assert_eq!((refusal.error(), refusal.tag), ((14, 0, true), 0));
    third.expect_end();
    assert_eq!((first.list(), second.list()), (vec![two], vec![one]));
    drop(second);
    first.wait_until_gone(two);
    assert_eq!(daemon.connect().list(), [one], "there is room again");
}

#[test]
fn a_stalled_pair_holds_up_nobody_else() {
    let daemon = Daemon::start();
    let mut stalled = daemon.connect();
    let target = stalled.id();
    let mut flooder = daemon.connect();
    let nonblocking = flooder.0.try_clone().expect("a second handle");
    nonblocking.set_write_timeout(Some(std::time::Duration::from_millis(200))).expect("a time-out");
    let flood = frame(RELAY, 0, 0, relay(&[target], &[9; 1 << 20]));
    let mut sent = 0;
    while sent < 100 && std::io::Write::write_all(&mut flooder.0, &flood).is_ok() {
        sent += 1;
    }
    assert!(sent < 100, "the hub stops reading the sender before a hundred megabytes are queued");
    let mut other = daemon.connect();
    for i in 0..200 {
        assert_eq!(other.ask(PING, 0, i, b"held up?"), Frame::new(0x8C, 0, i, b"held up?"));
    }
    // Once the stalled receiver reads, the sender is read again, and its unfinished request arrives too.
    for _ in 0..sent {
        assert_eq!(stalled.receive().payload.len(), 8 + (1 << 20));
    }
}

#[test]
fn what_is_queued_is_sent_whole_also_when_its_user_says_bye() {
    let daemon = Daemon::start();
    let (mut sender, mut leaver) = (daemon.connect(), daemon.connect());
    let to = leaver.id();
    let payload = relay(&[to], &[9; 1 << 20]);
    let mut queued = 0;
    // Until the leaving session is full: from then on a receipt would come only after it reads.
    while queued < 4 {
        assert_eq!(sender.ask(RELAY, RECEIPT, 1, &payload).payload, [0, 1, 0]);
        queued += 1;
    }
    leaver.send(&frame(BYE, 0, 0, []));
    sender.wait_until_gone(to);
    for _ in 0..queued {
        assert_eq!(leaver.receive().payload.len(), 8 + (1 << 20));
    }
    leaver.expect_end();
}
