//! What the daemon's memory may grow by, as the kernel counts it.

use crate::support::*;

/// Kilobytes by which the daemon's peak has grown since `before`.
fn peak_growth(daemon: &Daemon, before: u64) -> u64 {
    daemon.status("VmHWM").saturating_sub(before)
}

#[test]
fn a_megabyte_to_255_who_do_not_read_is_held_once() {
    let daemon = Daemon::start();
    let mut stalled: Vec<Raw> = (0..255).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = stalled.iter_mut().map(Raw::id).collect();
    let mut sender = daemon.connect();
    sender.id();
    let before = daemon.status("VmRSS");
    let receipt = sender.ask(RELAY, RECEIPT, 1, relay(&ids, &[7; 1 << 20]));
    assert_eq!(receipt.payload, [&[0, 255][..], &[0; 255]].concat());
    sender.id();
    let grown = peak_growth(&daemon, before);
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn an_announced_megabyte_costs_nothing_until_it_comes() {
    let daemon = Daemon::start();
    let mut liars: Vec<Raw> = (0..400).map(|_| daemon.connect()).collect();
    liars[399].id();
    let before = daemon.status("VmRSS");
    for liar in &mut liars {
        liar.send(&[RELAY, 0, 0, 0, 0, 0x10, 0, 0]);
    }
    // The last one let in is read last; once its header is, so are the others'.
    let mut witness = daemon.connect();
    assert_eq!(witness.list().len(), 400);
    let grown = peak_growth(&daemon, before);
    assert!(grown < 4 * 1024, "{grown} kB");
}

#[test]
fn the_daemon_is_one_thread() {
    let daemon = Daemon::start();
    daemon.connect().id();
    assert_eq!(daemon.status("Threads"), 1);
}
