//! Coverage marks: which rare branches were taken. The simulator uses them to check that its seeds reach these
//! branches.

use std::cell::Cell;

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
    SessionFull, EventMissed, SenderWaits, SelfWaits, LetInOverTheLimit, Resumed, ResumedAndWaits, HeldUnread,
    Postponed, DeadlockBroken, WaitedTooLong, LongRequestSliced, Refused, RefusedWithoutReceipt, SharedFrame, Batch,
    // Rate limit and memory.
    RateLimited, StillRateLimited, Exempt, Evicted, EvictedDeparted, OutboxTruncated,
    // Sending and reading.
    PartlySent, NothingSent, FlushedInPart, BrokeWhileSending, BrokeWhileReading, ReadInterrupted,
    SendInterrupted, EndInAFrame,
    ReadBudget, VacantEdge,
    // Accepting.
    AcceptRests, AcceptFailedOnce, NotWatched, TurnedAway, RefusedAtOnce, AddressFull, SpareSpent, NoSpare,
    // Time.
    Heartbeat, Probed, IdleClosed, IdleButUnread, FrameGrew, FrameTooSlow, TooSlow, FullAndClosed,
    DepartedUnsent, PeerReadSome, ClosedWithUnsent, LingerOver, BrokenWhileNotRead,
    // Rooms and names.
    RoomForgotten, RoomGaveWay, RoomExpired, RoomClosed, HistoryCut, NameMoved, DepartureWaits, OwnDepartureFirst,
}

/// Whether marks are counted: in tests, but not in benchmarks, which have the feature without assertions.
const IS_COUNTED: bool = cfg!(all(feature = "testing", debug_assertions));

thread_local! {
    static COUNTS: [Cell<u64>; MARKS.len()] = const { [const { Cell::new(0) }; MARKS.len()] };
}

/// Counts a branch that was taken. It compiles to nothing unless marks are counted.
#[inline(always)]
pub fn mark(mark: Mark) {
    if IS_COUNTED {
        COUNTS.with(|counts| counts[mark as usize].set(counts[mark as usize].get() + 1));
    }
}

/// How often each branch was taken on this thread, by name.
pub fn counts() -> Vec<(String, u64)> {
    let count = |mark: &Mark| (format!("{mark:?}"), COUNTS.with(|counts| counts[*mark as usize].get()));
    if IS_COUNTED { MARKS.iter().map(count).collect() } else { Vec::new() }
}
