//! The tables and the outcome, compared with those of the package `unicode-normalization`.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::path::Path;
use unicode_normalization::char::{canonical_combining_class, compose as composed, decompose_canonical};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

fn all() -> impl Iterator<Item = char> {
    '\0'..=char::MAX
}

fn is_syllable(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}')
}

fn put(out: &mut Vec<u8>, code: u32) {
    out.extend(&code.to_be_bytes()[1..]);
}

/// Each character with what it begins with, and what follows or 0.
fn decompositions() -> Vec<[u32; 3]> {
    let mut whole: Vec<(char, Vec<char>)> = Vec::new();
    for c in all().filter(|&c| !is_syllable(c)) {
        let mut parts = Vec::new();
        decompose_canonical(c, |part| parts.push(part));
        if parts != [c] {
            whole.push((c, parts));
        }
    }
    // Several characters may consist of the same: those that are in Form C themselves begin others.
    let is_own_form = |c: char| c.nfc().eq([c]);
    let (own, others): (Vec<_>, Vec<_>) = whole.iter().partition(|(c, _)| is_own_form(*c));
    let by_parts: HashMap<&[char], char> = others.into_iter().chain(own).map(|(c, parts)| (&parts[..], *c)).collect();
    let row = |(c, parts): &(char, Vec<char>)| match &parts[..] {
        [alone] => [*c, *alone, '\0'].map(u32::from),
        [first, second] => [*c, *first, *second].map(u32::from),
        [front @ .., last] => [*c, by_parts[front], *last].map(u32::from),
        [] => panic!("{c:?} consists of nothing"),
    };
    whole.iter().map(row).collect()
}

/// The numbers of the decompositions that are undone.
fn compositions(rows: &[[u32; 3]]) -> Vec<usize> {
    let parts = |&number: &usize| (rows[number][1], rows[number][2]);
    let c = |code: u32| char::from_u32(code).expect("a character");
    let is_undone = |number: &usize| {
        let [whole, first, second] = rows[*number].map(c);
        second != '\0' && composed(first, second) == Some(whole)
    };
    let mut numbers: Vec<usize> = (0..rows.len()).filter(is_undone).collect();
    numbers.sort_unstable_by_key(parts);
    numbers
}

/// The first of each run of marks of one class, how many there are, and the class.
fn classes() -> Vec<(u32, u8, u8)> {
    let mut runs: Vec<(u32, u8, u8)> = Vec::new();
    for c in all() {
        let (code, class) = (u32::from(c), canonical_combining_class(c));
        match runs.last_mut() {
            _ if class == 0 => {}
            Some((first, count, own)) if *own == class && *first + u32::from(*count) == code => *count += 1,
            Some(_) | None => runs.push((code, 1, class)),
        }
    }
    runs
}

#[test]
fn the_tables_are_those_of_unicode() {
    let rows = decompositions();
    let (mut decomposed, mut undone, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    rows.iter().flatten().for_each(|&code| put(&mut decomposed, code));
    for number in compositions(&rows) {
        undone.extend(u16::try_from(number).expect("few").to_be_bytes());
    }
    for (first, count, class) in classes() {
        put(&mut marks, first);
        marks.extend([count, class]);
    }
    let tables = [
        ("decompositions", decomposed, DECOMPOSITIONS),
        ("compositions", undone, COMPOSITIONS),
        ("classes", marks, CLASSES),
    ];
    for (name, made, kept) in tables {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/name/nfc/{name}.bin"));
        if std::env::var_os("CUBBY_WRITE_TABLES").is_some() {
            std::fs::write(file, &made).expect("written");
        } else {
            assert!(made == kept, "{name}.bin is of another Unicode: run this test with CUBBY_WRITE_TABLES=1");
        }
    }
}

#[test]
fn every_character_becomes_what_unicode_says_alone_and_taken_apart() {
    // No plane between these has a character, and those behind them are for private use.
    for c in ('\0'..'\u{40000}').chain('\u{E0000}'..'\u{F0000}') {
        let text = c.to_string();
        let expected: String = text.nfc().collect();
        assert_eq!(to_nfc(&text), expected, "{c:?}");
        assert_eq!(to_nfc(&text.nfd().collect::<String>()), expected, "{c:?} taken apart");
        assert_eq!(class(c), canonical_combining_class(c), "{c:?}");
        let quick = is_nfc_quick(text.chars()) == IsNormalized::Yes && class(c) == 0;
        assert!(quick || !is_surely_nfc(&text), "{c:?}");
    }
}

proptest! {
    #[test]
    fn texts_of_letters_and_marks_become_what_unicode_says(
        text in "[aeu\u{c5}\u{1ea5}\u{300}-\u{345}\u{5b0}-\u{5bd}\u{5d0}\u{915}\u{93c}\u{94d}\u{1100}-\u{1112}\
                  \u{1161}-\u{1175}\u{11a7}-\u{11c2}\u{ac00}-\u{ac20}\u{3099}か\u{1d15e}-\u{1d172}\u{11131}\
                  \u{11127}]{0,24}",
    ) {
        prop_assert_eq!(to_nfc(&text), text.nfc().collect::<String>());
    }

    #[test]
    fn any_text_becomes_what_unicode_says(text in ".{0,40}") {
        prop_assert_eq!(to_nfc(&text), text.nfc().collect::<String>());
    }
}
