//! What one room remembers: its newest events, as the very frames that its members received.
//!
//! Small frames are copied, one behind the other, into a few runs that are filled in order and dropped whole. So to
//! remember an event allocates nothing most of the time, and to forget one looks at its entry alone: its frame was
//! written a thousand events ago and is in no cache any more. Large frames are pointed to.

use crate::hub::allocation::{grow_queue, heap_bytes, queue_bytes, shrink_queue, vec_bytes};
use crate::hub::payload::{Payload, SharedFrame};
use crate::limits::{HISTORY_RUN, Limits};
use std::collections::VecDeque;

/// One event.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Bytes of its frame in a run; 0 if the frame is shared.
    copied: u32,
    /// Bytes of the frame that are its body.
    body_len: u32,
}

/// Frames of consecutive events, but for those that are shared.
#[derive(Debug)]
struct Run {
    frames: Vec<u8>,
    /// The id of the event whose frame is the first one.
    first: u64,
    /// How many frames the room had shared before it.
    shared: u64,
}

/// The frames of large bodies, oldest first.
#[derive(Debug, Default)]
struct Shared {
    frames: VecDeque<SharedFrame>,
    /// How many were forgotten.
    forgotten: u64,
}

/// The newest events of a room, oldest first and without a gap, within limits of their number and of the bytes of their
/// bodies.
#[derive(Debug, Default)]
pub struct History {
    entries: VecDeque<Entry>,
    runs: VecDeque<Run>,
    /// Most rooms have none.
    shared: Option<Box<Shared>>,
    /// Bytes of the first run that are forgotten.
    forgotten: usize,
    /// Bytes of all bodies.
    bytes: usize,
    /// Bytes of memory that the frames take.
    frames_held: usize,
}

/// Where a frame is.
#[derive(Clone, Copy, Debug)]
struct Place {
    run: usize,
    /// Bytes before it in the run.
    at: usize,
    /// The index of the next shared frame.
    shared: usize,
}

impl History {
    /// Keeps the newest event, which has this id, and forgets the oldest ones until the limits hold. If one event alone
    /// exceeds the limit of bytes, nothing is kept at all, because a history must not have a gap.
    #[inline]
    pub fn push(&mut self, id: u64, frame: Payload<'_>, body_len: usize, limits: &Limits) {
        if limits.history == 0 {
            return;
        }
        let copied = match frame {
            Payload::Copied(bytes) => self.copy(id, bytes),
            Payload::Shared(frame) => self.share(frame),
        };
        self.bytes += body_len;
        grow_queue(&mut self.entries);
        self.entries.push_back(Entry { copied: copied as u32, body_len: body_len as u32 });
        while self.entries.len() > limits.history || self.bytes > limits.history_bytes {
            self.forget_oldest();
        }
    }

    /// Copies a frame. Returns its length.
    #[inline]
    fn copy(&mut self, id: u64, frame: &[u8]) -> usize {
        let fits = |run: &&mut Run| frame.len() <= run.frames.capacity() - run.frames.len();
        match self.runs.back_mut().filter(fits) {
            Some(run) => run.frames.extend_from_slice(frame),
            None => self.begin_run(id, frame),
        }
        frame.len()
    }

    /// Begins a run with a frame: as large as all that the room remembers, so that a quiet room takes little.
    #[inline(never)]
    fn begin_run(&mut self, first: u64, frame: &[u8]) {
        let most = HISTORY_RUN.max(frame.len());
        let mut frames = Vec::with_capacity(self.frames_held.clamp(frame.len(), most));
        frames.extend_from_slice(frame);
        self.frames_held += vec_bytes(&frames);
        let shared = self.shared.as_ref().map_or(0, |shared| shared.forgotten + shared.frames.len() as u64);
        grow_queue(&mut self.runs);
        self.runs.push_back(Run { frames, first, shared });
    }

    /// Points to a frame. Returns that nothing was copied.
    fn share(&mut self, frame: &SharedFrame) -> usize {
        self.frames_held += frame.allocated();
        let frames = &mut self.shared.get_or_insert_default().frames;
        grow_queue(frames);
        frames.push_back(frame.clone());
        0
    }

