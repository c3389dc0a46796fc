//! What one user has yet to hear, as bytes. Knows no socket: the loop asks for slices and says how many were taken.
//!
//! Small frames coalesce in a run; a large frame is held once for all its receivers and only pointed to. An outbox with
//! nothing in it owns no memory: its run goes back to the [`Pool`] it came from.

use crate::limits::{PIECE_COST, POINTER_COST, RUN_FULL, RUN_ROOM, RUN_SLACK, SPARE_RUNS, SPARSE};
use crate::wire::HEADER_LEN;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A whole frame that many outboxes point to.
#[derive(Clone, Debug)]
pub struct Shared {
    held: Arc<Held>,
    start: usize,
}

/// The bytes of it, and how many outboxes point to them. A history or another thread may hold them as well, so the
/// count of the `Arc` would not do. Only the hub's thread counts.
#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    outboxes: AtomicU32,
}

impl Shared {
    /// The frame of `head` and the last `body_len` bytes of `request`.
    ///
    /// Where the request's bytes are owned, the body stays where it is and `head` is written over what came before it.
    /// It is copied where `head` has no room there, or where so much came before it that the body would pin far more
    /// memory than it is.
    pub fn new(head: &[u8], request: Cow<'_, [u8]>, body_len: usize) -> Shared {
        let body_at = request.len() - body_len;
        match request {
            Cow::Owned(mut bytes) if (head.len()..=body_len / 4).contains(&body_at) => {
                let start = body_at - head.len();
                bytes[start..body_at].copy_from_slice(head);
                Shared { start, ..Shared::whole(bytes) }
            }
            bytes => Shared::whole([head, &bytes[body_at..]].concat()),
        }
    }

    /// A frame that is whole already.
    pub fn whole(bytes: Vec<u8>) -> Shared {
        Shared { held: Arc::new(Held { bytes, outboxes: AtomicU32::new(0) }), start: 0 }
    }

    /// The frame.
    pub fn as_bytes(&self) -> &[u8] {
        &self.held.bytes[self.start..]
    }

    /// The same memory without the first `count` bytes.
    fn skip(&self, count: usize) -> Shared {
        Shared { held: self.held.clone(), start: self.start + count }
    }

    /// One more outbox points to it. Returns how many bytes are held for that.
    fn attached(&self) -> usize {
        let outboxes = self.held.outboxes.load(Ordering::Relaxed);
        self.held.outboxes.store(outboxes + 1, Ordering::Relaxed);
        if outboxes == 0 { self.held.bytes.len() } else { 0 }
    }

    /// The bytes of it, divided by the outboxes that point to it.
    fn share(&self) -> usize {
        self.held.bytes.len() / self.held.outboxes.load(Ordering::Relaxed).max(1) as usize
    }

    /// One outbox less points to it. Returns how many bytes need not be held any more for that.
    fn detached(&self) -> usize {
        let outboxes = self.held.outboxes.load(Ordering::Relaxed) - 1;
        self.held.outboxes.store(outboxes, Ordering::Relaxed);
        if outboxes == 0 { self.held.bytes.len() } else { 0 }
    }
}

/// A frame for many, encoded once: small ones are copied into each outbox, large ones pointed to.
#[derive(Clone, Copy, Debug)]
pub enum Parcel<'a> {
    /// To be copied.
    Small(&'a [u8]),
    /// To be pointed to.
    Large(&'a Shared),
}

impl<'a> Parcel<'a> {
    /// The frames.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Parcel::Small(bytes) => bytes,
            Parcel::Large(frame) => frame.as_bytes(),
        }
    }

    /// What it costs to hand it to one, as bytes copied.
    pub fn copied(self) -> usize {
        match self {
            Parcel::Small(bytes) => bytes.len(),
            Parcel::Large(_) => POINTER_COST,
        }
    }
}

/// What all outboxes of a hub are made of: empty runs, kept warm for the next one that needs one, and the count of what
/// they hold.
#[derive(Debug, Default)]
pub struct Pool {
    spare: Vec<Vec<u8>>,
    /// Bytes of capacity in `spare`; never over [`SPARE_RUNS`].
    bytes: usize,
    /// How many of them, at the bottom, nobody has needed since they were last [trimmed](Pool::trim).
    unused: usize,
    /// Bytes of memory that all outboxes hold, what is sent included while what stands behind it is not. What many
    /// point to counts once.
    held: usize,
    /// The most that this was, about, since it was last [trimmed](Pool::trim).
    most: usize,
}

impl Pool {
    /// Bytes of memory that all outboxes hold.
    pub fn held(&self) -> usize {
        self.held
    }

