//! What the daemon's memory may grow by, as the kernel counts it.

use crate::support::*;

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
fn the_daemon_is_one_thread() {
    let daemon = Daemon::start();
    daemon.connect().id();
    assert_eq!(daemon.status("Threads"), 1);
}
