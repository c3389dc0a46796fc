//! A long request: what is left to do of a LIST, WHO or HISTORY that is executed in slices. Knows no session and no
//! room.

use crate::wire::UserId;

/// What is left to do of a long request.
#[derive(Debug)]
pub(super) enum LongWork {
    /// LIST: the users whose ids are above the first and not above the second.
    List(UserId, UserId),
    /// WHO.
    Who(WhoCursor),
    /// HISTORY.
    History(Replay),
}

/// A request that is not complete.
#[derive(Debug)]
pub(super) struct LongRequest {
    pub work: LongWork,
    /// What its answers repeat of it.
    pub tag: Option<u16>,
    /// See `tag`.
    pub room: Box<str>,
}

/// What became of a long request in one slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// It is complete.
    Last,
    /// There is more to do.
    More,
}

/// How far a WHO is answered.
#[derive(Debug)]
pub(super) struct WhoCursor {
    pub key: u32,
    /// The id of the last session that was sent.
    pub after: UserId,
    /// The newest id when the request came.
    pub until: UserId,
}

/// How far a HISTORY is answered.
#[derive(Debug)]
pub(super) struct Replay {
    pub key: u32,
    /// The room's, because the room may be closed meanwhile.
    pub epoch: u64,
    /// The id of the last event that was sent, or what the request said.
    pub after: u64,
    /// The newest event when the request came: later ones are live.
    pub until: u64,
    /// Events that may still be sent, by the request.
    pub limit: u32,
    /// Bytes that may still be sent: half a queue in all, but at least one event.
    pub bytes_left: usize,
    pub sent: u32,
}

/// Sets `least` to the first `count` of some values, in ascending order. Returns whether there are more. Looks at each
/// value once, and keeps twice as many as are wanted.
pub(super) fn least<T: Ord>(least: &mut Vec<T>, count: usize, values: impl Iterator<Item = T>) -> bool {
    least.clear();
    let mut more = false;
    for value in values {
        least.push(value);
        if least.len() >= 2 * count {
            least.select_nth_unstable(count);
            least.truncate(count);
            more = true;
        }
    }
    if least.len() > count {
        least.select_nth_unstable(count);
        least.truncate(count);
        more = true;
    }
    least.sort_unstable();
    more
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_least_are_the_front_of_all_sorted(
            values in prop::collection::vec(any::<u16>(), 0..100),
            count in 1usize..40,
        ) {
            let mut found = Vec::new();
            let more = least(&mut found, count, values.iter().copied());
            let mut sorted = values.clone();
            sorted.sort_unstable();
            prop_assert_eq!(more, sorted.len() > count);
            sorted.truncate(count);
            prop_assert_eq!(found, sorted);
        }
    }
}
