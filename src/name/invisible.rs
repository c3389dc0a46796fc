//! Characters that can not be seen, and where a text needs them nevertheless.

use super::nfc;

/// The class of marks that take the vowel from an Indic letter, and so join it to the next.
const VIRAMA: u8 = 9;
const ZWNJ: char = '\u{200C}';
const ZWJ: char = '\u{200D}';
/// The last of the tags that follow a flag.
const END_OF_TAGS: char = '\u{E007F}';
const BLACK_FLAG: char = '\u{1F3F4}';
/// What makes a digit a key cap.
const KEY_CAP: char = '\u{20E3}';

/// Characters that have the width of others, but are blank: of Braille, and of musical notation.
pub const BLANKS: [char; 2] = ['\u{2800}', '\u{1D159}'];

/// Whether a character shows by itself.
pub fn can_be_seen(c: char) -> bool {
    !(c.is_whitespace() || BLANKS.contains(&c) || is_invisible(c))
}

/// Whether a character takes no place by itself: Unicode's property `Default_Ignorable_Code_Point`, and the marks of
/// interlinear annotations.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a name has an invisible character in a place where it changes nothing that one sees.
pub fn has_needless(name: &str) -> bool {
    name.char_indices().filter(|&(_, c)| is_invisible(c)).any(|(at, c)| {
        let (before, after) = (&name[..at], &name[at + c.len_utf8()..]);
        !is_needed(before, c, after)
    })
}

fn is_needed(before: &str, c: char, after: &str) -> bool {
    match c {
        ZWJ => joins_emoji(before, after) || joins_indic(before, after) || shows_joined(before, after),
        ZWNJ => ends_with_virama(before) || parts_cursive(before, after),
        '\u{FE0E}' | '\u{FE0F}' => selects_emoji(before, after),
        '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}' => is_tag_before(before) && after.starts_with(is_tag),
        END_OF_TAGS => before.ends_with(is_tag) && is_tag_before(before),
        _ => false,
    }
}

/// Between two emoji, which become one.
fn joins_emoji(before: &str, after: &str) -> bool {
    let base = before.trim_end_matches(|c| matches!(c, '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}'));
    base.ends_with(is_pictograph) && after.starts_with(is_pictograph)
}

/// Behind a mark that joins letters, or before it: both choose another form of the letters.
fn joins_indic(before: &str, after: &str) -> bool {
    let is_before_virama = after.starts_with(is_virama) && before.ends_with(char::is_alphabetic);
    ends_with_virama(before) || is_before_virama
}

fn ends_with_virama(text: &str) -> bool {
    text.ends_with(is_virama)
}

fn is_virama(c: char) -> bool {
    nfc::class(c) == VIRAMA
}

/// Between two Arabic letters that would be joined without it (RFC 5892, appendix A.1).
fn parts_cursive(before: &str, after: &str) -> bool {
    is_joined_to_next(before) && starts_with_arabic(after)
}

/// Behind an Arabic letter that would stand alone without it, as the abbreviations of years have it.
fn shows_joined(before: &str, after: &str) -> bool {
    is_joined_to_next(before) && !starts_with_arabic(after)
}

fn is_joined_to_next(text: &str) -> bool {
    let letters = text.trim_end_matches(is_arabic_mark);
    letters.chars().next_back().is_some_and(|c| is_arabic_letter(c) && !is_joined_to_last_only(c))
}

fn starts_with_arabic(text: &str) -> bool {
    text.trim_start_matches(is_arabic_mark).starts_with(is_arabic_letter)
}

/// Letters that are joined to the one before, at least.
fn is_arabic_letter(c: char) -> bool {
    matches!(c, '\u{620}' | '\u{622}'..='\u{64A}' | '\u{66E}' | '\u{66F}' | '\u{671}'..='\u{673}'
        | '\u{675}'..='\u{6D3}' | '\u{6D5}' | '\u{6EE}' | '\u{6EF}' | '\u{6FA}'..='\u{6FC}' | '\u{6FF}'
        | '\u{750}'..='\u{77F}')
}

/// Letters that are joined to the one before, but never to the next (`Joining_Type=Right_Joining`).
fn is_joined_to_last_only(c: char) -> bool {
    matches!(c, '\u{622}'..='\u{625}' | '\u{627}' | '\u{629}' | '\u{62F}'..='\u{632}' | '\u{648}'
        | '\u{671}'..='\u{673}' | '\u{675}'..='\u{677}' | '\u{688}'..='\u{699}' | '\u{6C0}' | '\u{6C3}'..='\u{6CB}'
        | '\u{6CD}' | '\u{6CF}' | '\u{6D2}' | '\u{6D3}' | '\u{6D5}' | '\u{6EE}' | '\u{6EF}' | '\u{759}'..='\u{75B}'
        | '\u{76B}' | '\u{76C}' | '\u{771}' | '\u{773}' | '\u{774}' | '\u{778}' | '\u{779}')
}

