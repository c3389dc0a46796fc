//! What the tests share: a daemon of one's own, and a client that speaks in literal bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Far beyond what any answer takes, so that only a lost one meets it.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const HELLO: u8 = 0x01;
pub const IDENTITY: u8 = 0x02;
pub const LIST: u8 = 0x03;
pub const RELAY: u8 = 0x04;
pub const SEND: u8 = 0x05;
pub const ACK: u8 = 0x06;
pub const JOIN: u8 = 0x07;
pub const LEAVE: u8 = 0x08;
pub const PUBLISH: u8 = 0x09;
pub const HISTORY: u8 = 0x0A;
pub const WHO: u8 = 0x0B;
pub const PING: u8 = 0x0C;
pub const BYE: u8 = 0x0D;
pub const ALIVE: u8 = 0x0E;
pub const STATS: u8 = 0x0F;
pub const BEAT: u8 = 0xCC;
pub const DELIVER: u8 = 0xC4;
pub const MAIL: u8 = 0xC5;
pub const EVENT: u8 = 0xC9;
pub const CLOSING: u8 = 0xCD;
pub const ERROR: u8 = 0xFF;
pub const RECEIPT: u8 = 0x01;
pub const NO_ECHO: u8 = 0x02;
pub const REPLAY: u8 = 0x01;

/// What happened in a room: the types of EVENT.
pub const MESSAGE: u8 = 1;
pub const JOINED: u8 = 2;
pub const ADDED: u8 = 3;
pub const REMOVED: u8 = 4;
pub const LEFT: u8 = 5;

/// A daemon of the test's own, ended with it.
pub struct Daemon {
    child: Child,
    /// The lines that it printed, less `listening on `.
    pub addresses: Vec<String>,
}

impl Daemon {
    /// One with default limits on a free port.
    pub fn start() -> Daemon {
        Daemon::with(&["--listen", "127.0.0.1:0"])
    }

    /// One with these arguments; waits until it listens on each address named.
    pub fn with(arguments: &[&str]) -> Daemon {
        let is_address = |argument: &&&str| matches!(**argument, "--listen" | "--ws");
        Daemon::run(daemon(arguments), arguments.iter().filter(is_address).count())
    }

    /// One by this command, which listens on so many addresses.
    pub fn run(mut command: Command, expected: usize) -> Daemon {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubbyd starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let addresses: Vec<String> =
            stdout.lines().take(expected).map(|line| listening(&line.expect("a line"))).collect();
        assert_eq!(addresses.len(), expected, "cubbyd said where it listens");
        Daemon { child, addresses }
    }

    pub fn connect(&self) -> Raw {
        Raw::connect(&self.addresses[0])
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit code, once it has ended, and the rest of what it said on standard error.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.stderr().read_to_string(&mut said).expect("its standard error is text");
        let code = self.child.wait().expect("it was started").code();
        (code, said)
    }

