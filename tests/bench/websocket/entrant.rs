//! The servers that are compared: where each is found or installed from, how it is started, and its protocol.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// A server that is compared, in one of its protocols, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entrant {
    Native,
    Binary,
    Json,
    Ws,
    Websockets,
}

pub const ALL: [Entrant; 5] = [Entrant::Native, Entrant::Binary, Entrant::Json, Entrant::Ws, Entrant::Websockets];

/// The directory of the other servers.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/websocket");

impl Entrant {
    pub fn key(self) -> &'static str {
        match self {
            Entrant::Native => "cubby, native",
            Entrant::Binary => "cubby, binary",
            Entrant::Json => "cubby, JSON",
            Entrant::Ws => "ws (Node.js)",
            Entrant::Websockets => "websockets (Python)",
        }
    }

    /// The protocol that `cubby bench` drives it with.
    pub fn protocol(self) -> &'static str {
        match self {
            Entrant::Native => "native",
            Entrant::Binary => "ws",
            Entrant::Json | Entrant::Ws | Entrant::Websockets => "json",
        }
    }

    /// Whether Cubby should be ahead of it.
    pub fn is_rival(self) -> bool {
        matches!(self, Entrant::Ws | Entrant::Websockets)
    }

    /// The interpreter, the program, and the arguments that print the version of the package that it needs.
    fn script(self) -> Option<(&'static str, &'static str, [&'static str; 2])> {
        match self {
            Entrant::Ws => Some(("node", "ws.js", ["-p", "require('ws/package.json').version"])),
            Entrant::Websockets => {
                Some(("python3", "rooms.py", ["-c", "import websockets; print(websockets.__version__)"]))
            }
            Entrant::Native | Entrant::Binary | Entrant::Json => None,
        }
    }

    /// The command that installs the package into a directory.
    fn install(self, dir: &Path) -> Option<Command> {
        let (program, arguments): (_, &[&str]) = match self {
            Entrant::Ws => ("npm", &["install", "--silent", "--no-save", "ws", "--prefix"]),
            Entrant::Websockets => ("python3", &["-m", "pip", "install", "--quiet", "websockets", "--target"]),
            Entrant::Native | Entrant::Binary | Entrant::Json => return None,
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(dir).current_dir(dir);
        Some(command)
    }

    /// Installs what it needs, if that is missing, and returns its version; or why it must be left out.
    pub fn prepare(self, packages: &Packages) -> Result<String, String> {
        let Some((interpreter, _, version)) = self.script() else {
            let mut cubbyd = Command::new(cubbyd()?);
            return said(cubbyd.arg("--version")).ok_or_else(|| "cubbyd does not run".to_owned());
        };
        let version = || said(packages.command(interpreter).args(version));
        if let Some(version) = version() {
            return Ok(version);
        }
        match self.install(&packages.0) {
            Some(mut install) => {
                said(&mut install);
                version().ok_or_else(|| format!("{interpreter} lacks the package, which can not be installed"))
            }
            None => Err(format!("{interpreter} has no such package")),
        }
    }

    /// The command that starts it on this port.
    pub fn command(self, port: u16, packages: &Packages) -> Command {
        let Some((interpreter, file, _)) = self.script() else {
            let mut command = Command::new(cubbyd().unwrap_or_default());
            let option = if self == Entrant::Native { "--listen" } else { "--ws" };
            command.args([option, &format!("127.0.0.1:{port}")]).env_remove("RUST_LOG");
            return command;
        };
        let mut command = packages.command(interpreter);
        command.arg(Path::new(SCRIPTS).join(file)).arg(port.to_string());
        command
    }
}

/// The daemon of this build, or the one that the environment names.
fn cubbyd() -> Result<PathBuf, String> {
    let path = env::var_os("CUBBY_BENCH_CUBBYD").map_or_else(|| env!("CARGO_BIN_EXE_cubbyd").into(), PathBuf::from);
    if path.is_file() { Ok(path) } else { Err("CUBBY_BENCH_CUBBYD names no file".to_owned()) }
}

/// The first line that a command prints, if it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The temporary directory into which packages are installed. It is removed with this value.
pub struct Packages(PathBuf);

impl Packages {
    pub fn new() -> Result<Packages, String> {
        let dir = env::temp_dir().join(format!("cubby-websocket-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| format!("can not make {}: {error}", dir.display()))?;
        Ok(Packages(dir))
    }

    /// A command that finds these packages, besides those that the environment names.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (variable, dir) in [("NODE_PATH", self.0.join("node_modules")), ("PYTHONPATH", self.0.clone())] {
            let others = env::var_os(variable).unwrap_or_default();
            let all = env::split_paths(&others).filter(|path| !path.as_os_str().is_empty()).chain([dir]);
            command.env(variable, env::join_paths(all).unwrap_or_default());
        }
        command
    }
}

impl Drop for Packages {
    fn drop(&mut self) {
        // A failure leaves a directory among other temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
