//! Which texts are JSON, and what a string takes.

use super::*;
use proptest::prelude::*;

fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text.into());
    scanner.skip().is_ok() && scanner.end().is_ok()
}

/// What may be JSON: any characters, or tokens in any order.
fn json_like() -> impl Strategy<Value = String> {
    let number = r"-?[0-9]{1,3}([.eE+\-]{1,2}[0-9]{0,2})?";
    let tokens = format!(r#"([\[\]{{}}:, ]|"[a\\"nu0-9]{{0,6}}"|{number}|null|true|false){{0,9}}"#);
    let characters = r#"[\[\]{}:, "\\/u0-9a-eEnrtf.+\-\n\PC]{0,12}"#;
    prop::string::string_regex(&format!("{characters}|{tokens}")).expect("a pattern")
}

proptest! {
    #[test]
    fn what_is_json_to_others_is_json_here(text in json_like()) {
        let value = serde_json::from_str::<serde_json::Value>(&text);
        // The others need a number that fits into theirs.
        prop_assume!(!value.as_ref().is_err_and(|error| error.to_string().contains("out of range")));
        prop_assert_eq!(is_json(&text), value.is_ok(), "{}", text);
    }

    #[test]
    fn a_string_is_what_was_written(text in r#"(\PC|["\\\x00-\x20]){0,30}"#, escapes in any::<bool>()) {
        let mut json = serde_json::to_string(&text).expect("a text");
        if escapes {
            let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            json = format!("\"{units}\"");
        }
        let read = Scanner::new((&json[..]).into()).string().expect("a string");
        prop_assert_eq!(&read, &text);
        prop_assert!(matches!(read, Cow::Borrowed(_)) || json.contains('\\'));
    }
}

#[test]
fn a_string_with_escapes_takes_exactly_its_own_size() {
    let json = format!("\"{}\"", "\\u0001".repeat(100_000));
    let Ok(Cow::Owned(text)) = Scanner::new((&json[..]).into()).string() else { panic!("it is decoded") };
    assert_eq!((text.len(), text.capacity()), (100_000, 100_000));
}

#[test]
fn values_that_are_nested_too_deep_are_refused() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert!(is_json(&nested(MAX_DEPTH)) && !is_json(&nested(MAX_DEPTH + 1)) && !is_json(&nested(1_000_000)));
}

#[test]
fn bare_control_characters_are_accepted_in_the_compacted_front_only() {
    for (compacted, is_ok) in [(0, false), (2, true), (1, false), (4, true)] {
        let text = Text { text: "\"\u{1}a\"", compacted };
        assert_eq!(Scanner::new(text).string().is_ok(), is_ok, "{compacted}");
    }
}
