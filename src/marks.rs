//! Coverage marks: which rare branches were met. They let the simulator show that its seeds reach what they are for,
//! and cost nothing but where the `testing` feature is on and assertions are checked: a benchmark has the feature too.

/// Declares the marks, and the list of them all.
macro_rules! marks {
    ($($name:ident),* $(,)?) => {
        /// A rare branch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // each is named for its branch
        pub enum Mark {
            $($name),*
        }

        /// Every mark.
        pub const MARKS: &[Mark] = &[$(Mark::$name),*];
    };
}

marks! {
    // Queues and waiting.
    SessionFull, EventMissed, SenderWaits, SelfWaits, LetInOverTheLimit, Resumed, ResumedAndWaits, HeldUnread, Postponed,
    DeadlockBroken, Refused, RefusedWithoutReceipt, SharedFrame, Batch,
    // Pace and memory.
    RateLimited, StillRateLimited, Squeezed, Favoured, FarOverMemory, Evicted, EvictedDeparted, OutboxTruncated,
    // Sending and reading.
    PartlySent, NothingSent, BrokeWhileSending, BrokeWhileReading, ReadInterrupted, SendInterrupted, EndInAFrame,
    ReadBudget, VacantEdge,
    // Accepting.
    AcceptRests, AcceptFailedOnce, NotWatched, TurnedAway, TurnedAwayInOneBreath, AddressFull, SpareSpent, NoSpare,
    // Time.
    Heartbeat, AskedWhetherItLives, SilentClosed, SilentButUnread, FrameGrew, FrameTooSlow, TooSlow, FullAndClosed,
    DepartedUnsent, TookSome, ClosedWithUnsent, LingerOver, DoomedWhileHeldUp,
    // Rooms and names.
    RoomForgotten, RoomExpired, RoomClosed, HistoryCut, NameMoved, DepartureWaits,
}

#[cfg(all(feature = "testing", debug_assertions))]
mod counting {
    use super::{MARKS, Mark};
    use std::cell::Cell;

    thread_local! {
        static COUNTS: [Cell<u64>; MARKS.len()] = const { [const { Cell::new(0) }; MARKS.len()] };
    }

    /// Counts a branch that was met.
    pub fn mark(mark: Mark) {
        COUNTS.with(|counts| counts[mark as usize].set(counts[mark as usize].get() + 1));
    }

    /// How often each was met on this thread, by name.
    pub fn counts() -> Vec<(String, u64)> {
        COUNTS.with(|counts| MARKS.iter().map(|mark| (format!("{mark:?}"), counts[*mark as usize].get())).collect())
    }
}

#[cfg(all(feature = "testing", debug_assertions))]
pub use counting::{counts, mark};

/// Nothing is counted.
#[cfg(all(feature = "testing", not(debug_assertions)))]
pub fn counts() -> Vec<(String, u64)> {
    Vec::new()
}

/// Does nothing.
#[cfg(not(all(feature = "testing", debug_assertions)))]
#[inline(always)]
pub fn mark(_mark: Mark) {}
