//! `cargo bench --bench footprint`: what the daemon costs, from the kernel's accounting: size, memory, wake-ups,
//! processor time. `cubby bench` makes the traffic.

mod harness;
mod processor;
#[path = "../support/mod.rs"]
mod support;

use harness::generator::{Report, Target};
use processor::processor_secs;
use std::time::Duration;
use support::*;

fn main() {
    size();
    idle();
    println!("1 MiB to 255 that do not read: {} kB above idle at most", megabyte_to_255_who_do_not_read());
    println!("400 headers that announce 1 MiB: {} kB above idle at most", four_hundred_announced_megabytes());
    idle_connections();
    println!("\nprocessor time of the daemon, and rate (closed loop)");
    traffic("1 to 100, 64 B, window 64", "--relay 100 --size 64 --window 64");
    traffic("1 to 1, 64 B, window 512", "--pairs 1 --size 64 --window 512");
    traffic("1 to 1, 700 B, window 32", "--pairs 1 --size 700 --window 32");
    traffic("1 to 1, 64 B, window 1", "--pairs 1 --size 64 --window 1");
    traffic("1 to 255, 1 MB, window 1", "--relay 255 --size 1000000 --window 1");
    traffic("1 to 255, 64 B, window 16", "--relay 255 --size 64 --window 16");
    traffic("a room of 255, 64 B, window 16", "--rooms 1 --subscribers 255 --size 64 --window 16");
    traffic("a room of 1,000, 64 B, window 16", "--rooms 1 --subscribers 1000 --size 64 --window 16");
    traffic("1 to 255, 64 B, window 64", "--relay 255 --size 64 --window 64");
    traffic("a room of 255, 64 B, window 64", "--rooms 1 --subscribers 255 --size 64 --window 64");
    traffic("a room of 1,000, 64 B, window 64", "--rooms 1 --subscribers 1000 --size 64 --window 64");
    churn();
    println!("\nrooms");
    rooms_come_and_go();
    one_of_10_000_leaves();
}

/// Runs `cubby bench` against a daemon.
fn bench(daemon: &Daemon, arguments: &str) -> Report {
    let target = Target { protocol: "native", address: &daemon.addresses[0], pid: daemon.pid() };
    let report = target.bench_line(arguments).unwrap_or_else(|what| panic!("cubby bench {arguments}: {what}"));
    let (lost, why) = report.losses();
    assert_eq!(lost, 0, "cubby bench {arguments}: {why:?}");
    report
}

fn size() {
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_cubbyd")).expect("it is built").len();
    println!("stripped cubbyd: {} KiB", bytes / 1024);
}

fn idle() {
    let daemon = Daemon::start();
    let mut quiet: Vec<Raw> = (0..50).map(|_| daemon.connect()).collect();
    quiet[49].list();
    let before = daemon.status("voluntary_ctxt_switches");
    std::thread::sleep(Duration::from_secs(3));
    let wakeups = daemon.status("voluntary_ctxt_switches") - before;
    println!("idle with 50 connections: {} threads, {} kB", daemon.status("Threads"), daemon.status("VmRSS"));
    println!("wake-ups in 3 s of that: {wakeups}");
}

fn idle_connections() {
    const COUNT: u64 = 10_000;
    let daemon = Daemon::start();
    daemon.connect().id();
    let each = bench(&daemon, &format!("--hold {COUNT} --rest 1")).number("/hub/memoryBytesPerConnection");
    println!("{COUNT} idle connections: {each:.0} bytes each");
    need_descriptors(COUNT + 100);
    let daemon = Daemon::start();
    daemon.connect().id();
    let before = daemon.status("VmRSS");
    let mut all: Vec<Raw> = (0..COUNT).map(|_| daemon.connect()).collect();
    for raw in &mut all {
        raw.ask(PING, 0, 1, [7; 100]);
    }
    all[0].id();
    let grown = daemon.status("VmRSS") - before;
    println!("after each sent one request: {grown} kB, {} bytes each", grown * 1024 / COUNT);
}

fn traffic(what: &str, arguments: &str) {
    let daemon = Daemon::start();
    let report = bench(&daemon, &format!("{arguments} --secs 2"));
    println!(
        "{what}: {:.3} us a delivery, {:.2} M deliveries/s, {:.2} GB/s, {:.1} MB at most",
        report.number("/hub/processorNsPerDelivery") / 1e3,
        report.number("/deliveriesPerSecond") / 1e6,
        report.number("/bytesPerSecond") / 1e9,
        report.number("/hub/mostMemoryBytes") / 1e6
    );
}

fn churn() {
    let daemon = Daemon::start();
    let report = bench(&daemon, "--churn 20000");
    let each = report.number("/hub/processorNsPerSession") / 1e3;
    println!("connect, be accepted, leave: {each:.1} us; {} kB at most", daemon.status("VmHWM"));
}

/// Three times, one session joins 2,000 rooms one after another, publishes in each, and leaves it.
fn rooms_come_and_go() {
    let daemon = Daemon::start();
    let mut ann = daemon.connect();
    ann.hello("ann");
    let before = daemon.status("VmRSS");
    let mut grown = Vec::new();
    for _ in 0..3 {
        for number in 0..2000 {
            let room = format!("room {number}");
            ann.join(&room);
            ann.publish(&room, b"hello everybody");
            ann.event();
            assert_eq!(ann.ask(LEAVE, 0, 0, str8(&room)).kind, 0x88);
        }
        grown.push(daemon.status("VmRSS") - before);
    }
    println!("2,000 rooms joined, published in and left, three times: {grown:?} kB above idle");
}

/// Tells 9,999 members that one has left.
fn one_of_10_000_leaves() {
    need_descriptors(10_100);
    // On a slow machine the last members are silent for minutes before they join.
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--heartbeat-secs", "0", "--idle-secs", "0"]);
    let mut readers = room(&daemon, 10_000, 1_000);
    let busy = processor_secs(&daemon);
    readers[0].send(&frame(LEAVE, 0, 0, str8("lobby")));
    readers[1..].iter_mut().for_each(|raw| assert_eq!(raw.event().what, LEFT));
    let busy = processor_secs(&daemon) - busy;
    println!("10,000 members, one leaves: {:.1} ms of processor time to tell the others", busy * 1e3);
}

/// A room of `members`, which join in waves. Each has received the events of all joins.
fn room(daemon: &Daemon, members: usize, wave_len: usize) -> Vec<Raw> {
    let mut readers: Vec<Raw> = (0..members).map(|_| daemon.connect()).collect();
    for joined in (0..members).step_by(wave_len) {
        let newcomers = joined..(joined + wave_len).min(members);
        readers[newcomers.clone()].iter_mut().for_each(|raw| raw.send(&frame(JOIN, 0, 0, str8("lobby"))));
        // The members before them read the events of the wave now, so that none is full.
        readers[..newcomers.end].iter_mut().for_each(Raw::id_after_events);
    }
    readers.iter_mut().for_each(Raw::id_after_events);
    readers
}
