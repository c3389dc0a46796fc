//! The house rules that a program can check, over every line that is shipped. The scanner's own tests are beside it.

mod code;
mod rules;
mod samples;
mod tree;

use rules::{Offence, Rule};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tree::Tree;

/// What is known to break a rule: the rule, what breaks it, and why it may. One that excuses nothing must go.
const EXCEPTIONS: &[(Rule, &str, &str)] = &[
    (Rule::FileLength, "src/bin/cubby/chat/talk.rs", "the chat's session and its cursor are one file"),
    (Rule::FileLength, "src/client/mod.rs", "the client's pushes and requests are one file"),
    (Rule::FileLength, "src/door/messages.rs", "reading and writing of messages are one file"),
    (Rule::StructSize, "Engine", "the load generator's engine has no parts yet"),
    (Rule::StructSize, "Hub", "the hub has no parts yet"),
    (Rule::StructSize, "Limits", "one field for each option of the daemon, for embedders to set by name"),
    (Rule::StructSize, "Loop", "the loop has no parts yet"),
    (Rule::StructSize, "Stats", "one field for each counter, for embedders to read by name"),
    (Rule::StructSize, "User", "a session's phases are fields yet"),
    (Rule::Features, "core", "the web is woven into the hub and the loop yet"),
    (Rule::Arrow, "bin/cubby → hub", "the rule for names is in the hub, and not in `wire`"),
    (Rule::Arrow, "client → door", "the codec of WebSocket is in `door`, and not in `wire`"),
    (Rule::Arrow, "hub → door", "the hub encodes for the web by itself"),
    (Rule::Arrow, "net → door", "the loop serves the web by itself"),
    (Rule::Arrow, "net → json", "the loop serves the web by itself"),
    (Rule::Arrow, "server → door", "a listener is told what is spoken there"),
    (Rule::Circle, "bin/cubby: commands show", "what is shown of a command is known to both"),
    (Rule::Circle, "client: stream ws", "the two kinds of streams know each other"),
    (Rule::Circle, "door: http upgrade", "a handshake is refused as any request is"),
    (Rule::Circle, "door::http: head route", "a head is routed while it is read"),
    (Rule::Circle, "load: engine visits", "visits are a part of the engine"),
    (Rule::Circle, "net: link watches", "a link holds what the timeouts know of it"),
];

/// Every Rust file below a directory of the package, by its path from the package's root.
fn texts(dir: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    let mut dirs = vec![root.join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("a directory of ours") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("it is below").to_str().expect("text").to_owned();
                found.insert(name, fs::read_to_string(&path).expect("text"));
            }
        }
    }
    assert!(found.len() > 20, "the sources were found");
    found
}

/// Lists all offences at once, each with its place and what to do.
fn check(offences: &[Offence]) {
    let lines = offences.iter().map(|offence| {
        let Offence { rule, key, file, line, advice } = offence;
        format!("{file}:{line}: {advice} ({rule:?}, {key:?})\n")
    });
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), lines.collect::<String>());
}

#[test]
fn shipped_code_keeps_every_rule() {
    let tree = Tree::new(&texts("src"));
    let excused = |offence: &Offence| {
        EXCEPTIONS.iter().position(|(rule, key, _)| (*rule, *key) == (offence.rule, &offence.key[..]))
    };
    let (known, new): (Vec<_>, Vec<_>) =
        rules::offences(&tree).into_iter().partition(|offence| excused(offence).is_some());
    check(&new);
    for (number, (rule, key, _)) in EXCEPTIONS.iter().enumerate() {
        let is_used = known.iter().any(|offence| excused(offence) == Some(number));
        assert!(is_used, "the exception ({rule:?}, {key:?}) excuses nothing any more: remove it");
    }
}

#[test]
fn tests_say_what_they_own_and_have_no_long_lines() {
    let texts = texts("tests");
    check(&texts.iter().flat_map(|(file, text)| rules::text_offences(file, text)).collect::<Vec<_>>());
}
