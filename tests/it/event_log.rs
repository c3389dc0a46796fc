//! The event log of the real daemon: its contents, and the failures that it survives.

use crate::support::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A daemon that logs events to this file, and flushes it at least once a second.
fn logging(path: &str) -> Daemon {
    Daemon::with(&["--listen", "127.0.0.1:0", "--event-log", path, "--flush-secs", "1"])
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn ids(path: &Path) -> Vec<u64> {
    lines(path).iter().map(|line| line["id"].as_u64().expect("a number")).collect()
}

/// The line that an event must have, without its time.
fn line_of(event: &Event) -> Value {
    let kind = ["message", "join", "add", "remove", "leave", "close"][usize::from(event.what) - 1];
    let mut line = json!({
        "id": event.id, "chatroomId": event.room, "type": kind, "sessionId": event.session.to_string(),
    });
    if !event.name.is_empty() {
        line["userId"] = event.name.as_str().into();
    }
    match std::str::from_utf8(&event.body) {
        Ok(text) if event.what == MESSAGE => line["message"] = text.into(),
        Ok(_) => {}
        Err(_) => line["messageBase64"] = "/wD+".into(),
    }
    line
}

#[test]
fn the_log_has_the_events_that_the_members_saw() {
    let path = TempPath::new("events.log");
    let daemon = logging(path.as_str());
    let mut watcher = daemon.connect();
    watcher.hello("watcher");
    watcher.ask_to_join("lobby");
    let (mut phone, mut laptop) = (daemon.connect(), daemon.connect());
    for raw in [&mut phone, &mut laptop] {
        raw.hello("ann");
        raw.join("lobby");
        // A session may publish in a room without joining it.
        raw.publish("elsewhere", b"unheard");
    }
    for body in [&b"hello"[..], b"", b"\xFF\x00\xFE", "\u{9b}\u{202E}\"\\".as_bytes()] {
        laptop.send(&frame(PUBLISH, 0, 0, publish("lobby", body)));
    }
    laptop.id_after_events();
    drop(phone);
    watcher.send(&frame(PING, 0, 0, []));
    let mut story = Vec::new();
    loop {
        let heard = watcher.receive();
        match heard.kind {
            EVENT => story.push(Event::of(&heard)),
            // The event of the phone's leaving has not arrived yet.
            _ if story.len() < 8 => watcher.send(&frame(PING, 0, 0, [])),
            _ => break,
        }
    }
    daemon.signal("TERM");
    assert_eq!(daemon.end().0, Some(0));
    let mut logged: Vec<Value> = lines(&path.0).into_iter().filter(|line| line["chatroomId"] == "lobby").collect();
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is later").as_secs();
    for line in &mut logged {
        let time = line.as_object_mut().expect("an object").remove("unixTime").and_then(|time| time.as_u64());
        assert!(time.is_some_and(|time| (now - 600..=now).contains(&time)), "{time:?}");
    }
    let seen: Vec<Value> = story.iter().map(line_of).collect();
    assert_eq!(logged[..seen.len()], seen);
    let after: Vec<&str> = logged[seen.len()..].iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(after, ["leave", "leave"], "those who were there when the hub stopped have left too");
}

#[test]
fn the_log_is_appended_to_and_an_incomplete_line_is_ended() {
    let path = TempPath::new("events.log");
    fs::write(&path.0, "{\"torn\":").expect("a fresh path");
    for round in 1..=2 {
        let daemon = logging(path.as_str());
        assert_eq!(daemon.connect().publish("lobby", b"hi"), 1);
        daemon.signal("TERM");
        assert_eq!(daemon.end().0, Some(0));
        let text = fs::read_to_string(&path.0).expect("it is there");
        assert!(text.starts_with("{\"torn\":\n{\"id\":1,"), "{text}");
        assert_eq!(text.lines().count(), 1 + round);
    }
}

#[test]
fn on_sighup_the_log_is_flushed_and_reopened() {
    let (path, moved) = (TempPath::new("events.log"), TempPath::new("events.log.1"));
    // The next flush by time is a day away, so only the signal can cause one.
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--event-log", path.as_str(), "--flush-secs", "86400"]);
    let mut raw = daemon.connect();
    raw.publish("lobby", b"1");
    daemon.signal("HUP");
    eventually("the first event is written", || (ids(&path.0) == [1]).then_some(()));
    fs::rename(&path.0, &moved.0).expect("it is there");
    daemon.signal("HUP");
    eventually("there is a new file", || path.0.exists().then_some(()));
    raw.publish("lobby", b"2");
    daemon.signal("HUP");
    eventually("the second event is in the new file", || (ids(&path.0) == [2]).then_some(()));
    assert_eq!(ids(&moved.0), [1]);
}

#[test]
fn no_event_is_lost_if_the_directory_vanishes_for_a_while() {
    let dir = TempPath::new("log-dir");
    fs::create_dir(&dir.0).expect("a fresh path");
    let file = dir.0.join("events.log");
    let mut daemon = logging(file.to_str().expect("text"));
    let mut raw = daemon.connect();
    fs::remove_dir_all(&dir.0).expect("it is there");
    raw.publish("lobby", b"1");
    daemon.signal("HUP");
    let said = wait_for_line(&mut daemon, "cannot write the event log");
    assert!(said.contains("No such file"), "{said}");
    assert_eq!(raw.publish("lobby", b"2"), 2, "the hub lives on");
    fs::create_dir(&dir.0).expect("it has vanished");
    daemon.signal("HUP");
    eventually("all is written", || (ids(&file) == [1, 2]).then_some(()));
}

/// The next line of the daemon's log that contains this text.
fn wait_for_line(daemon: &mut Daemon, what: &str) -> String {
    use std::io::BufRead;
    let mut lines = std::io::BufReader::new(daemon.stderr()).lines();
    let found = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(what)));
    // A thread reads the rest, so that the daemon never blocks on its log.
    std::thread::spawn(move || lines.count());
    found.expect("it is said").expect("text")
}

