//! The daemon's limits on clients: the number of connections, the rate of requests, and how long a client may be silent
//! or slow.

use crate::support::*;
use std::time::{Duration, Instant};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn with(arguments: &[&str]) -> Daemon {
    Daemon::with(&[&LISTEN, arguments].concat())
}

#[test]
fn one_too_many_from_an_address_is_told_so_and_others_stay() {
    let path = TempPath::new("per-address.sock");
    let daemon = with(&["--max-per-address", "2", "--listen", &format!("unix:{}", path.as_str())]);
    let (mut ann, mut bob) = (daemon.connect(), daemon.connect());
    let (_, gone) = (ann.id(), bob.id());
    assert_eq!(daemon.connect().expect_closing(), 14);
    drop(bob);
    ann.wait_until_gone(gone);
    daemon.connect().id();
    let unix = format!("unix:{}", path.as_str());
    assert!(run(cubby(&unix, &["id"]), b"").status.success(), "a unix socket has no address");
    assert_eq!(ann.stats()["refused-address"], 1);
}

#[test]
fn who_asks_too_often_waits_and_loses_nothing() {
    let daemon = with(&["--rate", "50"]);
    let (mut eager, mut modest) = (daemon.connect(), daemon.connect());
    eager.send(&frame(PING, 0, 1, b"").repeat(60));
    assert_eq!(modest.ask(PING, 0, 2, b"").kind, 0x8C, "others are served at once");
    (0..60).for_each(|_| assert_eq!(eager.receive().kind, 0x8C));
    assert!(modest.stats()["paced"].as_u64().is_some_and(|times| times > 0));
}

#[test]
fn a_silent_client_is_asked_and_closed_and_one_that_answers_stays() {
    let daemon = with(&["--heartbeat-secs", "1", "--idle-secs", "3"]);
    let (mut silent, mut alive) = (daemon.connect(), daemon.connect());
    let began = Instant::now();
    let mut beats = 0;
    while silent_goes_on(&mut silent, &mut beats) {
        while alive_is_asked(&mut alive) {}
    }
    assert!((2..=3).contains(&beats), "{beats} beats in {:?}", began.elapsed());
    alive.send(&frame(PING, 0, 1, b""));
    while alive.receive().kind == BEAT {}
    assert_eq!(daemon.connect().stats()["closed"]["idle"], 1);
}

/// Whether the next frame is a BEAT, which is counted; otherwise it must be CLOSING 13.
fn silent_goes_on(raw: &mut Raw, beats: &mut u32) -> bool {
    let next = raw.receive();
    if next.kind == CLOSING {
        assert_eq!(next.payload[..2], [0, 13]);
        return false;
    }
    assert_eq!((next.kind, next.flags, next.tag, next.payload.len()), (BEAT, 0, 0, 8));
    *beats += 1;
    true
}

/// Whether a BEAT has come, which is answered.
fn alive_is_asked(raw: &mut Raw) -> bool {
    raw.0.set_nonblocking(true).expect("it can be");
    let asked = raw.0.peek(&mut [0]).is_ok();
    raw.0.set_nonblocking(false).expect("it can be");
    if asked {
        assert_eq!(raw.receive().kind, BEAT);
        raw.send(&frame(ALIVE, 0, 0, []));
    }
    asked
}

#[test]
fn our_own_clients_answer_by_themselves() {
    let daemon = with(&["--heartbeat-secs", "1", "--idle-secs", "2"]);
    let mut command = cubby(&daemon.addresses[0], &["--name", "ann", "listen"]);
    let mut listener = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut bob = cubby::Client::connect(&daemon.addresses[0]).expect("it listens");
    assert_eq!(bob.welcome().heartbeat, Duration::from_secs(1));
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        assert_eq!(bob.next(Some(Duration::from_millis(500))).expect("the hub keeps it"), None);
    }
    let statuses = eventually("the listener is there", || Some(bob.send(&["ann"], b"still there?").expect("here")));
    assert_eq!(statuses, [cubby::Status::Queued]);
    listener.kill().expect("it runs");
    listener.wait().expect("it ran");
}

#[test]
fn a_frame_that_is_not_finished_in_time_ends_its_connection() {
    let daemon = with(&["--frame-secs", "1"]);
    let (mut slow, mut silent) = (daemon.connect(), daemon.connect());
    slow.id();
    slow.send(&[PING, 0, 0]);
    silent.send(b"\x04");
    for raw in [&mut slow, &mut silent] {
        assert_eq!(raw.expect_closing(), 13);
    }
}

#[test]
fn zero_turns_each_time_limit_off() {
    let daemon = with(&["--heartbeat-secs", "0", "--idle-secs", "0", "--frame-secs", "0"]);
    let mut raw = daemon.connect();
    let welcome = raw.ask(HELLO, 0, 1, b"\x01\0\0\0");
    assert_eq!(welcome.payload[15..17], [0, 0], "no heartbeat is promised");
    raw.send(&[PING, 0]);
    raw.send(&[0, 1, 0, 0, 0, 0]);
    assert_eq!(raw.receive().kind, 0x8C);
}

