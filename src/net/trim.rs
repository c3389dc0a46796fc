//! Releases memory that is no longer needed when a burst is over: of outboxes, when traffic ebbs; of tables, when those
//! who filled them have left. The host can learn of this, because its allocator may have to be told to return the
//! memory to the system.

use super::link::Link;
use crate::hub::Hub;
use crate::limits::{MIN_TRIM, TRIM_EVERY};
use std::time::Duration;

/// The most that was held of something since the host was last told that a burst is over.
#[derive(Debug, Default)]
struct Burst(usize);

impl Burst {
    fn note(&mut self, held: usize) {
        self.0 = self.0.max(held);
    }

    /// Whether the burst seems to be over, if this much is held now.
    fn seems_over(&self, held: usize) -> bool {
        self.0 >= MIN_TRIM && held <= self.0 / 4
    }

    /// Whether it is over, if this was the most that was held since the last check. Then the next one begins.
    fn is_over(&mut self, held: usize) -> bool {
        self.note(held);
        let is_over = self.seems_over(held);
        if is_over {
            self.0 = held;
        }
        is_over
    }
}

/// When to check next, and how large the bursts were.
#[derive(Debug, Default)]
pub(super) struct Trim {
    at: Option<Duration>,
    /// Of outboxes.
    queues: Burst,
    /// Of sessions, memberships, rooms, histories, names, and all else that stays.
    kept: Burst,
    /// Whether a burst was over in the last turn.
    eased: bool,
}

impl Trim {
    /// When to check next; `None` if there is nothing to release.
    pub(super) fn next(&self) -> Option<Duration> {
        self.at
    }

    /// Whether a burst was over in the last turn.
    pub(super) fn eased(&self) -> bool {
        self.eased
    }

    /// Releases memory that was not needed for a while, if it is time.
    pub(super) fn check<S>(&mut self, hub: &mut Hub<Link<S>>, now: Duration) {
        self.eased = false;
        self.kept.note(hub.kept());
        if self.at.is_some_and(|at| at <= now) {
            self.at = None;
            self.eased = self.queues.is_over(hub.trim_memory());
            if self.kept.is_over(hub.kept()) {
                hub.shrink_tables();
                self.eased = true;
            }
        }
        let is_due = hub.has_spare_memory() || self.queues.0 >= MIN_TRIM || self.kept.seems_over(hub.kept());
        if self.at.is_none() && is_due {
            self.at = Some(now + TRIM_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::Condition;
    use super::*;
    use crate::hub::{Protocol, RemoteAddr};
    use crate::limits::Limits;
    use crate::wire::Request;

    #[test]
    fn a_burst_is_over_once_and_steady_traffic_never() {
        let mut burst = Burst::default();
        let mut eased = |held: usize| burst.is_over(held);
        assert!(![0, 100, MIN_TRIM - 1, 0].map(&mut eased).contains(&true), "not worth it");
        assert!(![8 << 20, 5 << 20, 9 << 20, 3 << 20].map(&mut eased).contains(&true), "it goes on");
        assert_eq!([2 << 20, 2 << 20, 2 << 20, 0, 0].map(&mut eased), [true, false, false, true, false]);
    }

    #[test]
    fn when_those_who_filled_the_tables_have_left_the_tables_are_small_again() {
        let mut hub: Hub<Link<()>> = Hub::new(Limits::default());
        let (mut trim, mut now) = (Trim::default(), TRIM_EVERY);
        let mut slots = Vec::new();
        for number in 0..3000 {
            let link = Link::new((), Condition::Normal);
            let slot = hub.accept(link, RemoteAddr::Unix, Protocol::NATIVE).expect("there is room");
            let mut bytes = Vec::new();
            Request::Hello { name: &number.to_string(), token: "" }.encode(0, &mut bytes);
            Request::Join { room: &number.to_string() }.encode(0, &mut bytes);
            hub.receive(slot, &bytes);
            slots.push(slot);
        }
        trim.check(&mut hub, now);
        let before = hub.table_entries();
        assert!(!trim.eased());
        for slot in slots {
            hub.remove(slot);
        }
        while hub.owes_departures() {
            hub.begin_turn(true);
        }
        now += hub.limits().history_time;
        hub.set_time(now, 0);
        while hub.next_room_expiry().is_some() {
            hub.expire_rooms();
        }
        trim.check(&mut hub, now);
        let mut eased = vec![trim.eased()];
        for secs in 1..5 {
            trim.check(&mut hub, now + secs * TRIM_EVERY);
            eased.push(trim.eased());
        }
        assert!(eased.contains(&true) && !eased[4], "{eased:?}");
        assert!(before > 9000 && hub.table_entries() == 0, "{} of {before}", hub.table_entries());
        assert_eq!(trim.next(), None, "an idle hub is not woken");
    }
}
