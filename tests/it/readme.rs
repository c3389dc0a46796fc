//! The documentation is correct, and its links work. (The README's Rust example is a doctest.)

use crate::support::*;
use std::fs;
use std::path::Path;

const README: &str = include_str!("../../README.md");
const REFERENCE: &str = include_str!("../../deploy/REFERENCE.md");

/// The most lines of the README, so that it can be read in one go.
const README_LINES: usize = 250;

/// A number with a comma between thousands.
fn thousands(number: usize) -> String {
    assert!((1000..1_000_000).contains(&number));
    format!("{},{:03}", number / 1000, number % 1000)
}

#[test]
fn the_reference_shows_the_help_that_the_programs_print() {
    for command in [daemon(&["--help"]), cubby("", &["--help"])] {
        let help = run(command, b"");
        assert!(REFERENCE.contains(text(&help.stdout).trim_end()), "{}", text(&help.stdout));
    }
}

#[test]
fn the_reference_shows_the_help_of_the_chat() {
    let daemon = Daemon::start();
    let output = run(cubby(&daemon.addresses[0], &["chat", "--name", "ann"]), b"help\n");
    let help = text(&output.stdout).trim_end();
    assert!(help.contains("quit") && REFERENCE.contains(help), "{help}{}", text(&output.stderr));
}

#[test]
fn the_reference_shows_the_limits_that_the_hub_keeps() {
    let limits = cubby::Limits::default();
    let rows = [
        format!("| connections | {}, or ", thousands(limits.max_connections)),
        format!("| body | {} MiB |", limits.max_body >> 20),
        format!("| receivers of one relay, names of one send | {} |", limits.max_receivers),
        format!("| body of a PING | {} bytes |", cubby::wire::MAX_PING),
        format!("| rooms in the hub | {} |", thousands(limits.max_rooms)),
        format!("| rooms for a session | {} |", limits.rooms_per_session),
        format!(
            "| history of a room | {} events, {} MiB of bodies |",
            thousands(limits.history),
            limits.history_bytes >> 20
        ),
        format!("| history of all rooms | {} MiB, ", limits.history_total >> 20),
        format!("| history of a room that nobody is in | {} s ", thousands(limits.history_time.as_secs() as usize)),
        format!("| queued for one user | {} MiB, ", limits.queue >> 20),
        format!("| … for how long | {} s |", limits.stall.as_secs()),
        format!(
            "| queued and partly received in all (a frame for many receivers counts once) | {} MiB, ",
            limits.memory >> 20
        ),
        format!("| nothing received from a client | {} s | ", limits.idle.as_secs()),
        format!("it is sent a heartbeat when nothing was sent to it for {} s", limits.heartbeat.as_secs()),
        format!("| one frame, unless it arrives at 16 KiB/s | {} s; the first 10 s |", limits.frame_time.as_secs()),
        format!("| at shutdown, time to send what is queued | {} s |", limits.drain.as_secs()),
    ];
    rows.iter().for_each(|row| assert!(REFERENCE.contains(row), "{row}"));
}

#[test]
fn the_readme_sums_up_the_limits_that_the_hub_keeps() {
    let limits = cubby::Limits::default();
    let rows = [
        format!("| body of one message | {} MiB |", limits.max_body >> 20),
        format!("| receivers of one message | {} |", limits.max_receivers),
        format!(
            "| unsent bytes for one client | {} MiB | its senders wait, {} s at most;",
            limits.queue >> 20,
            limits.stall.as_secs()
        ),
        format!("| unsent and partial bytes in all | {} MiB, ", limits.memory >> 20),
        format!(
            "| what a room remembers | {} events, {} MiB of bodies |",
            thousands(limits.history),
            limits.history_bytes >> 20
        ),
        format!("| silence of a client | {} s |", limits.idle.as_secs()),
    ];
    rows.iter().for_each(|row| assert!(README.contains(row), "{row}"));
}

/// The pages that people read, by their paths from the package's root.
const PAGES: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "deploy/README.md",
    "deploy/REFERENCE.md",
    "tests/bench/README.md",
];

fn page(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The anchor that a heading gets: its letters, digits and hyphens, in lower case, with hyphens for blanks.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn has_anchor(page: &str, wanted: &str) -> bool {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    headings.map(anchor).any(|anchor| anchor == wanted)
}

#[test]
fn the_links_of_the_pages_lead_to_files_and_headings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in PAGES {
        let from = root.join(name);
        let text = page(&from);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { from.clone() } else { from.with_file_name(file) };
            assert!(to.exists(), "{name}: nothing is at {link}");
            assert!(wanted.is_empty() || has_anchor(&page(&to), wanted), "{name}: no heading is at {link}");
        }
    }
}

#[test]
fn the_pages_are_finished_and_the_readme_is_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in PAGES {
        let text = page(&root.join(name));
        assert!(!text.contains("@@"), "{name}: nothing is left to be filled in");
        let long = text.lines().find(|line| line.chars().count() > 120 && !line.starts_with('|'));
        assert_eq!(long, None, "{name}");
    }
    assert!(README.lines().count() <= README_LINES);
}