    fn take(&mut self) -> Vec<u8> {
        let spare = self.spare.pop().inspect(|run| self.bytes -= run.capacity());
        self.unused = self.unused.min(self.spare.len());
        let run = spare.unwrap_or_else(|| Vec::with_capacity(RUN_ROOM));
        self.held += run.capacity();
        run
    }

    fn give(&mut self, mut run: Vec<u8>) {
        self.held -= run.capacity();
        let bytes = self.bytes + run.capacity();
        if run.capacity() >= RUN_ROOM && bytes <= SPARE_RUNS {
            run.clear();
            self.bytes = bytes;
            self.spare.push(run);
        }
    }

    /// Whether there is anything to [trim](Pool::trim).
    pub fn has_spare(&self) -> bool {
        !self.spare.is_empty()
    }

    /// Gives back to the allocator the runs that nobody has needed since the last time. Returns the most that all
    /// outboxes held meanwhile.
    pub fn trim(&mut self) -> usize {
        self.bytes -= self.spare.drain(..self.unused).map(|run| run.capacity()).sum::<usize>();
        self.unused = self.spare.len();
        std::mem::replace(&mut self.most, self.held)
    }
}

/// A part of an outbox. Frames do not straddle pieces, but for a [reposted](Outbox::repost) one: its header ends a run,
/// its payload is the shared piece behind.
#[derive(Debug)]
enum Piece {
    Run(Vec<u8>),
    Shared(Shared),
}

impl Piece {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Piece::Run(run) => run,
            Piece::Shared(shared) => shared.as_bytes(),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Piece::Run(run) => PIECE_COST + run.capacity(),
            Piece::Shared(shared) => PIECE_COST + shared.share(),
        }
    }

    fn give_back(self, pool: &mut Pool) {
        pool.held -= PIECE_COST;
        match self {
            Piece::Run(run) => pool.give(run),
            Piece::Shared(shared) => pool.held -= shared.detached(),
        }
    }
}

/// The bytes that one user has yet to hear, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The newest bytes: where the next small frame goes.
    run: Vec<u8>,
    /// All that comes before `run`. Boxed, for most outboxes never have one and a fan-out touches them all.
    #[expect(clippy::box_collection, reason = "a null pointer is a quarter of an empty deque, in the hottest line")]
    backlog: Option<Box<VecDeque<Piece>>>,
    /// Bytes of the oldest piece that are already sent.
    sent: usize,
    /// Bytes of all pieces that are not.
    queued: usize,
}

impl Outbox {
    /// Bytes not sent yet. A shared frame counts in full for each outbox that points to it.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Appends what `write` appends to the run, and returns what it does.
    pub fn append<T>(&mut self, pool: &mut Pool, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.run.capacity() == 0 {
            self.run = pool.take();
        }
        let (len, capacity) = (self.run.len(), self.run.capacity());
        let written = write(&mut self.run);
        self.queued += self.run.len() - len;
        pool.held += self.run.capacity() - capacity;
        pool.most = pool.most.max(pool.held);
        if self.run.len() >= RUN_FULL {
            self.freeze(pool);
        }
        written
    }

    /// Appends a frame that others hear as well. Most are small, and fit: nothing else of it stands in the loop over
    /// all who hear it, which a fifth of its instructions were spent on leaving and coming back.
    #[inline]
    pub fn post(&mut self, parcel: Parcel<'_>, pool: &mut Pool) {
        match parcel {
            Parcel::Small(bytes) if self.has_room(bytes.len()) => {
                self.run.extend_from_slice(bytes);
                self.queued += bytes.len();
            }
            Parcel::Small(bytes) => self.make_room_and_post(bytes, pool),
            Parcel::Large(frame) => self.attach(frame.clone(), pool),
        }
    }

    /// Bytes that fit into the run until it is full.
    pub fn room_in_run(&self) -> usize {
        RUN_FULL.saturating_sub(self.run.len())
    }

    /// Whether so many bytes fit into the run, which neither grows nor is full by them.
    #[inline]
    fn has_room(&self, len: usize) -> bool {
        len <= self.run.capacity() - self.run.len() && self.run.len() + len < RUN_FULL
    }

    #[inline(never)]
    fn make_room_and_post(&mut self, bytes: &[u8], pool: &mut Pool) {
        // A run that would double for this one is full: else those who do not read cost twice what they hold.
        if self.run.len() + bytes.len() > RUN_FULL {
            self.freeze(pool);
        }
        self.append(pool, |run| run.extend_from_slice(bytes));
    }

