//! When to try again after the hub went away, and when to give up.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The pause before the first attempt to connect again. It doubles with each further attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// When the hub was lost and found, and how long the chat still tries.
pub struct Outage {
    /// The pause before the next attempt.
    pause: Duration,
    connected_at: Instant,
    lost_at: Instant,
    /// When to give up. It is set once nothing more will be typed.
    give_up_at: Option<Instant>,
}

impl Outage {
    pub fn new() -> Outage {
        Outage { pause: FIRST_PAUSE, connected_at: Instant::now(), lost_at: Instant::now(), give_up_at: None }
    }

    pub fn lost(&mut self) {
        self.lost_at = Instant::now();
    }

    pub fn connected(&mut self) {
        self.connected_at = Instant::now();
    }

    /// How long the hub has been away.
    pub fn duration(&self) -> Duration {
        self.lost_at.elapsed()
    }

    /// Begins with the shortest pause again, if the last connection lasted for a while.
    pub fn reset_pause(&mut self) {
        if self.connected_at.elapsed() > LONGEST_PAUSE {
            self.pause = FIRST_PAUSE;
        }
    }

    /// The pause before the next attempt: a random time from half of the pause to all of it, so that the clients of one
    /// hub do not all return at the same moment.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (2 * pause).min(LONGEST_PAUSE);
        // The keys of a new hasher are random enough for this.
        let random = RandomState::new().hash_one(()) % 1000;
        pause / 2 + pause / 2 * random as u32 / 1000
    }

    /// Nothing more will be typed: give up after `patience`.
    pub fn give_up_after(&mut self, patience: Duration) {
        self.give_up_at = Some(Instant::now() + patience);
    }

    /// Whether nothing more will be typed.
    pub fn is_input_over(&self) -> bool {
        self.give_up_at.is_some()
    }

    /// Whether it is time to give up.
    pub fn is_hopeless(&self) -> bool {
        self.give_up_at.is_some_and(|at| Instant::now() >= at)
    }
}
