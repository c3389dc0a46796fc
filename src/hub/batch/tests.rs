//! Batches compared with requests that are executed one by one.

use super::*;
use crate::hub::rate_limit::TokenBucket;
use crate::hub::session::Dirty;
use crate::hub::testing::{CODECS, PREFIXED, TRIPLED};
use crate::hub::{Encoding, Execution, Protocol, RemoteAddr, RequestContext, Role};
use crate::limits::{IfFull, Limits};
use crate::stats::Stats;
use crate::wire::{Ids, Request, UserId};
use proptest::prelude::*;
use std::io::IoSlice;

/// What the first of four users does: the user or the room that it sends to, and the bytes of the body.
#[derive(Clone, Debug)]
enum Act {
    Relay(Vec<usize>, usize, bool),
    Publish(usize, usize, bool, bool),
    Join(usize),
    Leave(usize),
    Rename(usize),
    History(usize),
    Ping,
    Bye,
}

impl Act {
    /// The same request again, sometimes with a slightly longer body.
    fn again(&self, time: usize) -> Act {
        match self.clone() {
            Act::Relay(to, len, receipt) => Act::Relay(to, len + time % 3, receipt),
            Act::Publish(room, len, receipt, no_echo) => Act::Publish(room, len + time % 3, receipt, no_echo),
            other => other,
        }
    }
}

const ROOMS: [&str; 2] = ["lobby", "den"];

/// Most requests go to the same receivers as the one before.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let said = prop_oneof![8 => 0..60_usize, 1 => 250..400_usize, 1 => 298..302_usize];
    let relay = (prop::sample::select(vec![vec![1], vec![1, 2], vec![0, 3], vec![3, 3, 9]]), said.clone());
    let mostly_not = prop::bool::weighted(0.1);
    let act = prop_oneof![
        6 => (relay, mostly_not).prop_map(|((to, len), receipt)| Act::Relay(to, len, receipt)),
        6 => (0..2_usize, said, mostly_not, mostly_not).prop_map(|(room, len, receipt, no_echo)| {
            Act::Publish(room, len, receipt, no_echo)
        }),
        1 => (0..2_usize).prop_map(Act::Join),
        1 => (0..2_usize).prop_map(Act::Leave),
        1 => (0..2_usize).prop_map(Act::Rename),
        1 => (0..2_usize).prop_map(Act::History),
        1 => Just(Act::Ping),
    ];
    let often = (act, 1..8_usize).prop_map(|(act, times)| (0..times).map(|time| act.again(time)).collect::<Vec<_>>());
    let end = prop::option::weighted(0.2, Just(vec![Act::Bye]));
    (prop::collection::vec(often, 1..12), end).prop_map(|(acts, end)| acts.into_iter().chain(end).flatten().collect())
}

fn frame(act: &Act, ids: &[UserId]) -> Vec<u8> {
    let mut out = Vec::new();
    let body = |len: usize| vec![len as u8; len];
    match act {
        Act::Relay(to, len, receipt) => {
            let mut block = Vec::new();
            let of = |&user: &usize| ids.get(user).copied().unwrap_or(UserId(99));
            Ids::encode(&to.iter().map(of).collect::<Vec<_>>(), &mut block);
            let receivers = Ids::new(&block).expect("whole ids");
            Request::Relay { receivers, body: &body(*len), receipt: *receipt }.encode(0, &mut out);
        }
        Act::Publish(room, len, receipt, no_echo) => {
            let (receipt, no_echo) = (*receipt, *no_echo);
            Request::Publish { room: ROOMS[*room], body: &body(*len), receipt, no_echo }.encode(0, &mut out);
        }
        Act::Join(room) => Request::Join { room: ROOMS[*room] }.encode(0, &mut out),
        Act::Leave(room) => Request::Leave { room: ROOMS[*room] }.encode(0, &mut out),
        Act::Rename(name) => Request::Hello { name: ["ann", ""][*name], token: "" }.encode(0, &mut out),
        Act::History(room) => Request::History { room: ROOMS[*room], after: 0, limit: 3 }.encode(0, &mut out),
        Act::Ping => Request::Ping(b"there?").encode(0, &mut out),
        Act::Bye => Request::Bye.encode(0, &mut out),
    }
    out
}