/// A receiver that does not read and whose queue is full, and a sender that waits for it or was refused.
fn flooded(daemon: &Daemon) -> (Raw, Raw, u64) {
    let (mut sender, mut stuck) = (daemon.connect(), daemon.connect());
    let to = stuck.id();
    // The hub does not hold what the kernel has accepted.
    (0..12).for_each(|_| sender.send(&frame(RELAY, 0, 0, relay(&[to], &[7; 1 << 20]))));
    (sender, stuck, to)
}

#[test]
fn a_daemon_may_refuse_what_is_for_the_full() {
    let daemon = with(&["--queue", "64K", "--when-full", "refuse"]);
    let (mut sender, _stuck, to) = flooded(&daemon);
    let receipt = loop {
        match sender.ask(RELAY, RECEIPT, 9, relay(&[to], b"and this")) {
            told if told.kind == ERROR => assert_eq!(told.error(), (8, RELAY, false), "for what had no receipt"),
            receipt => break receipt,
        }
    };
    assert_eq!(receipt, Frame::new(0x84, 0, 9, [0, 1, 2]));
}

#[test]
fn a_daemon_may_close_the_full_at_once() {
    let daemon = with(&["--queue", "64K", "--when-full", "close"]);
    let (mut sender, mut stuck, to) = flooded(&daemon);
    sender.wait_until_gone(to);
    let closing = eventually("it is told why", || Some(stuck.receive()).filter(|frame| frame.kind == CLOSING));
    assert_eq!(closing.payload[..2], [0, 12]);
}

#[test]
fn one_who_does_not_read_is_closed_in_time_and_can_still_read_why() {
    let daemon = with(&["--stall-secs", "1"]);
    let (mut sender, mut stuck, to) = flooded(&daemon);
    sender.wait_until_gone(to);
    let closing = eventually("it is told why", || Some(stuck.receive()).filter(|frame| frame.kind == CLOSING));
    assert_eq!(closing.payload[..2], [0, 12]);
    assert_eq!(sender.stats()["closed"]["too slow"], 1);
}

#[test]
fn two_who_flood_each_other_and_do_not_read_both_get_through() {
    let daemon = Daemon::start();
    let (mut ann, mut bob) = (daemon.connect(), daemon.connect());
    let (ann_id, bob_id) = (ann.id(), bob.id());
    let flood = |mut raw: Raw, to: u64| {
        std::thread::spawn(move || {
            (0..20).for_each(|_| raw.send(&frame(RELAY, 0, 5, relay(&[to], &[7; 1 << 20]))));
            raw.send(&frame(PING, 0, 6, b"done"));
            let mut heard = (0, 0);
            loop {
                match raw.receive() {
                    frame if frame.kind == DELIVER => heard.0 += 1,
                    frame if frame.kind == ERROR => {
                        assert_eq!(frame.error(), (8, RELAY, false));
                        heard.1 += 1;
                    }
                    frame => break assert_eq!((frame.kind, frame.tag), (0x8C, 6)),
                }
            }
            (raw, heard)
        })
    };
    let both = [flood(ann, bob_id), flood(bob, ann_id)].map(|thread| thread.join().expect("it gets through"));
    let stats = daemon.connect().stats();
    let told: u64 = both.iter().map(|(_, heard)| heard.1).sum();
    assert_eq!((&stats["refused"], stats["closed"].to_string()), (&told.into(), "{}".to_owned()), "each was told");
    assert_eq!(stats["frames-out"]["DELIVER"]["frames"], 40 - told, "all else is on its way");
}

#[test]
fn the_budget_of_memory_bounds_what_is_half_received() {
    let daemon = with(&["--memory", "32M"]);
    let mut bystander = daemon.connect();
    let to = bystander.id();
    let before = daemon.status("VmRSS");
    let whole = frame(RELAY, 0, 0, relay(&[to], &[7; 1 << 20]));
    let halves: Vec<Raw> = (0..120).map(|_| daemon.connect()).collect();
    for raw in &halves {
        raw.0.set_nonblocking(true).expect("it can be");
        // The hub may not receive all of it.
        let _ = std::io::Write::write(&mut &raw.0, &whole[..900_000]);
    }
    let peak = daemon.status("VmHWM") - before;
    assert!(peak < 56 * 1024, "{peak} kB");
    assert_eq!(bystander.ask(PING, 0, 1, b"").kind, 0x8C, "those who ask for little go on");
    drop(halves);
}

#[test]
fn statistics_are_told_to_those_on_this_machine() {
    let path = TempPath::new("stats.sock");
    let unix = format!("unix:{}", path.as_str());
    let daemon = with(&["--listen", &unix]);
    let mut raw = daemon.connect();
    raw.id();
    let stats = raw.stats();
    assert_eq!((&stats["users"], &stats["frames-in"]["IDENTITY"]["frames"]), (&1.into(), &1.into()));
    let shown = run(cubby(&unix, &["stats"]), b"");
    assert!(text(&shown.stdout).lines().any(|line| line == "users 2"), "{}", text(&shown.stdout));
    let json = run(cubby(&unix, &["--json", "stats"]), b"");
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON object");
    assert_eq!(json["frames-out"]["STATS reply"]["frames"], 2);
}
