//! Lists of deadlines: when to check an idle, slow or closing link, or an empty room.
//!
//! All entries of a list have the same timeout, so they expire in the order in which they were added. Adding one,
//! removing one and finding the next are O(1), and need no memory beyond a [`Hook`] in each entry.

use crate::limits::SLACK;
use std::time::Duration;

/// No slot: the end of a list.
const NONE: u32 = u32::MAX;

/// The place of an entry in a list, and the time at which it was added. A hook is in at most one list.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    previous: u32,
    next: u32,
    /// The moment in milliseconds, modulo 2^32: this wraps after 49 days, which is more than
    /// [`MAX_TIME`](crate::limits::MAX_TIME).
    since: u32,
}

impl Hook {
    /// A hook that is in no list.
    pub const fn new() -> Hook {
        Hook { previous: NONE, next: NONE, since: 0 }
    }
}

/// Finds the hooks of the entries.
pub trait Hooks {
    /// The hook of this kind in the entry of this slot.
    fn hook(&mut self, kind: usize, slot: u32) -> &mut Hook;
}

/// A list of entries that are due the same time after they were added.
#[derive(Debug)]
pub struct Deadlines {
    /// Which hook of an entry this list uses.
    kind: usize,
    after: Duration,
    /// How late an entry may be handled.
    slack: Duration,
    first: u32,
    last: u32,
    /// When the first entry was added.
    since: Duration,
}

impl Deadlines {
    /// A list of entries that are due exactly `after` they were added.
    pub fn exact(kind: usize, after: Duration) -> Deadlines {
        Deadlines { kind, after, slack: Duration::ZERO, first: NONE, last: NONE, since: Duration::ZERO }
    }

    /// A list of entries that may be due a little later, and are [renewed](Deadlines::renew) often: renewing costs next
    /// to nothing, and entries that are due at about the same time are handled together.
    pub fn slack(kind: usize, after: Duration) -> Deadlines {
        Deadlines { slack: (after / SLACK).max(Duration::from_millis(1)), ..Deadlines::exact(kind, after) }
    }

    /// The time after which entries are due.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// Adds an entry at the end. Its hook must be in no list.
    pub fn push(&mut self, hooks: &mut impl Hooks, slot: u32, now: Duration) {
        *hooks.hook(self.kind, slot) = Hook { previous: self.last, next: NONE, since: millis(now) };
        if self.last == NONE {
            (self.first, self.since) = (slot, now);
        } else {
            hooks.hook(self.kind, self.last).next = slot;
        }
        self.last = slot;
    }

    /// Removes an entry, which must be in this list.
    pub fn remove(&mut self, hooks: &mut impl Hooks, slot: u32, now: Duration) {
        let Hook { previous, next, .. } = std::mem::replace(hooks.hook(self.kind, slot), Hook::new());
        match previous {
            NONE => self.first = next,
            previous => hooks.hook(self.kind, previous).next = next,
        }
        match next {
            NONE => self.last = previous,
            next => hooks.hook(self.kind, next).previous = previous,
        }
        if previous == NONE && next != NONE {
            let age = millis(now).wrapping_sub(hooks.hook(self.kind, next).since);
            self.since = now.saturating_sub(Duration::from_millis(age.into()));
        }
    }

    /// Makes an entry, which must be in this list, due after the whole time again. However often this is called, it
    /// moves the entry only a few dozen times in that time.
    pub fn renew(&mut self, hooks: &mut impl Hooks, slot: u32, now: Duration) {
        let age = millis(now).wrapping_sub(hooks.hook(self.kind, slot).since);
        if Duration::from_millis(age.into()) > self.slack {
            self.remove(hooks, slot, now);
            self.push(hooks, slot, now);
        }
    }

    /// The entry that was added first.
    pub fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// When to check for due entries again.
    pub fn next(&self) -> Option<Duration> {
        (self.first != NONE).then(|| self.since + self.after + 2 * self.slack)
    }

    /// Removes the next entry that is due at `now`, and returns its slot.
    pub fn pop(&mut self, hooks: &mut impl Hooks, now: Duration) -> Option<u32> {
        let slot = self.first;
        if slot == NONE || self.since + self.after + self.slack > now {
            return None;
        }
        self.remove(hooks, slot, now);
        Some(slot)
    }
}

/// A moment in milliseconds, as a hook notes it.
fn millis(time: Duration) -> u32 {
    time.as_millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Hooks for Vec<Hook> {
        fn hook(&mut self, _kind: usize, slot: u32) -> &mut Hook {
            &mut self[slot as usize]
        }
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn popped(list: &mut Deadlines, hooks: &mut Vec<Hook>, now: Duration) -> Vec<u32> {
        std::iter::from_fn(|| list.pop(hooks, now)).collect()
    }

    #[test]
    fn what_came_first_is_due_first_and_not_before_its_time() {
        let (mut list, mut hooks) = (Deadlines::exact(0, secs(10)), vec![Hook::new(); 4]);
        assert_eq!(list.next(), None);
        (0..4).for_each(|slot| list.push(&mut hooks, slot, secs(slot.into())));
        assert_eq!((list.next(), list.pop(&mut hooks, secs(9))), (Some(secs(10)), None));
        list.remove(&mut hooks, 0, secs(9));
        assert_eq!(list.next(), Some(secs(11)));
        list.remove(&mut hooks, 2, secs(9));
        assert_eq!(popped(&mut list, &mut hooks, secs(12)), [1]);
        assert_eq!(popped(&mut list, &mut hooks, secs(13)), [3]);
        assert_eq!((list.next(), list.last), (None, NONE));
        list.push(&mut hooks, 1, secs(20));
        assert_eq!(list.next(), Some(secs(30)));
    }

    #[test]
    fn one_that_is_renewed_is_never_due_early_and_seldom_moved() {
        let (mut list, mut hooks) = (Deadlines::slack(0, secs(64)), vec![Hook::new(); 2]);
        (0..2).for_each(|slot| list.push(&mut hooks, slot, secs(0)));
        list.renew(&mut hooks, 0, secs(1));
        assert_eq!(list.first, 0, "within the slack it stays where it is");
        assert_eq!(popped(&mut list, &mut hooks, Duration::from_millis(64_999)), [0; 0]);
        list.renew(&mut hooks, 0, Duration::from_millis(1001));
        assert_eq!(popped(&mut list, &mut hooks, secs(65)), [1]);
        assert_eq!(list.next(), Some(Duration::from_millis(1001) + secs(66)));
    }

    #[test]
    fn months_pass() {
        let (mut list, mut hooks) = (Deadlines::exact(0, secs(31 * 86_400)), vec![Hook::new(); 2]);
        let days = |days: u64| secs(days * 86_400);
        list.push(&mut hooks, 0, days(40));
        list.push(&mut hooks, 1, days(60));
        assert_eq!(popped(&mut list, &mut hooks, days(71)), [0]);
        assert_eq!(list.next(), Some(days(91)));
    }
}