/// The state of each of the four users, and of the hub.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// What is queued, whether the session is full and whether it is to be flushed, and how much of its rate is used
    /// up.
    queued: Vec<(Vec<u8>, bool, bool, TokenBucket)>,
    /// Whether the first user waits.
    waits: bool,
    stats: Stats,
    whole_frames: u64,
    spent: Cost,
}

/// How the requests of the first user reach the hub.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    /// As the bytes of one read.
    AtOnce,
    /// As the bytes of a read each.
    OneByOne,
    /// As values, as a gateway executes them.
    Values,
}

/// Executes frames as a gateway executes the requests that it has parsed.
fn execute_values(hub: &mut Hub<()>, slot: usize, frames: &[Vec<u8>]) {
    for (number, frame) in frames.iter().enumerate() {
        if !hub.sessions[slot].accepts_requests() {
            break;
        }
        let header = Header::decode(frame).expect("a header");
        let request = Request::decode(header, &frame[HEADER_LEN..]).expect("a request");
        let context = RequestContext::tagged(header.tag);
        if let Err(fault) = hub.limits.bounds().admit_request(&request, header.tag) {
            hub.fail(slot, &context, &fault);
            break;
        }
        let more = number + 1 < frames.len();
        if hub.execute(slot, &context, &request, Execution { waited: false, more }) == crate::hub::Outcome::Blocked {
            break;
        }
    }
    hub.finish_input();
}

/// The result of what the first user does, after this much was queued for each.
fn outcome(limits: &Limits, encodings: [Encoding; 4], before: [usize; 4], acts: &[Act], arrival: Arrival) -> Outcome {
    let mut hub: Hub<()> = Hub::with_codecs(limits.clone(), CODECS);
    let slots = encodings.map(|encoding| {
        hub.accept((), RemoteAddr::Unix, Protocol { encoding, role: Role::User }).expect("there is room")
    });
    let ids: Vec<UserId> = slots.iter().map(|&slot| hub.sessions[slot].id).collect();
    for &slot in &slots[..3] {
        hub.receive(slot, &frame(&Act::Join(0), &ids));
    }
    for (&id, len) in ids.iter().zip(before) {
        hub.relay_for_host(&[id], &vec![9; len]);
    }
    hub.begin_turn(true);
    let frames: Vec<Vec<u8>> = acts.iter().map(|act| frame(act, &ids)).collect();
    match arrival {
        Arrival::AtOnce => hub.receive(slots[0], &frames.concat()),
        Arrival::OneByOne => {
            for frame in &frames {
                if hub.sessions[slots[0]].accepts_requests() {
                    hub.receive(slots[0], frame);
                }
            }
        }
        Arrival::Values => execute_values(&mut hub, slots[0], &frames),
    }
    let weight: usize = slots.iter().map(|&slot| hub.sessions[slot].outbox.held()).sum();
    assert!(
        hub.fan_out.pool.held().abs_diff(weight) < 200,
        "what is queued is held, each frame that is shared about once"
    );
    let of = |&slot: &usize| {
        let session = &hub.sessions[slot];
        (bytes(&hub, slot), session.full, session.dirty == Dirty::No, session.rate())
    };
    Outcome {
        queued: slots.iter().map(of).collect(),
        waits: hub.sessions[slots[0]].is_waiting(),
        stats: Stats { held: 0, ..hub.stats() },
        whole_frames: hub.frames_received,
        spent: hub.budget.requests,
    }
}

fn encodings() -> impl Strategy<Value = [Encoding; 4]> {
    let others = prop::sample::select(vec![PREFIXED, TRIPLED]);
    prop::array::uniform4(prop_oneof![3 => Just(Encoding::NATIVE), 1 => others])
}

fn bytes(hub: &Hub<()>, slot: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 256];
    let count = hub.sessions[slot].outbox.fill(&mut slices);
    slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
}

