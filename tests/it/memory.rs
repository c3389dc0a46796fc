//! How much the daemon's memory may grow, by the kernel's accounting.

use crate::support::*;
use std::io::Read;
use std::process::Command;

#[test]
fn a_megabyte_to_255_who_do_not_read_is_held_once() {
    let grown = megabyte_to_255_who_do_not_read();
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn an_announced_megabyte_costs_nothing_until_it_comes() {
    let grown = four_hundred_announced_megabytes();
    assert!(grown < 4 * 1024, "{grown} kB");
}

#[test]
fn the_memory_of_a_burst_is_given_back_when_it_is_over() {
    const READERS: usize = 200;
    let daemon = Daemon::start();
    let mut readers: Vec<Raw> = (0..READERS).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = readers.iter_mut().map(Raw::id).collect();
    let before = daemon.status("VmRSS");
    // The hub executes this faster than it sends the result, so it holds much of it for a while.
    let burst = frame(RELAY, 0, 0, relay(&ids, &[7; 3000])).repeat(120);
    daemon.connect().send(&burst);
    let mut heard = vec![0; 120 * 3016];
    readers.iter_mut().for_each(|reader| reader.0.read_exact(&mut heard).expect("the hub sends"));
    assert!(daemon.status("VmHWM") > before + 4096, "the burst was one");
    eventually("the memory is given back", || (daemon.status("VmRSS") < before + 1024).then_some(()));
}

#[test]
fn the_daemon_is_one_thread() {
    let daemon = Daemon::start();
    daemon.connect().id();
    assert_eq!(daemon.status("Threads"), 1);
}

#[test]
fn a_json_message_of_escapes_takes_as_much_memory_as_its_body() {
    const BODY: usize = 8 << 20;
    let daemon = web::web_daemon(&["--max-body", "8M"]);
    for (escape, times) in [("\\u0001", 2), ("\\\"", 4)] {
        let mut ws = web::Ws::json(&daemon);
        let text = format!(r#"{{"type":"publish","room":"{times}","receipt":true,"body":"{}"}}"#, escape.repeat(BODY));
        let before = daemon.status("VmRSS");
        ws.send(web::message(web::TEXT, &text));
        assert!(ws.text().contains("published"));
        let grown = daemon.status("VmHWM").saturating_sub(before) as usize;
        assert!(grown < times * (BODY >> 10) + 2048, "{escape}: {grown} kB");
    }
}

#[test]
fn a_message_that_stops_being_json_is_not_kept() {
    let daemon = web::web_daemon(&["--max-body", "8M"]);
    let mut ws = web::Ws::json(&daemon);
    let text = format!(r#"{{"type":"publish","room":"a","body":"{}\x{}"#, "x".repeat(1 << 20), "x".repeat(40 << 20));
    let before = daemon.status("VmRSS");
    let (code, said) = ws.survived(&text);
    assert!(code == 1 && said.contains("escape"), "{code}: {said}");
    let grown = daemon.status("VmHWM").saturating_sub(before);
    assert!(grown < 4096, "{grown} kB");
}

#[test]
fn the_memory_of_rooms_and_names_is_given_back_when_everybody_has_left() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--history-secs", "0", "--memory", "256M"]);
    let mut steady = daemon.connect();
    steady.id();
    let before = daemon.status("VmRSS");
    let crowd: Vec<Raw> = (0..200)
        .map(|number| {
            let mut raw = daemon.connect();
            raw.hello(&format!("user {number}"));
            let joins = (0..256).flat_map(|room| frame(JOIN, 0, 0, str8(&format!("room {room} of {number}"))));
            raw.send(&joins.collect::<Vec<u8>>());
            (0..2 * 256).for_each(|_| assert!([0x87, EVENT].contains(&raw.receive().kind)));
            raw
        })
        .collect();
    let held = steady.stats()["held"].as_u64().expect("a number");
    assert!(held > 200 * 256 * 300 && daemon.status("VmRSS") > before + 16 * 1024, "{held}");
    drop(crowd);
    eventually("the memory is given back", || (daemon.status("VmRSS") < before + 2 * 1024).then_some(()));
    assert_eq!((steady.stats()["held"].as_u64(), steady.stats()["rooms"].as_u64()), (Some(0), Some(0)));
}

#[test]
fn the_limits_that_the_process_has_lower_the_defaults() {
    for (limit, expected) in [
        ("-v 400000", "97 MiB of unsent and partial data, 97 MiB of history"),
        ("-d 200000", "48 MiB of unsent and partial data, 48 MiB of history"),
    ] {
        let mut command = Command::new("sh");
        let script = format!("ulimit {limit}; exec \"$0\" --listen 127.0.0.1:0 --log info");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_cubbyd")]);
        let daemon = Daemon::run(command, 1);
        daemon.connect().id();
        daemon.signal("TERM");
        let (code, said) = daemon.end();
        assert!(code == Some(0) && said.contains(expected), "{limit}: {said}");
    }
}
