//! The memory of all outboxes: spare runs for the next outbox that needs one, and the count of what outboxes hold.

use crate::limits::{RUN_ROOM, SPARE_PARTS, SPARE_RUNS};

/// Where outboxes take their runs from, and where they return them.
#[derive(Debug)]
pub struct Pool {
    spare: Vec<Vec<u8>>,
    /// Bytes of capacity in `spare`; never over `most_spare`.
    spare_bytes: usize,
    /// A spare run that is large counts in full for an outbox that needs a small one, so there are fewer of them if
    /// there is less memory.
    most_spare: usize,
    /// How many runs at the bottom of `spare` no outbox has needed since the last [`trim`](Pool::trim).
    unused: usize,
    /// Bytes of memory that all outboxes hold. Sent bytes count while something of the same segment is unsent. A
    /// shared frame counts once.
    held: usize,
    /// About the most that `held` was since the last [`trim`](Pool::trim).
    most_held: usize,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::new(usize::MAX)
    }
}

impl Pool {
    /// A pool for outboxes that may take so much memory.
    pub fn new(memory: usize) -> Pool {
        let most_spare = SPARE_RUNS.min(memory / SPARE_PARTS);
        Pool { spare: Vec::new(), spare_bytes: 0, most_spare, unused: 0, held: 0, most_held: 0 }
    }

    /// Bytes of memory that all outboxes hold.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Notes that an outbox holds more memory.
    pub(super) fn grow(&mut self, bytes: usize) {
        self.held += bytes;
        self.most_held = self.most_held.max(self.held);
    }

    /// Notes that an outbox holds less memory.
    pub(super) fn shrink(&mut self, bytes: usize) {
        self.held -= bytes;
    }

    /// An empty run, which the outbox holds from now on.
    pub(super) fn take_run(&mut self) -> Vec<u8> {
        let spare = self.spare.pop().inspect(|run| self.spare_bytes -= run.capacity());
        self.unused = self.unused.min(self.spare.len());
        let run = spare.unwrap_or_else(|| Vec::with_capacity(RUN_ROOM));
        self.held += run.capacity();
        run
    }

    /// Takes a run back from an outbox. It is kept as a spare one if there is room.
    pub(super) fn return_run(&mut self, mut run: Vec<u8>) {
        self.held -= run.capacity();
        let spare_bytes = self.spare_bytes + run.capacity();
        if run.capacity() >= RUN_ROOM && spare_bytes <= self.most_spare {
            run.clear();
            self.spare_bytes = spare_bytes;
            self.spare.push(run);
        }
    }

    /// Whether there is anything to [trim](Pool::trim).
    pub fn has_spare(&self) -> bool {
        !self.spare.is_empty()
    }

    /// Frees the runs that no outbox has needed since the last call. Returns the most that all outboxes held meanwhile,
    /// in bytes.
    pub fn trim(&mut self) -> usize {
        self.spare_bytes -= self.spare.drain(..self.unused).map(|run| run.capacity()).sum::<usize>();
        self.unused = self.spare.len();
        std::mem::replace(&mut self.most_held, self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RUN_FULL;

    #[test]
    fn spare_runs_are_bounded() {
        let mut pool = Pool::default();
        for _ in 0..100 {
            let run = Vec::with_capacity(RUN_FULL);
            pool.held += run.capacity();
            pool.return_run(run);
        }
        assert!(pool.held == 0 && pool.spare_bytes <= SPARE_RUNS);
        let kept = pool.spare.iter().map(Vec::capacity).sum::<usize>();
        assert_eq!(kept, pool.spare_bytes);
    }
}