#[test]
fn a_full_disk_is_reported_and_counted_and_the_hub_goes_on() {
    let daemon = logging("/dev/full");
    let mut raw = daemon.connect();
    raw.publish("lobby", b"lost");
    daemon.signal("HUP");
    assert_eq!(raw.publish("lobby", b"too"), 2);
    daemon.signal("USR1");
    raw.id();
    daemon.signal("TERM");
    let (code, said) = daemon.end();
    assert_eq!(code, Some(0));
    assert!(said.contains("cannot write the event log /dev/full: No space left"), "{said}");
    assert!(said.contains("event log: lines 0 failures"), "{said}");
    assert!(said.contains("lacks its last"), "{said}");
}

#[test]
fn a_pipe_that_nobody_reads_does_not_block_shutdown() {
    let path = TempPath::new("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path.0).status().expect("mkfifo runs");
    assert!(made.success());
    let refused = run(daemon(&["--listen", "127.0.0.1:0", "--event-log", path.as_str()]), b"");
    assert_eq!(refused.status.code(), Some(1), "nobody reads at all");
    let held = fs::OpenOptions::new().read(true).write(true).open(&path.0).expect("it is there");
    let daemon = logging(path.as_str());
    let mut raw = daemon.connect();
    for _ in 0..5 {
        raw.publish("lobby", &[7; 100_000]);
    }
    daemon.signal("TERM");
    assert_eq!(daemon.end().0, Some(0));
    drop(held);
}

#[test]
fn a_log_that_cannot_be_written_is_refused_at_once() {
    for (arguments, code, what) in [
        (&["--event-log", "/nowhere/events.log"][..], 1, "/nowhere/events.log"),
        (&["--event-log", ""], 2, "--event-log"),
        (&["--flush-secs", "5"], 2, "--event-log"),
        (&["--event-log", "x", "--flush-secs", "0"], 2, "--flush-secs"),
    ] {
        let output = run(daemon(&[&["--listen", "127.0.0.1:0", "--log", "error"], arguments].concat()), b"");
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), ""));
        assert!(text(&output.stderr).contains(what), "{}", text(&output.stderr));
    }
}

#[test]
fn events_that_wait_for_a_full_disk_are_bounded_counted_and_reported_once() {
    let daemon =
        Daemon::with(&["--listen", "127.0.0.1:0", "--event-log", "/dev/full", "--flush-secs", "1", "--memory", "8M"]);
    let mut raw = daemon.connect();
    let begin = daemon.status("VmRSS");
    for _ in 0..3000 {
        raw.publish("lobby", &[7; 10_000]);
    }
    let stats = raw.stats();
    let (held, dropped) = (stats["held"].as_u64().unwrap_or(0), stats["events-dropped"].as_u64().unwrap_or(0));
    // Each of these bodies makes a line of 60 kB, a quarter of the limit may be in the writer's buffer, and a few lines
    // are on their way there.
    assert!((900_000..1_600_000).contains(&held), "an eighth of the limit, and lines: {held} B");
    assert!((2800..3000).contains(&dropped), "{dropped} events");
    let grown = daemon.status("VmRSS").saturating_sub(begin);
    assert!(grown < 6 * 1024, "{grown} kB, a mebibyte of history among them");
    daemon.signal("TERM");
    let (code, said) = daemon.end();
    assert_eq!((code, said.matches("loses events").count()), (Some(0), 1), "{said}");
}
