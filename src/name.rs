//! The rule for names of users and rooms: which will do, and which are the same.

mod invisible;
mod nfc;

use crate::escape::is_unfit;
use std::borrow::Cow;

/// The most bytes in the name of a user or a room: they fit a terminal line, a log line and a str8.
pub const MAX_NAME: usize = 64;

/// How many times as long as its NFC a text can be: three jamo of three bytes each become one syllable of three.
const LONGEST_TO_NFC: usize = 3;

const _: () = assert!(MAX_NAME * LONGEST_TO_NFC <= u8::MAX as usize, "a name is a str8, also before it is normalized");

/// A name as the hub keeps and compares it: in Unicode's Normalization Form C, so that names that look the same because
/// they differ only in how their accents are written, as those of macOS often do, are the same.
///
/// A text that is too long for a name in any form is returned as it is.
#[inline]
pub fn canonical_name(name: &str) -> Cow<'_, str> {
    if name.is_ascii() { Cow::Borrowed(name) } else { normalized(name) }
}

fn normalized(name: &str) -> Cow<'_, str> {
    if name.len() > MAX_NAME * LONGEST_TO_NFC || nfc::is_surely_nfc(name) {
        return Cow::Borrowed(name);
    }
    let nfc = nfc::to_nfc(name);
    if nfc == name { Cow::Borrowed(name) } else { Cow::Owned(nfc) }
}

/// Why `name` is not a valid name of a user or a room, or `None` if it is.
///
/// A name has 1 to 64 bytes of text in its [canonical form](canonical_name). It has at least one character that can be
/// seen, no white space at either end, and no control characters, line or paragraph separators or bidirectional
/// controls: each of them can forge a line of a log or of a terminal. It has no invisible character either (Unicode's
/// `Default_Ignorable_Code_Point`), or two names could look the same. Excepted are joiners, variation selectors and
/// tags in places where an emoji, or a text in an Indic script or in Persian, looks different with them.
#[inline]
pub fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_ascii() { plain_fault(name) } else { fault_beyond_ascii(&normalized(name)) }
}

/// The faults that text of any script can have.
#[inline]
fn plain_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("a name may not be empty here")
    } else if name.len() > MAX_NAME {
        Some("a name has at most 64 bytes")
    } else if name.chars().any(is_unfit) {
        Some("a name may not hold control, line-separating or bidirectional characters")
    } else if name.trim() != name {
        Some("a name may not begin or end with white space")
    } else {
        None
    }
}

fn fault_beyond_ascii(name: &str) -> Option<&'static str> {
    if let Some(why) = plain_fault(name) {
        Some(why)
    } else if !name.chars().any(invisible::can_be_seen) {
        Some("a name needs a character that can be seen")
    } else if name.starts_with(invisible::BLANKS) || name.ends_with(invisible::BLANKS) {
        Some("a name may not begin or end with a blank")
    } else if invisible::has_needless(name) {
        Some("a name may not hold invisible characters; type it anew instead of pasting it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_names_of_any_script_will_do() {
        for name in ["ann", "Ann Lee", "Łukasz", "李", "a", "\u{fffd}", "ⵣ", "안녕", "שָׁלוֹם", &"x".repeat(MAX_NAME)]
        {
            assert_eq!(name_fault(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_that_could_forge_a_line_will_not() {
        let long = "x".repeat(MAX_NAME + 1);
        for name in
            ["", "a\nb", "\u{1b}[2J", "a\u{7f}", "a\u{85}", "\u{202E}nna", "a\u{2028}", " ann", "ann\u{3000}", &long]
        {
            assert!(name_fault(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn a_name_has_something_that_can_be_seen() {
        for name in ["\u{200B}", "\u{3164}", "\u{2800}", "\u{200B} \u{200B}", "\u{115F}\u{1160}", "\u{2800}\u{2800}"] {
            assert!(name_fault(name).is_some(), "{name:?}");
        }
        assert!(name_fault("ann\u{2800}").is_some(), "a blank at its end");
        assert_eq!(name_fault("\u{2813}\u{2800}\u{2813}"), None, "words in Braille");
    }

    #[test]
    fn names_that_differ_only_in_how_accents_are_written_are_the_same() {
        let forms = [
            ("Zoe\u{308}", "Zo\u{eb}"),
            ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
            ("\u{212b}", "\u{c5}"),
            ("q\u{307}\u{323}", "q\u{323}\u{307}"),
            ("\u{f900}", "\u{8c48}"),
        ];
        for (name, same) in forms {
            assert_eq!(canonical_name(name), same);
            assert!(matches!(canonical_name(same), Cow::Borrowed(_)), "{same:?}");
            assert_eq!(name_fault(name), None, "{name:?}");
        }
    }

    #[test]
    fn the_length_of_a_name_is_that_of_its_canonical_form() {
        // Nine bytes that become three, and three that become six.
        assert_eq!(name_fault(&"\u{1112}\u{1161}\u{11ab}".repeat(21)), None);
        assert_eq!(name_fault(&"\u{958}".repeat(10)), None);
        assert_eq!(name_fault(&"\u{958}".repeat(11)), Some("a name has at most 64 bytes"));
        let endless = "e\u{301}".repeat(1 << 18);
        assert!(matches!(canonical_name(&endless), Cow::Borrowed(_)), "not even looked at");
        assert_eq!(name_fault(&endless), Some("a name has at most 64 bytes"));
    }

    proptest! {
        #[test]
        fn a_canonical_name_stays_as_it_is_and_is_judged_as_the_name_is(name in ".{0,40}") {
            let canonical = canonical_name(&name);
            prop_assert_eq!(&canonical_name(&canonical), &canonical);
            prop_assert_eq!(name_fault(&name), name_fault(&canonical));
            prop_assert!(name.len() <= LONGEST_TO_NFC * canonical.len());
        }
    }
}
