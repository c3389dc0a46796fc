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
    (Rule::FileLength, "src/web/messages.rs", "reading and writing of messages are one file"),
    (Rule::StructSize, "Engine", "the load generator's engine has no parts yet"),
    (Rule::StructSize, "Hub", "the hub has no parts yet"),
    (Rule::StructSize, "Limits", "one field for each option of the daemon, for embedders to set by name"),
    (Rule::StructSize, "Loop", "the loop has no parts yet"),
    (Rule::StructSize, "Stats", "one field for each counter, for embedders to read by name"),
    (Rule::StructSize, "User", "a session's phases are fields yet"),
    (Rule::Features, "core", "the web is woven into the hub and the loop yet"),
    (Rule::Arrow, "bin/cubby → hub", "the rule for names is in the hub, and not in `wire`"),
    (Rule::Arrow, "client → web", "the codec of WebSocket is in `web`, and not in `wire`"),
    (Rule::Arrow, "hub → web", "the hub encodes for the web by itself"),
    (Rule::Arrow, "net → web", "the loop serves the web by itself"),
    (Rule::Arrow, "net → json", "the loop serves the web by itself"),
    (Rule::Circle, "bin/cubby: commands show", "what is shown of a command is known to both"),
    (Rule::Circle, "client: stream ws", "the two kinds of streams know each other"),
    (Rule::Circle, "web: http upgrade", "a handshake is refused as any request is"),
    (Rule::Circle, "web::http: head route", "a head is routed while it is read"),
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

/// Lists all faults at once.
fn check(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}\n", faults.len(), faults.join("\n"));
}

/// A line that says where an offence is, what to do, and what an exception to it would name.
fn line_of(Offence { rule, key, file, line, advice }: &Offence) -> String {
    format!("{file}:{line}: {advice} ({rule:?}, {key:?})")
}

#[test]
fn shipped_code_keeps_every_rule() {
    let offences = rules::offences(&Tree::new(&texts("src")));
    let excuses =
        |offence: &Offence, (rule, key, _): &(Rule, &str, &str)| (*rule, *key) == (offence.rule, &offence.key);
    let new = offences.iter().filter(|offence| !EXCEPTIONS.iter().any(|exception| excuses(offence, exception)));
    let stale = EXCEPTIONS.iter().filter(|exception| !offences.iter().any(|offence| excuses(offence, exception)));
    let stale = stale.map(|(rule, key, _)| format!("the exception ({rule:?}, {key:?}) excuses nothing: remove it"));
    check(&new.map(line_of).chain(stale).collect::<Vec<_>>());
}

#[test]
fn tests_say_what_they_own_and_have_no_long_lines() {
    let offences = texts("tests").into_iter().flat_map(|(file, text)| rules::text_offences(&file, &text));
    check(&offences.map(|offence| line_of(&offence)).collect::<Vec<_>>());
}
