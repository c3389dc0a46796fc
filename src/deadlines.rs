//! What is to be looked at, and when: links that are silent, slow or closing, rooms that nobody is in.
//!
//! All that stands in one list is due the same time after it was put there, so the order of arrival is the order of
//! being due: putting one in, taking one out and finding the next are O(1), with no memory but a [`Hook`] in each.

use crate::limits::SLACK;
use std::time::Duration;

/// No slot: the end of a list.
const NONE: u32 = u32::MAX;

/// Where something stands in a list, and since when. It is in one list at the most.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    before: u32,
    behind: u32,
    /// Milliseconds of the moment, less whole turns of 2^32: 49 days, which is over
    /// [`MAX_TIME`](crate::limits::MAX_TIME).
    since: u32,
}

impl Hook {
    pub const fn new() -> Hook {
        Hook { before: NONE, behind: NONE, since: 0 }
    }
}

/// Where the hooks are.
pub trait Hooks {
    /// The hook of one kind of what lives in a slot.
    fn hook(&mut self, kind: usize, slot: u32) -> &mut Hook;
}

/// A list of what is due the same time after it was put there.
#[derive(Debug)]
pub struct Deadlines {
    /// Which of a slot's hooks this list uses.
    kind: usize,
    after: Duration,
    /// By how much it may come late.
    slack: Duration,
    first: u32,
    last: u32,
    /// Since when the first one is here.
    since: Duration,
}

impl Deadlines {
    /// A list of what is due exactly `after` it was put there.
    pub fn exact(kind: usize, after: Duration) -> Deadlines {
        Deadlines { kind, after, slack: Duration::ZERO, first: NONE, last: NONE, since: Duration::ZERO }
    }

    /// A list of what may be due a little later, and whose moment is [renewed](Deadlines::renew) often: a renewal costs
    /// next to nothing, and those that are due about together are looked at together.
    pub fn slack(kind: usize, after: Duration) -> Deadlines {
        Deadlines { slack: (after / SLACK).max(Duration::from_millis(1)), ..Deadlines::exact(kind, after) }
    }

    /// The time after which all is due that is put here.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// Puts a slot at the end. It is in no list that uses the same hooks.
    pub fn push(&mut self, hooks: &mut impl Hooks, slot: u32, now: Duration) {
        *hooks.hook(self.kind, slot) = Hook { before: self.last, behind: NONE, since: millis(now) };
        if self.last == NONE {
            (self.first, self.since) = (slot, now);
        } else {
            hooks.hook(self.kind, self.last).behind = slot;
        }
        self.last = slot;
    }

    /// Takes a slot out, which is in this list.
    pub fn remove(&mut self, hooks: &mut impl Hooks, slot: u32, now: Duration) {
        let Hook { before, behind, .. } = std::mem::replace(hooks.hook(self.kind, slot), Hook::new());
        match before {
            NONE => self.first = behind,
            before => hooks.hook(self.kind, before).behind = behind,
        }
        match behind {
            NONE => self.last = before,
            behind => hooks.hook(self.kind, behind).before = before,
        }
        if before == NONE && behind != NONE {
            let age = millis(now).wrapping_sub(hooks.hook(self.kind, behind).since);
            self.since = now.saturating_sub(Duration::from_millis(age.into()));
        }
    }

    /// Notes that what stands in `slot`, which is in this list, is due from now on only after the whole time again.
    /// Does so a few dozen times in that time at the most, however often it is called.
    pub fn renew(&mut self, hooks: &mut impl Hooks, slot: u32, now: Duration) {
        let age = millis(now).wrapping_sub(hooks.hook(self.kind, slot).since);
        if Duration::from_millis(age.into()) > self.slack {
            self.remove(hooks, slot, now);
            self.push(hooks, slot, now);
        }
    }

    /// When to look again.
    pub fn next(&self) -> Option<Duration> {
        (self.first != NONE).then(|| self.since + self.after + 2 * self.slack)
    }

    /// Takes the next one out that is due at `now`.
    pub fn pop(&mut self, hooks: &mut impl Hooks, now: Duration) -> Option<u32> {
        let slot = self.first;
        if slot == NONE || self.since + self.after + self.slack > now {
            return None;
        }
        self.remove(hooks, slot, now);
        Some(slot)
    }
}

/// Milliseconds, as a hook notes them.
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
