//! Shared by the test programs and the benchmarks: daemons, clients that use literal bytes, and proxies. Each program
//! includes this module once and uses what it needs.

#![allow(dead_code, unused_imports, reason = "each program uses a part of it")]

mod daemon;
mod frames;
pub mod install;
mod memory;
pub mod proxy;
mod raw;
#[cfg(feature = "ws")]
pub mod web;

pub use daemon::{Daemon, cubby, daemon, need_descriptors, signal};
pub use frames::*;
pub use memory::{four_hundred_announced_megabytes, megabyte_to_255_who_do_not_read};
pub use raw::Raw;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for an answer. It is far longer than any answer takes, so it expires only if an answer is
/// lost.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a command to its end, with this on its standard input.
pub fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // A command that does not read its input may have ended.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it was started")
}

/// Calls `ask` until it returns a value, and panics after a time that is far longer than any answer takes.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A path that no other test has, removed with it.
pub struct TempPath(pub PathBuf);

impl TempPath {
    pub fn new(name: &str) -> TempPath {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        TempPath(std::env::temp_dir().join(format!("cubby-test-{}-{number}-{name}", std::process::id())))
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("a path of our own making")
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        // It may be a file or a directory, or may not exist.
        let _ = std::fs::remove_file(&self.0).or_else(|_| std::fs::remove_dir_all(&self.0));
    }
}
