//! Every kind of invalid input, by literal bytes, and the real daemon's error for it.

use crate::support::*;
use std::io::Write;

const MAX_BODY: usize = 1024 * 1024;

/// Sends bytes on a fresh connection and expects one fatal error and the end.
fn refused(daemon: &Daemon, bytes: &[u8]) -> (u16, u8, u16) {
    let mut raw = daemon.connect();
    raw.send(bytes);
    let answer = raw.receive();
    let (code, kind, fatal) = answer.error();
    assert!(fatal, "{answer:?}");
    raw.expect_end();
    (code, kind, answer.tag)
}

/// Sends a request that fails without ending the connection.
fn survived(raw: &mut Raw, kind: u8, payload: &[u8]) -> u16 {
    let answer = raw.ask(kind, 0, 5, payload);
    let (code, at_fault, fatal) = answer.error();
    assert_eq!((at_fault, fatal, answer.tag), (kind, false, 5));
    raw.id();
    code
}

#[test]
fn what_does_not_fit_its_kind_is_malformed() {
    let daemon = Daemon::start();
    let cases: [(&str, &[u8]); 10] = [
        ("address block cut short", &[4, 0, 0, 9, 0, 0, 0, 12, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]),
        ("count cut short", &[4, 0, 0, 9, 0, 0, 0, 1, 0]),
        ("bytes left over", &[2, 0, 0, 9, 0, 0, 0, 1, 0]),
        ("bytes left over, said on the header", &[3, 0, 0, 9, 0, 0x10, 0, 0]),
        ("bytes left over after the token", &[1, 0, 0, 9, 0, 0, 0, 5, 1, 0, 0, 0, 0]),
        ("unknown flag", &[3, 1, 0, 9, 0, 0, 0, 0]),
        ("unknown flag beside a known one", &[4, 3, 0, 9, 0, 0, 0, 2, 0, 0]),
        ("name past the payload", &[1, 0, 0, 9, 0, 0, 0, 3, 1, 9, 0]),
        ("name that is not UTF-8", &[1, 0, 0, 9, 0, 0, 0, 5, 1, 1, 0xFF, 0, 0]),
        ("empty HELLO", &[1, 0, 0, 9, 0, 0, 0, 0]),
    ];
    for (what, bytes) in cases {
        assert_eq!(refused(&daemon, bytes), (1, bytes[0], 9), "{what}");
    }
}

#[test]
fn what_is_no_request_is_an_unknown_kind() {
    let daemon = Daemon::start();
    for kind in [0x00, 0x10, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xC4, 0xCD, 0xFE, 0xFF] {
        assert_eq!(refused(&daemon, &[kind, 0, 1, 2, 0, 0, 0, 0]), (2, kind, 0x0102), "{kind:#04x}");
    }
}

#[test]
fn an_http_request_is_refused_on_its_first_byte() {
    let daemon = Daemon::start();
    assert_eq!(refused(&daemon, b"G"), (2, b'G', 0));
    assert_eq!(refused(&daemon, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").0, 2);
    assert_eq!(refused(&daemon, b"POST / HTTP/1.1\r\n\r\n").0, 2);
}

#[test]
fn a_lying_length_is_refused_on_its_header() {
    let daemon = Daemon::start();
    for kind in [HELLO, IDENTITY, LIST, RELAY, PING, BYE, ALIVE] {
        for length in [0xFFFF_FFFFu32, 0x8000_0000, 0x0200_0000] {
            let header = [&[kind, 0, 0, 7][..], &length.to_be_bytes()].concat();
            assert_eq!(refused(&daemon, &header), (3, kind, 7), "{kind} {length:#x}");
        }
    }
}

#[test]
fn a_body_one_byte_over_the_limit_is_refused_before_it_comes() {
    let daemon = Daemon::start();
    let length = u32::try_from(2 + 8 + MAX_BODY + 1).expect("short").to_be_bytes();
    let header_and_count = [&[RELAY, 0, 0, 7][..], &length, &[0, 1]].concat();
    assert_eq!(refused(&daemon, &header_and_count), (3, RELAY, 7));
}

#[test]
fn a_body_at_the_limit_arrives() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    let own = raw.id();
    let body: Vec<u8> = (0..MAX_BODY).map(|i| (i * 7 + i / 251) as u8).collect();
    let answer = raw.ask(RELAY, 0, 0, relay(&[own], &body));
    assert!(answer == Frame::new(DELIVER, 0, 0, deliver(own, &body)), "the same megabyte comes back");
}

#[test]
fn a_ping_over_its_limit_is_too_large() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    assert_eq!(raw.ask(PING, 0, 9, [7; 125]), Frame::new(0x8C, 0, 9, [7; 125]));
    assert_eq!(refused(&daemon, &[PING, 0, 0, 9, 0, 0, 0, 126]), (3, PING, 9));
}

#[test]
fn a_wrong_count_of_receivers_is_survived() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    assert_eq!(survived(&mut raw, RELAY, &relay(&[], b"to nobody")), 4);
    assert_eq!(survived(&mut raw, RELAY, &relay(&vec![1; 256], b"to too many")), 4);
    assert_eq!(survived(&mut raw, RELAY, &relay(&vec![1; 65535], b"")), 4);
    let most = raw.ask(RELAY, RECEIPT, 6, relay(&[1; 255], b""));
    assert_eq!(most, Frame::new(0x84, 0, 6, [&[0, 255][..], &[1; 255]].concat()));
}