    /// Forgets the oldest event, if there is one. Returns how many bytes of memory that frees.
    #[inline]
    pub fn forget_oldest(&mut self) -> usize {
        let before = self.held();
        let Some(oldest) = self.entries.pop_front() else { return 0 };
        shrink_queue(&mut self.entries);
        self.bytes -= oldest.body_len as usize;
        if oldest.copied == 0 {
            self.forget_shared();
        } else {
            self.forgotten += oldest.copied as usize;
            if self.forgotten == self.runs[0].frames.len() {
                self.forget_run();
            }
        }
        before - self.held()
    }

    fn forget_shared(&mut self) {
        let shared = self.shared.as_mut().expect("its entry says so");
        let frame = shared.frames.pop_front().expect("its entry says so");
        shared.forgotten += 1;
        shrink_queue(&mut shared.frames);
        self.frames_held -= frame.allocated();
    }

    fn forget_run(&mut self) {
        let run = self.runs.pop_front().expect("its entry says so");
        shrink_queue(&mut self.runs);
        self.frames_held -= vec_bytes(&run.frames);
        self.forgotten = 0;
    }

    /// How many bytes of memory it takes. A large body counts in each place that points to it.
    #[inline]
    pub fn held(&self) -> usize {
        let shared = self.shared.as_ref();
        let shared = shared.map_or(0, |shared| heap_bytes(size_of::<Shared>()) + queue_bytes(&shared.frames));
        self.frames_held + queue_bytes(&self.entries) + queue_bytes(&self.runs) + shared
    }

    /// The same, counted anew.
    #[cfg(any(test, feature = "testing"))]
    pub fn counted(&self) -> usize {
        let runs: usize = self.runs.iter().map(|run| vec_bytes(&run.frames)).sum();
        let frames = self.shared.iter().flat_map(|shared| &shared.frames).map(SharedFrame::allocated);
        self.held() - self.frames_held + runs + frames.sum::<usize>()
    }

    /// Bytes of all bodies.
    pub fn body_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no event is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The id of the oldest event kept, if the newest is `newest`; 0 if none is kept.
    pub fn oldest(&self, newest: u64) -> u64 {
        if self.is_empty() { 0 } else { newest + 1 - self.entries.len() as u64 }
    }

    /// The frames of the events with an id above `after`, each with its id, oldest first, if the newest is `newest`.
    pub fn after(&self, after: u64, newest: u64) -> impl Iterator<Item = (Payload<'_>, u64)> {
        let oldest = newest + 1 - self.entries.len() as u64;
        let first = after.saturating_add(1).clamp(oldest, newest + 1);
        let (begin, mut place) = self.place_before(first, oldest);
        let frames = self.entries.range((begin - oldest) as usize..).map(move |entry| self.frame(*entry, &mut place));
        frames.zip(begin..).skip((first - begin) as usize)
    }

    /// The place of an event that is at or before the one with this id, and its id: that of a run, so that a long
    /// history is not walked through.
    fn place_before(&self, id: u64, oldest: u64) -> (u64, Place) {
        let run = self.runs.partition_point(|run| run.first <= id).saturating_sub(1);
        match self.runs.get(run) {
            Some(begun) if run > 0 => {
                let forgotten = self.shared.as_ref().map_or(0, |shared| shared.forgotten);
                (begun.first, Place { run, at: 0, shared: begun.shared.saturating_sub(forgotten) as usize })
            }
            Some(_) | None => (oldest, Place { run: 0, at: self.forgotten, shared: 0 }),
        }
    }

