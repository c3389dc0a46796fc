//! The client library in Node, against hubs that a script plays.

use crate::support::*;
use std::path::Path;
use std::process::Command;

/// Runs a script, with the library in place of the word LIBRARY. It must end with `all is well`.
fn run(script: &str) {
    install::program("node", &["nodejs"]);
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/page/cubby.js");
    let script = script.replace("LIBRARY", library.to_str().expect("text"));
    let output = Command::new("timeout")
        .args(["60", "node", "--input-type=module", "-e", &script])
        .output()
        .expect("node is there");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().last(), Some("all is well"));
}

#[test]
fn the_client_library_keeps_neither_an_answer_nor_live_events_without_end() {
    run(include_str!("growth.mjs"));
}

#[test]
fn a_dead_line_is_noticed_though_the_wall_clock_is_set_and_no_pause_is_too_long_for_a_timer() {
    run(include_str!("clock.mjs"));
}

#[test]
fn an_answer_to_hello_that_would_come_again_is_final_and_names_its_field() {
    run(include_str!("refused.mjs"));
}

#[test]
fn a_rooms_ids_that_began_anew_are_known_by_the_epoch_though_they_have_passed_the_old_ones() {
    run(include_str!("lives.mjs"));
}