    pub fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("piped, and taken once")
    }

    /// A file of /proc/PID.
    pub fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("it runs")
    }

    /// How many files a directory of /proc/PID has.
    pub fn proc_file_count(&self, name: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{name}", self.child.id())).expect("it runs").count()
    }

    /// A number from /proc/PID/status, such as `VmHWM` in kB.
    pub fn status(&self, field: &str) -> u64 {
        let status = self.proc_file("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).expect("such a field");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process of the test's own.
pub fn signal(pid: u32, name: &str) {
    // The shell's own `kill`: a small machine may have no other.
    let sent = Command::new("sh").args(["-c", &format!("kill -s {name} {pid}")]).status().expect("a shell runs");
    assert!(sent.success());
}

fn listening(line: &str) -> String {
    line.strip_prefix("listening on ").expect("the line that says where").to_owned()
}

/// `cubbyd` with these arguments, not started yet.
pub fn daemon(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cubbyd"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// `cubby` with these arguments, not started yet.
pub fn cubby(hub: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cubby"));
    command.args(arguments).env("CUBBY_HUB", hub);
    command
}

/// Runs a command to its end, with this on its standard input.
pub fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // A command that does not read its input may have ended.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it was started")
}

/// Asks again and again until there is an answer, and gives up far beyond any answer's time.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A path that no other test has, removed with it.
pub struct TempPath(pub PathBuf);

impl TempPath {
    pub fn new(name: &str) -> TempPath {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        TempPath(std::env::temp_dir().join(format!("cubby-test-{}-{number}-{name}", std::process::id())))
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("a path of our own making")
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        // It may be a file, a directory, or never have been made.
        let _ = std::fs::remove_file(&self.0).or_else(|_| std::fs::remove_dir_all(&self.0));
    }
}

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub tag: u16,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, tag: u16, payload: impl AsRef<[u8]>) -> Frame {
        Frame { kind, flags, tag, payload: payload.as_ref().to_vec() }
    }

    /// The code, the kind at fault and whether it is fatal, of an ERROR.
    pub fn error(&self) -> (u16, u8, bool) {
        assert_eq!(self.kind, ERROR, "{self:?}");
        let text_len = usize::from(self.payload[3]);
        assert_eq!(self.payload.len(), 4 + text_len);
        assert!(!text(&self.payload[4..]).is_empty(), "an error says what was wrong");
        (u16::from_be_bytes([self.payload[0], self.payload[1]]), self.payload[2], self.flags == 1)
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, tag: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("short");
    let mut bytes = vec![kind, flags];
    bytes.extend(tag.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The payload of a RELAY.
pub fn relay(receivers: &[u64], body: &[u8]) -> Vec<u8> {
    let mut payload = u16::try_from(receivers.len()).expect("few").to_be_bytes().to_vec();
    receivers.iter().for_each(|id| payload.extend(id.to_be_bytes()));
    payload.extend(body);
    payload
}

/// The payload of a DELIVER.
pub fn deliver(sender: u64, body: &[u8]) -> Vec<u8> {
    [&sender.to_be_bytes()[..], body].concat()
}

/// Text after a count of its bytes.
pub fn str8(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat()
}

/// The payload of a SEND.
pub fn send(names: &[&str], body: &[u8]) -> Vec<u8> {
    let mut payload = u16::try_from(names.len()).expect("few").to_be_bytes().to_vec();
    names.iter().for_each(|name| payload.extend(str8(name)));
    payload.extend(body);
    payload
}

/// The payload of a PUBLISH.
pub fn publish(room: &str, body: &[u8]) -> Vec<u8> {
    [&str8(room)[..], body].concat()
}

/// The payload of a HISTORY.
pub fn history(room: &str, after: u64, limit: u32) -> Vec<u8> {
    [&str8(room)[..], &after.to_be_bytes(), &limit.to_be_bytes()].concat()
}

/// An EVENT, less its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub what: u8,
    pub id: u64,
    pub session: u64,
    pub room: String,
    pub name: String,
    pub body: Vec<u8>,
}

impl Event {
    /// The event of such a frame, whose time must be of these days.
    pub fn of(frame: &Frame) -> Event {
        assert_eq!(frame.kind, EVENT, "{frame:?}");
        let number = |at: usize| u64::from_be_bytes(frame.payload[at..at + 8].try_into().expect("eight bytes"));
        let now = std::time::UNIX_EPOCH.elapsed().expect("it is later").as_millis() as u64;
        assert!((now - 600_000..=now + 1000).contains(&number(9)), "{} is now", number(9));
        let (room, rest) = frame.payload[26..].split_at(frame.payload[25].into());
        let (name, body) = rest[1..].split_at(rest[0].into());
        Event {
            what: frame.payload[0],
            id: number(1),
            session: number(17),
            room: text(room).to_owned(),
            name: text(name).to_owned(),
            body: body.to_vec(),
        }
    }
}

/// A client that speaks in bytes.
pub struct Raw(pub TcpStream);

impl Raw {
    pub fn connect(address: &str) -> Raw {
        let stream = TcpStream::connect(address).expect("the hub accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Raw(stream)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the hub reads");
    }

    pub fn receive(&mut self) -> Frame {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).expect("a frame comes");
        let length = u32::from_be_bytes(header[4..].try_into().expect("four bytes"));
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).expect("the whole frame comes");
        Frame { kind: header[0], flags: header[1], tag: u16::from_be_bytes([header[2], header[3]]), payload }
    }

    pub fn ask(&mut self, kind: u8, flags: u8, tag: u16, payload: impl AsRef<[u8]>) -> Frame {
        self.send(&frame(kind, flags, tag, payload));
        self.receive()
    }

    /// Calls itself so.
    pub fn hello(&mut self, name: &str) {
        let reply = self.ask(HELLO, 0, 76, [&[1], &str8(name)[..], &[0, 0]].concat());
        assert_eq!((reply.kind, reply.tag), (0x81, 76), "{reply:?}");
    }

    /// Comes into a room: how many are there then, and the newest event's id, which is the own coming's.
    pub fn join(&mut self, room: &str) -> (u32, u64) {
        let (sessions, newest) = self.ask_to_join(room);
        let own = self.event();
        assert_eq!((own.id, &own.room[..]), (newest, room));
        assert!(own.what == JOINED || own.what == ADDED, "{own:?}");
        (sessions, newest)
    }

    /// What JOIN is answered, whether or not an event follows.
    pub fn ask_to_join(&mut self, room: &str) -> (u32, u64) {
        let reply = self.ask(JOIN, 0, 75, str8(room));
        assert_eq!((reply.kind, reply.flags, reply.tag, reply.payload.len()), (0x87, 0, 75, 12), "{reply:?}");
        let (sessions, newest) = reply.payload.split_at(4);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        (number(sessions) as u32, number(newest))
    }

    /// The next frame, which is a live event.
    pub fn event(&mut self) -> Event {
        let frame = self.receive();
        assert_eq!((frame.flags, frame.tag), (0, 0), "{frame:?}");
        Event::of(&frame)
    }

    /// Says something in a room, and returns the event's id.
    pub fn publish(&mut self, room: &str, body: &[u8]) -> u64 {
        let reply = self.ask(PUBLISH, RECEIPT, 74, publish(room, body));
        assert_eq!((reply.kind, reply.flags, reply.tag), (0x89, 0, 74), "{reply:?}");
        u64::from_be_bytes(reply.payload.try_into().expect("an id"))
    }

    /// What a room remembers: its events, then the oldest id, the newest, and how many were said to be sent.
    pub fn history(&mut self, room: &str, after: u64, limit: u32) -> (Vec<Event>, [u64; 3]) {
        self.send(&frame(HISTORY, 0, 73, history(room, after, limit)));
        let mut events = Vec::new();
        loop {
            let answer = self.receive();
            assert_eq!(answer.tag, 73, "{answer:?}");
            if answer.kind == EVENT {
                assert_eq!(answer.flags, REPLAY);
                events.push(Event::of(&answer));
                continue;
            }
            assert_eq!((answer.kind, answer.flags, answer.payload.len()), (0x8A, 0, 20), "{answer:?}");
            let number = |at: usize| u64::from_be_bytes(answer.payload[at..at + 8].try_into().expect("eight bytes"));
            let sent = u32::from_be_bytes(answer.payload[16..].try_into().expect("four bytes"));
            return (events, [number(0), number(8), sent.into()]);
        }
    }

    /// Who is in a room: ids and names.
    pub fn who(&mut self, room: &str) -> Vec<(u64, String)> {
        self.send(&frame(WHO, 0, 72, str8(room)));
        let mut members = Vec::new();
        loop {
            let reply = self.receive();
            assert_eq!((reply.kind, reply.tag), (0x8B, 72), "{reply:?}");
            let mut rest = &reply.payload[..];
            while !rest.is_empty() {
                let (name, after) = rest[9..].split_at(rest[8].into());
                members.push((u64::from_be_bytes(rest[..8].try_into().expect("an id")), text(name).to_owned()));
                rest = after;
            }
            if reply.flags == 0 {
                return members;
            }
            assert!(members.len().is_multiple_of(512), "only full frames have MORE");
        }
    }

    /// Its own id, as IDENTITY says.
    pub fn id(&mut self) -> u64 {
        let reply = self.ask(IDENTITY, 0, 77, []);
        assert_eq!((reply.kind, reply.flags, reply.tag), (0x82, 0, 77));
        u64::from_be_bytes(reply.payload.try_into().expect("an id"))
    }

    /// Waits until the hub has carried out all that was asked, past the events that come meanwhile.
    pub fn id_after_events(&mut self) {
        self.send(&frame(IDENTITY, 0, 79, []));
        while self.receive().kind != 0x82 {}
    }

    /// Who else is here, as LIST says, with MORE or without.
    pub fn list(&mut self) -> Vec<u64> {
        self.send(&frame(LIST, 0, 78, []));
        let mut ids = Vec::new();
        loop {
            let reply = self.receive();
            assert_eq!((reply.kind, reply.tag), (0x83, 78));
            ids.extend(reply.payload.chunks(8).map(|id| u64::from_be_bytes(id.try_into().expect("an id"))));
            if reply.flags == 0 {
                return ids;
            }
        }
    }

    pub fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).expect("it is open");
    }

    /// That the hub has closed, with nothing more said.
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("an orderly end");
        assert!(rest.is_empty(), "nothing stands after the last frame: {rest:?}");
    }

    /// What the hub has counted.
    pub fn stats(&mut self) -> serde_json::Value {
        let reply = self.ask(STATS, 0, 71, []);
        assert_eq!((reply.kind, reply.flags, reply.tag), (0x8F, 0, 71), "{reply:?}");
        serde_json::from_slice(&reply.payload).expect("one JSON object")
    }

    /// The next frame, which says why the hub closes, and then the end: the error's code.
    pub fn expect_closing(&mut self) -> u16 {
        let last = self.receive();
        let code =
            if last.kind == CLOSING { u16::from_be_bytes([last.payload[0], last.payload[1]]) } else { last.error().0 };
        self.expect_end();
        code
    }

    /// Waits until the hub no longer lists this id.
    pub fn wait_until_gone(&mut self, id: u64) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.list().contains(&id) {
            assert!(std::time::Instant::now() < deadline, "{id} is still listed");
        }
    }
}

