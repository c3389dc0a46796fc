//! Texts that arrive in pieces are compacted to what they mean.

use super::*;
use crate::web::json::request::JsonRequest;
use crate::web::json::scan::Text;
use crate::wire::{Bounds, Request};
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds { max_body: 1000, max_receivers: 3 };

/// A text after it has arrived in pieces of `len` bytes, and how much of it is compacted.
fn compacted(text: &str, len: usize) -> (String, usize) {
    let (mut kept, mut compactor) = (Vec::new(), Compactor::default());
    for piece in text.as_bytes().chunks(len) {
        kept.extend_from_slice(piece);
        compactor.compact(&mut kept);
    }
    (String::from_utf8(kept).expect("it is UTF-8 still"), compactor.done())
}

/// What a text asks for, as a native frame; `None` if it is refused.
fn meaning(text: Text<'_>) -> Option<Vec<u8>> {
    let json = JsonRequest::parse(text, &BOUNDS).ok()?;
    let mut frame = Vec::new();
    json.request().encode(json.tag().unwrap_or_default(), &mut frame);
    Some(frame)
}

proptest! {
    #[test]
    fn a_compacted_text_means_the_same(
        body in r#"([a é"\\/]|\\.|\\u00[0-2][0-9a-f]|\\ud83d\\ude00|\\u[0-9a-f]{0,4}|[\x00-\x1F]){0,12}"#,
        space in "[ \t\r\n]{0,3}",
        len in 1_usize..9,
    ) {
        let keys = format!(r#""type":{space}"publish",{space}"room":"a b"{space},"body":"{body}""#);
        let text = format!("{space}{{{space}{keys}}}{space}");
        let (kept, done) = compacted(&text, len);
        prop_assert!(kept.len() <= text.len());
        prop_assert_eq!(meaning(Text { text: &kept, compacted: done }), meaning(text[..].into()), "{:?}", kept);
    }
}

#[test]
fn escapes_are_kept_in_their_own_length_and_space_as_one() {
    for (text, kept) in [
        (r#"{"body":"\u0001\u0001\n\/\u0041\u674e"#, "{\"body\":\"\u{1}\u{1}\n/A李"),
        (r#"{"body":"\"\\\u0022\u005c"#, r#"{"body":"\"\\\"\\"#),
        ("{ \n\t \"a  b\"  :  1", "{ \"a  b\" : 1"),
        (r#"{"body":"\ud83d\ude00\ud83d\u"#, "{\"body\":\"😀\\ud83d\\u"),
    ] {
        for len in [1, 5, 1000] {
            assert_eq!(compacted(text, len).0, kept, "{len}");
        }
    }
}

#[test]
fn what_follows_an_error_is_not_kept() {
    for start in ["{\"body\":\"\\x", "{\"body\":\"\u{1}", "{\"body\":\"\\udc00"] {
        let text = [start, &"x".repeat(10_000)].concat();
        let (kept, done) = compacted(&text, 100);
        assert!(kept.len() <= "{\"body\":\"".len() + 2 + 100, "{kept:?}");
        assert_eq!(meaning(Text { text: &kept, compacted: done }), None);
    }
}

#[test]
fn the_largest_body_fits_however_it_is_written() {
    let bounds = Bounds { max_body: 70_000, max_receivers: 1 };
    for escape in ["\\u0001", "\\u0022", "\\\\", "x"] {
        let body = escape.repeat(bounds.max_body as usize);
        let text = format!(r#"{{"type":"send","names":["{}"],"body":"{body}"}}"#, "\\u0041".repeat(64));
        let (kept, done) = compacted(&text, 65_536);
        assert!(kept.len() <= crate::web::json::request::max_kept_len(&bounds), "{escape}");
        let json = JsonRequest::parse(Text { text: &kept, compacted: done }, &bounds).expect("a request");
        assert!(matches!(json.request(), Request::Send { body, .. } if body.len() == 70_000), "{escape}");
    }
}
