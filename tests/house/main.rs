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
    (Rule::StructSize, "Limits", "one field for each option of the daemon, for embedders to set by name"),
    (Rule::StructSize, "Stats", "one field for each counter, for embedders to read by name"),
    (Rule::Features, "core", "the web is woven into the hub and the loop yet"),
    (Rule::Arrow, "bin/cubby → hub", "the rule for names is in the hub, and not in `wire`"),
    (Rule::Circle, "hub: batch fan_out", "a batch is a part of the fan-out, and knows it"),
    (Rule::Circle, "hub: rate_limit session", "the rate limit changes a session, which holds its allowance"),
    (Rule::Circle, "hub: relay requests", "a relay is a request, and waits as one"),
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
