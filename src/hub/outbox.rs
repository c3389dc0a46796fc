//! What one user has yet to hear, as bytes. Knows no socket: the loop asks for slices and says how many were taken.
//!
//! Small frames coalesce in a run; a large frame is held once for all its receivers and only pointed to. An outbox with
//! nothing in it owns no memory: its run goes back to the [`Runs`] it came from.

use crate::limits::{RUN_FULL, RUN_ROOM, SPARE_RUNS};
use crate::wire::HEADER_LEN;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

/// A whole frame that many outboxes point to.
#[derive(Clone, Debug)]
pub struct Shared {
    bytes: Arc<Vec<u8>>,
    start: usize,
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
                Shared { bytes: Arc::new(bytes), start }
            }
            bytes => Shared { bytes: Arc::new([head, &bytes[body_at..]].concat()), start: 0 },
        }
    }

    /// A frame that is whole already.
    pub fn whole(bytes: Vec<u8>) -> Shared {
        Shared { bytes: Arc::new(bytes), start: 0 }
    }

    /// The frame.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The same memory without the first `count` bytes.
    fn skip(&self, count: usize) -> Shared {
        Shared { bytes: self.bytes.clone(), start: self.start + count }
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

/// Empty runs, kept warm for the next outbox that needs one.
#[derive(Debug, Default)]
pub struct Runs {
    spare: Vec<Vec<u8>>,
    /// Bytes of capacity in `spare`; never over [`SPARE_RUNS`].
    bytes: usize,
}

impl Runs {
    fn take(&mut self) -> Vec<u8> {
        match self.spare.pop() {
            Some(run) => {
                self.bytes -= run.capacity();
                run
            }
            None => Vec::with_capacity(RUN_ROOM),
        }
    }

    fn give(&mut self, mut run: Vec<u8>) {
        let bytes = self.bytes + run.capacity();
        if run.capacity() > 0 && bytes <= SPARE_RUNS {
            run.clear();
            self.bytes = bytes;
            self.spare.push(run);
        }
    }
}

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

    /// Appends what `write` appends to the run.
    pub fn append(&mut self, runs: &mut Runs, write: impl FnOnce(&mut Vec<u8>)) {
        if self.run.capacity() == 0 {
            self.run = runs.take();
        }
        let before = self.run.len();
        write(&mut self.run);
        self.queued += self.run.len() - before;
        if self.run.len() >= RUN_FULL {
            self.freeze();
        }
    }

    /// Appends a frame that others hear as well.
    pub fn post(&mut self, parcel: Parcel<'_>, runs: &mut Runs) {
        match parcel {
            Parcel::Small(bytes) => {
                // A run that would double for this one is full: else those who do not read cost twice what they hold.
                if self.run.len() + bytes.len() > RUN_FULL {
                    self.freeze();
                }
                self.append(runs, |run| run.extend_from_slice(bytes));
            }
            Parcel::Large(frame) => self.attach(frame.clone()),
        }
    }

    /// Appends a frame with another header; what follows the header is pointed to where it has `share_from` bytes.
    pub fn repost(&mut self, header: [u8; HEADER_LEN], frame: &Shared, share_from: usize, runs: &mut Runs) {
        let payload = &frame.as_bytes()[HEADER_LEN..];
        self.append(runs, |run| run.extend_from_slice(&header));
        if payload.len() < share_from {
            self.append(runs, |run| run.extend_from_slice(payload));
        } else {
            self.attach(frame.skip(HEADER_LEN));
        }
    }

    /// Appends a frame that is held once for all who hear it.
    pub fn attach(&mut self, frame: Shared) {
        self.queued += frame.as_bytes().len();
        self.freeze();
        self.backlog.get_or_insert_default().push_back(Piece::Shared(frame));
    }

    /// Ends the run, so that what comes next stands behind it.
    fn freeze(&mut self) {
        if !self.run.is_empty() {
            let run = std::mem::take(&mut self.run);
            self.backlog.get_or_insert_default().push_back(Piece::Run(run));
        }
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
    pub fn advance(&mut self, count: usize, runs: &mut Runs) {
        self.queued -= count;
        self.sent += count;
        if let Some(pieces) = &mut self.backlog {
            while let Some(len) = pieces.front().map(|piece| piece.as_bytes().len()).filter(|len| *len <= self.sent) {
                self.sent -= len;
                if let Some(Piece::Run(run)) = pieces.pop_front() {
                    runs.give(run);
                }
            }
            if !pieces.is_empty() {
                return;
            }
            self.backlog = None;
        }
        if self.sent == self.run.len() {
            self.sent = 0;
            runs.give(std::mem::take(&mut self.run));
        }
    }

    /// Gives all memory back, sent or not.
    pub fn clear(&mut self, runs: &mut Runs) {
        runs.give(std::mem::take(&mut self.run));
        *self = Outbox::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let (mut outbox, mut runs) = (Outbox::default(), Runs::default());
        outbox.append(&mut runs, |run| run.extend_from_slice(b"hello"));
        outbox.attach(shared(b"world"));
        outbox.advance(10, &mut runs);
        assert_eq!((outbox.queued(), outbox.run.capacity(), outbox.backlog.is_none()), (0, 0, true));
        assert_eq!(runs.spare.len(), 1);
    }

    #[test]
    fn an_owned_body_is_shared_where_it_lies() {
        let request = b"......a body that is long enough".to_vec();
        let at = request.as_ptr();
        let frame = Shared::new(b"head: ", Cow::Owned(request), 26);
        assert_eq!(frame.as_bytes(), b"head: a body that is long enough");
        assert_eq!(frame.bytes.as_ptr(), at);
    }

    #[test]
    fn a_body_does_not_pin_a_request_much_larger_than_itself() {
        let mut request = vec![b'.'; 1000];
        request.extend(b"body");
        let frame = Shared::new(b"head", Cow::Owned(request), 4);
        assert_eq!((frame.as_bytes(), frame.bytes.capacity()), (&b"headbody"[..], 8));
    }

    #[test]
    fn a_head_that_does_not_fit_before_the_body_is_no_matter() {
        let frame = Shared::new(b"a long head: ", Cow::Owned(b"..body".to_vec()), 4);
        assert_eq!(frame.as_bytes(), b"a long head: body");
    }

    #[test]
    fn spare_runs_are_bounded() {
        let mut runs = Runs::default();
        for _ in 0..100 {
            runs.give(Vec::with_capacity(RUN_FULL));
        }
        assert!(runs.bytes <= SPARE_RUNS);
        let kept = runs.spare.iter().map(Vec::capacity).sum::<usize>();
        assert_eq!(kept, runs.bytes);
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
            let (mut outbox, mut runs) = (Outbox::default(), Runs::default());
            let (mut put, mut got) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Append(bytes) => {
                        outbox.append(&mut runs, |run| run.extend_from_slice(&bytes));
                        put.extend(bytes);
                    }
                    Step::Attach(bytes) => {
                        outbox.attach(shared(&bytes));
                        put.extend(bytes);
                    }
                    Step::Send(slices, most) => {
                        let mut bytes = next_bytes(&outbox, slices);
                        prop_assert_eq!(bytes.is_empty(), outbox.queued() == 0);
                        bytes.truncate(most);
                        outbox.advance(bytes.len(), &mut runs);
                        got.extend(bytes);
                    }
                }
                prop_assert_eq!(outbox.queued(), put.len() - got.len());
            }
            got.extend(next_bytes(&outbox, 1000));
            prop_assert_eq!(put, got);
        }
    }
}
