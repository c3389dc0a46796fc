//! A server in a process of its own, started in a directory of its own and ended with its value.

use super::generator::Target;
use super::pin::{Layout, Spot};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a server may take until it accepts connections.
const START: Duration = Duration::from_secs(10);

/// A running server. It ends with this value, also in a panic.
pub struct Server {
    child: Child,
    dir: PathBuf,
    pub address: String,
}

impl Server {
    /// Starts a server on a free port of the loopback, and waits until it accepts connections. `command` gets the port,
    /// and a directory that the server may write to.
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
        let mut server = Server { child, dir, address: format!("127.0.0.1:{port}") };
        server.wait_until_it_accepts(port)?;
        Ok(server)
    }

    fn wait_until_it_accepts(&mut self, port: u16) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended at once, with {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("the server accepts no connection after {} s", START.as_secs()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The server, as the generator addresses it.
    pub fn target<'a>(&'a self, protocol: &'a str) -> Target<'a> {
        Target { protocol, address: &self.address, pid: self.child.id() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and its directory may be empty.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A port that nobody listens on at this moment.
fn free_port() -> u16 {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has free ports");
    probe.local_addr().expect("it is bound").port()
}
