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
        format!("| receivers of one relay | {} |", limits.max_receivers),
        format!("| queued for one user | {} MiB, ", limits.queue >> 20),
        format!("| … for how long | {} s |", limits.stall.as_secs()),
        format!("for {} s at most; a second signal", limits.drain.as_secs()),
    ];
    assert!(!readme.contains('@'), "nothing is left to be filled in");
    rows.iter().for_each(|row| assert!(readme.contains(row), "{row}"));
}
