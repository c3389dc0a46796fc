//! Each answer, to bytes and back.

use super::*;
use crate::wire::{
    ErrorCode, EventRef, EventType, Fault, HEADER_LEN, Header, Ids, Members, UserId, deliver_head, mail_head,
};

fn encoded(answer: Answer<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    answer.encode(7, &mut out);
    out
}

fn decoded(bytes: &[u8]) -> Result<Answer<'_>, Fault> {
    Answer::decode(Header::decode(bytes).expect("a header"), &bytes[HEADER_LEN..])
}

#[test]
fn each_answer_reads_back_as_itself() {
    let ids = [1; 16];
    let users = Ids::new(&ids).expect("two ids");
    let members = Members::new(b"\0\0\0\0\0\0\0\x09\x03ann").expect("one member");
    let (what, session) = (EventType::Message, UserId(9));
    let event = EventRef { what, id: 7, unix_ms: 8, session, room: "lobby", name: "ann", body: b"hi" };
    let answers = [
        Answer::Welcome {
            version: 1,
            user: UserId(9),
            max_body: 1,
            max_receivers: 2,
            heartbeat_secs: 3,
            name: "ann",
            server: SERVER,
        },
        Answer::Identity(UserId(9)),
        Answer::List { users, more: true },
        Answer::Receipt(&[0, 1, 2, 3, 4]),
        Answer::SendReceipt(&[0, 1]),
        Answer::Joined { sessions: 2, newest: 17, epoch: 5 },
        Answer::Left,
        Answer::Published(18),
        Answer::HistoryEnd { oldest: 1, newest: 18, sent: 17, epoch: 5 },
        Answer::Who { members, more: true },
        Answer::Mail { mail: 1, unix_ms: 2, sender: UserId(9), name: "ann", body: b"hi", ack: true },
        Answer::Event { event, replay: true },
        Answer::Pong(b"x"),
        Answer::Stats("{}"),
        Answer::Beat { unix_ms: 8 },
        Answer::Deliver { sender: UserId(9), body: b"hi" },
        Answer::Closing { code: ErrorCode::GoingAway, text: "bye" },
        Answer::Error { code: ErrorCode::Malformed, kind: 4, fatal: true, text: "left over" },
    ];
    for answer in answers {
        assert_eq!(decoded(&encoded(answer)), Ok(answer));
    }
}

#[test]
fn an_error_is_these_bytes() {
    let fault = Fault::new(ErrorCode::TooLarge, 0x04, 0x0102, "big");
    let mut out = Vec::new();
    Answer::from(&fault).encode(fault.tag, &mut out);
    assert_eq!(out, [0xFF, 1, 1, 2, 0, 0, 0, 7, 0, 3, 4, 3, b'b', b'i', b'g']);
}

#[test]
fn a_deliver_head_and_its_body_are_a_deliver() {
    let bytes = [&deliver_head(UserId(9), 2)[..], b"hi"].concat();
    assert_eq!(decoded(&bytes), Ok(Answer::Deliver { sender: UserId(9), body: b"hi" }));
}

#[test]
fn a_mail_head_and_its_body_are_a_mail() {
    let mut bytes = Vec::new();
    mail_head(1, 2, UserId(9), "ann", 2, &mut bytes);
    bytes.extend(b"hi");
    let mail = Answer::Mail { mail: 1, unix_ms: 2, sender: UserId(9), name: "ann", body: b"hi", ack: false };
    assert_eq!(decoded(&bytes), Ok(mail));
}

#[test]
fn a_receipt_has_as_many_statuses_as_it_counts() {
    assert!(decoded(&[0x84, 0, 0, 0, 0, 0, 0, 3, 0, 2, 0]).is_err());
    assert!(decoded(&[0x84, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0]).is_err());
    assert!(decoded(&[0x84, 0, 0, 0, 0, 0, 0, 3, 0, 1, 9]).is_err());
}

#[test]
fn a_request_is_no_answer() {
    assert_eq!(decoded(&[2, 0, 0, 0, 0, 0, 0, 0]).map_err(|fault| fault.code), Err(ErrorCode::UnknownKind));
}
