//! The house rules that a program can check.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file of the crate, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("a directory of ours") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 20, "the sources were found");
    found
}

/// The part of a file before its unit tests.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn every_file_says_what_it_owns_and_none_is_long() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{} begins with what it owns", path.display());
        assert!(text.lines().count() <= 700, "{} is too long", path.display());
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{} has a long line", path.display());
    }
}

#[test]
fn no_function_is_long() {
    for (path, text) in sources() {
        let mut open: Option<(usize, &str, usize)> = None;
        for (number, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if line.contains("fn ") && line.trim_end().ends_with('{') && !line.trim_start().starts_with("//") {
                open = Some((number, line, indent));
            }
            if let Some((start, name, depth)) = open
                && line.trim_end() == format!("{}}}", " ".repeat(depth))
            {
                assert!(number - start <= 70, "{}:{}: {name}", path.display(), start + 1);
                open = None;
            }
        }
    }
}

#[test]
fn nothing_that_comes_from_outside_is_unwrapped() {
    for (path, text) in sources() {
        for word in [".unwrap()", "todo!", "unimplemented!", "dbg!"] {
            assert!(!shipped(&text).contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn one_line_is_unsafe() {
    let blocks = |text: &str| {
        ["unsafe {", "unsafe fn", "unsafe impl"].map(|word| shipped(text).matches(word).count()).iter().sum::<usize>()
    };
    let holds: Vec<_> = sources().into_iter().filter(|(_, text)| blocks(text) > 0).collect();
    assert!(matches!(&holds[..], [(path, text)] if path.ends_with("cubbyd/allocator.rs") && blocks(text) == 1));
}

#[test]
fn mio_is_named_in_one_file_of_each_loop() {
    let naming = |text: &str| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("mio::"));
    let mut named: Vec<_> = sources().into_iter().filter(|(_, text)| naming(text)).map(|(path, _)| path).collect();
    named.sort();
    let expected = ["src/bin/cubby/bench/load/poll.rs", "src/net/mio_os.rs"];
    assert!(named.len() == 2 && named.iter().zip(expected).all(|(path, end)| path.ends_with(end)), "{named:?}");
}

#[test]
fn dependencies_point_one_way() {
    let rooms = ["wire", "hub", "net", "server"];
    for (path, text) in sources() {
        let own = rooms.iter().position(|room| path.to_string_lossy().contains(&format!("/src/{room}")));
        for above in rooms.iter().skip(own.map_or(rooms.len(), |own| own + 1)) {
            assert!(!shipped(&text).contains(&format!("crate::{above}::")), "{} looks up to {above}", path.display());
        }
    }
    let outside = |path: &Path| path.to_string_lossy().contains("/src/client/");
    for (path, text) in sources().iter().filter(|(path, _)| outside(path)) {
        let seen = ["hub", "net", "server"].iter().find(|room| text.contains(&format!("crate::{room}::")));
        assert_eq!(seen, None, "{}", path.display());
    }
}
