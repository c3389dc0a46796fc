//! Names of users and rooms: which are the same, and which can not be seen.

use crate::support::*;
use cubby::Client;
use std::process::Stdio;
use std::time::Duration;

/// One name as most keyboards type it, and as macOS writes it in the names of files.
const NFC: &str = "Zo\u{eb}";
const NFD: &str = "Zoe\u{308}";

fn hello(name: &str) -> Vec<u8> {
    [&[1], &str8(name)[..], &[0, 0]].concat()
}

#[test]
fn a_name_in_another_normal_form_is_the_same_name() {
    let daemon = Daemon::start();
    let (mut zoe, mut ann) = (daemon.connect(), daemon.connect());
    let welcome = zoe.ask(HELLO, 0, 1, hello(NFD));
    assert_eq!(welcome.payload[17..22], str8(NFC)[..], "{welcome:?}");
    assert_eq!(ann.ask(SEND, RECEIPT, 2, send(&[NFC, NFD], b"hi")), Frame::new(0x85, 0, 2, [0, 2, 0, 0]));
    assert!(zoe.receive().payload.ends_with(b"hi"));
    zoe.join("lobby");
    assert_eq!(zoe.ask(HELLO, 0, 3, hello(NFC)).kind, 0x81, "and no event, for the name is the same");
    assert_eq!(zoe.who("lobby"), [(zoe.id(), NFC.to_owned())]);
}

#[test]
fn a_room_in_another_normal_form_is_the_same_room() {
    let daemon = Daemon::start();
    let (mut ann, mut bob) = (daemon.connect(), daemon.connect());
    assert_eq!(ann.ask_to_join(NFD), (1, 1));
    assert_eq!(ann.event().room, NFC);
    assert_eq!(bob.join(NFC), (2, 2));
    ann.event();
    assert_eq!(bob.publish(NFD, b"hi"), 3);
    for one in [&mut ann, &mut bob] {
        let event = one.event();
        assert_eq!((event.id, &event.room[..]), (3, NFC));
    }
    assert_eq!(ann.history(NFD, 2, 9).0.len(), 1);
    assert_eq!(ann.who(NFD).len(), 2);
    assert_eq!(ann.ask(LEAVE, 0, 4, str8(NFD)).kind, 0x88);
    assert_eq!(bob.event().what, LEFT);
}

#[test]
fn invisible_names_are_survived_as_bad_ones() {
    let daemon = Daemon::start();
    let mut ann = daemon.connect();
    for name in ["\u{200B}", "\u{3164}", "ann\u{200B}", "a\u{AD}nn", "ann\u{FE0F}", "\u{2800}", "می\u{200C}"] {
        let named =
            [(HELLO, hello(name)), (JOIN, str8(name)), (PUBLISH, publish(name, b"")), (SEND, send(&[name], b""))];
        for (kind, payload) in named {
            assert_eq!(ann.ask(kind, 0, 1, payload).error(), (6, kind, false), "{name:?}");
        }
    }
    for name in ["می\u{200C}خواهم", "👩🏽\u{200D}🚀", "❤\u{FE0F}", "क्\u{200D}ष"] {
        assert_eq!(ann.ask(HELLO, 0, 1, hello(name)).kind, 0x81, "{name:?}");
    }
}

#[test]
fn the_client_knows_its_rooms_in_any_normal_form() {
    let daemon = Daemon::start();
    let address = &daemon.addresses[0];
    let mut zoe = Client::connect_as(address, "zoe", Duration::from_secs(30)).expect("the hub is there");
    zoe.publish(NFC, b"before").expect("published");
    let mut command = cubby(address, &["sub", "--history", "9", NFD]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = Lines::of(child.stdout.take().expect("piped"));
    assert!(lines.find("before").contains(NFC));
    zoe.publish(NFC, b"after").expect("published");
    assert!(lines.find("after").contains(NFC));
    child.kill().expect("it runs");
    child.wait().expect("it was started");
}

/// The lines that a program prints.
struct Lines(std::io::Lines<std::io::BufReader<std::process::ChildStdout>>);

impl Lines {
    fn of(stdout: std::process::ChildStdout) -> Lines {
        Lines(std::io::BufRead::lines(std::io::BufReader::new(stdout)))
    }

    /// The next line with this text.
    fn find(&mut self, text: &str) -> String {
        let mut lines = self.0.by_ref().map(|line| line.expect("text"));
        lines.find(|line| line.contains(text)).expect("it prints it")
    }
}
