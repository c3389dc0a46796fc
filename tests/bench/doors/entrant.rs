//! What is compared: where each is found, or got from, how it is started, and what it is spoken to in.

use crate::load::{self, Dialect, Native, Outcome, Plan, Progress, WebBinary, WebJson};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// One of those that are compared, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entrant {
    Native,
    Binary,
    Json,
    Ws,
    Websockets,
    Uws,
}

pub const ALL: [Entrant; 6] =
    [Entrant::Native, Entrant::Binary, Entrant::Json, Entrant::Ws, Entrant::Websockets, Entrant::Uws];

/// Where the programs are that stand beside this one.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/doors");

impl Entrant {
    pub fn key(self) -> &'static str {
        match self {
            Entrant::Native => "cubby, native",
            Entrant::Binary => "cubby, binary",
            Entrant::Json => "cubby, JSON",
            Entrant::Ws => "ws (Node.js)",
            Entrant::Websockets => "websockets (Python)",
            Entrant::Uws => "uWebSockets.js",
        }
    }

    /// Whether Cubby is to be ahead of it.
    pub fn is_rival(self) -> bool {
        matches!(self, Entrant::Ws | Entrant::Websockets | Entrant::Uws)
    }

    /// The interpreter, the program for it, and what tells the version of the package that this needs.
    fn script(self) -> Option<(&'static str, &'static str, [&'static str; 2])> {
        match self {
            Entrant::Ws => Some(("node", "ws.js", ["-p", "require('ws/package.json').version"])),
            Entrant::Uws => Some(("node", "uws.js", ["-p", "require('uWebSockets.js/package.json').version"])),
            Entrant::Websockets => {
                Some(("python3", "rooms.py", ["-c", "import websockets; print(websockets.__version__)"]))
            }
            _ => None,
        }
    }

    /// What gets the package into a directory, for those of which a registry has it.
    fn install(self, dir: &Path) -> Option<Command> {
        let (program, arguments): (_, &[&str]) = match self {
            Entrant::Ws => ("npm", &["install", "--silent", "--no-save", "ws", "--prefix"]),
            Entrant::Websockets => ("python3", &["-m", "pip", "install", "--quiet", "websockets", "--target"]),
            _ => return None,
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(dir).current_dir(dir);
        Some(command)
    }

    /// Its version, once what it needs is there, for which it is got where need be; or why it must be left out.
    pub fn prepare(self, kit: &Kit) -> Result<String, String> {
        let Some((interpreter, _, version)) = self.script() else {
            let mut cubbyd = Command::new(cubbyd()?);
            return said(cubbyd.arg("--version")).ok_or_else(|| "cubbyd does not run".to_owned());
        };
        let version = || said(kit.command(interpreter).args(version));
        if let Some(version) = version() {
            return Ok(version);
        }
        match self.install(&kit.0) {
            Some(mut install) => {
                said(&mut install);
                version().ok_or_else(|| format!("{interpreter} has no such package, and none can be installed"))
            }
            None => Err(format!("{interpreter} has no such package; its makers tell how to get it, npm has it not")),
        }
    }

    /// How it is started, to listen on this port.
    pub fn command(self, port: u16, kit: &Kit) -> Command {
        let Some((interpreter, file, _)) = self.script() else {
            let mut command = Command::new(cubbyd().unwrap_or_default());
            let option = if self == Entrant::Native { "--listen" } else { "--ws" };
            command.args([option, &format!("127.0.0.1:{port}")]).env_remove("RUST_LOG");
            return command;
        };
        let mut command = kit.command(interpreter);
        command.arg(Path::new(SCRIPTS).join(file)).arg(port.to_string());
        command
    }

    /// Carries a plan out with it, in rooms.
    pub fn run(self, plan: &Plan, progress: &mut dyn FnMut(&Progress)) -> Result<Outcome, String> {
        match self {
            Entrant::Native => load::run(plan, Native::rooms, progress),
            Entrant::Binary => load::run(plan, WebBinary::default, progress),
            _ => load::run(plan, WebJson::default, progress),
        }
        .map_err(|error| error.to_string())
    }

    /// A connection of those that are only held.
    pub fn dialect(self) -> Box<dyn Dialect> {
        match self {
            Entrant::Native => Box::new(Native::rooms()),
            Entrant::Binary => Box::new(WebBinary::default()),
            _ => Box::new(WebJson::default()),
        }
    }
}

/// The daemon; another build where one is named.
fn cubbyd() -> Result<PathBuf, String> {
    let path = env::var_os("CUBBY_BENCH_CUBBYD").map_or_else(|| env!("CARGO_BIN_EXE_cubbyd").into(), PathBuf::from);
    if path.is_file() { Ok(path) } else { Err("CUBBY_BENCH_CUBBYD names no file".to_owned()) }
}

/// The first line that a command says, where it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The directory that packages are got into, gone with this value.
pub struct Kit(PathBuf);

impl Kit {
    pub fn new() -> Result<Kit, String> {
        let dir = env::temp_dir().join(format!("cubby-doors-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| format!("can not make {}: {error}", dir.display()))?;
        Ok(Kit(dir))
    }

    /// A command that finds the packages, as well as those that its surroundings name.
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

impl Drop for Kit {
    fn drop(&mut self) {
        // It may hold nothing, and it is in a place for what may be lost.
        let _ = fs::remove_dir_all(&self.0);
    }
}
