//! Machines as directory trees: each version of control groups, in a container and outside.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is removed in the end.
struct Tree(PathBuf);

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A machine with 1,000,000 KiB of memory and these files.
fn tree(files: &[(&str, &str)]) -> Tree {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let root = std::env::temp_dir().join(format!("cubbyd-machine-{}-{number}", std::process::id()));
    for (path, text) in [("proc/meminfo", "MemTotal:   1000000 kB\n")].iter().chain(files) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("it is below the root")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }
    Tree(root)
}

fn memory(files: &[(&str, &str)]) -> u64 {
    let tree = tree(files);
    Machine { root: &tree.0 }.memory().expect("the machine's, at least")
}

const MACHINE: u64 = 1_000_000 * 1024;

const TWO: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

const ONE: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                   32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                   35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

#[test]
fn a_machine_without_limits_has_its_memory() {
    assert_eq!(memory(&[]), MACHINE);
    assert_eq!(memory(&[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "max\n")]), MACHINE);
    let none = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_eq!(memory(&[("proc/self/cgroup", "4:memory:/\n"), none]), MACHINE);
    assert_eq!(Machine { root: Path::new("/nowhere") }.memory(), None);
}

#[test]
fn the_smallest_limit_from_the_own_group_to_the_root_counts() {
    let service = "sys/fs/cgroup/system.slice/cubby.service";
    let member = ("proc/self/cgroup", "0::/system.slice/cubby.service\n");
    let own = format!("{service}/memory.max");
    let high = format!("{service}/memory.high");
    let slice = ("sys/fs/cgroup/system.slice/memory.max", "50000000\n");
    for mountinfo in [("proc/self/mountinfo", TWO), ("proc/self/other", "")] {
        assert_eq!(memory(&[mountinfo, member, (&own, "67108864\n")]), 67_108_864);
        assert_eq!(memory(&[mountinfo, member, (&own, "67108864\n"), slice]), 50_000_000, "a slice above it");
        assert_eq!(memory(&[mountinfo, member, (&own, "max\n"), (&high, "33554432\n"), slice]), 33_554_432);
        assert_eq!(memory(&[mountinfo, member, ("sys/fs/cgroup/memory.max", "4096000\n")]), 4_096_000, "a container");
        assert_eq!(memory(&[mountinfo, member, ("sys/fs/cgroup/other.slice/memory.max", "4096\n")]), MACHINE);
    }
}

#[test]
fn version_1_and_both_versions_together_are_understood() {
    let one = ("proc/self/mountinfo", ONE);
    let member = ("proc/self/cgroup", "6:cpu,cpuacct:/other\n4:memory:/docker/abc\n1:name=systemd:/docker/abc\n");
    let own = ("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "67108864\n");
    let above = ("sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "1000000\n");
    assert_eq!(memory(&[one, member, own]), 67_108_864);
    assert_eq!(memory(&[one, member, own, above]), 1_000_000);
    assert_eq!(memory(&[member, own]), 67_108_864, "where it usually is");
    let both = ONE.to_owned() + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let hybrid = ("proc/self/mountinfo", both.as_str());
    let member = ("proc/self/cgroup", "4:memory:/docker/abc\n0::/docker/abc\n");
    assert_eq!(memory(&[hybrid, member, own]), 67_108_864);
    let two = ("sys/fs/cgroup/unified/docker/abc/memory.max", "2000000\n");
    assert_eq!(memory(&[hybrid, member, own, two]), 2_000_000);
    let alone = "40 31 0:32 / /groups\\040of\\040it rw - cgroup cgroup rw,memory\n";
    let own = ("groups of it/docker/abc/memory.limit_in_bytes", "3000000\n");
    assert_eq!(memory(&[("proc/self/mountinfo", alone), member, own]), 3_000_000, "it is elsewhere");
}

#[test]
fn a_container_that_shows_its_own_group_as_the_root_is_understood() {
    let mountinfo = ONE.replace("0:32 / /", "0:32 /docker/abc /");
    let one = ("proc/self/mountinfo", mountinfo.as_str());
    let own = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
    for path in ["/docker/abc", "/docker/abc/gone", "/elsewhere", "/../other", "/"] {
        let member = format!("4:memory:{path}\n");
        assert_eq!(memory(&[one, ("proc/self/cgroup", &member), own]), 67_108_864, "{path}");
    }
    let member = ("proc/self/cgroup", "4:memory:/docker/abc/inner\n");
    let inner = ("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "1000000\n");
    assert_eq!(memory(&[one, member, own, inner]), 1_000_000);
    let outside = ("proc/self/cgroup", "0::/../../other\n");
    let own = ("sys/fs/cgroup/memory.max", "5000000\n");
    assert_eq!(memory(&[("proc/self/mountinfo", TWO), outside, own]), 5_000_000);
}

#[test]
fn descriptors_and_threads_have_limits_elsewhere_too() {
    let tree = tree(&[
        ("proc/sys/fs/file-max", "9223372036854775807\n"),
        ("proc/sys/fs/epoll/max_user_watches", "14000\n"),
        ("proc/self/cgroup", "0::/a/b\n"),
        ("sys/fs/cgroup/a/pids.max", "33\n"),
        ("sys/fs/cgroup/a/b/pids.max", "max\n"),
    ]);
    let machine = Machine { root: &tree.0 };
    assert_eq!((machine.descriptors(), machine.threads()), (Some(14_000), Some(33)));
    let none = Machine { root: Path::new("/nowhere") };
    assert_eq!((none.descriptors(), none.threads()), (None, None));
}

#[test]
fn what_no_system_writes_is_passed_over() {
    for text in ["", "::", "0:", "x", "0::", "4:memory", "- - -", "a - cgroup2", "1 2 3 4 5 - cgroup2"] {
        assert_eq!(memory(&[("proc/self/cgroup", text), ("proc/self/mountinfo", text)]), MACHINE, "{text}");
    }
    assert_eq!(unescaped("a\\040b\\\\9\\134"), Path::new("a b\\\\9\\"));
}
