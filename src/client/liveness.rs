//! Watches whether a hub is still there: when to ask it, and when its silence means that the connection is lost. It
//! reads and writes nothing itself.

use std::time::{Duration, Instant};

/// The heartbeat to expect of a hub that says that it has none. Such a hub may be silent for ever, but it answers a
/// PING.
const ASSUMED_HEARTBEAT: Duration = Duration::from_secs(30);

/// When the hub was heard, and whether it was asked since.
#[derive(Debug)]
pub struct Liveness {
    heartbeat: Duration,
    heard_at: Instant,
    /// When the hub was asked, if nothing was heard since.
    asked_at: Option<Instant>,
}

/// What the silence of a hub means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing, for at least this long, which is never zero.
    Usual(Duration),
    /// The hub has missed a heartbeat: ask whether it is still there.
    Ask,
    /// It was asked and did not answer: the connection is lost. It was silent for this long.
    Lost(Duration),
}

impl Liveness {
    /// The watch of a connection to a hub with this heartbeat (zero: it has none).
    pub fn new(heartbeat: Duration) -> Liveness {
        let heartbeat = if heartbeat.is_zero() { ASSUMED_HEARTBEAT } else { heartbeat };
        Liveness { heartbeat, heard_at: Instant::now(), asked_at: None }
    }

    /// Something has arrived.
    pub fn heard(&mut self) {
        self.heard_at = Instant::now();
        self.asked_at = None;
    }

    /// The hub was asked.
    pub fn asked(&mut self) {
        self.asked_at = Some(Instant::now());
    }

    /// What the silence means at this moment: after two heartbeats the hub is asked, and it has one more to answer.
    pub fn check(&self, now: Instant) -> Silence {
        let (since, allowed) = match self.asked_at {
            Some(asked_at) => (asked_at, self.heartbeat),
            None => (self.heard_at, 2 * self.heartbeat),
        };
        match (allowed.saturating_sub(now.saturating_duration_since(since)), self.asked_at) {
            (Duration::ZERO, Some(_)) => Silence::Lost(now.saturating_duration_since(self.heard_at)),
            (Duration::ZERO, None) => Silence::Ask,
            (left, _) => Silence::Usual(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_silent_hub_is_asked_after_two_heartbeats_and_lost_after_one_more() {
        let mut liveness = Liveness::new(seconds(10));
        let begun = liveness.heard_at;
        assert_eq!(liveness.check(begun + seconds(19)), Silence::Usual(seconds(1)));
        assert_eq!(liveness.check(begun + seconds(20)), Silence::Ask);
        // A program may come late to ask: the hub has a whole heartbeat from then on.
        assert_eq!(liveness.check(begun + seconds(500)), Silence::Ask);
        liveness.asked_at = Some(begun + seconds(500));
        assert_eq!(liveness.check(begun + seconds(509)), Silence::Usual(seconds(1)));
        assert_eq!(liveness.check(begun + seconds(510)), Silence::Lost(seconds(510)));
        liveness.heard();
        assert_eq!(liveness.check(liveness.heard_at), Silence::Usual(seconds(20)));
    }

    #[test]
    fn a_hub_without_heartbeats_is_asked_as_well() {
        let liveness = Liveness::new(Duration::ZERO);
        assert_eq!(liveness.check(liveness.heard_at), Silence::Usual(2 * ASSUMED_HEARTBEAT));
        assert_eq!(liveness.check(liveness.heard_at + 2 * ASSUMED_HEARTBEAT), Silence::Ask);
    }
}
