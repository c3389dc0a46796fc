//! A server in a process of its own: started, ended, and what the kernel says of it. It speaks to none.

use crate::load::process_time;
use crate::pin::{Layout, Spot};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a server may take to accept.
const START: Duration = Duration::from_secs(10);

/// A server of our own, ended with this value, also where a panic ends it.
pub struct Server {
    child: Child,
    dir: PathBuf,
    pub port: u16,
}

impl Server {
    /// Starts one on a free port of the loopback, in a directory of its own, and waits until it accepts. `command` says
    /// how one is started that is to listen on this port and may write to this directory.
    pub fn start(layout: &Layout, spot: Spot, command: impl FnOnce(u16, &Path) -> Command) -> Result<Server, String> {
        let port = free_port();
        let dir = env::temp_dir().join(format!("cubby-bench-{}-{port}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| format!("can not make {}: {error}", dir.display()))?;
        let mut command = command(port, &dir);
        command.current_dir(&dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = layout
            .as_server(spot, || command.spawn())
            .map_err(|error| format!("can not choose a processor: {error}"))?
            .map_err(|error| format!("{} does not start: {error}", command.get_program().display()))?;
        let mut server = Server { child, dir, port };
        server.wait_until_it_accepts()?;
        Ok(server)
    }

    fn wait_until_it_accepts(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended at once, with {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("it does not accept after {} s", START.as_secs()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What it has used of the processor so far, threads that are over included.
    pub fn processor_secs(&self) -> Result<f64, String> {
        process_time(self.child.id())
            .map(|used| used.as_secs_f64())
            .map_err(|error| format!("the kernel does not tell its processor time: {error}"))
    }

    /// Bytes of memory that it has: `VmRSS`, or `VmHWM` for the most that it had.
    pub fn memory(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kilobytes.expect("the server runs") * 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; its directory may hold nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// One that nobody listens on at this moment.
fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has free ports");
    probe.local_addr().expect("it is bound").port()
}
