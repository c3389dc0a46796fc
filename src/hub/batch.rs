//! A volley: what one user says to the same receivers time and again, in one breath, is put together first, and copied
//! into each outbox in one piece; what it says to one alone goes straight there.
//!
//! Nothing waits beyond the bytes that were read at once. It changes no order, for whatever else goes into an outbox
//! has it [fired](Hub::fire) first; and nobody is full later than one by one, for only as much waits as makes nobody
//! full.

use super::{Hub, Parcel, Scratch};
use crate::limits::RUN_FULL;
use crate::marks::{Mark, mark};
use crate::web::MOST_GROWTH;
use crate::wire::{DELIVER_HEAD, Frame, HEADER_LEN, Header, Kind, UserId, deliver_head};

/// Whom a volley is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aim {
    /// Nobody: there is none.
    #[default]
    Nobody,
    /// Those whom a RELAY named, as it stands in [`Volley::front`].
    Users,
    /// The members of a room, but for one slot.
    Room { key: u32, except: Option<usize> },
}

/// The frames that wait, and for whom.
#[derive(Debug, Default)]
pub(super) struct Volley {
    aim: Aim,
    /// What stands before the body of that RELAY, without the header.
    front: Vec<u8>,
    /// The receivers, as slots, of whom none is full.
    receivers: Vec<u32>,
    frames: Vec<u8>,
    /// Bytes that may still join, once a second frame has come and they were counted.
    room: Option<usize>,
    /// Whether what the user asks next is at hand and looks alike, so that a volley may come of it.
    pub may_come: bool,
}

/// Which relays join a volley, and how much of them may.
struct Alike<'v> {
    sender: UserId,
    /// What they have before the body.
    front: &'v [u8],
    /// Bytes that a body has at the most.
    longest: usize,
    /// Bytes that fit in all, and after how many no more is to be begun; frames.
    room: usize,
    enough: usize,
    frames: u64,
}

/// What has joined.
#[derive(Default)]
struct Joined {
    frames: u64,
    /// Bytes that were asked, and that are said.
    read: usize,
    written: usize,
}

impl Alike<'_> {
    /// The first of these frames, header included, and its body, where it may join and so many bytes have.
    #[inline]
    fn first<'a>(&self, input: &'a [u8], written: usize) -> Option<(usize, &'a [u8])> {
        let header = Header::decode(input)?;
        let (_, after) = input.split_at(HEADER_LEN);
        let body = after.get(..header.length as usize)?.strip_prefix(self.front)?;
        let is_plain = header.kind == Kind::Relay as u8 && header.flags == 0;
        let fits = body.len() <= self.longest && written + DELIVER_HEAD + body.len() <= self.room;
        (is_plain && fits).then_some((header.frame_len(), body))
    }

    /// Appends to `out` what these frames are to their receivers, as far as they may join.
    fn join(&self, mut input: &[u8], out: &mut Vec<u8>) -> Joined {
        let mut joined = Joined::default();
        while joined.written < self.enough
            && joined.frames < self.frames
            && let Some((len, body)) = self.first(input, joined.written)
        {
            out.extend_from_slice(&deliver_head(self.sender, body.len()));
            out.extend_from_slice(body);
            input = &input[len..];
            joined.frames += 1;
            joined.read += len;
            joined.written += DELIVER_HEAD + body.len();
        }
        joined
    }
}

/// Whether `next` begins as this request does: with the same kind, to the same first receiver or the same room.
#[inline]
pub(super) fn is_alike(frame: &Frame<'_>, next: &[u8]) -> bool {
    let (header, payload) = (frame.header, frame.payload());
    let front = match Kind::of_request(header.kind) {
        Some(Kind::Relay) => size_of::<u16>() + size_of::<UserId>(),
        Some(Kind::Publish) => 1 + usize::from(*payload.first().unwrap_or(&0)),
        _ => return false,
    };
    let (Some(other), Some(front)) = (Header::decode(next), payload.get(..front)) else { return false };
    (other.kind, other.flags) == (header.kind, header.flags) && next[HEADER_LEN..].starts_with(front)
}

