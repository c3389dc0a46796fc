//! What the system allows this process: memory, descriptors, threads. Limits of its control groups count, and those of
//! the process, beside what the machine has. What applies is the smallest of them.

use rlimit::Resource;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The system, as its files show it.
pub struct Machine<'p> {
    /// The directory that has `proc` and `sys`: the root, or one that a test has made.
    root: &'p Path,
}

/// A version of control groups.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Each controller has a tree of groups, or shares one with others.
    One,
    /// All controllers have one tree.
    Two,
}

impl Machine<'static> {
    /// The one that this process runs on.
    pub fn this() -> Machine<'static> {
        Machine { root: Path::new("/") }
    }
}

impl Machine<'_> {
    /// Bytes of memory that this process may have; `None` if the system does not say.
    pub fn memory(&self) -> Option<u64> {
        let meminfo = self.read("proc/meminfo");
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
        let machine = total.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).map(|kilobytes| kilobytes * 1024);
        // A group over its high limit is not killed, but slowed down until it is hardly of use.
        let groups = self.limits_of_groups("memory", &["memory.max", "memory.high", "memory.limit_in_bytes"]);
        machine.into_iter().chain(groups).min()
    }

    /// Descriptors that all processes together may have, or that may be watched for one user, if that is less.
    pub fn descriptors(&self) -> Option<u64> {
        let files = ["proc/sys/fs/file-max", "proc/sys/fs/epoll/max_user_watches"];
        files.iter().filter_map(|file| self.read(file).trim().parse().ok()).min()
    }

    /// Threads that the control groups of this process may have; `None` if there is no such limit.
    pub fn threads(&self) -> Option<u64> {
        self.limits_of_groups("pids", &["pids.max"]).min()
    }

    fn read(&self, path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }

    /// The numbers in these files of every group of a controller that this process is in. A file without a limit holds
    /// the word "max", or a very large number.
    fn limits_of_groups(&self, controller: &str, files: &[&str]) -> impl Iterator<Item = u64> {
        let read = |dir: &PathBuf| files.iter().filter_map(|file| self.read(dir.join(file)).trim().parse().ok()).min();
        let limits: Vec<u64> = self.groups(controller).iter().filter_map(read).collect();
        limits.into_iter()
    }

    /// The directories of the groups of a controller that this process is in, below the root. Those above a group
    /// count, because they limit all that is in it. A container may not show all of them.
    fn groups(&self, controller: &str) -> Vec<PathBuf> {
        let mounts = self.mounts(controller);
        let (memberships, mut groups) = (self.read("proc/self/cgroup"), Vec::new());
        for (version, group) in memberships.lines().filter_map(|line| membership(line, controller)) {
            for mount in mounts.iter().filter(|mount| mount.version == version) {
                // A container sees its own group as the root, though the path of the group is still that outside of it.
                let below = group.strip_prefix(&mount.group).or_else(|_| group.strip_prefix("/")).unwrap_or(group);
                let is_plain = !below.components().any(|part| part == std::path::Component::ParentDir);
                groups.extend(below.ancestors().filter(|_| is_plain).map(|part| mount.dir.join(part)));
            }
        }
        groups.extend(mounts.into_iter().map(|mount| mount.dir));
        groups
    }

    /// Where the groups of a controller are shown. If the system does not say, they are where it shows them usually.
    fn mounts(&self, controller: &str) -> Vec<Mount> {
        let mountinfo = self.read("proc/self/mountinfo");
        let mounts: Vec<Mount> = mountinfo.lines().filter_map(|line| Mount::parse(line, controller)).collect();
        if !mounts.is_empty() {
            return mounts;
        }
        let usual = |version, dir: &str| Mount { version, group: "/".into(), dir: dir.into() };
        let one = format!("sys/fs/cgroup/{controller}");
        vec![usual(Version::Two, "sys/fs/cgroup"), usual(Version::One, &one)]
    }
}

/// A place where a tree of groups is shown.
struct Mount {
    version: Version,
    /// The group that is shown there, with those in it.
    group: PathBuf,
    /// The place, below the root.
    dir: PathBuf,
}

impl Mount {
    /// Reads a line of `mountinfo`: `ID PARENT DEVICE GROUP DIR OPTIONS … - TYPE SOURCE OPTIONS`.
    fn parse(line: &str, controller: &str) -> Option<Mount> {
        let (place, kind) = line.split_once(" - ")?;
        let (mut place, mut kind) = (place.split(' ').skip(3), kind.split(' '));
        let (group, dir) = (unescaped(place.next()?), unescaped(place.next()?));
        let version = match (kind.next()?, kind.nth(1)) {
            ("cgroup2", _) => Version::Two,
            ("cgroup", Some(options)) if options.split(',').any(|option| option == controller) => Version::One,
            _ => return None,
        };
        Some(Mount { version, group, dir: dir.strip_prefix("/").ok()?.to_owned() })
    }
}

/// Reads a line of `/proc/self/cgroup`: `ID:CONTROLLERS:GROUP`. Version 2 names no controllers.
fn membership<'l>(line: &'l str, controller: &str) -> Option<(Version, &'l Path)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, group) = (parts.next()?, parts.next()?);
    let version = if controllers.is_empty() { Version::Two } else { Version::One };
    let concerns = version == Version::Two || controllers.split(',').any(|name| name == controller);
    concerns.then_some((version, Path::new(group)))
}

/// A path in which the system has written spaces and the like as `\` and three octal digits.
fn unescaped(text: &str) -> PathBuf {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let code = piece.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.extend(code.or(Some(b'\\')));
        bytes.extend_from_slice(piece.get(if code.is_some() { 3 } else { 0 }..).unwrap_or_default().as_bytes());
    }
    OsString::from_vec(bytes).into()
}

/// Bytes of memory that this process may have, by its own limits as well; `None` if the system does not say.
pub fn memory() -> Option<u64> {
    let own = [Resource::AS, Resource::DATA].into_iter().filter_map(|limit| limit.get_soft().ok());
    own.chain(Machine::this().memory()).min().filter(|&bytes| bytes != rlimit::INFINITY)
}

/// What to say if a thread cannot be started.
pub fn thread_error(error: &std::io::Error) -> String {
    let own = Resource::NPROC.get_soft().ok().filter(|&limit| limit != rlimit::INFINITY);
    let limit = Machine::this().threads().into_iter().chain(own).min();
    let limit = limit.map(|limit| format!(" above {limit}")).unwrap_or_default();
    format!("cannot start a thread: {error}; raise the limit of threads{limit} (TasksMax, pids.max or ulimit -u)")
}

#[cfg(test)]
mod tests;
