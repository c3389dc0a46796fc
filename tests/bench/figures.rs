//! `cargo bench --bench figures`: what the daemon costs, as the kernel accounts for it. Memory, wake-ups, processor
//! time.

#[path = "../support/mod.rs"]
mod support;

#[path = "processor.rs"]
mod processor;

use processor::processor_secs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};
use support::*;

fn main() {
    size();
    idle();
    println!("1 MiB to 255 who do not read: {} kB above idle at the peak", megabyte_to_255_who_do_not_read());
    println!("400 headers that announce 1 MiB: {} kB above idle at the peak", four_hundred_announced_megabytes());
    idle_connections();
    println!("\nprocessor time of the daemon, and rate (closed loop: a batch is sent, then read by all)");
    relays("one to 100, 64 B, batches of 64", 100, 64, 64, 6_000);
    relays("one to 1, 64 B, batches of 512", 1, 64, 512, 6_000);
    relays("one to 1, 700 B, batches of 32", 1, 700, 32, 30_000);
    relays("one to 1, 64 B, batches of 1", 1, 64, 1, 50_000);
    relays("one to 255, 1 MB, batches of 1", 255, 1_000_000, 1, 20);
    relays("one to 255, 64 B, batches of 16", 255, 64, 16, 8_000);
    publishes("a room of 255, 64 B, batches of 16", 255, 64, 16, 8_000);
    publishes("a room of 1,000, 64 B, batches of 16", 1_000, 64, 16, 2_000);
    relays("one to 255, 64 B, batches of 64", 255, 64, 64, 2_000);
    publishes("a room of 255, 64 B, batches of 64", 255, 64, 64, 2_000);
    publishes("a room of 1,000, 64 B, batches of 64", 1_000, 64, 64, 500);
    comings_and_goings();
    println!("\nrooms");
    rooms_come_and_go();
    one_of_10_000_leaves();
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
    need_descriptors(COUNT + 100);
    let daemon = Daemon::start();
    daemon.connect().id();
    let before = daemon.status("VmRSS");
    let mut all: Vec<Raw> = (0..COUNT).map(|_| daemon.connect()).collect();
    all[0].id();
    let grown = daemon.status("VmRSS") - before;
    println!("{COUNT} idle connections: {grown} kB, {} bytes each", grown * 1024 / COUNT);
    for raw in &mut all {
        raw.ask(PING, 0, 1, [7; 100]);
    }
    all[0].id();
    let grown = daemon.status("VmRSS") - before;
    println!("after each spoke once: {grown} kB, {} bytes each", grown * 1024 / COUNT);
}

/// The part of it that was the daemon's own and not the kernel's, in clock ticks of 10 ms.
fn own_secs(daemon: &Daemon) -> f64 {
    let stat = daemon.proc_file("stat");
    let after_name = stat.rsplit(')').next().expect("the fields after the name");
    let ticks = after_name.split_whitespace().nth(11).expect("the user time");
    ticks.parse::<f64>().expect("ticks") / 100.0
}

fn relays(what: &str, receivers: usize, size: usize, batch: usize, rounds: usize) {
    let daemon = Daemon::start();
    let mut readers: Vec<Raw> = (0..receivers).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = readers.iter_mut().map(Raw::id).collect();
    let request = frame(RELAY, 0, 0, relay(&ids, &vec![7; size]));
    fan_out(what, &daemon, &mut readers, &request, 16 + size, [size, batch, rounds]);
}

fn publishes(what: &str, members: usize, size: usize, batch: usize, rounds: usize) {
    let daemon = Daemon::start();
    // Coming in one by one, they are told in the same order as the receivers of a relay are: in another one the hub and
    // the reader would get into each other's way.
    let mut readers = room(&daemon, members, 1);
    let request = frame(PUBLISH, 0, 0, publish("lobby", &vec![7; size]));
    fan_out(what, &daemon, &mut readers, &request, 8 + 27 + 5 + size, [size, batch, rounds]);
}

/// So many in a room, who came in waves, and each of whom has heard of all who came.
fn room(daemon: &Daemon, members: usize, wave_len: usize) -> Vec<Raw> {
    let mut readers: Vec<Raw> = (0..members).map(|_| daemon.connect()).collect();
    for came in (0..members).step_by(wave_len) {
        let newcomers = came..(came + wave_len).min(members);
        readers[newcomers.clone()].iter_mut().for_each(|raw| raw.send(&frame(JOIN, 0, 0, str8("lobby"))));
        // Those who came before hear of each wave now, so that none is full; the newest by the answer that comes last.
        let heard = if newcomers.end % 1_000 == 0 || newcomers.end == members { 0 } else { newcomers.start };
        readers[heard..newcomers.end].iter_mut().for_each(Raw::id_after_events);
    }
    readers.iter_mut().for_each(Raw::id_after_events);
    readers
}

/// Sends a request again and again, each time until all have read the `frame_len` bytes that it leads to.
fn fan_out(
    what: &str,
    daemon: &Daemon,
    readers: &mut [Raw],
    request: &[u8],
    frame_len: usize,
    [size, batch, rounds]: [usize; 3],
) {
    let receivers = readers.len();
    let mut sender = daemon.connect();
    let bytes = request.repeat(batch);
    let mut buffer = vec![0; frame_len * batch];
    let (began, busy, own) = (Instant::now(), processor_secs(daemon), own_secs(daemon));
    for _ in 0..rounds {
        sender.0.write_all(&bytes).expect("the hub reads");
        readers.iter_mut().for_each(|reader| reader.0.read_exact(&mut buffer).expect("the hub sends"));
    }
    let deliveries = (rounds * batch * receivers) as f64;
    let (secs, busy, own) = (began.elapsed().as_secs_f64(), processor_secs(daemon) - busy, own_secs(daemon) - own);
    println!(
        "{what}: {:.3} us a delivery ({:.3} its own), {:.2} M deliveries/s, {:.2} GB/s, peak {} kB",
        busy / deliveries * 1e6,
        own / deliveries * 1e6,
        deliveries / secs / 1e6,
        deliveries * size as f64 / secs / 1e9,
        daemon.status("VmHWM")
    );
}

fn comings_and_goings() {
    const COUNT: usize = 20_000;
    let daemon = Daemon::start();
    let busy = processor_secs(&daemon);
    for _ in 0..COUNT {
        daemon.connect().id();
    }
    let each = (processor_secs(&daemon) - busy) / COUNT as f64;
    println!("connect, ask who one is, leave: {:.1} us; peak {} kB", each * 1e6, daemon.status("VmHWM"));
}

/// 2,000 rooms that one session comes into, speaks in and leaves, three times over.
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
    println!("2,000 rooms joined, spoken in and left, three times: {grown:?} kB above idle");
}

/// What it costs to tell 9,999 that somebody left.
fn one_of_10_000_leaves() {
    need_descriptors(10_100);
    let daemon = Daemon::start();
    let mut readers = room(&daemon, 10_000, 1_000);
    let busy = processor_secs(&daemon);
    readers[0].send(&frame(LEAVE, 0, 0, str8("lobby")));
    readers[1..].iter_mut().for_each(|raw| assert_eq!(raw.event().what, LEFT));
    let busy = processor_secs(&daemon) - busy;
    println!("10,000 members, one leaves: {:.1} ms of processor time to tell the others", busy * 1e3);
}
