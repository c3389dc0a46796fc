//! Which processors the generator and the servers run on.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// This process, to the kernel.
const SELF: Pid = Pid::from_raw(0);

/// Who runs where.
pub struct Layout {
    generator: CpuSet,
    servers: CpuSet,
}

impl Layout {
    /// The generator on the last processor that there is; a server on the first, or on all of them.
    pub fn new(servers_anywhere: bool) -> Result<Layout, Errno> {
        let all = sched_getaffinity(SELF)?;
        let numbers: Vec<usize> = (0..CpuSet::count()).filter(|number| all.is_set(*number) == Ok(true)).collect();
        let one = |number: Option<&usize>| {
            let mut set = CpuSet::new();
            number.map_or(Ok(()), |number| set.set(*number)).map(|()| set)
        };
        let servers = if servers_anywhere { all } else { one(numbers.first())? };
        Ok(Layout { generator: one(numbers.last())?, servers })
    }

    /// From now on this process is the generator.
    pub fn enter(&self) -> Result<(), Errno> {
        sched_setaffinity(SELF, &self.generator)
    }

    /// Does what starts a server: a child runs where its parent does at that moment.
    pub fn as_server<T>(&self, start: impl FnOnce() -> T) -> Result<T, Errno> {
        sched_setaffinity(SELF, &self.servers)?;
        let started = start();
        self.enter()?;
        Ok(started)
    }
}
