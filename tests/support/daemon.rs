//! A daemon for one test, and the kernel's data about its process.

use super::Raw;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};

/// A daemon for one test. It is killed when this value is dropped.
pub struct Daemon {
    child: Child,
    /// The lines that it printed, without `listening on `.
    pub addresses: Vec<String>,
}

impl Daemon {
    /// Starts one with default limits on a free port.
    pub fn start() -> Daemon {
        Daemon::with(&["--listen", "127.0.0.1:0"])
    }

    /// Starts one with these arguments, and waits until it listens on each given address.
    pub fn with(arguments: &[&str]) -> Daemon {
        let is_address = |argument: &&&str| matches!(**argument, "--listen" | "--ws");
        Daemon::run(daemon(arguments), arguments.iter().filter(is_address).count())
    }

    /// Starts one by this command, which listens on `expected` addresses.
    pub fn run(mut command: Command, expected: usize) -> Daemon {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubbyd starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let addresses: Vec<String> =
            stdout.lines().take(expected).map(|line| listening(&line.expect("a line"))).collect();
        assert_eq!(addresses.len(), expected, "cubbyd said where it listens");
        Daemon { child, addresses }
    }

    pub fn connect(&self) -> Raw {
        Raw::connect(&self.addresses[0])
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. Returns its exit code and the rest of its standard error.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.stderr().read_to_string(&mut said).expect("its standard error is text");
        let code = self.child.wait().expect("it was started").code();
        (code, said)
    }

    pub fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("piped, and taken once")
    }

    /// A file of /proc/PID.
    pub fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("it runs")
    }

    /// The number of files in a directory of /proc/PID.
    pub fn proc_file_count(&self, name: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{name}", self.child.id())).expect("it runs").count()
    }

    /// A number from /proc/PID/status, such as `VmHWM` in kB.
    pub fn status(&self, field: &str) -> u64 {
        let status = self.proc_file("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).expect("such a field");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that the test started.
pub fn signal(pid: u32, name: &str) {
    // The shell's own `kill`: a small machine may have no other.
    let sent = Command::new("sh").args(["-c", &format!("kill -s {name} {pid}")]).status().expect("a shell runs");
    assert!(sent.success());
}

fn listening(line: &str) -> String {
    line.strip_prefix("listening on ").expect("the line that says where").to_owned()
}

/// `cubbyd` with these arguments, not started yet.
pub fn daemon(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cubbyd"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// `cubby` with these arguments, not started yet.
pub fn cubby(hub: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cubby"));
    command.args(arguments).env("CUBBY_HUB", hub);
    command
}

/// Raises this process's descriptor limit to the maximum, and checks that it is enough.
pub fn need_descriptors(count: u64) {
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be read");
    assert!(limit >= count, "this needs {count} descriptors; `ulimit -Hn` says {limit}");
}
