//! The cases that are measured, by the clock or by counting instructions.

use crate::{crowd, wire};
use std::fmt;

/// One thing to measure.
pub struct Case {
    /// Its unique name.
    pub name: String,
    /// Messages of one round.
    pub messages: usize,
    /// Receivers of each message; 0 if none is delivered.
    pub receivers: usize,
    make: Box<dyn Fn() -> Round + Send + Sync>,
}

/// The part of a case that is measured. It does the same at each call.
pub type Round = Box<dyn FnMut()>;

impl Case {
    /// A case of these messages a round, each to these receivers. `make` prepares it.
    pub fn new(
        name: String,
        [messages, receivers]: [usize; 2],
        make: impl Fn() -> Round + Send + Sync + 'static,
    ) -> Case {
        Case { name, messages, receivers, make: Box::new(make) }
    }

    /// Prepares the case.
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

/// A number of bytes, for people.
pub fn bytes(count: usize) -> String {
    if count < 1024 { format!("{count} B") } else { format!("{} KiB", count / 1024) }
}
