//! The bytes queued for one session. Knows no socket: the loop asks for slices and reports how many bytes it sent.
//!
//! Small frames are copied into a run; a large frame is held once for all its receivers and only pointed to. An empty
//! outbox owns no memory: its run goes back to the [`Pool`].

use super::payload::{Payload, SharedFrame};
use super::pool::Pool;
use crate::limits::{RUN_DOUBLES, RUN_FULL, RUN_SLACK, SEGMENT_COST, SPARSE};
use crate::wire::HEADER_LEN;
use std::collections::{HashSet, VecDeque};
use std::io::IoSlice;

/// A part of an outbox. A frame lies within one segment, except a [replayed](Outbox::replay) one: its header ends a
/// run, and its payload is the shared segment behind it.
#[derive(Debug)]
enum Segment {
    Run(Vec<u8>),
    Shared(SharedFrame),
}

impl Segment {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Segment::Run(run) => run,
            Segment::Shared(frame) => frame.as_bytes(),
        }
    }

    /// Bytes of memory that it holds. A shared frame counts for its share.
    fn held(&self) -> usize {
        match self {
            Segment::Run(run) => SEGMENT_COST + run.capacity(),
            Segment::Shared(frame) => SEGMENT_COST + frame.bytes_per_outbox(),
        }
    }

    fn release(self, pool: &mut Pool) {
        match self {
            Segment::Run(run) => {
                pool.shrink(SEGMENT_COST);
                pool.return_run(run);
            }
            Segment::Shared(frame) => pool.shrink(SEGMENT_COST + frame.detach()),
        }
    }
}

/// The bytes queued for one session, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The newest bytes: the next small frame is appended here.
    run: Vec<u8>,
    /// Everything before `run`. Boxed, because most outboxes never have one and a fan-out touches them all.
    #[expect(clippy::box_collection, reason = "a null pointer is a quarter of an empty deque, in the hottest line")]
    backlog: Option<Box<VecDeque<Segment>>>,
    /// Unsent bytes of all segments.
    queued: usize,
    /// Bytes of the oldest segment that are already sent.
    sent: usize,
}

impl Outbox {
    /// Unsent bytes. A shared frame counts in full in each outbox that points to it.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Appends what `write` appends to the run, and returns what `write` returns.
    pub fn append<T>(&mut self, pool: &mut Pool, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.run.capacity() == 0 {
            self.run = pool.take_run();
        }
        let (len, capacity) = (self.run.len(), self.run.capacity());
        let written = write(&mut self.run);
        self.queued += self.run.len() - len;
        pool.grow(self.run.capacity() - capacity);
        if self.run.len() >= RUN_FULL {
            self.end_run(pool);
        }
        written
    }

    /// Appends a payload of a fan-out. Most payloads are small and fit into the run: only that case is in the loop over
    /// the receivers. Calling another function for it took a fifth more instructions.
    #[inline]
    pub fn post(&mut self, payload: Payload<'_>, pool: &mut Pool) {
        match payload {
            Payload::Copied(bytes) if self.has_room(bytes.len()) => {
                self.run.extend_from_slice(bytes);
                self.queued += bytes.len();
            }
            Payload::Copied(bytes) => self.make_room_and_post(bytes, pool),
            Payload::Shared(frame) => self.attach(frame.clone(), pool),
        }
    }

    /// Bytes that fit into the run until it is full.
    pub fn room_in_run(&self) -> usize {
        RUN_FULL.saturating_sub(self.run.len())
    }

    /// Whether this many bytes fit into the run without growing or filling it.
    #[inline]
    fn has_room(&self, len: usize) -> bool {
        len <= self.run.capacity() - self.run.len() && self.run.len() + len < RUN_FULL
    }

    #[inline(never)]
    fn make_room_and_post(&mut self, bytes: &[u8], pool: &mut Pool) {
        // A run that would double for these bytes is ended first: otherwise a session that does not read costs twice
        // what is queued for it.
        if self.run.len() + bytes.len() > RUN_FULL {
            self.end_run(pool);
        }
        self.grow_slowly(bytes.len(), pool);
        self.append(pool, |run| run.extend_from_slice(bytes));
    }

