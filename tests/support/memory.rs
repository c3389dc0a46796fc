//! Two bursts that would cost a naive hub hundreds of megabytes, and what they cost this one.

use super::*;

/// How many kilobytes the daemon's peak after `work` is above its memory before.
fn peak_above_idle(daemon: &Daemon, work: impl FnOnce()) -> u64 {
    let idle = daemon.status("VmRSS");
    work();
    daemon.status("VmHWM").saturating_sub(idle)
}

/// Relays 1 MiB to 255 users that do not read. Returns the peak in kilobytes above idle.
pub fn megabyte_to_255_who_do_not_read() -> u64 {
    need_descriptors(1500);
    let daemon = Daemon::start();
    let mut stalled: Vec<Raw> = (0..255).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = stalled.iter_mut().map(Raw::id).collect();
    let mut sender = daemon.connect();
    sender.id();
    peak_above_idle(&daemon, || {
        let receipt = sender.ask(RELAY, RECEIPT, 1, relay(&ids, &[7; 1 << 20]));
        assert_eq!(receipt.payload, [&[0, 255][..], &[0; 255]].concat());
        sender.id();
    })
}

/// Sends 400 headers that announce 1 MiB each, and no payload. Returns the peak in kilobytes above idle.
pub fn four_hundred_announced_megabytes() -> u64 {
    need_descriptors(1500);
    let daemon = Daemon::start();
    let mut liars: Vec<Raw> = (0..400).map(|_| daemon.connect()).collect();
    for liar in &mut liars {
        liar.id();
    }
    peak_above_idle(&daemon, || {
        liars.iter_mut().for_each(|liar| liar.send(&[RELAY, 0, 0, 0, 0, 0x10, 0, 0]));
        // The last to connect is read last: once it is answered, all headers are read.
        assert_eq!(daemon.connect().list().len(), 400);
    })
}