/// Marks above and below letters, through which these are joined (`Joining_Type=Transparent`).
fn is_arabic_mark(c: char) -> bool {
    matches!(c, '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6DC}'
        | '\u{6DF}'..='\u{6E4}' | '\u{6E7}' | '\u{6E8}' | '\u{6EA}'..='\u{6ED}')
}

/// Behind a picture, which it shows in colours or as text, or in a key cap.
fn selects_emoji(before: &str, after: &str) -> bool {
    let is_key = before.ends_with(|c: char| c.is_ascii_digit() || c == '#' || c == '*');
    before.ends_with(is_pictograph) || is_key && after.starts_with(KEY_CAP)
}

/// Whether a text ends with a flag and the tags that say whose it is.
fn is_tag_before(text: &str) -> bool {
    text.trim_end_matches(|c| is_tag(c) && c != END_OF_TAGS).ends_with(BLACK_FLAG)
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}' | END_OF_TAGS)
}

/// Characters that can be emoji, with others of their blocks: pictures all of them.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21FF}'
        | '\u{2300}'..='\u{23FF}' | '\u{24C2}' | '\u{25A0}'..='\u{27BF}' | '\u{2900}'..='\u{297F}'
        | '\u{2B00}'..='\u{2BFF}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests {
    use crate::name::name_fault;

    #[test]
    fn invisible_characters_make_no_other_name_of_the_same_looks() {
        for c in "\u{AD}\u{34F}\u{115F}\u{17B4}\u{180B}\u{180E}\u{200B}\u{200C}\u{200D}\u{2060}\u{2064}\u{3164}\u{FE00}\
                  \u{FE0F}\u{FEFF}\u{FFA0}\u{FFF9}\u{1BCA0}\u{1D173}\u{E0001}\u{E0061}\u{E007F}\u{E0100}"
            .chars()
        {
            for name in
                [format!("ann{c}"), format!("{c}ann"), format!("a{c}nn"), format!("李{c}"), format!("{c}{c}ann")]
            {
                assert!(name_fault(&name).is_some(), "{name:?}");
            }
        }
    }

    #[test]
    fn invisible_characters_are_refused_where_they_change_nothing_even_in_scripts_that_know_them() {
        let names = [
            // Twice; at an end; behind letters that are not joined to the next; a joiner where letters join anyway.
            "می\u{200C}\u{200C}خواهم",
            "\u{200C}می",
            "می\u{200C}",
            "دا\u{200C}را",
            "می\u{200D}خ",
            "क\u{200D}ष",
            "क\u{200C}ष",
            "क्\u{200D}\u{200D}ष",
            "😀\u{200D}",
            "\u{200D}😀",
            "😀\u{200D}ann",
            "ann\u{200D}😀",
            "😀\u{FE0F}\u{FE0F}",
            "1\u{FE0F}",
            "🏴\u{E0067}\u{E0062}",
            "🏴\u{E007F}",
            "😀\u{E0067}\u{E007F}",
            "🏴\u{E0067}\u{E007F}\u{E007F}",
            "🏴\u{E0067}\u{E007F}\u{E0067}\u{E007F}",
            "葛\u{E0100}",
        ];
        for name in names {
            assert!(name_fault(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn emoji_persian_and_indic_names_have_what_they_need() {
        let names = [
            "👩\u{200D}👩\u{200D}👧",
            "👩🏽\u{200D}🚀",
            "🏳\u{FE0F}\u{200D}🌈",
            "🧔🏽\u{200D}♂\u{FE0F}",
            "❤\u{FE0F}",
            "☎\u{FE0E}",
            "1\u{FE0F}\u{20E3}",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "👁\u{FE0F}\u{200D}🗨\u{FE0F}",
            "🏽",
            "می\u{200C}خواهم",
            "علی\u{200C}رضا",
            "مِیْ\u{200C}خ",
            "ه\u{200D}.ش",
            "क्\u{200D}ष",
            "क्\u{200C}ष",
            "ශ්\u{200D}රී",
            "ন্\u{200D}",
            "র\u{200D}্য",
            "ನನ್\u{200C}",
            "ന്\u{200D}",
        ];
        for name in names {
            assert_eq!(name_fault(name), None, "{name:?}");
        }
    }
}
