//! The open batch: consecutive frames from one session to the same receivers are collected, and copied into each outbox
//! in one piece. If there is only one receiver, relays are written straight into its outbox.
//!
//! A batch lasts no longer than the bytes that were read at once. It changes no order, because everything else that
//! goes into an outbox [flushes](Hub::flush_batch) it first. And it changes nobody's limits: it takes no more bytes
//! than fit into the queue of every receiver.

use super::Hub;
use super::budget::Cost;
use crate::wire::{DELIVER_HEAD, Frame, HEADER_LEN, Header, Ids, Kind, UserId, deliver_head};

/// Who receives a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BatchKey {
    /// There is no batch.
    #[default]
    Closed,
    /// The users that a RELAY named: see [`Batch::prefix`].
    Users,
    /// The members of a room but one.
    Room { key: u32, except: Option<usize> },
}

/// The frames that wait to be copied, and their receivers.
#[derive(Debug, Default)]
pub(super) struct Batch {
    key: BatchKey,
    /// What stands before the body in the payload of that RELAY: the count of receivers and their ids.
    prefix: Vec<u8>,
    /// The receivers, as slots. None of them is full.
    pub receivers: Vec<u32>,
    frames: Vec<u8>,
    /// Bytes that may still join; computed when a second frame joins, `None` before.
    pub room: Option<usize>,
    /// Whether the next request has arrived already and will probably join. Otherwise no batch is opened.
    pub is_expected: bool,
}

impl Batch {
    /// Whether there is a batch. It may still be empty.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.key != BatchKey::Closed
    }

    /// Opens a batch after a RELAY was delivered to these users.
    fn open_for_users(&mut self, ids: Ids<'_>, slots: &[u32]) {
        self.open(BatchKey::Users, slots.iter().copied());
        self.prefix.clear();
        self.prefix.extend_from_slice(&(ids.len() as u16).to_be_bytes());
        self.prefix.extend_from_slice(ids.as_bytes());
    }

    fn open(&mut self, key: BatchKey, receivers: impl Iterator<Item = u32>) {
        (self.key, self.room) = (key, None);
        self.receivers.clear();
        self.receivers.extend(receivers);
    }

    /// Closes the batch. Returns its receivers and frames, if it has any frames; they are to be
    /// [recycled](Batch::recycle).
    pub fn close(&mut self) -> Option<(Vec<u32>, Vec<u8>)> {
        self.key = BatchKey::Closed;
        if self.frames.is_empty() {
            return None;
        }
        Some((std::mem::take(&mut self.receivers), std::mem::take(&mut self.frames)))
    }

    /// Takes back the buffers of a closed batch, so that the next one allocates nothing.
    pub fn recycle(&mut self, receivers: Vec<u32>, mut frames: Vec<u8>) {
        frames.clear();
        (self.receivers, self.frames) = (receivers, frames);
    }
}

/// Whether the request behind `frame` begins like it: with the same kind and flags, and the same first receiver or the
/// same room.
#[inline]
pub(super) fn begins_alike(frame: &Frame<'_>, next: &[u8]) -> bool {
    let (header, payload) = (frame.header, frame.payload());
    let compared = if header.kind == Kind::Relay as u8 {
        size_of::<u16>() + size_of::<UserId>()
    } else if header.kind == Kind::Publish as u8 {
        1 + usize::from(*payload.first().unwrap_or(&0))
    } else {
        return false;
    };
    let (Some(other), Some(compared)) = (Header::decode(next), payload.get(..compared)) else { return false };
    (other.kind, other.flags) == (header.kind, header.flags) && next[HEADER_LEN..].starts_with(compared)
}

/// Which native relays may join a batch, and how much of them.
struct Joining<'b> {
    sender: UserId,
    /// What they have before the body.
    prefix: &'b [u8],
    /// Bytes that a body may have.
    max_body: usize,
    /// Bytes that may be written.
    room: usize,
    /// After this many bytes no further frame is begun.
    enough: usize,
    /// Frames that may join.
    max_frames: u64,
}

/// What has joined.
#[derive(Default)]
struct Joined {
    frames: u64,
    /// Bytes of the requests.
    read: usize,
    /// Bytes of the deliveries.
    written: usize,
}

