//! What is measured: a list of cases, for the clock and for the counter of instructions.

use crate::{crowd, wire};
use std::fmt;

/// One thing to measure.
pub struct Case {
    /// What it is, unlike any other.
    pub name: String,
    /// Messages that one round is about.
    pub messages: usize,
    /// Receivers of each; 0 where none is received.
    pub receivers: usize,
    make: Box<dyn Fn() -> Round + Send + Sync>,
}

/// What is measured of a case. It may be called as often as one likes, and does the same each time.
pub type Round = Box<dyn FnMut()>;

impl Case {
    /// A case of so many messages a round, each to so many receivers; `make` makes ready for it.
    pub fn new(
        name: String,
        [messages, receivers]: [usize; 2],
        make: impl Fn() -> Round + Send + Sync + 'static,
    ) -> Case {
        Case { name, messages, receivers, make: Box::new(make) }
    }

    /// Makes ready for it.
    pub fn prepare(&self) -> Round {
        (self.make)()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Every case.
pub fn all() -> Vec<Case> {
    [wire::decode(), wire::encode(), crowd::relay(), crowd::publish(), crowd::send()].into_iter().flatten().collect()
}

/// A number of bytes as people write it.
pub fn bytes(count: usize) -> String {
    if count < 1024 { format!("{count} B") } else { format!("{} KiB", count / 1024) }
}
