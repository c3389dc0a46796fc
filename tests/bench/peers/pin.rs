//! Which processors the generator and the servers run on.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// This process, to the kernel.
const SELF: Pid = Pid::from_raw(0);

/// Where one server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// On the first processor alone.
    First,
    /// On all, beside the generator as well.
    All,
}

impl Spot {
    /// What is said of it after a hub's name, where it is not the first processor.
    pub fn words(self) -> &'static str {
        match self {
            Spot::First => "",
            Spot::All => " on all processors",
        }
    }
}

/// Where servers run; the generator is always on the last processor alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the first processor; those that have threads for all are measured there, and on all as well: on all they have
    /// more, but share a processor with a generator that never sleeps.
    Apart,
    /// On the first processor, whatever they have.
    First,
    /// Wherever the kernel puts them, beside the generator as well.
    Any,
}

impl Place {
    pub fn of(word: &str) -> Result<Place, String> {
        match word {
            "apart" => Ok(Place::Apart),
            "first" => Ok(Place::First),
            "any" => Ok(Place::Any),
            _ => Err(format!("{word} is no place; apart, first and any are")),
        }
    }

    /// Where a server is measured, one after the other.
    pub fn spots(self, has_threads: bool) -> &'static [Spot] {
        match self {
            Place::Apart if has_threads => &[Spot::First, Spot::All],
            Place::Apart | Place::First => &[Spot::First],
            Place::Any => &[Spot::All],
        }
    }

    /// What it means, in words.
    pub fn words(self) -> &'static str {
        match self {
            Place::Apart => "servers on the first; NATS there, and with its threads on all as well: its better figures",
            Place::First => "servers on the first, NATS as well",
            Place::Any => "servers wherever the kernel puts them",
        }
    }
}

/// Who runs where.
pub struct Layout {
    generator: CpuSet,
    first: CpuSet,
    all: CpuSet,
}

impl Layout {
    pub fn new() -> Result<Layout, Errno> {
        let all = sched_getaffinity(SELF)?;
        let numbers: Vec<usize> = (0..CpuSet::count()).filter(|number| all.is_set(*number) == Ok(true)).collect();
        let one = |number: Option<&usize>| {
            let mut set = CpuSet::new();
            number.map_or(Ok(()), |number| set.set(*number)).map(|()| set)
        };
        Ok(Layout { generator: one(numbers.last())?, first: one(numbers.first())?, all })
    }

    /// From now on this process is the generator.
    pub fn enter(&self) -> Result<(), Errno> {
        sched_setaffinity(SELF, &self.generator)
    }

    /// Does what starts a server: a child runs where its parent does at that moment.
    pub fn as_server<T>(&self, spot: Spot, start: impl FnOnce() -> T) -> Result<T, Errno> {
        let set = match spot {
            Spot::First => &self.first,
            Spot::All => &self.all,
        };
        sched_setaffinity(SELF, set)?;
        let started = start();
        self.enter()?;
        Ok(started)
    }
}