    /// The frame at a place, which moves on to the next one.
    fn frame(&self, entry: Entry, place: &mut Place) -> Payload<'_> {
        if entry.copied == 0 {
            let shared = self.shared.as_ref().expect("its entry says so");
            place.shared += 1;
            return Payload::Shared(&shared.frames[place.shared - 1]);
        }
        if place.at == self.runs[place.run].frames.len() {
            (place.run, place.at) = (place.run + 1, 0);
        }
        let (start, end) = (place.at, place.at + entry.copied as usize);
        place.at = end;
        Payload::Copied(&self.runs[place.run].frames[start..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(limits: &Limits, bodies: &[usize]) -> History {
        let mut history = History::default();
        for (&len, id) in bodies.iter().zip(1..) {
            history.push(id, Payload::Copied(&[id as u8]), len, limits);
        }
        history
    }

    fn ids(history: &History, after: u64, newest: u64) -> Vec<u8> {
        history.after(after, newest).map(|(frame, _)| frame.as_bytes()[0]).collect()
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let history = filled(&Limits { history: 3, ..Limits::default() }, &[0; 5]);
        assert_eq!((history.oldest(5), ids(&history, 0, 5)), (3, vec![3, 4, 5]));
        assert_eq!((ids(&history, 3, 5), ids(&history, 5, 5), ids(&history, 9, 5)), (vec![4, 5], vec![], vec![]));
    }

    #[test]
    fn the_oldest_go_when_their_bodies_are_too_large() {
        let limits = Limits { history_bytes: 100, ..Limits::default() };
        assert_eq!(ids(&filled(&limits, &[60, 30, 20, 0]), 0, 4), [2, 3, 4]);
        let history = filled(&limits, &[1, 101]);
        assert_eq!((history.is_empty(), history.oldest(2), history.bytes), (true, 0, 0));
        assert_eq!(ids(&filled(&limits, &[1, 101, 2]), 0, 3), [3]);
    }

    #[test]
    fn nothing_is_kept_if_no_history_is_wanted() {
        let history = filled(&Limits { history: 0, ..Limits::default() }, &[0, 5]);
        assert!(history.is_empty() && (history.bytes, history.held()) == (0, 0));
    }

    #[test]
    fn a_full_history_takes_little_more_than_its_frames() {
        let (mut history, limits) = (History::default(), Limits::default());
        for id in 1..=5_000 {
            history.push(id, Payload::Copied(&[7; 110]), 64, &limits);
        }
        let frames = limits.history * 110;
        assert!((frames..frames * 5 / 4).contains(&history.held()), "{} bytes for {frames}", history.held());
    }

    #[test]
    fn a_single_event_takes_no_more_than_its_frame_and_four_small_allocations() {
        let history = filled(&Limits::default(), &[0]);
        assert!(history.held() <= 4 * 32, "{} bytes", history.held());
    }

    proptest! {
        #[test]
        fn it_remembers_what_a_list_of_frames_would(
            frames in prop::collection::vec((0..3000_usize, any::<bool>()), 1..80),
            (count, bytes) in (0..30_usize, 0..20_000_usize),
        ) {
            let limits = Limits { history: count, history_bytes: bytes, ..Limits::default() };
            let (mut history, mut list) = (History::default(), VecDeque::new());
            for ((len, is_shared), id) in frames.into_iter().zip(1_u64..) {
                let frame = [&id.to_be_bytes()[..], &vec![7; len]].concat();
                let shared = SharedFrame::from_bytes(frame.clone());
                let payload = if is_shared { Payload::Shared(&shared) } else { Payload::Copied(&frame) };
                history.push(id, payload, len, &limits);
                list.push_back((frame, id));
                let bodies =
                    |list: &VecDeque<(Vec<u8>, u64)>| list.iter().map(|(frame, _)| frame.len() - 8).sum::<usize>();
                while list.len() > count || bodies(&list) > bytes {
                    list.pop_front();
                }
                prop_assert_eq!((history.body_bytes(), history.held()), (bodies(&list), history.counted()));
                for after in [0, id / 2, id.saturating_sub(3), id, id + 9] {
                    let told: Vec<_> =
                        history.after(after, id).map(|(frame, id)| (frame.as_bytes().to_vec(), id)).collect();
                    let wanted: Vec<_> = list.iter().filter(|(_, id)| *id > after).cloned().collect();
                    prop_assert_eq!(told, wanted);
                }
            }
        }
    }
}