    /// Makes room in a long run for this many bytes by a quarter of what it has. The outboxes of all who do not read in
    /// a room grow with the same event, so if they doubled, one event could take half of the memory.
    fn grow_slowly(&mut self, len: usize, pool: &mut Pool) {
        let capacity = self.run.capacity();
        if capacity >= RUN_DOUBLES && len > capacity - self.run.len() {
            self.run.reserve_exact(len.max(capacity / 4));
            pool.grow(self.run.capacity() - capacity);
        }
    }

    /// Appends a frame with `head` in place of its header.
    pub fn replay(&mut self, head: &[u8], frame: Payload<'_>, pool: &mut Pool) {
        let copied = match frame {
            Payload::Copied(bytes) => &bytes[HEADER_LEN..],
            Payload::Shared(_) => &[],
        };
        self.append(pool, |run| {
            run.extend_from_slice(head);
            run.extend_from_slice(copied);
        });
        if let Payload::Shared(frame) = frame {
            self.attach(frame.without_first(HEADER_LEN), pool);
        }
    }

    /// Appends a frame that is held once for all its receivers.
    pub fn attach(&mut self, frame: SharedFrame, pool: &mut Pool) {
        self.queued += frame.as_bytes().len();
        pool.grow(frame.attach() + SEGMENT_COST);
        self.end_run(pool);
        self.backlog.get_or_insert_default().push_back(Segment::Shared(frame));
    }

    /// Makes the run a segment of the backlog, so that what comes next is behind it. A run that is mostly empty is
    /// shrunk: if small and large frames alternate, the runs would otherwise take many times what they hold.
    fn end_run(&mut self, pool: &mut Pool) {
        if self.run.is_empty() {
            return;
        }
        let mut run = std::mem::take(&mut self.run);
        let capacity = run.capacity();
        if capacity > SPARSE * run.len() || capacity - run.len() > RUN_SLACK {
            run.shrink_to_fit();
        }
        pool.shrink(capacity - run.capacity());
        pool.grow(SEGMENT_COST);
        self.backlog.get_or_insert_default().push_back(Segment::Run(run));
    }

    /// About how many bytes of memory it holds or keeps others from freeing: a shared frame counts in full.
    #[inline]
    pub fn bound(&self) -> usize {
        match &self.backlog {
            None => self.run.capacity(),
            Some(segments) => self.queued + self.sent + SEGMENT_COST * segments.len(),
        }
    }

    /// What it holds, but for shared frames that `seen` has already. Those that it points to are added to it.
    pub fn held_beside(&self, seen: &mut HashSet<*const u8>) -> usize {
        let held = |segment: &Segment| match segment {
            Segment::Run(run) => SEGMENT_COST + run.capacity(),
            Segment::Shared(frame) => {
                let (buffer, len) = frame.buffer();
                SEGMENT_COST + if seen.insert(buffer) { len } else { 0 }
            }
        };
        self.run.capacity() + self.backlog.iter().flat_map(|segments| segments.iter()).map(held).sum::<usize>()
    }

    /// How many segments [`held`](Outbox::held) looks at.
    pub fn segments(&self) -> usize {
        self.backlog.as_ref().map_or(0, |segments| segments.len())
    }

    /// About how many bytes of memory would be free without this outbox. A shared frame counts for its share.
    pub fn held(&self) -> usize {
        let segments = self.backlog.iter().flat_map(|segments| segments.iter().map(Segment::held));
        segments.sum::<usize>() + self.run.capacity()
    }

    /// All that is queued, if it is one run.
    #[inline]
    pub fn as_run(&self) -> Option<&[u8]> {
        self.backlog.is_none().then(|| &self.run[self.sent..])
    }

