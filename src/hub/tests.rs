//! The hub by itself: what would take too many sockets, or too much time, to bring about.

use super::Hub;
use crate::limits::{LIST_FRAME_IDS, Limits};
use crate::wire::{Answer, HEADER_LEN, Header, Ids, Request, Status, UserId};
use std::io::IoSlice;

fn hub() -> Hub<()> {
    Hub::new(Limits::default())
}

fn enter(hub: &mut Hub<()>) -> (usize, UserId) {
    let slot = hub.enter(()).expect("there is room");
    (slot, hub.user(slot).expect("just let in").id())
}

fn ask(hub: &mut Hub<()>, slot: usize, request: Request<'_>) {
    let mut bytes = Vec::new();
    request.encode(3, &mut bytes);
    hub.feed(slot, &bytes);
}

/// Takes the whole frames out of an outbox.
fn heard(hub: &mut Hub<()>, slot: usize) -> Vec<Vec<u8>> {
    let mut slices = [IoSlice::new(&[]); 64];
    let count = hub.user(slot).expect("somebody is there").outbox().fill(&mut slices);
    let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
    hub.sent(slot, bytes.len());
    let mut rest = &bytes[..];
    let mut frames = Vec::new();
    while let Some(header) = Header::decode(rest) {
        let (frame, after) = rest.split_at(header.frame_len());
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

fn list(hub: &mut Hub<()>, slot: usize) -> Vec<(usize, bool)> {
    ask(hub, slot, Request::List);
    let parts = heard(hub, slot);
    let mut all = Vec::new();
    let mut shape = Vec::new();
    for frame in &parts {
        let header = Header::decode(frame).expect("a header");
        let Ok(Answer::List { users, more }) = Answer::decode(header, &frame[HEADER_LEN..]) else {
            panic!("{header:?}")
        };
        assert_eq!(header.tag, 3);
        all.extend(users.iter());
        shape.push((users.len(), more));
    }
    let own = hub.user(slot).expect("it asked").id();
    assert!(all.is_sorted() && !all.contains(&own));
    shape
}

#[test]
fn a_long_list_comes_in_frames_of_8192() {
    let mut hub = hub();
    let (asker, _) = enter(&mut hub);
    for _ in 0..LIST_FRAME_IDS {
        enter(&mut hub);
    }
    assert_eq!(list(&mut hub, asker), [(8192, false)]);
    enter(&mut hub);
    assert_eq!(list(&mut hub, asker), [(8192, true), (1, false)]);
}

#[test]
fn when_all_ids_are_used_up_nobody_is_let_in_rather_than_one_twice() {
    let mut hub = hub();
    hub.generation = u32::MAX - 1;
    let (last, _) = enter(&mut hub);
    assert_eq!(hub.enter(()), Err(()));
    hub.remove(last);
    assert_eq!(hub.enter(()), Err(()));
}

#[test]
fn a_stamp_that_begins_anew_hides_nobody() {
    let mut hub = hub();
    let (ann, ann_id) = enter(&mut hub);
    hub.users[ann].stamp = 1;
    hub.stamp = u32::MAX;
    assert_eq!(hub.relay_for_host(&[ann_id, ann_id], b"once"), [Status::Queued; 2]);
    assert_eq!(heard(&mut hub, ann).len(), 1);
}

#[test]
fn a_host_is_refused_where_a_client_would_wait() {
    let mut hub = hub();
    let (_, id) = enter(&mut hub);
    let body = vec![0; 1 << 20];
    for _ in 0..4 {
        assert_eq!(hub.relay_for_host(&[id], &body), [Status::Queued]);
    }
    assert_eq!(hub.relay_for_host(&[id, UserId(9)], &body), [Status::Refused, Status::Unknown]);
}

#[test]
fn a_receiver_that_leaves_lets_those_go_on_who_wait_for_it() {
    let mut hub = hub();
    let (sender, _) = enter(&mut hub);
    let (receiver, id) = enter(&mut hub);
    let block = id.0.to_be_bytes();
    let body = vec![0; 1 << 20];
    let relay = Request::Relay { receivers: Ids::new(&block).expect("one id"), body: &body, receipt: false };
    let mut bytes = Vec::new();
    (0..5).for_each(|_| relay.encode(1, &mut bytes));
    Request::Ping(b"after").encode(2, &mut bytes);
    hub.feed(sender, &bytes);
    assert!(hub.user(sender).expect("here").is_waiting());
    assert!(heard(&mut hub, sender).is_empty());
    hub.remove(receiver);
    assert_eq!(hub.agenda.resumed, [sender]);
    hub.resume(sender);
    assert_eq!(heard(&mut hub, sender).len(), 1);
}