impl Volley {
    /// Notes whom a small frame is for, so that the next one may join it; and what a RELAY has before its body.
    pub fn aim(&mut self, aim: Aim, front: &[u8], receivers: impl Iterator<Item = u32>) {
        (self.aim, self.room) = (aim, None);
        self.front.clear();
        self.front.extend_from_slice(front);
        self.receivers.clear();
        self.receivers.extend(receivers);
    }
}

impl<L> Hub<L> {
    /// After a RELAY was addressed: where all of its receivers have room, the next one may join it.
    pub(super) fn aim_at_users(&mut self, front: &[u8], body_len: usize) {
        let Scratch { any_full, refused, receivers: slots, .. } = &self.scratch;
        if self.volley.may_come && !any_full && *refused == 0 && body_len < self.limits.share_from {
            self.volley.aim(Aim::Users, front, slots.iter().copied());
        }
    }

    /// After an event was told to all in a room who are to hear it: the next one may join it. Not where listeners hear
    /// it: they do so after it was queued.
    pub(super) fn aim_at_room(&mut self, key: u32, except: Option<usize>) {
        if self.volley.may_come && self.listeners.is_empty() {
            let slots = self.rooms.at(key).members.slots_but(except);
            self.volley.aim(Aim::Room { key, except }, &[], slots.map(|slot| slot as u32));
        }
    }

    /// Relays the bodies at the front of `input` to whom the last one went, as long as that is asked and the turn
    /// allows it: frames in which nothing but the tag, the length and the body differ need no second judgement. Returns
    /// how many bytes they were.
    pub(super) fn relay_again(&mut self, slot: usize, input: &[u8]) -> usize {
        if self.volley.aim != Aim::Users {
            return 0;
        }
        let room = self.room_in_volley();
        let alike = Alike {
            sender: self.users[slot].id,
            front: &self.volley.front,
            longest: self.limits.share_from.saturating_sub(1).min(self.limits.max_body as usize),
            room,
            enough: self.spent_after(self.volley.receivers.len()),
            // Where there is a pace, each is accounted for by itself.
            frames: if self.limits.rate == 0 { u64::MAX } else { 1 },
        };
        debug_assert!(alike.enough > 0, "whoever may ask no more in this turn is not heard");
        let joined = match self.volley.receivers[..] {
            [only] if self.users[only as usize].dialect.is_native() => {
                let user = &mut self.users[only as usize];
                let alike = Alike { room: room.min(user.outbox.room_in_run()), ..alike };
                if alike.first(input, 0).is_none() {
                    return 0;
                }
                let joined = user.outbox.append(&mut self.pool, |run| alike.join(input, run));
                user.told(only as usize, &mut self.agenda, self.limits.queue);
                joined
            }
            _ => alike.join(input, &mut self.volley.frames),
        };
        self.account_for_volley(slot, room, &joined);
        joined.read
    }

    fn account_for_volley(&mut self, slot: usize, room: usize, joined: &Joined) {
        let Joined { frames, read, written } = *joined;
        if frames == 0 {
            return;
        }
        let receivers = self.volley.receivers.len();
        self.volley.room = Some(room - written);
        self.whole_frames += frames;
        self.spend_copies(receivers, written);
        self.stats.frames.add(Kind::Deliver, frames * receivers as u64, (written * receivers) as u64);
        self.stats.frames.add(Kind::Relay, frames, read as u64);
        self.after_request(slot);
    }

    /// Tells an event to those whom the last one was told, where it was of the same room.
    pub(super) fn tell_again(&mut self, key: u32, except: Option<usize>, frame: &[u8]) -> bool {
        self.volley.aim == Aim::Room { key, except } && self.join_volley(frame)
    }

    fn join_volley(&mut self, frame: &[u8]) -> bool {
        let (len, room) = (frame.len(), self.room_in_volley());
        if len > room {
            return false;
        }
        self.volley.room = Some(room - len);
        self.volley.frames.extend_from_slice(frame);
        let receivers = self.volley.receivers.len();
        self.stats.frames.count(Kind::Event, receivers as u64, len);
        self.spend_copies(receivers, len);
        true
    }

    /// Bytes that may still join: that fit into every receiver's queue, and as often into what the hub may hold.
    fn room_in_volley(&mut self) -> usize {
        let room = self.volley.room.unwrap_or_else(|| self.room_for_volley());
        self.volley.room = Some(room);
        room
    }

