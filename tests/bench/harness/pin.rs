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
    /// The words after a server's name, if it does not run on the first processor.
    pub fn words(self) -> &'static str {
        match self {
            Spot::First => "",
            Spot::All => " on all processors",
        }
    }
}

/// Where servers run. The generator always has the last processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the first processor. Servers with many threads are also measured on all processors: there they have more of
    /// them, but share one with a generator that never sleeps.
    Apart,
    /// On the first processor.
    First,
    /// Wherever the kernel puts them, also beside the generator.
    Any,
}

impl Place {
    pub fn of(word: &str) -> Result<Place, String> {
        match word {
            "apart" => Ok(Place::Apart),
            "first" => Ok(Place::First),
            "any" => Ok(Place::Any),
            _ => Err(format!("there is no place {word}; choose from apart, first, any")),
        }
    }

    /// The places where a server is measured, one after the other.
    pub fn spots(self, has_threads: bool) -> &'static [Spot] {
        match self {
            Place::Apart if has_threads => &[Spot::First, Spot::All],
            Place::Apart | Place::First => &[Spot::First],
            Place::Any => &[Spot::All],
        }
    }

    /// What it means.
    pub fn words(self) -> &'static str {
        match self {
            Place::Apart => "servers on the first; NATS also on all, with its threads, and its better figure counts",
            Place::First => "servers on the first",
            Place::Any => "servers wherever the kernel puts them",
        }
    }
}

/// The processors of the generator and of the servers.
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

    /// Moves this process, and the generators that it starts, to the generator's processor.
    pub fn enter(&self) -> Result<(), Errno> {
        sched_setaffinity(SELF, &self.generator)
    }

    /// Calls what starts a server. A child inherits the processors that its parent has at that moment.
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
