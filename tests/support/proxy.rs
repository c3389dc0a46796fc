//! Proxies in front of a hub: nginx and `haproxy`, as `deploy/README.md` configures them.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A proxy in front of a hub. It ends when it is dropped.
pub struct Proxy {
    child: Child,
    pub address: String,
    _dir: TempPath,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// Starts one. `config` makes its configuration from the address to listen on and a directory to write to.
    fn start(program: &Path, config: impl Fn(&str, &str) -> String, arguments: &[&str]) -> Proxy {
        eventually("the proxy serves on a port that was free", || {
            let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let address = address.expect("a free port").to_string();
            let dir = TempPath::new("proxy");
            std::fs::create_dir(&dir.0).expect("a fresh path");
            let file = dir.0.join("config");
            std::fs::write(&file, config(&address, dir.as_str())).expect("a fresh path");
            let log = std::fs::File::create(dir.0.join("log")).expect("a fresh path");
            let mut command = Command::new(program);
            command.args(arguments).arg(&file).current_dir(&dir.0).stdin(Stdio::null()).stdout(Stdio::null());
            let child = command.stderr(log).spawn().expect("the proxy starts");
            let mut proxy = Proxy { child, address, _dir: dir };
            proxy.serves().then_some(proxy)
        })
    }

    /// Waits until the hub answers through it. Returns `false` if it ended because another process took the port.
    fn serves(&mut self) -> bool {
        eventually("the proxy serves or ends", || match self.child.try_wait().expect("it was started") {
            Some(_) => Some(false),
            None => (TcpStream::connect(&self.address).is_ok() && self.ask("/health").0 == 200).then_some(true),
        })
    }

    pub fn ask(&self, target: &str) -> (u16, String) {
        ask(&self.address, target, "")
    }

    /// The address of the hub for `cubby --hub`.
    pub fn hub(&self) -> String {
        format!("ws://{}", self.address)
    }
}

/// The status and the body of the response to a GET; 0 and no body if there was no response.
pub fn ask(address: &str, target: &str, headers: &str) -> (u16, String) {
    let mut stream = Raw::connect(address).0;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    let mut answer = String::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_string(&mut answer).is_err() {
        return (0, String::new());
    }
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
}

/// The block of a proxy's configuration in `deploy/README.md`, with other addresses and another timeout.
fn block(language: &str, replaced: &[(&str, String)]) -> String {
    let page = include_str!("../../deploy/README.md");
    let (_, block) = page.split_once(&format!("```{language}\n")).expect("there is such a block");
    let mut block = block.split_once("```").expect("it ends").0.to_owned();
    for (shown, ours) in replaced {
        assert_eq!(block.matches(shown).count(), 1, "{shown}");
        block = block.replace(shown, ours);
    }
    block
}

pub fn nginx(hub: &str, cut_after: &str) -> Proxy {
    let config = |proxy: &str, dir: &str| {
        let replaced = [
            ("listen 80;", format!("listen {proxy};")),
            ("127.0.0.1:8080", hub.to_owned()),
            ("proxy_read_timeout 75s;", format!("proxy_read_timeout {cut_after};")),
        ];
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = kinds.iter().map(|kind| format!("{kind}_temp_path {dir}/{kind};\n")).collect();
        format!(
            "daemon off;\nmaster_process off;\npid {dir}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{}}}\n",
            block("nginx", &replaced)
        )
    };
    Proxy::start(&install::program("nginx", &["nginx-light"]), config, &["-p", ".", "-e", "stderr", "-c"])
}

pub fn haproxy(hub: &str, cut_after: &str) -> Proxy {
    let config = |proxy: &str, _: &str| {
        let replaced = [
            ("bind :80", format!("bind {proxy}")),
            ("127.0.0.1:8080", hub.to_owned()),
            ("timeout tunnel 75s", format!("timeout tunnel {cut_after}\n    retries 0")),
        ];
        block("haproxy", &replaced)
    };
    Proxy::start(&install::program("haproxy", &["haproxy"]), config, &["-db", "-f"])
}
