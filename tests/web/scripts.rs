//! The client library in Node, and third-party clients in Node and Python, including the README's examples.

use crate::support::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

fn hub() -> Daemon {
    Daemon::with(&["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
}

/// The directory for packages that only these tests need.
pub fn packages(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The directory of Node's packages `ws` and `wscat`.
fn node_packages() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        install::program("node", &["nodejs"]);
        let npm = install::program("npm", &["npm"]);
        let dir = packages("node");
        let path = dir.to_str().expect("text");
        let arguments = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", path, "ws@8", "wscat@6"];
        install::libraries(&dir, &["node_modules/ws", "node_modules/wscat"], &npm, &arguments);
        dir
    })
}

/// The directory of Python's packages `websockets` and `prometheus_client`.
fn python_packages() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let python = install::program("python3", &["python3", "python3-pip"]);
        let dir = packages("python");
        let names = ["websockets", "prometheus_client"];
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let target = ["--upgrade", "--target", dir.to_str().expect("text")];
        install::libraries(&dir, &names, &python, &[&quiet[..], &target, &names].concat());
        dir
    })
}

/// What a script prints.
fn printed(mut command: Command, script: &str) -> String {
    let output = command.arg(script).output().expect("it starts");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout).to_owned()
}

/// The block of code that begins with this line in the README.
fn readme_block(first: &str) -> &'static str {
    let readme = include_str!("../../README.md");
    let block = readme.split("```").find(|block| block.lines().nth(1).is_some_and(|line| line == first));
    block.and_then(|block| block.split_once('\n')).unwrap_or_else(|| panic!("the README has {first}")).1
}

fn address(hub: &Daemon) -> String {
    hub.addresses[1].trim_start_matches("http://").to_owned()
}

/// The README's script, with the address of this hub.
fn for_hub(script: &str, hub: &Daemon) -> String {
    assert!(script.contains("localhost:8080"), "{script}");
    script.replace("localhost:8080", &address(hub))
}

#[test]
fn the_readmes_lines_of_python_speak_with_the_hub() {
    let hub = hub();
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", python_packages()).arg("-c");
    let said = printed(command, &for_hub(readme_block("from websockets.sync.client import connect"), &hub));
    assert!(said.contains("\"joined\"") && said.contains("\"message\":\"hello from Python\""), "{said}");
}

#[test]
fn the_counters_are_what_prometheus_reads() {
    let hub = hub();
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", python_packages()).arg("-c");
    let script = include_str!("metrics.py").replace("HUB", &hub.addresses[1]);
    let said = printed(command, &script);
    let names = cubby::Stats::default().fields().map(|(name, _)| format!("cubby_{}", name.replace('-', "_")));
    for name in names {
        assert!(said.lines().any(|line| line == name), "{name} is missing: {said}");
    }
    for name in ["cubby_closed", "cubby_frames", "cubby_frame_bytes", "cubby_turns", "cubby_turns_by_time"] {
        assert!(said.lines().any(|line| line == name), "{name} is missing: {said}");
    }
}

#[test]
fn the_readmes_lines_of_node_speak_with_the_hub() {
    let hub = hub();
    let mut command = Command::new("node");
    command.current_dir(node_packages()).args(["--input-type=module", "-e"]);
    let said = printed(command, &for_hub(readme_block("import WebSocket from 'ws';"), &hub));
    assert!(said.contains("hello from Node"), "{said}");
}

#[test]
fn the_client_library_joins_speaks_relays_and_comes_back() {
    let hub = hub();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/page/cubby.js");
    let script = include_str!("library.mjs")
        .replace("LIBRARY", library.to_str().expect("text"))
        .replace("HUB", &format!("ws://{}/ws", address(&hub)));
    let mut command = Command::new("node");
    command.current_dir(node_packages()).args(["--input-type=module", "-e"]);
    let said = printed(command, &script);
    assert_eq!(said.lines().last(), Some("all is well"), "{said}");
}

#[test]
fn wscat_speaks_with_the_hub() {
    let hub = hub();
    let wscat = node_packages().join("node_modules/.bin/wscat");
    let line = format!("{} -c ws://{}/ws -x '{{\"type\":\"identity\"}}' -w 1", wscat.display(), address(&hub));
    // It prints what it receives only to a terminal.
    let mut command = Command::new(install::program("script", &["bsdutils"]));
    command.args(["-qec", &line]).stdin(Stdio::null());
    let said = printed(command, "/dev/null");
    assert!(said.contains("{\"type\":\"identity\",\"userId\":\""), "{said}");
}