#[test]
fn a_bad_name_is_survived() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    let hello = |name: &[u8]| [&[1, u8::try_from(name.len()).expect("short")][..], name, &[0, 0]].concat();
    for name in [&b"a\nb"[..], b" ann", b"\x1b[2J", "\u{202E}x".as_bytes(), &[b'x'; 65]] {
        assert_eq!(survived(&mut raw, HELLO, &hello(name)), 6, "{name:?}");
    }
    assert_eq!(raw.ask(HELLO, 0, 1, hello(&[b'x'; 64])).kind, 0x81);
}

#[test]
fn a_hello_of_another_version_is_told_so() {
    let daemon = Daemon::start();
    assert_eq!(refused(&daemon, &[HELLO, 0, 0, 4, 0, 0, 0, 4, 2, 0, 0, 0]), (10, HELLO, 4));
}

#[test]
fn a_frame_may_come_a_byte_at_a_time() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    let own = raw.id();
    let requests = [frame(RELAY, RECEIPT, 1, relay(&[own], b"slowly")), frame(PING, 0, 2, b"x")].concat();
    for byte in requests {
        raw.send(&[byte]);
    }
    assert_eq!(raw.receive(), Frame::new(DELIVER, 0, 0, deliver(own, b"slowly")));
    assert_eq!(raw.receive(), Frame::new(0x84, 0, 1, [0, 1, 0]));
    assert_eq!(raw.receive(), Frame::new(0x8C, 0, 2, b"x"));
}

#[test]
fn twenty_thousand_pipelined_frames_are_answered_in_order() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    let mut requests = Vec::new();
    for i in 0..20_000u32 {
        requests.extend(frame(PING, 0, i as u16, i.to_be_bytes()));
    }
    raw.send(&requests);
    for i in 0..20_000u32 {
        assert_eq!(raw.receive(), Frame::new(0x8C, 0, i as u16, i.to_be_bytes()));
    }
}

#[test]
fn answers_still_come_after_a_half_close() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    for i in 0..1000 {
        raw.send(&frame(PING, 0, i, b"still there?"));
    }
    raw.half_close();
    for i in 0..1000 {
        assert_eq!(raw.receive(), Frame::new(0x8C, 0, i, b"still there?"));
    }
    raw.expect_end();
}

#[test]
fn a_reset_in_mid_frame_harms_nobody() {
    let daemon = Daemon::start();
    let mut witness = daemon.connect();
    let mut leaver = daemon.connect();
    let gone = leaver.id();
    leaver.send(&frame(RELAY, 0, 0, relay(&[gone], &[7; 5000]))[..3000]);
    // Closing with a linger time of zero is a reset.
    socket2::SockRef::from(&leaver.0).set_linger(Some(std::time::Duration::ZERO)).expect("it can be set");
    drop(leaver);
    witness.wait_until_gone(gone);
}

#[test]
fn a_relay_to_someone_who_left_does_not_reach_the_newcomer_in_its_slot() {
    let daemon = Daemon::start();
    let mut sender = daemon.connect();
    let own = sender.id();
    let mut leaver = daemon.connect();
    let gone = leaver.id();
    drop(leaver);
    sender.wait_until_gone(gone);
    let mut newcomer = daemon.connect();
    let new = newcomer.id();
    let slot = |id: u64| id & ((1 << 22) - 1);
    assert_eq!(slot(new), slot(gone), "the slot is taken again, or this test shows nothing");
    assert_ne!(new, gone);
    assert_eq!(sender.ask(RELAY, RECEIPT, 1, relay(&[gone, new], b"for one")), Frame::new(0x84, 0, 1, [0, 2, 1, 0]));
    assert_eq!(newcomer.receive(), Frame::new(DELIVER, 0, 0, deliver(own, b"for one")));
    sender.send(&frame(RELAY, 0, 0, relay(&[gone], b"for nobody")));
    sender.send(&frame(RELAY, 0, 0, relay(&[new], b"for the other")));
    assert_eq!(newcomer.receive(), Frame::new(DELIVER, 0, 0, deliver(own, b"for the other")));
}

#[test]
fn a_fatal_error_can_be_read_by_a_client_that_is_still_sending() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    let mut bytes = frame(RELAY, 0x80, 3, relay(&[1], b""));
    bytes.resize(3 * MAX_BODY, 0);
    // The hub may stop discarding before all of this is sent; then sending fails, and the error must still be there.
    let _ = raw.0.write_all(&bytes);
    let answer = raw.receive();
    assert_eq!((answer.error(), answer.tag), ((1, RELAY, true), 3));
}

#[test]
fn urgent_data_does_not_strand_what_follows_it() {
    let daemon = Daemon::start();
    let mut raw = daemon.connect();
    raw.id();
    raw.send(&frame(PING, 0, 1, b"before"));
    socket2::SockRef::from(&raw.0).send_out_of_band(b"!").expect("TCP has it");
    raw.send(&frame(PING, 0, 2, b"after"));
    assert_eq!(raw.receive(), Frame::new(0x8C, 0, 1, b"before"));
    assert_eq!(raw.receive(), Frame::new(0x8C, 0, 2, b"after"), "the urgent byte is not part of the stream");
}

#[test]
fn nothing_is_carried_out_after_a_fatal_error() {
    let daemon = Daemon::start();
    let mut witness = daemon.connect();
    let watched = witness.id();
    let mut raw = daemon.connect();
    let fatal_then_relay = [frame(0x3F, 0, 1, []), frame(RELAY, 0, 2, relay(&[watched], b"never"))].concat();
    raw.send(&fatal_then_relay);
    assert_eq!(raw.receive().error(), (2, 0x3F, true));
    raw.expect_end();
    assert_eq!(witness.ask(PING, 0, 1, b"quiet?"), Frame::new(0x8C, 0, 1, b"quiet?"));
}