    fn room_for_volley(&self) -> usize {
        mark(Mark::Volley);
        let (mut most, mut all_native) = (0, true);
        for user in self.volley.receivers.iter().map(|&slot| &self.users[slot as usize]) {
            most = most.max(user.outbox.queued());
            all_native &= user.dialect.is_native();
        }
        let memory = self.limits.memory.saturating_sub(self.held()) / self.volley.receivers.len().max(1);
        let room = self.limits.queue.saturating_sub(most).min(memory).min(RUN_FULL);
        if all_native { room } else { room / MOST_GROWTH }
    }

    /// Copies what waits into the outboxes, if anything does.
    #[inline]
    pub(super) fn fire(&mut self) {
        if self.volley.aim != Aim::Nobody {
            self.fire_it();
        }
    }

    #[inline(never)]
    fn fire_it(&mut self) {
        self.volley.aim = Aim::Nobody;
        if self.volley.frames.is_empty() {
            return;
        }
        let (receivers, mut frames) =
            (std::mem::take(&mut self.volley.receivers), std::mem::take(&mut self.volley.frames));
        self.post_to(&receivers, None, Parcel::Small(&frames), false);
        frames.clear();
        (self.volley.receivers, self.volley.frames) = (receivers, frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Peer;
    use crate::limits::{IfFull, Limits};
    use crate::stats::Stats;
    use crate::web::Dialect;
    use crate::wire::{Ids, Request, UserId};
    use proptest::prelude::*;
    use std::io::IoSlice;

    /// What the first of four users does: the user or the room that it is about, and how many bytes it says.
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
        /// The same once more, and now and then a little longer.
        fn again(&self, time: usize) -> Act {
            match self.clone() {
                Act::Relay(to, len, receipt) => Act::Relay(to, len + time % 3, receipt),
                Act::Publish(room, len, receipt, no_echo) => Act::Publish(room, len + time % 3, receipt, no_echo),
                other => other,
            }
        }
    }

    const ROOMS: [&str; 2] = ["lobby", "den"];

    /// Most say something once more to the same receivers.
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
        let often =
            (act, 1..8_usize).prop_map(|(act, times)| (0..times).map(|time| act.again(time)).collect::<Vec<_>>());
        let end = prop::option::weighted(0.2, Just(vec![Act::Bye]));
        (prop::collection::vec(often, 1..12), end)
            .prop_map(|(acts, end)| acts.into_iter().chain(end).flatten().collect())
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

    /// What became of each of the four, and of the whole.
    #[derive(Debug, PartialEq)]
    struct Outcome {
        /// What is queued, whether it is full and to be flushed, and how much of its pace is used up.
        queued: Vec<(Vec<u8>, bool, bool, u64)>,
        /// Whether the first waits.
        waits: bool,
        stats: Stats,
        whole_frames: u64,
        spent: (usize, usize),
    }

    /// What comes of what the first one does, after so much was queued for each.
    fn outcome(limits: &Limits, dialects: [Dialect; 4], before: [usize; 4], acts: &[Act], at_once: bool) -> Outcome {
        let mut hub: Hub<()> = Hub::new(limits.clone());
        let slots = dialects.map(|dialect| hub.enter((), Peer::Unix, dialect).expect("there is room"));
        let ids: Vec<UserId> = slots.iter().map(|&slot| hub.users[slot].id).collect();
        for &slot in &slots[..3] {
            hub.feed(slot, &frame(&Act::Join(0), &ids));
        }
        for (&id, len) in ids.iter().zip(before) {
            hub.relay_for_host(&[id], &vec![9; len]);
        }
        hub.begin_turn();
        let frames = acts.iter().map(|act| frame(act, &ids));
        let breaths: Vec<Vec<u8>> = if at_once { vec![frames.flatten().collect()] } else { frames.collect() };
        for breath in breaths {
            let user = &hub.users[slots[0]];
            if user.present && !user.is_waiting() {
                hub.feed(slots[0], &breath);
            }
        }
        let weight: usize = slots.iter().map(|&slot| hub.users[slot].outbox.weight()).sum();
        assert!(hub.pool.held().abs_diff(weight) < 200, "what is queued is held, each frame that is shared about once");
        let of = |&slot: &usize| {
            let user = &hub.users[slot];
            (bytes(&hub, slot), user.full, user.dirty, user.paced_to)
        };
        Outcome {
            queued: slots.iter().map(of).collect(),
            waits: hub.users[slots[0]].is_waiting(),
            stats: Stats { held: 0, ..hub.stats() },
            whole_frames: hub.whole_frames,
            spent: (hub.spent.copies, hub.spent.said),
        }
    }

    fn dialects() -> impl Strategy<Value = [Dialect; 4]> {
        #[cfg(feature = "ws")]
        let others = vec![Dialect::Binary, Dialect::Json];
        #[cfg(not(feature = "ws"))]
        let others = vec![Dialect::Native];
        prop::array::uniform4(prop_oneof![3 => Just(Dialect::Native), 1 => prop::sample::select(others)])
    }

    fn bytes(hub: &Hub<()>, slot: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 256];
        let count = hub.users[slot].outbox.fill(&mut slices);
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
            dialects in dialects(),
        ) {
            // What is rendered counts when it is, which is later for a volley: so a turn must have room for all.
            let all_native = dialects.iter().all(|dialect| dialect.is_native());
            let (queue, fan_out) = if all_native { (queue, fan_out) } else { (1 << 20, 1 << 20) };
            let limits = Limits { share_from: 300, queue, fan_out, rate, if_full, max_body, ..Limits::default() };
            let [at_once, one_by_one] = [true, false].map(|at_once| {
                let outcome = outcome(&limits, dialects, before, &acts, at_once);
                Outcome { spent: if all_native { outcome.spent } else { (0, 0) }, ..outcome }
            });
            prop_assert_eq!(at_once, one_by_one);
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
        let all = Alike { sender: UserId(5), front: &front, longest: 8, room: 1000, enough: 1000, frames: u64::MAX };
        let joined = |alike: Alike<'_>| {
            let mut out = vec![0xEE];
            let Joined { frames, read, written } = alike.join(&input, &mut out);
            assert_eq!((read, written), (frames as usize * input.len() / 10, frames as usize * len));
            assert_eq!(out.len(), 1 + written);
            frames
        };
        assert_eq!(joined(Alike { ..all }), 10);
        assert_eq!((joined(Alike { room: 3 * len, ..all }), joined(Alike { room: 3 * len - 1, ..all })), (3, 2));
        assert_eq!((joined(Alike { enough: 3 * len, ..all }), joined(Alike { enough: 3 * len + 1, ..all })), (3, 4));
        assert_eq!((joined(Alike { longest: 7, ..all }), joined(Alike { frames: 1, ..all })), (0, 1));
        assert_eq!(joined(Alike { front: &front[1..], ..all }), 0);
    }

    #[test]
    fn what_is_said_to_the_same_makes_a_volley_and_nothing_else_does() {
        let makes_one = |acts: &[Act]| {
            let mut hub: Hub<()> = Hub::new(Limits::default());
            let slots: Vec<usize> =
                (0..4).map(|_| hub.enter((), Peer::Unix, Dialect::Native).expect("there is room")).collect();
            let ids: Vec<UserId> = slots.iter().map(|&slot| hub.users[slot].id).collect();
            slots.iter().for_each(|&slot| hub.feed(slot, &frame(&Act::Join(0), &ids)));
            hub.feed(slots[0], &acts.iter().flat_map(|act| frame(act, &ids)).collect::<Vec<_>>());
            hub.volley.room.is_some()
        };
        let to = |users: &[usize]| Act::Relay(users.to_vec(), 5, false);
        let publish = |room| Act::Publish(room, 5, false, false);
        assert!(makes_one(&[to(&[1]), to(&[1])]) && makes_one(&[to(&[1, 2]), to(&[1, 2])]));
        assert!(makes_one(&[publish(0), publish(0)]) && !makes_one(&[publish(0), publish(1)]));
        assert!(!makes_one(&[to(&[1]), to(&[2]), to(&[1])]) && !makes_one(&[to(&[1]), Act::Ping, to(&[1])]));
    }
}