proptest! {
    #[test]
    fn what_is_said_in_one_breath_is_heard_as_if_said_one_by_one(
        acts in acts(),
        queue in prop::sample::select(vec![1 << 20, 1500]),
        fan_out in prop::sample::select(vec![1 << 20, 1000]),
        rate in prop::sample::select(vec![0, 9]),
        if_full in prop::sample::select(vec![IfFull::Wait, IfFull::Refuse, IfFull::Close]),
        max_body in prop::sample::select(vec![1 << 20, 299, 40]),
        before in prop::array::uniform4(0..900_usize),
        encodings in encodings(),
    ) {
        // Encoding is charged when it happens, which is later for a batch. So the budget of the turn must have room for
        // all.
        let all_native = encodings.iter().all(|encoding| encoding.is_native());
        let (queue, fan_out) = if all_native { (queue, fan_out) } else { (1 << 20, 1 << 20) };
        let limits = Limits { share_from: 300, queue, fan_out, rate, if_full, max_body, ..Limits::default() };
        let [at_once, one_by_one, values] = [Arrival::AtOnce, Arrival::OneByOne, Arrival::Values].map(|arrival| {
            let outcome = outcome(&limits, encodings, before, &acts, arrival);
            Outcome { spent: if all_native { outcome.spent } else { Cost::NONE }, ..outcome }
        });
        prop_assert_eq!(&at_once, &one_by_one);
        prop_assert_eq!(values, one_by_one);
    }
}

/// Ten relays of eight bytes each.
fn ten() -> Vec<u8> {
    let act = Act::Relay(vec![0], 8, false);
    std::iter::repeat_n(frame(&act, &[UserId(7)]), 10).flatten().collect()
}

#[test]
fn as_many_join_as_fit_and_none_is_begun_once_it_is_enough() {
    let front = [&[0, 1][..], &7_u64.to_be_bytes()].concat();
    let (input, len) = (ten(), DELIVER_HEAD + 8);
    let all =
        Joining { sender: UserId(5), prefix: &front, max_body: 8, room: 1000, enough: 1000, max_frames: u64::MAX };
    let joined = |joining: Joining<'_>| {
        let mut out = vec![0xEE];
        let Joined { frames, read, written } = joining.join(&input, &mut out);
        assert_eq!((read, written), (frames as usize * input.len() / 10, frames as usize * len));
        assert_eq!(out.len(), 1 + written);
        frames
    };
    assert_eq!(joined(Joining { ..all }), 10);
    assert_eq!((joined(Joining { room: 3 * len, ..all }), joined(Joining { room: 3 * len - 1, ..all })), (3, 2));
    assert_eq!((joined(Joining { enough: 3 * len, ..all }), joined(Joining { enough: 3 * len + 1, ..all })), (3, 4));
    assert_eq!((joined(Joining { max_body: 7, ..all }), joined(Joining { max_frames: 1, ..all })), (0, 1));
    assert_eq!(joined(Joining { prefix: &front[1..], ..all }), 0);
}

#[test]
fn what_is_said_to_the_same_makes_a_batch_and_nothing_else_does() {
    let makes_one = |acts: &[Act]| {
        let mut hub: Hub<()> = Hub::new(Limits::default());
        let slots: Vec<usize> =
            (0..4).map(|_| hub.accept((), RemoteAddr::Unix, Protocol::NATIVE).expect("there is room")).collect();
        let ids: Vec<UserId> = slots.iter().map(|&slot| hub.sessions[slot].id).collect();
        slots.iter().for_each(|&slot| hub.receive(slot, &frame(&Act::Join(0), &ids)));
        hub.receive(slots[0], &acts.iter().flat_map(|act| frame(act, &ids)).collect::<Vec<_>>());
        hub.fan_out.batch.room.is_some()
    };
    let to = |users: &[usize]| Act::Relay(users.to_vec(), 5, false);
    let publish = |room| Act::Publish(room, 5, false, false);
    assert!(makes_one(&[to(&[1]), to(&[1])]) && makes_one(&[to(&[1, 2]), to(&[1, 2])]));
    assert!(makes_one(&[publish(0), publish(0)]) && !makes_one(&[publish(0), publish(1)]));
    assert!(!makes_one(&[to(&[1]), to(&[2]), to(&[1])]) && !makes_one(&[to(&[1]), Act::Ping, to(&[1])]));
}
