//! The drivers of other brokers' protocols, tested with literal bytes.

use super::mqtt::Mqtt;
use super::nats::Nats;
use super::raw::Raw;
use super::redis::Redis;
use crate::bench::load::{Driver, Incoming, Part};

const PUBLISHER: Part = Part::Publisher(7);
const SUBSCRIBER: Part = Part::Subscriber(7);

/// A driver with this part, and what it says first.
fn opened<D: Driver + Default>(part: Part) -> (D, Vec<u8>) {
    let (mut driver, mut out) = (D::default(), Vec::new());
    driver.open(part, &mut out);
    (driver, out)
}

fn published(driver: &mut impl Driver, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    driver.publish(body, &mut out);
    out
}

/// Checks that `input` consists of these units, each of which is complete with its last byte and not before.
fn decodes(driver: &mut impl Driver, mut input: &[u8], all: &[Incoming<'_>]) {
    let mut out = Vec::new();
    for expected in all {
        let mut decoded_at = |end: &usize| {
            let heard = driver.next(&input[..*end], &mut out).expect("it is decoded");
            let (length, heard) = heard?;
            assert_eq!((length, &heard), (*end, expected));
            Some(())
        };
        let length = (0..=input.len()).find(|end| decoded_at(end).is_some()).expect("it is complete");
        input = &input[length..];
    }
    assert_eq!((input, &out[..]), (&b""[..], &b""[..]), "all was decoded, and nothing had to be answered");
}

fn refuses(driver: &mut impl Driver, input: &[u8], why: &str) {
    decodes(driver, input, &[Incoming::Refused(why.to_owned())]);
}

fn fails_on(driver: &mut impl Driver, input: &[u8]) {
    let heard = driver.next(input, &mut Vec::new());
    assert!(heard.is_err(), "{heard:?}");
}

#[test]
fn mqtt_connects_and_subscribes_at_once() {
    let (_, out) = opened::<Mqtt>(SUBSCRIBER);
    let (connect, subscribe) = out.split_at(21);
    // The client identifier is a counter.
    assert_eq!(connect[..15], *b"\x10\x13\0\x04MQTT\x04\x02\0\0\0\x07c");
    assert_eq!(subscribe, b"\x82\x07\0\x01\0\x02g7\0");
}

#[test]
fn mqtt_publishes_and_receives() {
    let (mut driver, _) = opened::<Mqtt>(SUBSCRIBER);
    assert_eq!(published(&mut driver, b"hello"), b"\x30\x09\0\x02g7hello");
    let input = b"\x20\x02\0\0\x90\x03\0\x01\0\x30\x09\0\x02g7hello\x30\x04\0\x02g7";
    decodes(&mut driver, input, &[Incoming::Other, Incoming::Ready(0), Incoming::Body(b"hello"), Incoming::Body(b"")]);
}

#[test]
fn mqtt_knows_lengths_of_three_bytes() {
    let (mut driver, _) = opened::<Mqtt>(SUBSCRIBER);
    let body = vec![7; 1_000_000];
    let packet = published(&mut driver, &body);
    assert_eq!(packet[..8], *b"\x30\xC4\x84\x3D\0\x02g7");
    assert_eq!(driver.next(&packet, &mut Vec::new()), Ok(Some((1_000_008, Incoming::Body(&body)))));
    assert_eq!(driver.next(&packet[..1_000_007], &mut Vec::new()), Ok(None));
}

#[test]
fn mqtt_is_ready_to_publish_once_connected() {
    let (mut driver, _) = opened::<Mqtt>(PUBLISHER);
    decodes(&mut driver, b"\x20\x02\0\0", &[Incoming::Ready(0)]);
    refuses(&mut driver, b"\x20\x02\0\x05", "the broker refuses the connection with code 5");
    refuses(&mut driver, b"\x90\x03\0\x01\x80", "the broker refuses the subscription");
    fails_on(&mut driver, b"\x40\x02\0\x01");
    fails_on(&mut driver, b"\x30\xff\xff\xff\xff\x01");
    fails_on(&mut driver, b"\x30\x04\0\x07g7");
}

#[test]
fn nats_is_ready_once_its_ping_is_answered() {
    let connect = "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false}\r\n";
    assert_eq!(opened::<Nats>(PUBLISHER).1, format!("{connect}PING\r\n").into_bytes());
    let (mut driver, out) = opened::<Nats>(SUBSCRIBER);
    assert_eq!(out, format!("{connect}SUB g7 1\r\nPING\r\n").into_bytes());
    decodes(&mut driver, b"INFO {\"port\":4222}\r\nPONG\r\n", &[Incoming::Other, Incoming::Ready(0)]);
    refuses(&mut driver, b"-ERR 'Unknown Protocol Operation'\r\n", "'Unknown Protocol Operation'");
    fails_on(&mut driver, b"HTTP/1.1 200\r\n");
    fails_on(&mut driver, b"PONG\n");
}

#[test]
fn nats_publishes_and_receives() {
    let (mut driver, _) = opened::<Nats>(SUBSCRIBER);
    assert_eq!(published(&mut driver, b"hello"), b"PUB g7 5\r\nhello\r\n");
    let input = b"MSG g7 1 5\r\nhello\r\nMSG g7 1 12\r\nhel\r\nMSG g7 \r\nMSG g7 1 0\r\n\r\n";
    decodes(&mut driver, input, &[Incoming::Body(b"hello"), Incoming::Body(b"hel\r\nMSG g7 "), Incoming::Body(b"")]);
    fails_on(&mut driver, b"MSG g7 1 \r\n");
    fails_on(&mut driver, b"MSG g7 1 1234567890\r\n");
}

#[test]
fn a_ping_of_nats_is_answered() {
    let (mut driver, mut out) = (Nats::default(), Vec::new());
    assert_eq!(driver.next(b"PING\r\n", &mut out), Ok(Some((6, Incoming::Other))));
    assert_eq!(out, b"PONG\r\n");
}

#[test]
fn redis_is_ready_once_its_ping_is_answered() {
    let (mut driver, out) = opened::<Redis>(PUBLISHER);
    assert_eq!(out, b"*1\r\n$4\r\nPING\r\n");
    decodes(&mut driver, b"+PONG\r\n:100\r\n", &[Incoming::Ready(0), Incoming::Other]);
    refuses(&mut driver, b"-ERR max number of clients reached\r\n", "ERR max number of clients reached");
    fails_on(&mut driver, b"+OK\r\n");
}

#[test]
fn redis_publishes_and_receives() {
    let (mut driver, out) = opened::<Redis>(SUBSCRIBER);
    assert_eq!(out, b"*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\ng7\r\n");
    assert_eq!(published(&mut driver, b"hello"), b"*3\r\n$7\r\nPUBLISH\r\n$2\r\ng7\r\n$5\r\nhello\r\n");
    let subscribed = b"*3\r\n$9\r\nsubscribe\r\n$2\r\ng7\r\n:1\r\n";
    let messages =
        b"*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$5\r\nhello\r\n*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$2\r\n\r\n\r\n";
    let heard = [Incoming::Ready(0), Incoming::Body(b"hello"), Incoming::Body(b"\r\n")];
    decodes(&mut driver, &[&subscribed[..], messages].concat(), &heard);
    fails_on(&mut driver, b"*3\r\n$7\r\nmessage\r\n$2\r\ng8\r\n");
    fails_on(&mut driver, b"*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$-1\r\n");
}

#[test]
fn the_repeater_is_greeted_and_repeats_bodies_after_their_lengths() {
    let (mut driver, out) = opened::<Raw>(SUBSCRIBER);
    assert_eq!(out, b"S\0\0\0\x07");
    assert_eq!(opened::<Raw>(PUBLISHER).1, b"P\0\0\0\x07");
    assert_eq!(published(&mut driver, b"hello"), b"\0\0\0\x05hello");
    fails_on(&mut driver, b"?");
    decodes(
        &mut driver,
        b"!\0\0\0\x05hello\0\0\0\0",
        &[Incoming::Ready(0), Incoming::Body(b"hello"), Incoming::Body(b"")],
    );
}

/// Checks that the front of an incomplete message shows where its body ends and how it begins. The `end` behind the
/// body is decoded alone then, and at no other time.
fn decodes_front<D: Driver + Default>(hello: &[u8], head: &[u8], end: &[u8]) {
    let (message, body_at) = ([head, &[7; 200]].concat(), head.len());
    let (mut driver, _) = opened::<D>(SUBSCRIBER);
    assert_eq!(driver.decode_front(hello), None, "only a message has a body");
    if !hello.is_empty() {
        driver.next(hello, &mut Vec::new()).expect("it is decoded").expect("it is complete");
    }
    for front in (0..body_at + 16).map(|end| &message[..end]) {
        assert_eq!(driver.decode_front(front), None, "{} bytes are too few", front.len());
    }
    let front = &message[..body_at + 20];
    assert_eq!(driver.decode_front(front), Some((message.len(), &front[body_at..])));
    if !end.is_empty() {
        decodes(&mut driver, end, &[Incoming::Other]);
        fails_on(&mut driver, end);
        assert_eq!(driver.decode_front(&message), None, "no rest of the body is to come");
    }
}

#[test]
fn the_front_of_a_message_shows_its_length_and_the_front_of_its_body() {
    decodes_front::<Mqtt>(b"\x90\x03\0\x01\0", b"\x30\xCC\x01\0\x02g7", b"");
    decodes_front::<Nats>(b"PONG\r\n", b"MSG g7 1 200\r\n", b"\r\n");
    let head = b"*3\r\n$7\r\nmessage\r\n$2\r\ng7\r\n$200\r\n";
    decodes_front::<Redis>(b":1\r\n", head, b"\r\n");
    decodes_front::<Raw>(b"!", b"\0\0\0\xC8", b"");
}
