//! `cubby chat` against the real daemon: piped, as scripts use it, and on a terminal.

use crate::support::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A `cubby chat` whose input and output are pipes.
pub struct Chat {
    child: Child,
    typed: Option<ChildStdin>,
    shown: Receiver<Vec<u8>>,
    said: Receiver<Vec<u8>>,
}

impl Chat {
    pub fn start(hub: &str, name: &str) -> Chat {
        Chat::run(cubby(hub, &["chat", "--name", name]))
    }

    pub fn run(mut command: Command) -> Chat {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubby starts");
        let typed = child.stdin.take();
        let shown = pieces(child.stdout.take().expect("piped"), true);
        let said = pieces(child.stderr.take().expect("piped"), true);
        Chat { child, typed, shown, said }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn type_line(&mut self, line: &str) {
        writeln!(self.typed.as_mut().expect("it has not ended"), "{line}").expect("it reads");
    }

    /// The next line on standard output.
    pub fn shown(&mut self) -> String {
        line(self.shown.recv_timeout(PATIENCE).expect("another line"))
    }

    /// The next line on standard error.
    pub fn said(&mut self) -> String {
        line(self.said.recv_timeout(PATIENCE).expect("another line"))
    }

    /// Waits until it ends by itself, though its input does not. Returns the exit code.
    pub fn code(&mut self) -> Option<i32> {
        eventually("it ends", || self.child.try_wait().expect("it was started")).code()
    }

    /// Ends its input. Returns the other lines on standard output and on standard error, and the exit code.
    pub fn end(mut self) -> (Vec<String>, Vec<String>, Option<i32>) {
        drop(self.typed.take());
        let rest = |pieces: &Receiver<Vec<u8>>| {
            std::iter::from_fn(|| pieces.recv_timeout(PATIENCE).ok()).map(line).collect::<Vec<String>>()
        };
        let (shown, said) = (rest(&self.shown), rest(&self.said));
        (shown, said, self.child.wait().expect("it was started").code())
    }
}

impl Drop for Chat {
    /// It goes on for ever if its input does not end it.
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a process, in lines or as it arrives. A thread reads it, so that a test can stop waiting.
fn pieces(mut from: impl Read + Send + 'static, in_lines: bool) -> Receiver<Vec<u8>> {
    let (send, received) = channel();
    std::thread::spawn(move || {
        if in_lines {
            let lines = BufReader::new(from).split(b'\n').map_while(Result::ok);
            return lines.for_each(|line| drop(send.send(line)));
        }
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let _ = send.send(buffer[..count].to_vec());
        }
    });
    received
}

fn line(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn three_people_talk_and_two_have_the_same_name() {
    let daemon = Daemon::start();
    let hub = &daemon.addresses[0];
    let mut bob = Chat::start(hub, "bob");
    bob.type_line("sub lobby");
    assert_eq!(bob.shown(), "[r/lobby]> bob joined");
    let (mut phone, mut laptop) = (Chat::start(hub, "ann"), Chat::start(hub, "ann"));
    phone.type_line("attach lobby");
    assert_eq!((phone.shown(), bob.shown()), ("[r/lobby]> ann joined".to_owned(), "[r/lobby]> ann joined".to_owned()));
    laptop.type_line("attach lobby");
    let once_more = "[r/lobby]> ann joined once more";
    assert_eq!((laptop.shown(), phone.shown(), bob.shown()), (once_more.into(), once_more.into(), once_more.into()));
    laptop.type_line("grüß dich");
    for chat in [&mut bob, &mut phone, &mut laptop] {
        assert_eq!(chat.shown(), "[r/lobby]> (@ann): grüß dich");
    }
    phone.type_line("//");
    phone.type_line("to bob just for you");
    assert_eq!(bob.shown(), "[to you]> (@ann): just for you");
    phone.type_line("who");
    let who = [phone.shown(), phone.shown(), phone.shown()].concat();
    assert!(who.contains(" bob") && who.matches(" ann").count() == 2, "{who}");
    assert_eq!(phone.end().2, Some(0));
    assert_eq!(bob.shown(), "[r/lobby]> ann left once, and is still here");
    laptop.type_line("//quit");
    assert_eq!(bob.shown(), "[r/lobby]> ann left");
    assert_eq!(bob.end(), (vec![], vec![], Some(0)));
}

#[test]
fn a_line_that_is_wrong_or_refused_is_reported_and_the_chat_goes_on() {
    let daemon = Daemon::start();
    let mut ann = Chat::start(&daemon.addresses[0], "ann");
    ann.type_line("sbu lobby");
    assert!(ann.said().contains("did you mean sub?"));
    ann.type_line("who nowhere");
    assert!(ann.said().contains("error 7 (not in that room)"));
    ann.type_line("attach \"\u{1b}\"");
    assert!(ann.said().contains("is not a room"));
    ann.type_line("to eve hello");
    assert_eq!(ann.said(), "cubby: nobody here is called eve");
    ann.type_line("sub \"my room\" lobby");
    assert_eq!(ann.shown(), "[r/my room]> ann joined");
    assert_eq!(ann.shown(), "[r/lobby]> ann joined");
    ann.type_line("history lobby 5");
    assert_eq!(ann.shown(), "[r/lobby]> ann joined");
    ann.type_line("rooms");
    assert_eq!((ann.shown(), ann.shown()), ("r/lobby".to_owned(), "r/my room".to_owned()));
    ann.type_line("unsub lobby");
    assert_eq!(ann.said(), "cubby: left r/lobby");
    ann.type_line("list");
    assert_eq!(ann.said(), "cubby: nobody else is here");
    ann.type_line("help");
    let (help, _, code) = ann.end();
    assert!(help.iter().any(|line| line.starts_with("attach ROOM")) && code == Some(0), "{help:?}");
}

#[test]
fn nothing_from_the_network_reaches_the_terminal_raw() {
    let daemon = Daemon::start();
    let mut ann = Chat::start(&daemon.addresses[0], "ann");
    ann.type_line("sub lobby");
    ann.shown();
    let mut raw = daemon.connect();
    raw.publish("lobby", b"\x1b[2Jboo\nsecond \xC2\x9b line");
    assert!(ann.shown().ends_with(": \\u{1b}[2Jboo\\nsecond \\u{9b} line"));
    raw.send(&frame(SEND, 0, 0, send(&["ann"], b"\x07\xFF")));
    assert!(ann.shown().ends_with(": 2 bytes, not text: 07 ff"));
}

#[test]
fn each_incoming_line_is_kept_with_its_local_time() {
    let daemon = Daemon::start();
    let dir = TempPath::new("transcript");
    std::fs::create_dir(&dir.0).expect("a fresh path");
    let mut command = cubby(&daemon.addresses[0], &["chat", "--name", "a/nn", "--mess"]);
    command.current_dir(&dir.0).env("TZ", "Etc/GMT-3");
    let mut ann = Chat::run(command);
    ann.type_line("attach lobby");
    ann.type_line("hello");
    assert_eq!(
        (ann.shown(), ann.shown()),
        ("[r/lobby]> a/nn joined".to_owned(), "[r/lobby]> (@a/nn): hello".to_owned())
    );
    ann.end();
    let kept = std::fs::read_to_string(dir.0.join("a_nn.mess")).expect("it is there");
    let hour = (std::time::UNIX_EPOCH.elapsed().expect("it is later").as_secs() / 3600 + 3) % 24;
    let last = kept.lines().last().expect("two lines");
    let (time, line) = last.split_at(20);
    assert_eq!(line, "[r/lobby]> (@a/nn): hello");
    let numbers: Vec<u64> = time.trim().split(['/', ' ', ':']).map(|part| part.parse().expect("a number")).collect();
    let [year, month, day, its_hour, minute, second] = numbers[..] else { panic!("{time}") };
    assert!(year > 2025 && (1..=12).contains(&month) && (1..=31).contains(&day) && minute < 60 && second < 60);
    assert!(its_hour == hour || (its_hour + 1) % 24 == hour, "{time}: three hours east of Greenwich");
}

#[test]
fn after_a_restart_of_the_hub_the_chat_reconnects_and_says_what_is_lost() {
    let path = TempPath::new("chat.sock");
    let address = format!("unix:{}", path.as_str());
    let start = || Daemon::with(&["--listen", &address]);
    let daemon = start();
    let mut ann = Chat::start(&address, "ann");
    ann.type_line("attach lobby");
    ann.type_line("before");
    assert_eq!(
        (ann.shown(), ann.shown()),
        ("[r/lobby]> ann joined".to_owned(), "[r/lobby]> (@ann): before".to_owned())
    );
    daemon.signal("TERM");
    assert_eq!(daemon.end().0, Some(0));
    let said = ann.said();
    assert!(said.contains("going away") && said.contains("keeping what you type"), "{said}");
    ann.type_line("meanwhile");
    let _daemon = start();
    assert_eq!(ann.said(), "cubby: the hub is back");
    let said = ann.said();
    assert!(said.contains("r/lobby begins anew") && said.contains("lost"), "{said}");
    assert_eq!(
        (ann.shown(), ann.shown()),
        ("[r/lobby]> ann joined".to_owned(), "[r/lobby]> (@ann): meanwhile".to_owned())
    );
    assert_eq!(ann.end(), (vec![], vec![], Some(0)));
}

/// A proxy between a chat and its hub that forwards a connection only when the test permits it.
pub struct Proxy {
    pub address: String,
    permit: Sender<()>,
    connected: Receiver<TcpStream>,
}

impl Proxy {
    pub fn start(hub: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, hub) = (listener.local_addr().expect("bound").to_string(), hub.to_owned());
        let (permit, permitted) = channel();
        let (connect, connected) = channel();
        std::thread::spawn(move || {
            while permitted.recv().is_ok() {
                let (client, _) = listener.accept().expect("a connection");
                let server = TcpStream::connect(&hub).expect("the hub accepts");
                let _ = connect.send(server.try_clone().expect("a descriptor"));
                for (mut from, mut to) in [(&client, &server), (&server, &client)]
                    .map(|(from, to)| (from.try_clone().expect("a descriptor"), to.try_clone().expect("a descriptor")))
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Proxy { address, permit, connected }
    }

    /// Forwards the next connection. The returned function breaks it.
    pub fn let_through(&self) -> impl FnOnce() {
        self.permit.send(()).expect("the proxy lives");
        let server = self.connected.recv().expect("a connection comes");
        move || server.shutdown(Shutdown::Both).expect("it is open")
    }
}

#[test]
fn messages_sent_while_the_connection_is_broken_are_neither_missed_nor_shown_twice() {
    let daemon = Daemon::start();
    let proxy = Proxy::start(&daemon.addresses[0]);
    let mut bob = daemon.connect();
    bob.hello("bob");
    let mut ann = Chat::start(&proxy.address, "ann");
    let cut = proxy.let_through();
    ann.type_line("sub lobby");
    assert_eq!(ann.shown(), "[r/lobby]> ann joined");
    bob.publish("lobby", b"one");
    assert_eq!(ann.shown(), "[r/lobby]> (@bob): one");
    cut();
    assert!(ann.said().contains("trying to reconnect"));
    bob.join("lobby");
    bob.publish("lobby", b"two");
    bob.event();
    let _cut = proxy.let_through();
    assert_eq!(ann.said(), "cubby: the hub is back");
    for line in ["ann left", "bob joined", "(@bob): two", "ann joined"] {
        assert_eq!(ann.shown(), format!("[r/lobby]> {line}"));
    }
    bob.id_after_events();
    bob.publish("lobby", b"three");
    assert_eq!(ann.shown(), "[r/lobby]> (@bob): three");
    assert_eq!(ann.end(), (vec![], vec![], Some(0)));
}

/// A chat that has noticed that its hub is gone, and gives up after a second.
fn chat_without_its_hub() -> Chat {
    let path = TempPath::new("gone.sock");
    let address = format!("unix:{}", path.as_str());
    let daemon = Daemon::with(&["--listen", &address]);
    let mut ann = Chat::run(cubby(&address, &["chat", "--name", "ann", "--timeout", "1"]));
    ann.type_line("attach lobby");
    ann.shown();
    daemon.signal("TERM");
    ann.said();
    ann
}

#[test]
fn a_script_that_ends_while_the_hub_is_away_says_what_was_not_sent() {
    let mut ann = chat_without_its_hub();
    ann.type_line("too late");
    let (shown, said, code) = ann.end();
    assert_eq!((shown, code), (vec![], Some(1)));
    assert!(said.iter().any(|line| line.contains("lines that were not sent: 1")), "{said:?}");
}

#[test]
fn a_script_with_more_lines_than_are_kept_while_the_hub_is_away_ends_too() {
    let mut ann = chat_without_its_hub();
    (0..400).for_each(|number| ann.type_line(&format!("line {number}")));
    let (_, said, code) = ann.end();
    assert_eq!(code, Some(1));
    assert!(said.iter().any(|line| line.contains("lines that were not sent: 400")), "{said:?}");
}

#[test]
fn a_typed_line_is_sent_even_if_the_room_never_pauses() {
    let daemon = Daemon::start();
    let mut ann = Chat::start(&daemon.addresses[0], "ann");
    ann.type_line("attach lobby");
    ann.shown();
    let mut eve = daemon.connect();
    let flood = frame(PUBLISH, 0, 0, publish("lobby", b"noise")).repeat(1000);
    let said = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let heard = said.clone();
    let flooding = std::thread::spawn(move || {
        while !heard.load(std::sync::atomic::Ordering::Relaxed) {
            eve.send(&flood);
        }
    });
    ann.type_line("may I say something?");
    let deadline = std::time::Instant::now() + PATIENCE;
    while ann.shown() != "[r/lobby]> (@ann): may I say something?" {
        assert!(std::time::Instant::now() < deadline, "it is never said");
    }
    said.store(true, std::sync::atomic::Ordering::Relaxed);
    flooding.join().expect("the hub reads");
    assert_eq!(ann.end().2, Some(0));
}

#[test]
fn a_chat_needs_a_valid_name_and_a_hub() {
    let daemon = Daemon::start();
    for (arguments, what) in [(&["chat"][..], "--name"), (&["chat", "--name", " ann"], "white space")] {
        let output = run(cubby(&daemon.addresses[0], arguments), b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(what), "{}", text(&output.stderr));
    }
    let output = run(cubby("unix:/nowhere/cubby.sock", &["chat", "--name", "ann"]), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is it running?"));
}

/// What a terminal has shown, and how much of that the test has looked at.
pub struct Terminal {
    pieces: Receiver<Vec<u8>>,
    shown: String,
    seen: usize,
}

impl Terminal {
    /// Waits until it shows this text behind the part that was looked at already.
    pub fn shows(&mut self, what: &str) {
        while !self.shown[self.seen..].contains(what) {
            self.read(what);
        }
        let at = self.shown[self.seen..].find(what).expect("it is shown");
        self.seen += at + what.len();
    }

    /// Waits until it is ready to edit a line for the `count`th time. Earlier keys would not be part of the line.
    pub fn edits(&mut self, count: usize) {
        // The escape sequence that an editor sends first: it turns bracketed paste on.
        const BEGINS: &str = "\x1b[?2004h";
        while self.shown.matches(BEGINS).count() < count {
            self.read(BEGINS);
        }
    }

    fn read(&mut self, awaited: &str) {
        let Ok(piece) = self.pieces.recv_timeout(PATIENCE) else {
            panic!("{awaited:?} is never shown: {:?}", &self.shown[self.seen..]);
        };
        self.shown.push_str(&String::from_utf8_lossy(&piece));
    }
}

impl Terminal {
    /// Starts `cubby chat` on its own terminal. Returns its keyboard as well.
    pub fn start(hub: &str, name: &str) -> (Child, ChildStdin, Terminal) {
        let chat = format!("{} chat --name {name}", env!("CARGO_BIN_EXE_cubby"));
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &chat, "/dev/null"]);
        command.env("CUBBY_HUB", hub).env("TERM", "xterm").env("NO_COLOR", "1");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` is part of every Debian");
        let keys = child.stdin.take().expect("piped");
        let pieces = pieces(child.stdout.take().expect("piped"), false);
        (child, keys, Terminal { pieces, shown: String::new(), seen: 0 })
    }
}

#[test]
fn on_a_terminal_incoming_lines_do_not_disturb_the_line_being_typed() {
    let daemon = Daemon::start();
    let mut bob = daemon.connect();
    bob.hello("bob");
    bob.join("lobby");
    let (mut child, mut keys, mut terminal) = Terminal::start(&daemon.addresses[0], "ann");
    let mut press = |text: &str| keys.write_all(text.as_bytes()).expect("it reads");
    terminal.edits(1);
    press("attach lobby\r");
    terminal.shows("ann joined");
    assert_eq!(bob.event().what, JOINED);
    terminal.edits(2);
    press("hal");
    terminal.shows("hal");
    bob.publish("lobby", b"good morning");
    terminal.shows("[r/lobby]> (@bob): good morning");
    // The line being typed is shown again below the incoming one, with its prompt.
    terminal.shows("[r/lobby]> hal");
    press("lo\r");
    assert_eq!(bob.event().what, MESSAGE, "its own");
    assert_eq!(bob.event().body, b"hallo");
    terminal.edits(3);
    press("\x1b[A\r");
    assert_eq!(bob.event().body, b"hallo", "arrow up is the line before");
    terminal.edits(4);
    press("\x04");
    assert_eq!(bob.event().what, LEFT);
    assert_eq!(child.wait().expect("it was started").code(), Some(0));
    let own = terminal.shown.matches("(@ann)").count();
    assert_eq!(own, 0, "one's own words are on the terminal already");
}

#[test]
fn on_a_terminal_no_line_is_lost_of_several_that_arrive_in_one_write() {
    let daemon = Daemon::start();
    let mut bob = daemon.connect();
    bob.join("lobby");
    let (mut child, mut keys, mut terminal) = Terminal::start(&daemon.addresses[0], "ann");
    terminal.edits(1);
    keys.write_all(b"attach lobby\rone\rtwo\r//\rquit\r").expect("it reads");
    assert_eq!(bob.event().what, JOINED);
    for expected in ["one", "two"] {
        assert_eq!(bob.event().body, expected.as_bytes());
    }
    assert_eq!(bob.event().what, LEFT);
    assert_eq!(child.wait().expect("it was started").code(), Some(0));
}

#[test]
fn a_terminal_shows_the_beginning_of_a_very_long_message() {
    let daemon = Daemon::start();
    let mut bob = daemon.connect();
    bob.hello("bob");
    let (mut child, mut keys, mut terminal) = Terminal::start(&daemon.addresses[0], "ann");
    terminal.edits(1);
    bob.send(&frame(SEND, 0, 0, send(&["ann"], &[b'w'; 1 << 20])));
    // The colon and the blank before the message are of its 4000 characters.
    terminal.shows("w ... and 1044578 more characters");
    keys.write_all(b"\x04").expect("it reads");
    assert_eq!(child.wait().expect("it was started").code(), Some(0));
    assert!(terminal.shown.len() < 20_000, "{}", terminal.shown.len());
}

#[test]
fn after_a_restart_people_on_terminals_still_see_each_other() {
    let path = TempPath::new("terminals.sock");
    let address = format!("unix:{}", path.as_str());
    let daemon = Daemon::with(&["--listen", &address]);
    let (mut first, mut ann_keys, mut ann) = Terminal::start(&address, "ann");
    ann.edits(1);
    ann_keys.write_all(b"attach lobby\r").expect("it reads");
    ann.shows("ann joined");
    let (mut second, mut bob_keys, mut bob) = Terminal::start(&address, "bob");
    bob.edits(1);
    bob_keys.write_all(b"attach lobby\r").expect("it reads");
    ann.shows("bob joined");
    daemon.signal("TERM");
    assert_eq!(daemon.end().0, Some(0));
    ann.shows("trying to reconnect");
    bob.shows("trying to reconnect");
    // The restarted hub may give the id that one of them had to the other.
    let daemon = Daemon::with(&["--listen", &address]);
    for terminal in [&mut ann, &mut bob] {
        terminal.shows("begins anew");
        terminal.shows("bob joined");
    }
    ann.edits(2);
    ann_keys.write_all(b"hello bob\r").expect("it reads");
    bob.shows("(@ann): hello bob");
    bob.edits(2);
    bob_keys.write_all(b"hello ann\r").expect("it reads");
    ann.shows("(@bob): hello ann");
    ann.edits(3);
    bob.edits(3);
    for (child, keys) in [(&mut first, &mut ann_keys), (&mut second, &mut bob_keys)] {
        keys.write_all(b"\x04").expect("it reads");
        assert_eq!(child.wait().expect("it was started").code(), Some(0));
    }
    drop(daemon);
}

#[test]
fn nothing_is_said_in_a_room_that_was_left_or_never_joined() {
    let limits = ["--listen", "127.0.0.1:0", "--rooms-per-session", "1"];
    let daemon = Daemon::with(&limits);
    let mut ann = Chat::start(&daemon.addresses[0], "ann");
    ann.type_line("attach a");
    assert_eq!(ann.shown(), "[r/a]> ann joined");
    ann.type_line("//attach b");
    assert!(ann.said().contains("this session is in 1 rooms"));
    // This may be typed before or after the chat learns that the hub refused b.
    ann.type_line("secret");
    let said = ann.said();
    assert!(said.contains("not in r/b, so this was not said") || said.contains("\"secret\" is no command"), "{said}");
    ann.type_line("attach a");
    ann.type_line("//unsub a");
    ann.type_line("sub c");
    assert_eq!((ann.said(), ann.shown()), ("cubby: left r/a".to_owned(), "[r/c]> ann joined".to_owned()));
    ann.type_line("attach c");
    ann.type_line("//unsub c");
    ann.type_line("attach c");
    ann.type_line("back again");
    assert_eq!((ann.said(), ann.shown()), ("cubby: left r/c".to_owned(), "[r/c]> ann joined".to_owned()));
    assert_eq!(ann.shown(), "[r/c]> (@ann): back again");
    assert_eq!(ann.end(), (vec![], vec![], Some(0)));
}

#[test]
fn a_line_typed_twice_is_said_twice_even_if_the_connection_breaks_in_between() {
    let daemon = Daemon::start();
    let proxy = Proxy::start(&daemon.addresses[0]);
    let mut bob = daemon.connect();
    bob.join("lobby");
    let mut ann = Chat::start(&proxy.address, "ann");
    let cut = proxy.let_through();
    ann.type_line("attach lobby");
    ann.type_line("ok");
    assert_eq!((ann.shown(), ann.shown()), ("[r/lobby]> ann joined".to_owned(), "[r/lobby]> (@ann): ok".to_owned()));
    cut();
    ann.said();
    ann.type_line("ok");
    let _cut = proxy.let_through();
    assert_eq!(ann.said(), "cubby: the hub is back");
    let kinds: Vec<u8> = (0..5).map(|_| bob.event().what).collect();
    assert_eq!(kinds, [JOINED, MESSAGE, LEFT, JOINED, MESSAGE]);
    assert_eq!(ann.end().2, Some(0));
}
