//! Which processors the generator and the servers run on.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// This process, to the kernel.
const SELF: Pid = Pid::from_raw(0);

/// Where servers run; the generator is always on the last processor alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the first processor, but for those that have threads for all: these are on all.
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

    /// What it means, in words.
    pub fn words(self) -> &'static str {
        match self {
            Place::Apart => "servers on the first, NATS with its threads on all",
            Place::First => "servers on the first, NATS as well",
            Place::Any => "servers wherever the kernel puts them",
        }
    }
}

/// Who runs where.
pub struct Layout {
    place: Place,
    generator: CpuSet,
    first: CpuSet,
    all: CpuSet,
}

impl Layout {
    pub fn new(place: Place) -> Result<Layout, Errno> {
        let all = sched_getaffinity(SELF)?;
        let numbers: Vec<usize> = (0..CpuSet::count()).filter(|number| all.is_set(*number) == Ok(true)).collect();
        let one = |number: Option<&usize>| {
            let mut set = CpuSet::new();
            number.map_or(Ok(()), |number| set.set(*number)).map(|()| set)
        };
        Ok(Layout { place, generator: one(numbers.last())?, first: one(numbers.first())?, all })
    }

    /// From now on this process is the generator.
    pub fn enter(&self) -> Result<(), Errno> {
        sched_setaffinity(SELF, &self.generator)
    }

    /// Does what starts a server: a child runs where its parent does at that moment.
    pub fn as_server<T>(&self, has_threads: bool, start: impl FnOnce() -> T) -> Result<T, Errno> {
        let anywhere = self.place == Place::Any || has_threads && self.place == Place::Apart;
        sched_setaffinity(SELF, if anywhere { &self.all } else { &self.first })?;
        let started = start();
        self.enter()?;
        Ok(started)
    }
}
