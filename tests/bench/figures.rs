//! `cargo bench --bench figures`: what the daemon costs, as the kernel accounts for it. Memory, wake-ups, processor
//! time.

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};
use support::*;

/// Clock ticks a second in /proc/PID/stat, on every Linux there is.
const TICKS_A_SECOND: f64 = 100.0;

fn main() {
    size();
    idle();
    println!("1 MiB to 255 who do not read: {} kB above idle at the peak", megabyte_to_255_who_do_not_read());
    println!("400 headers that announce 1 MiB: {} kB above idle at the peak", four_hundred_announced_megabytes());
    idle_connections();
    println!("\nprocessor time of the daemon, and rate (closed loop: a batch is sent, then read by all)");
    fan_out("one to 100, 64 B, batches of 64", 100, 64, 64, 6_000);
    fan_out("one to 1, 64 B, batches of 512", 1, 64, 512, 6_000);
    fan_out("one to 1, 700 B, batches of 32", 1, 700, 32, 30_000);
    fan_out("one to 1, 64 B, batches of 1", 1, 64, 1, 50_000);
    fan_out("one to 255, 1 MB, batches of 1", 255, 1_000_000, 1, 20);
    comings_and_goings();
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

fn processor_secs(daemon: &Daemon) -> f64 {
    let stat = daemon.proc_file("stat");
    let after_name = stat.rsplit(')').next().expect("the fields after the name");
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().expect("ticks")).sum();
    ticks / TICKS_A_SECOND
}

fn fan_out(what: &str, receivers: usize, size: usize, batch: usize, rounds: usize) {
    let daemon = Daemon::start();
    let mut readers: Vec<Raw> = (0..receivers).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = readers.iter_mut().map(Raw::id).collect();
    let mut sender = daemon.connect();
    let bytes = frame(RELAY, 0, 0, relay(&ids, &vec![7; size])).repeat(batch);
    let mut buffer = vec![0; (16 + size) * batch];
    let (began, busy) = (Instant::now(), processor_secs(&daemon));
    for _ in 0..rounds {
        sender.0.write_all(&bytes).expect("the hub reads");
        readers.iter_mut().for_each(|reader| reader.0.read_exact(&mut buffer).expect("the hub sends"));
    }
    let deliveries = (rounds * batch * receivers) as f64;
    let (secs, busy) = (began.elapsed().as_secs_f64(), processor_secs(&daemon) - busy);
    println!(
        "{what}: {:.3} us a delivery, {:.2} M deliveries/s, {:.2} GB/s, peak {} kB",
        busy / deliveries * 1e6,
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
