//! A real browser, driven through its debugging protocol: JSON over WebSocket, by the crate's own framing.

use crate::support::{eventually, install};
use cubby::wire::websocket::{Message, MessageReader, PONG, Side, TEXT, encode_masked};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Far longer than any step takes, so it expires only if a step never completes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser for one test. It is killed when this value is dropped.
pub struct Browser {
    child: Child,
    profile: PathBuf,
    line: RefCell<Line>,
}

/// The connection to it.
struct Line {
    stream: TcpStream,
    messages: MessageReader,
    /// What was received and is not read yet.
    unread: Vec<u8>,
    last_id: u64,
}

/// One page.
pub struct Page<'b> {
    browser: &'b Browser,
    session: String,
}

impl Browser {
    /// Starts one without a window and with a new profile.
    pub fn start() -> Browser {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("cubby-browser-{}-{number}", std::process::id()));
        let mut command = Command::new(install::program("chromium", &["chromium"]));
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-dev-shm-usage", "--remote-debugging-port=0", "--remote-allow-origins=*"]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("chromium starts");
        let mut said = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let url = said.find_map(|line| Some(line.split_once("DevTools listening on ws://")?.1.to_owned()));
        let url = url.expect("chromium says where it listens");
        // The rest of its output is discarded, but the pipe must stay open.
        std::thread::spawn(move || said.for_each(drop));
        Browser { child, profile, line: RefCell::new(Line::open(&url)) }
    }

    /// Opens `url` in a new window of this width. A page behind another one would not be painted.
    pub fn open(&self, url: &str, width: u32, height: u32) -> Page<'_> {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank", "newWindow": true }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach)["sessionId"].as_str().expect("text").to_owned();
        let page = Page { browser: self, session };
        page.resize(width, height);
        page.call("Page.enable", json!({}));
        page.call("Performance.enable", json!({}));
        page.go(url);
        page
    }

    fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.line.borrow_mut().call(session, method, params)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

impl Page<'_> {
    fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(Some(&self.session), method, params)
    }

    /// Goes to another address.
    pub fn go(&self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of an expression. If that is a promise, the value that it resolves to.
    pub fn evaluate(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let outcome = self.call("Runtime.evaluate", params);
        assert!(outcome.get("exceptionDetails").is_none(), "{expression}: {outcome}");
        outcome["result"]["value"].clone()
    }

    /// Waits until an expression is true. The page itself polls it.
    pub fn wait_for(&self, expression: &str) {
        let limit = PATIENCE.as_millis() / 2;
        let script = format!(
            "new Promise(done => {{ const end = Date.now() + {limit}; const look = () => {{ \
             if ({expression}) done(true); else if (Date.now() > end) done(document.body.innerText); \
             else setTimeout(look, 20); }}; look(); }})"
        );
        let outcome = self.evaluate(&script);
        assert_eq!(outcome, Value::Bool(true), "waited for {expression}");
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.evaluate("window.isOld = true");
        self.call("Page.reload", json!({}));
        // While the old document goes, the browser refuses to evaluate anything.
        let is_new = json!({ "expression": "document.readyState === 'complete' && !window.isOld" });
        eventually("the page is new", || {
            let call = self.browser.line.borrow_mut().try_call(Some(&self.session), "Runtime.evaluate", is_new.clone());
            call.is_ok_and(|outcome| outcome["result"]["value"] == true).then_some(())
        });
    }

    /// Types text into the focused element.
    pub fn type_text(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key, as in `Enter`, `Tab`, `ArrowRight`.
    pub fn press(&self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            _ => 0,
        };
        let text = if key == "Enter" { "\r" } else { "" };
        let event =
            |kind: &str| json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
        self.call("Input.dispatchKeyEvent", event("keyDown"));
        self.call("Input.dispatchKeyEvent", event("keyUp"));
    }

    /// Gives the page another size.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the browser counts of the page, in seconds: `ThreadTime` of its main thread's processor time, and others.
    pub fn metrics(&self) -> Value {
        let counted = self.call("Performance.getMetrics", json!({}));
        let rows = counted["metrics"].as_array().expect("a list").iter();
        rows.map(|row| (row["name"].as_str().expect("text").to_owned(), row["value"].clone())).collect()
    }

    /// Switches the page to its dark or light theme.
    pub fn set_dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Saves a screenshot, if the variable `CUBBY_SCREENSHOTS` names a directory.
    pub fn picture(&self, name: &str) {
        let Some(dir) = std::env::var_os("CUBBY_SCREENSHOTS") else { return };
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let file =
            std::fs::File::create(PathBuf::from(dir).join(format!("{name}.png"))).expect("the directory is there");
        let mut decoder = Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(file).spawn().expect("base64");
        let data = shot["data"].as_str().expect("text").as_bytes();
        decoder.stdin.take().expect("piped").write_all(data).expect("it reads");
        assert!(decoder.wait().expect("it was started").success());
    }
}

impl Line {
    /// Opens a WebSocket to `HOST:PORT/PATH`.
    fn open(url: &str) -> Line {
        let (host, path) = url.split_once('/').expect("a path");
        let mut stream = TcpStream::connect(host).expect("the browser listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Line { stream, messages: MessageReader::new(Side::Server), unread: Vec::new(), last_id: 0 }
    }

    /// Calls a method, and waits for its result.
    fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.try_call(session, method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The same; the browser may refuse.
    fn try_call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            request["sessionId"] = session.into();
        }
        self.send(TEXT, request.to_string().as_bytes());
        loop {
            let answer: Value = serde_json::from_str(&self.next()).expect("the browser speaks JSON");
            if answer["id"] == id {
                return answer.get("error").map_or(Ok(answer["result"].clone()), |error| Err(error.clone()));
            }
        }
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        encode_masked(opcode, payload, [7, 7, 7, 7], &mut bytes);
        self.stream.write_all(&bytes).expect("the browser reads");
    }

    fn next(&mut self) -> String {
        loop {
            let mut unread = std::mem::take(&mut self.unread);
            let mut rest = &mut unread[..];
            let message = self.messages.next(&mut rest, usize::MAX).expect("the browser keeps to the protocol");
            let said = match message {
                Some(Message::Text(text)) => Some(Ok(text.into_owned())),
                Some(Message::Ping(payload)) => Some(Err(payload.into_owned())),
                Some(_) => None,
                None => {
                    let mut buffer = vec![0; 1 << 16];
                    let count = self.stream.read(&mut buffer).expect("the browser answers in time");
                    assert!(count > 0, "the browser is there");
                    buffer.truncate(count);
                    self.unread = buffer;
                    continue;
                }
            };
            self.unread = rest.to_vec();
            match said {
                Some(Ok(text)) => return text,
                Some(Err(payload)) => self.send(PONG, &payload),
                None => {}
            }
        }
    }
}