    /// Points `slices` at the oldest bytes, as far as they reach. Returns how many slices were set.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let backlog = self.backlog.iter().flat_map(|segments| segments.iter().map(Segment::as_bytes));
        let mut skip = self.sent;
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(backlog.chain([&self.run[..]])) {
            if skip < bytes.len() {
                *slice = IoSlice::new(&bytes[skip..]);
                count += 1;
            }
            skip = 0;
        }
        count
    }

    /// Forgets the oldest `count` bytes, which are sent, and releases their memory.
    pub fn advance(&mut self, count: usize, pool: &mut Pool) {
        self.queued -= count;
        self.sent += count;
        if let Some(segments) = &mut self.backlog {
            while let Some(len) = segments.front().map(|front| front.as_bytes().len()).filter(|len| *len <= self.sent) {
                self.sent -= len;
                segments.pop_front().into_iter().for_each(|front| front.release(pool));
            }
            if !segments.is_empty() {
                return;
            }
            self.backlog = None;
        }
        if self.sent == self.run.len() {
            self.sent = 0;
            pool.return_run(std::mem::take(&mut self.run));
        }
    }

    /// Releases all memory, sent or not.
    pub fn clear(&mut self, pool: &mut Pool) {
        let emptied = std::mem::take(self);
        emptied.backlog.into_iter().flat_map(|segments| *segments).for_each(|segment| segment.release(pool));
        pool.return_run(emptied.run);
    }

    /// Releases everything except a partly sent frame. `frame_len` tells how long the frame at the front of some bytes
    /// is.
    pub fn truncate(&mut self, frame_len: impl Fn(&[u8]) -> usize, pool: &mut Pool) {
        self.end_run(pool);
        let Some(segments) = &mut self.backlog else { return };
        let sent = self.sent;
        let begun = sent > 0;
        let mut kept = usize::from(begun);
        if let Some(Segment::Run(run)) = segments.front_mut().filter(|_| begun) {
            let end = end_of_frame(run, sent, frame_len);
            // The payload of a replayed frame is behind its header.
            kept += usize::from(end > run.len());
            let capacity = run.capacity();
            run.truncate(end);
            run.shrink_to_fit();
            pool.shrink(capacity - run.capacity());
        }
        // A payload whose header is wholly sent looks like a frame of which nothing is sent. It is kept too.
        if matches!(segments.front(), Some(Segment::Shared(_))) {
            kept = kept.max(1);
        }
        while segments.len() > kept {
            segments.pop_back().into_iter().for_each(|segment| segment.release(pool));
        }
        self.queued = segments.iter().map(|segment| segment.as_bytes().len()).sum::<usize>() - sent;
        self.advance(0, pool);
    }
}