/// Kilobytes by which a daemon's peak is above what it holds now, after `work`.
fn peak_above_idle(daemon: &Daemon, work: impl FnOnce()) -> u64 {
    let idle = daemon.status("VmRSS");
    work();
    daemon.status("VmHWM").saturating_sub(idle)
}

/// Raises this process's descriptor limit as far as it goes, and checks that it will do.
pub fn need_descriptors(count: u64) {
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be read");
    assert!(limit >= count, "this needs {count} descriptors; `ulimit -Hn` says {limit}");
}

/// Relays 1 MiB to 255 users who do not read: kilobytes above idle at the peak.
pub fn megabyte_to_255_who_do_not_read() -> u64 {
    need_descriptors(1500);
    let daemon = Daemon::start();
    let mut stalled: Vec<Raw> = (0..255).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = stalled.iter_mut().map(Raw::id).collect();
    let mut sender = daemon.connect();
    sender.id();
    peak_above_idle(&daemon, || {
        let receipt = sender.ask(RELAY, RECEIPT, 1, relay(&ids, &[7; 1 << 20]));
        assert_eq!(receipt.payload, [&[0, 255][..], &[0; 255]].concat());
        sender.id();
    })
}

/// Sends 400 headers that announce 1 MiB each, and nothing more: kilobytes above idle at the peak.
pub fn four_hundred_announced_megabytes() -> u64 {
    need_descriptors(1500);
    let daemon = Daemon::start();
    let mut liars: Vec<Raw> = (0..400).map(|_| daemon.connect()).collect();
    for liar in &mut liars {
        liar.id();
    }
    peak_above_idle(&daemon, || {
        liars.iter_mut().for_each(|liar| liar.send(&[RELAY, 0, 0, 0, 0, 0x10, 0, 0]));
        // Whoever comes last is read last: once it is answered, all headers are read.
        assert_eq!(daemon.connect().list().len(), 400);
    })
}
