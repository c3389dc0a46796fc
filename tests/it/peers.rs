//! The languages in which `cargo bench --bench peers` drives other hubs, told by literal bytes. They stand beside the
//! comparison, which has no tests of its own, for it is a program and no more.

#[path = "../bench/peers/mqtt.rs"]
mod mqtt;
#[path = "../bench/peers/nats.rs"]
mod nats;
#[path = "../bench/peers/redis.rs"]
mod redis;
#[path = "../bench/peers/wire.rs"]
#[allow(dead_code, reason = "the repeater uses the rest of it")]
mod wire;

use crate::load::{Dialect, Heard, Part};
use mqtt::Mqtt;
use nats::Nats;
use redis::Redis;
use wire::Wire;

const PUBLISHER: Part = Part::Publisher(7);
const SUBSCRIBER: Part = Part::Subscriber(7);

/// One that is there for this, and what it says first.
fn greeted<D: Dialect + Default>(part: Part) -> (D, Vec<u8>) {
    let (mut dialect, mut out) = (D::default(), Vec::new());
    dialect.greet(part, &mut out);
    (dialect, out)
}

fn published(dialect: &mut impl Dialect, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    dialect.publish(body, &mut out);
    out
}

/// All of `input` must say these things, each with its last byte and not before.
fn hears(dialect: &mut impl Dialect, mut input: &[u8], all: &[Heard<'_>]) {
    let mut out = Vec::new();
    for expected in all {
        let mut heard_at = |end: &usize| {
            let heard = dialect.next(&input[..*end], &mut out).expect("it is understood");
            let (length, heard) = heard?;
            assert_eq!((length, &heard), (*end, expected));
            Some(())
        };
        let length = (0..=input.len()).find(|end| heard_at(end).is_some()).expect("it is whole");
        input = &input[length..];
    }
    assert_eq!((input, &out[..]), (&b""[..], &b""[..]), "all was heard, and nothing had to be answered");
}

fn refuses(dialect: &mut impl Dialect, input: &[u8], why: &str) {
    hears(dialect, input, &[Heard::Refused(why.to_owned())]);
}

fn does_not_understand(dialect: &mut impl Dialect, input: &[u8]) {
    let heard = dialect.next(input, &mut Vec::new());
    assert!(heard.is_err(), "{heard:?}");
}

#[test]
fn mqtt_connects_and_subscribes_in_one_breath() {
    let (_, out) = greeted::<Mqtt>(SUBSCRIBER);
    let (connect, subscribe) = out.split_at(21);
    // The client's name is counted up.
    assert_eq!(connect[..15], *b"\x10\x13\0\x04MQTT\x04\x02\0\0\0\x07c");
    assert_eq!(subscribe, b"\x82\x07\0\x01\0\x02g7\0");
}

#[test]
fn mqtt_publishes_and_hears() {
    let (mut dialect, _) = greeted::<Mqtt>(SUBSCRIBER);
    assert_eq!(published(&mut dialect, b"hello"), b"\x30\x09\0\x02g7hello");
    let input = b"\x20\x02\0\0\x90\x03\0\x01\0\x30\x09\0\x02g7hello\x30\x04\0\x02g7";
    hears(&mut dialect, input, &[Heard::Other, Heard::Ready(0), Heard::Body(b"hello"), Heard::Body(b"")]);
}

#[test]
fn mqtt_knows_lengths_of_three_bytes() {
    let (mut dialect, _) = greeted::<Mqtt>(SUBSCRIBER);
    let body = vec![7; 1_000_000];
    let packet = published(&mut dialect, &body);
    assert_eq!(packet[..8], *b"\x30\xC4\x84\x3D\0\x02g7");
    assert_eq!(dialect.next(&packet, &mut Vec::new()), Ok(Some((1_000_008, Heard::Body(&body)))));
    assert_eq!(dialect.next(&packet[..1_000_007], &mut Vec::new()), Ok(None));
}

#[test]
fn mqtt_is_ready_to_publish_once_connected() {
    let (mut dialect, _) = greeted::<Mqtt>(PUBLISHER);
    hears(&mut dialect, b"\x20\x02\0\0", &[Heard::Ready(0)]);
    refuses(&mut dialect, b"\x20\x02\0\x05", "the broker refuses the connection with code 5");
    refuses(&mut dialect, b"\x90\x03\0\x01\x80", "the broker refuses the subscription");
    does_not_understand(&mut dialect, b"\x40\x02\0\x01");
    does_not_understand(&mut dialect, b"\x30\xff\xff\xff\xff\x01");
    does_not_understand(&mut dialect, b"\x30\x04\0\x07g7");
}

#[test]
fn nats_is_ready_once_its_ping_is_answered() {
    let connect = "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false}\r\n";
    assert_eq!(greeted::<Nats>(PUBLISHER).1, format!("{connect}PING\r\n").into_bytes());
    let (mut dialect, out) = greeted::<Nats>(SUBSCRIBER);
    assert_eq!(out, format!("{connect}SUB g7 1\r\nPING\r\n").into_bytes());
    hears(&mut dialect, b"INFO {\"port\":4222}\r\nPONG\r\n", &[Heard::Other, Heard::Ready(0)]);
    refuses(&mut dialect, b"-ERR 'Unknown Protocol Operation'\r\n", "'Unknown Protocol Operation'");
    does_not_understand(&mut dialect, b"HTTP/1.1 200\r\n");
    does_not_understand(&mut dialect, b"PONG\n");
}

#[test]
fn nats_publishes_and_hears() {
    let (mut dialect, _) = greeted::<Nats>(SUBSCRIBER);
    assert_eq!(published(&mut dialect, b"hello"), b"PUB g7 5\r\nhello\r\n");
    let input = b"MSG g7 1 5\r\nhello\r\nMSG g7 1 12\r\nhel\r\nMSG g7 \r\nMSG g7 1 0\r\n\r\n";
    hears(&mut dialect, input, &[Heard::Body(b"hello"), Heard::Body(b"hel\r\nMSG g7 "), Heard::Body(b"")]);
    does_not_understand(&mut dialect, b"MSG g7 1 \r\n");
    does_not_understand(&mut dialect, b"MSG g7 1 1234567890\r\n");
}

#[test]
fn nats_is_answered_when_it_pings() {
    let (mut dialect, mut out) = (Nats::default(), Vec::new());
    assert_eq!(dialect.next(b"PING\r\n", &mut out), Ok(Some((6, Heard::Other))));
    assert_eq!(out, b"PONG\r\n");
}

#[test]
fn redis_is_ready_once_its_ping_is_answered() {
    let (mut dialect, out) = greeted::<Redis>(PUBLISHER);
    assert_eq!(out, b"*1\r\n$4\r\nPING\r\n");
    hears(&mut dialect, b"+PONG\r\n:100\r\n", &[Heard::Ready(0), Heard::Other]);
    refuses(&mut dialect, b"-ERR max number of clients reached\r\n", "ERR max number of clients reached");
    does_not_understand(&mut dialect, b"+OK\r\n");
}

#[test]
fn redis_publishes_and_hears() {
    let (mut dialect, out) = greeted::<Redis>(SUBSCRIBER);
    assert_eq!(out, b"*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\ng7\r\n");
    assert_eq!(published(&mut dialect, b"hello"), b"*3\r\n$7\r\nPUBLISH\r\n$2\r\ng7\r\n$5\r\nhello\r\n");
    let subscribed = b"*3\r\n$9\r\nsubscribe\r\n$2\r\ng7\r\n:1\r\n";
    let messages =
        b"*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$5\r\nhello\r\n*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$2\r\n\r\n\r\n";
    let heard = [Heard::Ready(0), Heard::Body(b"hello"), Heard::Body(b"\r\n")];
    hears(&mut dialect, &[&subscribed[..], messages].concat(), &heard);
    does_not_understand(&mut dialect, b"*3\r\n$7\r\nmessage\r\n$2\r\ng8\r\n");
    does_not_understand(&mut dialect, b"*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$-1\r\n");
}

#[test]
fn the_repeater_is_greeted_and_repeats_bodies_after_their_lengths() {
    let (mut dialect, out) = greeted::<Wire>(SUBSCRIBER);
    assert_eq!(out, b"S\0\0\0\x07");
    assert_eq!(greeted::<Wire>(PUBLISHER).1, b"P\0\0\0\x07");
    assert_eq!(published(&mut dialect, b"hello"), b"\0\0\0\x05hello");
    does_not_understand(&mut dialect, b"?");
    hears(&mut dialect, b"!\0\0\0\x05hello\0\0\0\0", &[Heard::Ready(0), Heard::Body(b"hello"), Heard::Body(b"")]);
}

/// Of a message that is not whole, so much is told: where its body will end, and how it begins. What `end` follows the
/// body is heard by itself then, and at no other time.
fn shows<D: Dialect + Default>(hello: &[u8], head: &[u8], end: &[u8]) {
    let (message, body_at) = ([head, &[7; 200]].concat(), head.len());
    let (mut dialect, _) = greeted::<D>(SUBSCRIBER);
    assert_eq!(dialect.glimpse(hello), None, "nothing else is a message");
    if !hello.is_empty() {
        dialect.next(hello, &mut Vec::new()).expect("it is understood").expect("it is whole");
    }
    for front in (0..body_at + 16).map(|end| &message[..end]) {
        assert_eq!(dialect.glimpse(front), None, "{} bytes show too little", front.len());
    }
    let front = &message[..body_at + 20];
    assert_eq!(dialect.glimpse(front), Some((message.len(), &front[body_at..])));
    if !end.is_empty() {
        hears(&mut dialect, end, &[Heard::Other]);
        does_not_understand(&mut dialect, end);
        assert_eq!(dialect.glimpse(&message), None, "nothing of the body is to come");
    }
}

#[test]
fn the_front_of_a_message_shows_its_length_and_the_front_of_its_body() {
    shows::<Mqtt>(b"\x90\x03\0\x01\0", b"\x30\xCC\x01\0\x02g7", b"");
    shows::<Nats>(b"PONG\r\n", b"MSG g7 1 200\r\n", b"\r\n");
    let head = b"*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$200\r\n";
    shows::<Redis>(b":1\r\n", head, b"\r\n");
    shows::<Wire>(b"!", b"\0\0\0\xC8", b"");
}
