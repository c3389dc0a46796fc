//! What the last wait reported: the edges, whether more are left in the system, and whether a turn was asked for.

use super::os::{Edge, Os};
use crate::limits::{MAX_TURNS_BEHIND, OVERSLEEP};
use std::io;
use std::time::Duration;

/// The outcome of the last wait.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    pub(super) edges: Vec<Edge>,
    /// A waker or a descriptor of the host asked for this turn.
    woken: bool,
    /// More edges are left in the system than one wait could take.
    more: bool,
    /// The number of consecutive turns for which this has been true.
    turns_behind: u32,
}

impl Readiness {
    /// Waits for edges, at most `timeout` from `now`. If a wait lasts much too long, the whole process was suspended.
    /// Then this polls once more, because input that arrived meanwhile must be seen before any link is closed as idle.
    pub(super) fn wait(&mut self, os: &mut impl Os, timeout: Option<Duration>, now: Duration) -> io::Result<()> {
        self.edges.clear();
        self.more = os.wait(timeout, &mut self.edges)?;
        if self.edges.is_empty() && timeout.is_some_and(|timeout| os.now() > now + timeout + OVERSLEEP) {
            self.more = os.wait(Some(Duration::ZERO), &mut self.edges)?;
        }
        self.turns_behind = if self.more { self.turns_behind.saturating_add(1) } else { 0 };
        self.woken = self.edges.contains(&Edge::Woken);
        Ok(())
    }

    /// Whether the next wait will have edges at once.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    pub(super) fn was_woken(&self) -> bool {
        self.woken
    }

    /// Whether edges are left in the system which may show that a link is neither idle nor slow. After some turns all
    /// edges of one moment have come, so this ends even if there are always more.
    pub(super) fn is_behind(&self) -> bool {
        (1..MAX_TURNS_BEHIND).contains(&self.turns_behind)
    }
}
