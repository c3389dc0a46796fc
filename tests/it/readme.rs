//! The README says what is so. (Its Rust example is a doctest.)

use crate::support::*;

#[test]
fn the_readme_shows_the_help_that_the_programs_print() {
    let readme = include_str!("../../README.md");
    for command in [daemon(&["--help"]), cubby("", &["--help"])] {
        let help = run(command, b"");
        assert!(readme.contains(text(&help.stdout).trim_end()), "{}", text(&help.stdout));
    }
}

#[test]
fn the_readme_shows_the_limits_that_the_hub_keeps() {
    let readme = include_str!("../../README.md");
    let limits = cubby::Limits::default();
    let rows = [
        format!("| body | {} MiB |", limits.max_body >> 20),
        format!("| receivers of one relay, names of one send | {} |", limits.max_receivers),
        format!("| rooms in the hub | {},{} |", limits.max_rooms / 1000, limits.max_rooms % 1000),
        format!("| rooms for a session | {} |", limits.rooms_per_session),
        format!(
            "| history of a room | 1,0{} events, {} MiB of bodies |",
            limits.history % 1000,
            limits.history_bytes >> 20
        ),
        format!("| history of all rooms | {} MiB, ", limits.history_total >> 20),
        format!("| history of a room that nobody is in | 3,{} s ", limits.history_time.as_secs() % 1000),
        format!("| queued for one user | {} MiB, ", limits.queue >> 20),
        format!("| … for how long | {} s |", limits.stall.as_secs()),
        format!("| queued and half received in all (what many hear counts once) | {} MiB, ", limits.memory >> 20),
        format!("| nothing heard from a client | {} s | ", limits.idle.as_secs()),
        format!("it is asked after {} s of mutual silence", limits.heartbeat.as_secs()),
        format!("| one frame, unless it comes at 16 KiB/s | {} s; the first 10 s |", limits.frame_time.as_secs()),
        format!("| at the end, to send what is queued | {} s |", limits.drain.as_secs()),
    ];
    assert!(!readme.contains("@@"), "nothing is left to be filled in");
    rows.iter().for_each(|row| assert!(readme.contains(row), "{row}"));
}
