//! Broken and greedy clients, and what they cost the daemon and the others, from the kernel's accounting.

use crate::harness::generator::Target;
use crate::processor::processor_secs;
use crate::support::*;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// The cases by their keys. Each prints what it found.
pub const CASES: [(&str, fn()); 5] = [
    ("stalled", a_stalled_receiver),
    ("unfinished", unfinished_bodies),
    ("descriptors", out_of_descriptors),
    ("resets", resets),
    ("heartbeats", heartbeats),
];

/// The median and the 99th percentile of the time that one client's messages take to another, in microseconds: 2,000 of
/// them, one every 500 us.
fn pair_latency(daemon: &Daemon) -> [f64; 2] {
    let target = Target { protocol: "native", address: &daemon.addresses[0], pid: daemon.pid() };
    let report = target.bench_line("--pairs 1 --size 16 --rate 2000 --messages 2000").expect("cubby bench reports");
    assert_eq!(report.losses(), (0, None));
    ["p50", "p99"].map(|quantile| report.number(&format!("/latencyNs/{quantile}")) / 1e3)
}

/// A sender at full speed to a receiver that does not read, beside a pair that exchanges messages.
fn a_stalled_receiver() {
    println!("a stalled receiver, and a sender at full speed");
    let daemon = Daemon::start();
    let [median, p99] = pair_latency(&daemon);
    println!("  latency of a pair without them: median {median:.0} us, p99 {p99:.0} us");
    let (mut stuck, mut sender) = (daemon.connect(), daemon.connect());
    let (to, began) = (stuck.id(), Instant::now());
    let running = Arc::new(AtomicBool::new(true));
    let flood = spawn({
        let running = running.clone();
        move || {
            let bytes = frame(RELAY, 0, 0, relay(&[to], &[7; 65_536]));
            while running.load(Ordering::Relaxed) && sender.0.write_all(&bytes).is_ok() {}
        }
    });
    sleep(Duration::from_secs(1));
    let [median, p99] = pair_latency(&daemon);
    println!("  latency of a pair beside them, while the sender waits: median {median:.0} us, p99 {p99:.0} us");
    let mut watcher = daemon.connect();
    while watcher.list().contains(&to) {
        sleep(Duration::from_millis(50));
    }
    println!("  the stalled receiver is closed after {:.1} s", began.elapsed().as_secs_f64());
    println!("  the daemon had {} kB at most", daemon.status("VmHWM"));
    running.store(false, Ordering::Relaxed);
    flood.join().expect("it ends");
    drop(stuck);
}

/// 120 clients that have each sent 900 kB of a body of 1 MiB.
fn unfinished_bodies() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--memory", "32M"]);
    let mut bystander = daemon.connect();
    let whole = frame(RELAY, 0, 0, relay(&[bystander.id()], &[7; 1 << 20]));
    let senders: Vec<_> = (0..120)
        .map(|_| {
            let mut raw = daemon.connect();
            raw.0.set_write_timeout(Some(Duration::from_secs(3))).expect("a time-out");
            let part = whole[..900_000].to_vec();
            // The hub reads no more than it may hold. A client that is not read in time gives up.
            spawn(move || drop((raw.0.write_all(&part), sleep(Duration::from_secs(4)))))
        })
        .collect();
    sleep(Duration::from_secs(3));
    let said = reported(&daemon);
    println!("120 unfinished bodies of 900 kB under --memory 32M: {} kB at most; {said}", daemon.status("VmHWM"));
    senders.into_iter().for_each(|sender| sender.join().expect("it ends"));
}

/// What the daemon reports to hold, if it still reads requests.
fn reported(daemon: &Daemon) -> String {
    let mut raw = daemon.connect();
    raw.0.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
    raw.send(&frame(STATS, 0, 0, []));
    if raw.0.peek(&mut [0]).is_err() {
        return "it reads no further request".to_owned();
    }
    let stats: serde_json::Value = serde_json::from_slice(&raw.receive().payload).expect("one JSON object");
    format!("it reports that it holds {} bytes", stats["held"])
}

/// 80 clients under a limit of 40 descriptors.
fn out_of_descriptors() {
    let script = "ulimit -n 40; exec \"$0\" --listen 127.0.0.1:0 --max-connections 1000";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_cubbyd")]).env_remove("RUST_LOG");
    let daemon = Daemon::run(command, 1);
    let crowd: Vec<Raw> = (0..80).map(|_| daemon.connect()).collect();
    let busy = processor_secs(&daemon);
    sleep(Duration::from_secs(1));
    let busy = processor_secs(&daemon) - busy;
    drop(crowd);
    let began = Instant::now();
    let served = || {
        let mut raw = daemon.connect();
        raw.0.write_all(&frame(IDENTITY, 0, 1, [])).ok()?;
        (raw.receive().kind == 0x82).then_some(())
    };
    eventually("there is room again", served);
    let millis = began.elapsed().as_secs_f64() * 1e3;
    println!("40 descriptors, 80 clients: {busy:.4} s of processor time in 1 s; served again after {millis:.1} ms");
}

/// 4,500 clients that connect, send a request and reset the connection.
fn resets() {
    let daemon = Daemon::start();
    let mut watcher = daemon.connect();
    watcher.id();
    let descriptors = || daemon.proc_file_count("fd");
    let (memory, before) = (daemon.status("VmRSS"), descriptors());
    for _ in 0..4500 {
        let raw = daemon.connect();
        let mut stream = &raw.0;
        stream.write_all(&frame(RELAY, 0, 0, relay(&[12345], &[7; 1000]))).expect("it is accepted");
        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("it can be set");
    }
    eventually("all connections are gone", || watcher.list().is_empty().then_some(()));
    let grown = daemon.status("VmRSS") - memory;
    println!("4,500 connect, send and reset: {grown} kB more, {} descriptors left over", descriptors() - before);
}

/// 10,000 idle connections that answer each BEAT, for a minute.
fn heartbeats() {
    need_descriptors(10_100);
    for secs in ["30", "0"] {
        let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--heartbeat-secs", secs]);
        let all: Vec<Raw> = (0..10_000).map(|_| daemon.connect()).collect();
        daemon.connect().id();
        let (busy, wakes) = (processor_secs(&daemon), daemon.status("voluntary_ctxt_switches"));
        let until = Instant::now() + Duration::from_secs(60);
        let mut beats = 0;
        while Instant::now() < until {
            beats += all.iter().filter(|raw| answer_beat(raw)).count();
            sleep(Duration::from_millis(200));
        }
        let (busy, wakes) = (processor_secs(&daemon) - busy, daemon.status("voluntary_ctxt_switches") - wakes);
        println!(
            "10,000 idle, --heartbeat-secs {secs}: {busy:.3} s of processor time a minute, {:.1} wake-ups a second, \
             {beats} beats",
            wakes as f64 / 60.0
        );
    }
}

/// Answers a BEAT, and returns whether one had arrived.
fn answer_beat(raw: &Raw) -> bool {
    raw.0.set_nonblocking(true).expect("it can be");
    let came = std::io::Read::read(&mut &raw.0, &mut [0; 16]).is_ok_and(|count| count == 16);
    came && (&raw.0).write_all(&frame(ALIVE, 0, 0, [])).is_ok()
}
