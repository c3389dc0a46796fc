//! What becomes of a message: whom the chat reaches by which names, what it says if a message did not arrive or may not
//! have arrived, and how much of what is piped to it is kept.

use crate::chat::Chat;
use crate::hostile_hub::{Asked, history_end, hub, joined};
use crate::support::*;
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn each_name_that_a_text_does_not_reach_at_once_is_told_in_the_chat() {
    let address = hub(|stream, asked| match asked.kind {
        SEND => stream.write_all(&frame(0x85, 0, asked.tag, [0, 5, 0, 1, 2, 3, 4])),
        _ => stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, 7u64.to_be_bytes())),
    });
    let mut ann = Chat::start(&address, "ann");
    ann.type_line("to bob,carl,dora,eve,fred hello");
    for what in ["nobody here is called carl", "dora was not reached: ", "stored for eve", "handed to the hub of fred"]
    {
        let said = ann.said();
        assert!(said.contains(what), "{said}");
    }
    assert_eq!(ann.end(), (vec![], vec![], Some(0)), "bob has got it");
}

#[test]
fn a_receiver_whose_queue_is_full_is_named_in_the_chat() {
    let arguments = ["--listen", "127.0.0.1:0", "--when-full", "refuse"];
    let daemon = Daemon::with(&arguments);
    let mut bob = daemon.connect();
    bob.hello("bob");
    let mut eve = daemon.connect();
    // Nobody reads at bob's end: this goes on until his queue is full.
    let full = eventually("his queue is full", || {
        let receipt = eve.ask(SEND, RECEIPT, 1, send(&["bob"], &vec![b'x'; 1 << 20]));
        (receipt.payload[2] == 2).then_some(receipt.kind)
    });
    assert_eq!(full, 0x85);
    let mut ann = Chat::start(&daemon.addresses[0], "ann");
    ann.type_line(&format!("to bob {}", "x".repeat(1 << 20)));
    assert!(ann.said().contains("bob was not reached"));
    assert_eq!(ann.end().2, Some(0));
}

#[test]
fn names_with_commas_blanks_and_quotes_are_reached_by_quoting_them() {
    let daemon = Daemon::start();
    let names = ["Lee, Ann", "Ann Lee", "bob", "Jo \"J\" Ray"];
    let mut people = names.map(|name| {
        let mut raw = daemon.connect();
        raw.hello(name);
        raw
    });
    let mut carl = Chat::start(&daemon.addresses[0], "carl");
    carl.type_line("to \"Lee, Ann\" one");
    carl.type_line("to \"Ann Lee\",bob two");
    carl.type_line("to \"Jo \"\"J\"\" Ray\" three");
    for (person, text) in people.iter_mut().zip(["one", "two", "two", "three"]) {
        let mail = person.receive();
        assert_eq!(mail.kind, MAIL);
        assert!(mail.payload.ends_with(&[&str8("carl")[..], text.as_bytes()].concat()), "{mail:?}");
    }
    carl.type_line("to \"Ann\"Lee,bob four");
    assert!(carl.said().contains("directly behind a closing double quote"));
    carl.type_line("to bob, \"Ann Lee\" five");
    assert!(carl.said().contains("empty name"));
    assert_eq!(carl.end(), (vec![], vec![], Some(0)));
}

/// A hub that closes the connection in place of an answer to requests of this kind, and how many of them it has got.
fn hub_without_an_answer_to(
    kind: u8,
    mut answer: impl FnMut(&mut TcpStream, &Asked) -> io::Result<()> + Send + 'static,
) -> (String, Arc<AtomicUsize>) {
    let got = Arc::new(AtomicUsize::new(0));
    let counted = got.clone();
    let address = hub(move |stream, asked| {
        if asked.kind == kind {
            counted.fetch_add(1, Ordering::SeqCst);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        answer(stream, asked)
    });
    (address, got)
}

#[test]
fn a_direct_message_without_a_receipt_is_not_sent_again() {
    let (address, got) = hub_without_an_answer_to(SEND, |stream, asked| {
        stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, 7u64.to_be_bytes()))
    });
    let mut ann = Chat::start(&address, "ann");
    ann.type_line("to bob,eve once only");
    assert_eq!(ann.said(), "cubby: this may not have arrived at bob, eve: once only");
    assert!(ann.said().contains("trying to reconnect"));
    assert_eq!(ann.said(), "cubby: the hub is back");
    assert_eq!(ann.end(), (vec![], vec![], Some(0)));
    assert_eq!(got.load(Ordering::SeqCst), 1);
}