impl Joining<'_> {
    /// The length and the body of the request at the front of `input`, if it may join after `written` bytes.
    #[inline]
    fn first<'a>(&self, input: &'a [u8], written: usize) -> Option<(usize, &'a [u8])> {
        let header = Header::decode(input)?;
        let (_, after) = input.split_at(HEADER_LEN);
        let body = after.get(..header.length as usize)?.strip_prefix(self.prefix)?;
        let is_plain = header.kind == Kind::Relay as u8 && header.flags == 0;
        let fits = body.len() <= self.max_body && written + DELIVER_HEAD + body.len() <= self.room;
        (is_plain && fits).then_some((header.frame_len(), body))
    }

    /// Appends the deliveries of the requests at the front of `input` to `out`, as many as may join.
    fn join(&self, mut input: &[u8], out: &mut Vec<u8>) -> Joined {
        let mut joined = Joined::default();
        while joined.written < self.enough
            && joined.frames < self.max_frames
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

impl<L> Hub<L> {
    /// Copies what is in the open batch into the outboxes of its receivers, and closes it.
    #[inline]
    pub(super) fn flush_batch(&mut self) {
        if self.fan_out.batch.is_open() {
            self.budget.requests += self.fan_out.flush_batch(&mut self.sessions);
        }
    }

    /// After a RELAY to these receivers, none of which is full: the next RELAY may join the batch.
    pub(super) fn open_batch_for_users(&mut self, ids: Ids<'_>, slots: &[u32], body_len: usize) {
        if self.fan_out.batch.is_expected && body_len < self.limits.share_from {
            self.fan_out.batch.open_for_users(ids, slots);
        }
    }

    /// After an event was copied to all members of a room but `except`: the next event may join the batch. Not if the
    /// host has listeners, because a listener is called after the event was queued.
    pub(super) fn open_batch_for_room(&mut self, key: u32, except: Option<usize>) {
        if self.fan_out.batch.is_expected && self.listeners.is_empty() {
            self.fan_out.batch.open(BatchKey::Room { key, except }, std::iter::empty());
        }
    }

    /// Relays the bodies of the native requests at the front of `input` to the receivers of the open batch, as far as
    /// they name the same receivers and the turn allows it. Requests that differ only in tag, length and body need not
    /// be checked again. Returns how many bytes the requests have.
    pub(super) fn join_batch(&mut self, slot: usize, input: &[u8]) -> usize {
        if self.fan_out.batch.key != BatchKey::Users {
            return 0;
        }
        let room = self.room_in_batch();
        let batch = &mut self.fan_out.batch;
        let joining = Joining {
            sender: self.sessions[slot].id,
            prefix: &batch.prefix,
            max_body: self.limits.share_from.saturating_sub(1).min(self.limits.max_body as usize),
            room,
            enough: self.budget.bytes_left(batch.receivers.len()),
            // The rate limit is charged for each request by itself.
            max_frames: if self.limits.rate == 0 { u64::MAX } else { 1 },
        };
        debug_assert!(joining.enough > 0, "a session whose turn is over is not served");
        let joined = match batch.receivers[..] {
            [only] if self.sessions[only as usize].encoding.is_native() => {
                let receiver = &mut self.sessions[only as usize];
                let joining = Joining { room: room.min(receiver.outbox.room_in_run()), ..joining };
                if joining.first(input, 0).is_none() {
                    return 0;
                }
                let joined = receiver.outbox.append(&mut self.fan_out.pool, |run| joining.join(input, run));
                self.sessions.note_queued(only as usize);
                joined
            }
            _ => joining.join(input, &mut batch.frames),
        };
        self.charge_joined(slot, room, &joined);
        joined.read
    }

    fn charge_joined(&mut self, slot: usize, room: usize, joined: &Joined) {
        let Joined { frames, read, written } = *joined;
        if frames == 0 {
            return;
        }
        self.charge_batch(room, written, Kind::Deliver, frames);
        self.frames_received += frames;
        self.stats.frames.add(Kind::Relay, frames, read as u64);
        // The last of them is charged by `after_request`.
        self.budget.charge_requests(frames as usize - 1);
        self.after_request(slot);
    }

    /// Adds one relay, given as a value, to the open batch. Returns whether it could join.
    pub(super) fn join_batch_of_users(&mut self, sender: UserId, receivers: Ids<'_>, body: &[u8]) -> bool {
        let batch = &self.fan_out.batch;
        if batch.key != BatchKey::Users
            || batch.prefix[size_of::<u16>()..] != *receivers.as_bytes()
            || body.len() >= self.limits.share_from
        {
            return false;
        }
        let (room, len) = (self.room_in_batch(), DELIVER_HEAD + body.len());
        if len > room {
            return false;
        }
        self.fan_out.batch.frames.extend_from_slice(&deliver_head(sender, body.len()));
        self.fan_out.batch.frames.extend_from_slice(body);
        self.charge_batch(room, len, Kind::Deliver, 1);
        true
    }

    /// Adds an event to the open batch. Returns whether it could join: whether the batch is for the same room and
    /// `except`, and has room.
    #[inline]
    pub(super) fn join_batch_of_room(&mut self, key: u32, except: Option<usize>, frame: &[u8]) -> bool {
        let batch = &mut self.fan_out.batch;
        if batch.key != (BatchKey::Room { key, except }) {
            return false;
        }
        // The members are copied only when a second event comes. Whatever changes them flushes the batch first.
        if batch.room.is_none() {
            let members = &self.rooms.at(key).members;
            match except {
                None => batch.receivers.extend_from_slice(members.slots()),
                Some(_) => batch.receivers.extend(members.slots_but(except).map(|slot| slot as u32)),
            }
        }
        let room = self.room_in_batch();
        if frame.len() > room {
            return false;
        }
        self.fan_out.batch.frames.extend_from_slice(frame);
        self.charge_batch(room, frame.len(), Kind::Event, 1);
        true
    }

    #[inline]
    fn room_in_batch(&mut self) -> usize {
        let memory = self.limits.memory.saturating_sub(self.unparsed);
        self.fan_out.room_in_batch(&self.sessions, memory)
    }

    /// Charges frames that joined the batch, and counts them as deliveries.
    #[inline]
    fn charge_batch(&mut self, room: usize, len: usize, kind: Kind, frames: u64) {
        let receivers = self.fan_out.batch.receivers.len();
        self.fan_out.batch.room = Some(room - len);
        self.budget.requests += Cost::of(receivers, len, len);
        self.stats.frames.add(kind, frames * receivers as u64, (len * receivers) as u64);
    }
}

#[cfg(test)]
mod tests;
