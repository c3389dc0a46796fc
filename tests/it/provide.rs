//! What the tests need and a machine may lack: programs of Debian's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Only one installs at a time.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A program, installed from these packages where it is missing. Services that come with it are not started.
pub fn provide(name: &str, packages: &[&str]) -> PathBuf {
    let installing = INSTALLING.lock().expect("no test panics while it installs");
    if find(name).is_none() {
        let install = format!("apt-get install -y -qq --no-install-recommends {}", packages.join(" "));
        let command = format!("({install} || (apt-get update -qq && {install})) >/dev/null 2>&1");
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        // Whether it worked shows in whether the program is there.
        let _ = shell.stdin(Stdio::null()).status();
    }
    let found = find(name);
    drop(installing);
    found.unwrap_or_else(|| panic!("{name} is missing, and can not be installed from here: install {packages:?}"))
}

/// Where a program is, in the `PATH` or where those of an administrator are.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    dirs.map(|dir| Path::new(dir).join(name)).find(|program| program.is_file())
}
