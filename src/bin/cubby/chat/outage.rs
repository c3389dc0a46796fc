//! When the chat tries again after the hub went away, and when it gives up.

use crate::retry::Pauses;
use std::time::{Duration, Instant};

/// When the hub was lost and found, and how long the chat still tries.
pub struct Outage {
    pub pauses: Pauses,
    lost_at: Instant,
    /// When to give up. It is set once nothing more will be typed.
    give_up_at: Option<Instant>,
}

impl Outage {
    pub fn new() -> Outage {
        Outage { pauses: Pauses::new(), lost_at: Instant::now(), give_up_at: None }
    }

    pub fn lost(&mut self) {
        self.lost_at = Instant::now();
    }

    /// How long the hub has been away.
    pub fn duration(&self) -> Duration {
        self.lost_at.elapsed()
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