    /// Appends a frame with `head` in place of its header; what follows that is pointed to where it has `share_from`
    /// bytes.
    pub fn repost(&mut self, head: &[u8], frame: &Shared, share_from: usize, pool: &mut Pool) {
        let payload = &frame.as_bytes()[HEADER_LEN..];
        let copied = if payload.len() < share_from { payload } else { &[] };
        self.append(pool, |run| {
            run.extend_from_slice(head);
            run.extend_from_slice(copied);
        });
        if payload.len() >= share_from {
            self.attach(frame.skip(HEADER_LEN), pool);
        }
    }

    /// Appends a frame that is held once for all who hear it.
    pub fn attach(&mut self, frame: Shared, pool: &mut Pool) {
        self.queued += frame.as_bytes().len();
        pool.held += frame.attached() + PIECE_COST;
        pool.most = pool.most.max(pool.held);
        self.freeze(pool);
        self.backlog.get_or_insert_default().push_back(Piece::Shared(frame));
    }

    /// Ends the run, so that what comes next stands behind it. One that is mostly empty gives that back: where small
    /// and large frames take turns, runs would else be many times what they hold.
    fn freeze(&mut self, pool: &mut Pool) {
        if !self.run.is_empty() {
            let mut run = std::mem::take(&mut self.run);
            pool.held += PIECE_COST;
            if run.capacity() > SPARSE * run.len() || run.capacity() - run.len() > RUN_SLACK {
                pool.held -= run.capacity();
                run.shrink_to_fit();
                pool.held += run.capacity();
            }
            self.backlog.get_or_insert_default().push_back(Piece::Run(run));
        }
    }

    /// Bytes of memory that would be free without this outbox, about: what many point to counts for its share.
    pub fn weight(&self) -> usize {
        let pieces = self.backlog.iter().flat_map(|pieces| pieces.iter().map(Piece::weight));
        pieces.sum::<usize>() + self.run.capacity()
    }

    /// All that is queued, where it is one run.
    #[inline]
    pub fn as_run(&self) -> Option<&[u8]> {
        self.backlog.is_none().then(|| &self.run[self.sent..])
    }

    /// Points `slices` at the oldest bytes, as far as they reach; says how many were set.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let backlog = self.backlog.iter().flat_map(|pieces| pieces.iter().map(Piece::as_bytes));
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

    /// Forgets the oldest `count` bytes, which are sent, and gives their memory back.
    pub fn advance(&mut self, count: usize, pool: &mut Pool) {
        self.queued -= count;
        self.sent += count;
        if let Some(pieces) = &mut self.backlog {
            while let Some(len) = pieces.front().map(|piece| piece.as_bytes().len()).filter(|len| *len <= self.sent) {
                self.sent -= len;
                pieces.pop_front().into_iter().for_each(|piece| piece.give_back(pool));
            }
            if !pieces.is_empty() {
                return;
            }
            self.backlog = None;
        }
        if self.sent == self.run.len() {
            self.sent = 0;
            pool.give(std::mem::take(&mut self.run));
        }
    }

    /// Gives all memory back, sent or not.
    pub fn clear(&mut self, pool: &mut Pool) {
        let emptied = std::mem::take(self);
        emptied.backlog.into_iter().flat_map(|pieces| *pieces).for_each(|piece| piece.give_back(pool));
        pool.give(emptied.run);
    }

    /// Gives all memory back but for the frame that is being sent, of which the other side has the beginning. How long
    /// the frame is at the front of some bytes says `frame_len`.
    pub fn cut(&mut self, frame_len: impl Fn(&[u8]) -> usize, pool: &mut Pool) {
        self.freeze(pool);
        let Some(pieces) = &mut self.backlog else { return };
        let begun = self.sent > 0;
        let mut kept = usize::from(begun);
        if let Some(Piece::Run(run)) = pieces.front_mut().filter(|_| begun) {
            let end = end_of_frame(run, self.sent, frame_len);
            // The payload of a reposted frame stands behind its header.
            kept += usize::from(end > run.len());
            run.truncate(end);
        }
        // A payload whose header is wholly sent looks like a frame that is not begun; it is kept too.
        if matches!(pieces.front(), Some(Piece::Shared(_))) {
            kept = kept.max(1);
        }
        while pieces.len() > kept {
            pieces.pop_back().into_iter().for_each(|piece| piece.give_back(pool));
        }
        self.queued = pieces.iter().map(|piece| piece.as_bytes().len()).sum::<usize>() - self.sent;
        self.advance(0, pool);
    }
}