/// Where the frame ends that is partly sent, in a run that begins with a frame and of which `sent` bytes are sent. If a
/// whole number of frames is sent, that is `sent` itself.
fn end_of_frame(run: &[u8], sent: usize, frame_len: impl Fn(&[u8]) -> usize) -> usize {
    let mut end = 0;
    while end < sent {
        end += frame_len(&run[end..]);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Header;
    use proptest::prelude::*;

    fn shared(bytes: &[u8]) -> SharedFrame {
        SharedFrame::from_bytes(bytes.to_vec())
    }

    /// What the loop would send next, with room for `slices` segments.
    fn next_bytes(outbox: &Outbox, slices: usize) -> Vec<u8> {
        let mut room = vec![IoSlice::new(&[]); slices];
        let count = outbox.fill(&mut room);
        room[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn an_empty_outbox_owns_no_memory() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.append(&mut pool, |run| run.extend_from_slice(&[7; 500]));
        outbox.attach(shared(b"world"), &mut pool);
        outbox.advance(505, &mut pool);
        assert_eq!((outbox.queued(), outbox.run.capacity(), outbox.backlog.is_none()), (0, 0, true));
        assert!(pool.has_spare() && pool.held() == 0);
    }

    #[test]
    fn what_two_outboxes_point_to_is_held_once() {
        let (mut ann, mut bob, mut pool) = (Outbox::default(), Outbox::default(), Pool::default());
        let frame = shared(b"hello");
        ann.attach(frame.clone(), &mut pool);
        bob.attach(frame.clone(), &mut pool);
        assert_eq!(pool.held(), 5 + 2 * SEGMENT_COST);
        assert_eq!((ann.held(), bob.held()), (2 + SEGMENT_COST, 2 + SEGMENT_COST));
        ann.advance(5, &mut pool);
        assert_eq!((pool.held(), bob.held()), (5 + SEGMENT_COST, 5 + SEGMENT_COST));
        bob.clear(&mut pool);
        assert_eq!((pool.held(), frame.as_bytes()), (0, &b"hello"[..]));
    }

    #[test]
    fn what_is_not_read_takes_little_more_memory_with_each_payload() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for _ in 0..3000 {
            let before = pool.held();
            outbox.post(Payload::Copied(&[7; 100]), &mut pool);
            let grown = pool.held() - before.min(pool.held());
            assert!(grown <= RUN_DOUBLES.max(RUN_FULL / 4), "{grown} bytes more than {before}");
        }
        assert!(pool.held() <= outbox.queued() / 4 * 5, "{} bytes for {}", pool.held(), outbox.queued());
    }

    #[test]
    fn headers_between_large_bodies_hold_no_room_for_more() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        let frame = shared(&[7; 5000]);
        for _ in 0..1000 {
            outbox.replay(&[0; 8], Payload::Shared(&frame), &mut pool);
        }
        assert!((8_000 + 5_000..200_000).contains(&pool.held()), "{} bytes", pool.held());
    }

    #[test]
    fn a_cut_leaves_the_frame_that_is_being_sent_and_no_other() {
        let frame = |kind: u8, len: u8| [&[kind, 0, 0, 0, 0, 0, 0, len][..], &vec![kind; len.into()]].concat();
        let small = [frame(1, 3), frame(2, 4)];
        let large = SharedFrame::from_bytes(frame(3, 100));
        let all = [&small.concat()[..], large.as_bytes(), &[9; 8], &large.as_bytes()[8..], &small.concat()].concat();
        for (sent, left) in [(0, 0), (1, 10), (11, 0), (12, 11), (24, 107), (131, 0), (135, 104), (139, 100), (240, 10)]
        {
            let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
            small.iter().for_each(|bytes| outbox.post(Payload::Copied(bytes), &mut pool));
            outbox.attach(large.clone(), &mut pool);
            let header = [9, 0, 0, 0, 0, 0, 0, 100];
            outbox.replay(&header, Payload::Shared(&large), &mut pool);
            small.iter().for_each(|bytes| outbox.post(Payload::Copied(bytes), &mut pool));
            outbox.advance(sent, &mut pool);
            outbox.truncate(|front| Header::decode(front).expect("a header").frame_len(), &mut pool);
            let kept = next_bytes(&outbox, 100);
            assert_eq!((outbox.queued(), kept.len()), (left, left), "after {sent}");
            assert!(left < 12 || kept[8..] == all[sent + 8..sent + left], "after {sent}");
            outbox.advance(left, &mut pool);
            assert_eq!(pool.held(), 0, "after {sent}");
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append(Vec<u8>),
        Attach(Vec<u8>),
        Send(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 1..200);
        prop_oneof![
            8 => bytes().prop_map(Step::Append),
            1 => Just(Step::Append(vec![7; RUN_FULL - 50])),
            8 => bytes().prop_map(Step::Attach),
            8 => (1usize..5, 0usize..300).prop_map(|(slices, most)| Step::Send(slices, most)),
            2 => Just(Step::Send(4, usize::MAX)),
        ]
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_in_order(steps in prop::collection::vec(step(), 1..60)) {
            let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
            let (mut put, mut got) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Append(bytes) => {
                        outbox.append(&mut pool, |run| run.extend_from_slice(&bytes));
                        put.extend(bytes);
                    }
                    Step::Attach(bytes) => {
                        outbox.attach(shared(&bytes), &mut pool);
                        put.extend(bytes);
                    }
                    Step::Send(slices, most) => {
                        let mut bytes = next_bytes(&outbox, slices);
                        prop_assert_eq!(bytes.is_empty(), outbox.queued() == 0);
                        bytes.truncate(most);
                        outbox.advance(bytes.len(), &mut pool);
                        got.extend(bytes);
                    }
                }
                prop_assert_eq!(outbox.queued(), put.len() - got.len());
            }
            got.extend(next_bytes(&outbox, 1000));
            prop_assert_eq!(put, got);
            outbox.clear(&mut pool);
            prop_assert_eq!(pool.held(), 0);
        }
    }
}
