//! Installs what tests need and the machine lacks: programs from Debian packages, and libraries from npm and pip.
//!
//! Each installation is announced by one line on standard error. With `CUBBY_TEST_INSTALL=0` nothing is installed, and
//! a test that needs something fails with its name.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Only one test installs at a time.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The path of a program. If it is missing, these packages are installed. Services that come with them are not started.
pub fn program(name: &str, packages: &[&str]) -> PathBuf {
    // A test that panicked meanwhile, because something is missing, has left nothing half done.
    let installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = find(name) {
        return path;
    }
    announce(name, &format!("apt-get install {}", packages.join(" ")));
    let install = format!("apt-get install -y -qq --no-install-recommends {}", packages.join(" "));
    let command = format!("({install} || (apt-get update -qq && {install})) >/dev/null 2>&1");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    // The program is there afterwards, or it is not: the exit status says nothing more.
    let _ = shell.stdin(Stdio::null()).status();
    drop(installing);
    find(name).unwrap_or_else(|| panic!("{name} is missing and could not be installed: install {packages:?} yourself"))
}

/// Installs libraries into a directory by this command, unless each of these files is in it already.
pub fn libraries(dir: &Path, files: &[&str], installer: &Path, arguments: &[&str]) {
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&str> = files.iter().copied().filter(|file| !dir.join(file).exists()).collect();
    if missing.is_empty() {
        return;
    }
    let tool = installer.file_name().unwrap_or_default().to_string_lossy();
    announce(&missing.join(", "), &format!("{tool} {}", arguments.join(" ")));
    let output = Command::new(installer).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{installer:?} {arguments:?}: {error}"));
    assert!(output.status.success(), "{installer:?} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Prints what is installed, and how. Panics if installing is forbidden.
fn announce(what: &str, how: &str) {
    let is_allowed = std::env::var_os("CUBBY_TEST_INSTALL").is_none_or(|value| value != "0");
    assert!(is_allowed, "{what} is missing, and CUBBY_TEST_INSTALL=0 forbids to install it: {how}");
    // Written to the stream itself: what a test prints is shown only if it fails.
    let _ = writeln!(std::io::stderr(), "installing {what}, which a test needs: {how}");
}

/// The path of a program in the `PATH`, or in one of the administrator's directories.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    dirs.map(|dir| Path::new(dir).join(name)).find(|program| program.is_file())
}