/// Where the frame ends that byte `at` belongs to, in a run that begins with a frame; where it is a later one's first,
/// nothing of that one counts.
fn end_of_frame(run: &[u8], at: usize, frame_len: impl Fn(&[u8]) -> usize) -> usize {
    let mut end = 0;
    while end < at {
        end += frame_len(&run[end..]);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::Dialect;
    use proptest::prelude::*;

    fn shared(bytes: &[u8]) -> Shared {
        Shared::new(&[], Cow::Borrowed(bytes), bytes.len())
    }

    /// What the loop would send next, with room for `slices` pieces.
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
        assert_eq!((pool.spare.len(), pool.held), (1, 0));
    }

    #[test]
    fn an_owned_body_is_shared_where_it_lies() {
        let request = b"......a body that is long enough".to_vec();
        let at = request.as_ptr();
        let frame = Shared::new(b"head: ", Cow::Owned(request), 26);
        assert_eq!(frame.as_bytes(), b"head: a body that is long enough");
        assert_eq!(frame.held.bytes.as_ptr(), at);
    }

    #[test]
    fn a_body_does_not_pin_a_request_much_larger_than_itself() {
        let mut request = vec![b'.'; 1000];
        request.extend(b"body");
        let frame = Shared::new(b"head", Cow::Owned(request), 4);
        assert_eq!((frame.as_bytes(), frame.held.bytes.capacity()), (&b"headbody"[..], 8));
    }

    #[test]
    fn a_head_that_does_not_fit_before_the_body_is_no_matter() {
        let frame = Shared::new(b"a long head: ", Cow::Owned(b"..body".to_vec()), 4);
        assert_eq!(frame.as_bytes(), b"a long head: body");
    }

    #[test]
    fn spare_runs_are_bounded() {
        let mut pool = Pool::default();
        for _ in 0..100 {
            let run = Vec::with_capacity(RUN_FULL);
            pool.held += run.capacity();
            pool.give(run);
        }
        assert!(pool.held == 0 && pool.bytes <= SPARE_RUNS);
        let kept = pool.spare.iter().map(Vec::capacity).sum::<usize>();
        assert_eq!(kept, pool.bytes);
    }

    #[test]
    fn what_two_outboxes_point_to_is_held_once() {
        let (mut ann, mut bob, mut pool) = (Outbox::default(), Outbox::default(), Pool::default());
        let frame = shared(b"hello");
        ann.attach(frame.clone(), &mut pool);
        bob.attach(frame.clone(), &mut pool);
        assert_eq!(pool.held(), 5 + 2 * PIECE_COST);
        assert_eq!((ann.weight(), bob.weight()), (2 + PIECE_COST, 2 + PIECE_COST));
        ann.advance(5, &mut pool);
        assert_eq!((pool.held(), bob.weight()), (5 + PIECE_COST, 5 + PIECE_COST));
        bob.clear(&mut pool);
        assert_eq!((pool.held(), frame.as_bytes()), (0, &b"hello"[..]));
    }

    #[test]
    fn headers_between_large_bodies_hold_no_room_for_more() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        let frame = shared(&[7; 5000]);
        for _ in 0..1000 {
            outbox.repost(&[0; 8], &frame, 4096, &mut pool);
        }
        assert!((8_000 + 5_000..200_000).contains(&pool.held()), "{} bytes", pool.held());
    }

    #[test]
    fn a_cut_leaves_the_frame_that_is_being_sent_and_no_other() {
        let frame = |kind: u8, len: u8| [&[kind, 0, 0, 0, 0, 0, 0, len][..], &vec![kind; len.into()]].concat();
        let small = [frame(1, 3), frame(2, 4)];
        let large = Shared::whole(frame(3, 100));
        let all = [&small.concat()[..], large.as_bytes(), &[9; 8], &large.as_bytes()[8..], &small.concat()].concat();
        for (sent, left) in [(0, 0), (1, 10), (11, 0), (12, 11), (24, 107), (131, 0), (135, 104), (139, 100), (240, 10)]
        {
            let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
            small.iter().for_each(|bytes| outbox.post(Parcel::Small(bytes), &mut pool));
            outbox.attach(large.clone(), &mut pool);
            let header = [9, 0, 0, 0, 0, 0, 0, 100];
            outbox.repost(&header, &large, 50, &mut pool);
            small.iter().for_each(|bytes| outbox.post(Parcel::Small(bytes), &mut pool));
            outbox.advance(sent, &mut pool);
            outbox.cut(|front| Dialect::Native.frame_len(front), &mut pool);
            let kept = next_bytes(&outbox, 100);
            assert_eq!((outbox.queued(), kept.len()), (left, left), "after {sent}");
            assert!(left < 12 || kept[8..] == all[sent + 8..sent + left], "after {sent}");
            outbox.advance(left, &mut pool);
            assert_eq!(pool.held, 0, "after {sent}");
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
            prop_assert_eq!(pool.held, 0);
        }
    }
}
