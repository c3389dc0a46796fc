//! The fuzz bodies over their committed corpora, and over every prefix of each entry.

use cubby::testing::fuzz;
use std::fs;
use std::path::Path;

/// Runs a body over the seeds of a target, and over prefixes of each, as many as `cuts`.
fn over_corpus(target: &str, cuts: usize, body: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut entries = 0;
    for entry in fs::read_dir(&dir).expect("the seeds are committed") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
        for end in (0..bytes.len()).step_by(bytes.len() / cuts + 1).chain([bytes.len()]) {
            body(&bytes[..end]);
        }
        entries += 1;
    }
    assert!(entries >= 3, "{target} has seeds");
}

#[test]
fn decode_gives_back_the_same_bytes() {
    over_corpus("decode", 50, fuzz::decode);
}

#[test]
fn any_split_gives_the_same_frames_and_the_same_verdict() {
    over_corpus("split", 50, fuzz::split);
}

#[test]
fn the_hub_keeps_its_promises_whatever_is_asked() {
    over_corpus("hub_ops", 50, fuzz::hub_ops);
}

#[test]
fn the_hub_in_its_loop_says_what_the_model_foretells() {
    over_corpus("hub_ops", 4, fuzz::loop_ops);
}

#[cfg(feature = "ws")]
#[test]
fn web_input_is_understood_the_same_in_any_pieces() {
    over_corpus("ws", 50, fuzz::ws);
}