#[test]
fn a_message_to_a_room_without_a_receipt_is_looked_for_and_not_sent_again() {
    for arrived in [true, false] {
        let (address, got) = hub_without_an_answer_to(PUBLISH, move |stream, asked| match asked.kind {
            JOIN => stream.write_all(&joined(asked.tag)),
            HISTORY => {
                if arrived {
                    // The id of each session at this hub is 7.
                    let numbers = [1, 1_700_000_000_000, 7].map(u64::to_be_bytes).concat();
                    let event = [&[MESSAGE][..], &numbers, &str8("lobby"), &str8("ann"), b"once only"].concat();
                    stream.write_all(&frame(EVENT, REPLAY, asked.tag, event))?;
                }
                stream.write_all(&history_end(asked.tag, 1))
            }
            _ => stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, 7u64.to_be_bytes())),
        });
        let mut ann = Chat::start(&address, "ann");
        ann.type_line("attach lobby");
        ann.type_line("once only");
        assert!(ann.said().contains("trying to reconnect"));
        assert_eq!(ann.said(), "cubby: the hub is back");
        let (shown, said, code) = ann.end();
        let in_doubt = said.contains(&"cubby: this may not have arrived: once only".to_owned());
        assert_eq!((in_doubt, shown.len(), code), (!arrived, usize::from(arrived), Some(0)), "{said:?} {shown:?}");
        assert_eq!(got.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_line_over_the_hubs_limit_is_told_and_not_kept_in_memory() {
    let daemon = Daemon::start();
    let mut ann = Chat::start(&daemon.addresses[0], "ann");
    ann.type_line("attach lobby");
    ann.type_line(&"x".repeat(100 << 20));
    let said = ann.said();
    assert!(said.contains("too large") && said.contains("1048576 bytes"), "{said}");
    ann.type_line(&"y".repeat((1 << 20) + 1));
    let said = ann.said();
    assert!(said.contains("1048577 bytes; this hub accepts at most 1048576"), "{said}");
    ann.type_line("and goes on");
    assert_eq!(ann.shown(), "[r/lobby]> ann joined");
    assert_eq!(ann.shown(), "[r/lobby]> (@ann): and goes on");
    let peak = peak_memory(ann.pid());
    assert!(peak < 32 << 10, "{peak} KiB");
}

/// The most memory that a process has had, in KiB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("such a field");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_script_that_pipes_faster_than_the_hub_takes_is_not_kept_in_memory() {
    let path = TempPath::new("pipe.sock");
    let address = format!("unix:{}", path.as_str());
    let daemon = Daemon::with(&["--listen", &address]);
    let mut ann = Chat::start(&address, "ann");
    ann.type_line("attach lobby");
    ann.shown();
    daemon.signal("TERM");
    assert!(ann.said().contains("going away"));
    assert_eq!(daemon.end().0, Some(0));
    let (text, pid) = ("z".repeat(1 << 20), ann.pid());
    let typing = std::thread::spawn(move || {
        (0..60).for_each(|_| ann.type_line(&text));
        ann
    });
    // Some MiB are kept, and the rest waits in the pipe.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let peak = peak_memory(pid);
    assert!(peak < 48 << 10, "{peak} KiB");
    let _daemon = Daemon::with(&["--listen", &address]);
    let mut ann = typing.join().expect("all is read in the end");
    assert_eq!(ann.said(), "cubby: the hub is back");
    assert!(ann.said().contains("begins anew"));
    assert_eq!(ann.shown(), "[r/lobby]> ann joined");
    (0..60).for_each(|_| assert_eq!(ann.shown().len(), "[r/lobby]> (@ann): ".len() + (1 << 20)));
    assert_eq!(ann.end(), (vec![], vec![], Some(0)));
}
