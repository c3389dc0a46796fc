//! Clients whose output nobody reads for a while, or whose input takes long: the hub hears that they are there, and
//! nothing that fits is lost.

use crate::chat::{Chat, Terminal};
use crate::hostile_hub::{history_end, hub as hostile_hub, joined, message};
use crate::support::*;
use cubby::Client;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long things are paused: more than twice the time after which the hub closes who is silent.
const PAUSE: Duration = Duration::from_secs(5);

/// A hub that closes who is silent for two seconds, and someone in its lobby.
fn hub() -> (Daemon, Client) {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--heartbeat-secs", "1", "--idle-secs", "2"]);
    let mut bob = Client::connect_as(&daemon.addresses[0], "bob", PATIENCE).expect("the hub answers");
    bob.join("lobby").expect("it may");
    (daemon, bob)
}

fn publish_all(bob: &mut Client, lines: &[String]) {
    for line in lines {
        bob.publish("lobby", line.as_bytes()).expect("the hub is there");
    }
}

/// Publishes these lines, waits, and returns whether ann is still in the lobby.
fn is_there_after_a_pause(bob: &mut Client, lines: &[String]) -> bool {
    publish_all(bob, lines);
    let until = Instant::now() + PAUSE;
    while Instant::now() < until {
        bob.next(Some(Duration::from_millis(500))).expect("the hub is there");
    }
    bob.who("lobby").expect("he is in").iter().any(|(_, name)| name == "ann")
}

/// Waits until ann is in the lobby.
fn await_ann(bob: &mut Client) {
    eventually("ann comes", || bob.who("lobby").expect("he is in").iter().any(|(_, name)| name == "ann").then_some(()));
}

/// More than a pipe, or the queue of a terminal, takes.
fn many_lines() -> Vec<String> {
    (0..500).map(|number| format!("{number} {}", "x".repeat(500))).collect()
}

#[test]
fn sub_stays_in_its_room_while_nobody_reads_its_output() {
    let (daemon, mut bob) = hub();
    for arguments in [&["sub", "lobby", "--name", "ann"][..], &["sub", "lobby", "--name", "ann", "--json"]] {
        let mut command = cubby(&daemon.addresses[0], arguments);
        let mut sub = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        await_ann(&mut bob);
        let lines = many_lines();
        assert!(is_there_after_a_pause(&mut bob, &lines), "it has answered the heartbeats");
        let mut read = BufReader::new(sub.stdout.take().expect("piped")).lines().map_while(Result::ok);
        for line in &lines {
            assert!(read.any(|read| read.contains(line)), "nothing is lost: {line}");
        }
        sub.kill().expect("it runs");
        let rest = sub.wait_with_output().expect("it was started");
        assert_eq!(text(&rest.stderr), "");
        eventually("she is gone", || (bob.who("lobby").expect("he is in").len() == 1).then_some(()));
    }
}

/// A chat on a terminal, in which ann is in the lobby and searches in what she typed.
fn search_as_ann(daemon: &Daemon, bob: &mut Client) -> (Child, ChildStdin, Terminal) {
    let (child, mut keys, mut terminal) = Terminal::start(&daemon.addresses[0], "ann");
    terminal.edits(1);
    keys.write_all(b"attach lobby\r").expect("it reads");
    await_ann(bob);
    terminal.edits(2);
    keys.write_all(b"\x12").expect("it reads");
    terminal.shows("reverse-i-search");
    (child, keys, terminal)
}

#[test]
fn a_chat_stays_in_its_room_during_a_search_in_what_was_typed() {
    let (daemon, mut bob) = hub();
    let (mut child, mut keys, mut terminal) = search_as_ann(&daemon, &mut bob);
    let lines = many_lines();
    assert!(is_there_after_a_pause(&mut bob, &lines), "it has answered the heartbeats");
    keys.write_all(b"\x07").expect("it reads");
    lines.iter().for_each(|line| terminal.shows(line.split(' ').next().expect("its number")));
    keys.write_all(b"\x04").expect("it reads");
    assert_eq!(child.wait().expect("it was started").code(), Some(0));
}

#[test]
fn whoever_leaves_a_chat_during_a_search_does_not_wait_for_the_screen() {
    let (daemon, mut bob) = hub();
    let (mut child, mut keys, _terminal) = search_as_ann(&daemon, &mut bob);
    publish_all(&mut bob, &many_lines());
    keys.write_all(b"\x03").expect("it reads");
    assert_eq!(child.wait().expect("it was started").code(), Some(0));
}

#[test]
fn a_body_may_be_typed_for_longer_than_a_hub_waits_for_silent_clients() {
    let (daemon, mut bob) = hub();
    let mut ann = Chat::run(cubby(&daemon.addresses[0], &["pub", "lobby", "--name", "ann"]));
    ann.type_line("first");
    let until = Instant::now() + PAUSE;
    while Instant::now() < until {
        bob.next(Some(Duration::from_millis(500))).expect("the hub is there");
    }
    ann.type_line("last");
    let (shown, said, code) = ann.end();
    assert_eq!((shown, said, code), (vec!["published 11 bytes as event 2".to_owned()], vec![], Some(0)));
}

#[test]
fn sub_asks_for_the_events_that_the_hub_did_not_send_it() {
    let (address, asked) = hub_with_a_gap();
    let mut sub = Chat::run(cubby(&address, &["sub", "lobby"]));
    for id in 1..=3 {
        assert_eq!(sub.shown(), format!("[r/lobby]> (@mallory): event {id}"));
    }
    assert_eq!(asked.recv_timeout(PATIENCE), Ok(HISTORY));
}

/// A hub that pushes the first and the third event of a room, and has the second in its history. Also the kinds of the
/// requests after JOIN.
fn hub_with_a_gap() -> (String, Receiver<u8>) {
    let event = |flags, tag, id: u64| message(flags, tag, id, format!("event {id}").as_bytes());
    let (send, asked) = channel();
    let address = hostile_hub(move |stream, asked| match asked.kind {
        JOIN => stream.write_all(&[joined(asked.tag), event(0, 0, 1), event(0, 0, 3)].concat()),
        kind => {
            let _ = send.send(kind);
            stream.write_all(&[event(REPLAY, asked.tag, 2), history_end(asked.tag, 3)].concat())
        }
    });
    (address, asked)
}
