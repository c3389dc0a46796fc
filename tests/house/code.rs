//! The lexical side of Rust: code without comments and literals, its tokens, and the parts that only tests compile.

use std::iter;
use std::ops::Range;

/// The code of a text: comments and the contents of literals become blanks. Lengths and line breaks stay the same.
pub fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => find(bytes, at, b"\n").unwrap_or(bytes.len()),
            b'/' if bytes.get(at + 1) == Some(&b'*') => end_of_block_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' if !is_in_word(bytes, at) => end_of_raw_string(bytes, at),
            b'\'' => end_of_char(text, at),
            _ => at,
        };
        if end == at {
            at += 1;
            continue;
        }
        blank(&mut code, at..end);
        at = end;
    }
    String::from_utf8(code).expect("only whole characters become blanks")
}

/// Overwrites a range with blanks.
fn blank(code: &mut [u8], range: Range<usize>) {
    code[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// The same code, with these ranges blank.
pub fn without(code: &str, ranges: &[Range<usize>]) -> String {
    let mut code = code.as_bytes().to_vec();
    ranges.iter().for_each(|range| blank(&mut code, range.clone()));
    String::from_utf8(code).expect("only whole items become blanks")
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
}

fn end_of_block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a raw string such as `r#"…"#`; the start itself if none stands there.
fn end_of_raw_string(bytes: &[u8], start: usize) -> usize {
    let hashes = bytes[start + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return start;
    }
    let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
    find(bytes, open + 1, &close).map_or(bytes.len(), |at| at + close.len())
}

/// The end of a character literal; the start itself if a lifetime stands there.
fn end_of_char(text: &str, start: usize) -> usize {
    let rest = &text[start + 1..];
    let Some(first) = rest.chars().next() else { return start };
    if first == '\\' {
        return find(text.as_bytes(), start + 3, b"'").map_or(text.len(), |at| at + 1);
    }
    let behind = start + 1 + first.len_utf8();
    if text.as_bytes().get(behind) == Some(&b'\'') { behind + 1 } else { start }
}

/// Whether the byte at `at` continues a word. The prefixes `br` and `cr` of raw strings are no such words.
fn is_in_word(bytes: &[u8], at: usize) -> bool {
    let is_word = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    match at {
        0 => false,
        1 => is_word(0) && !matches!(bytes[0], b'b' | b'c'),
        _ => is_word(at - 1) && (!matches!(bytes[at - 1], b'b' | b'c') || is_word(at - 2)),
    }
}

/// A word, a number, a lifetime or punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub at: usize,
}

impl Token<'_> {
    pub fn end(self) -> usize {
        self.at + self.text.len()
    }

    /// Whether it is a name or a keyword.
    pub fn is_word(self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// The tokens of code. `::`, `->` and `=>` are one token each; all other punctuation is one character.
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word_from = |start: usize| start + rest[start..].find(|c| !is_word(c)).unwrap_or(rest.len() - start);
        let len = if rest.starts_with("r#") {
            word_from(2)
        } else if is_word(first) || first == '\'' {
            word_from(first.len_utf8())
        } else if ["::", "->", "=>"].iter().any(|pair| rest.starts_with(pair)) {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(Token { text: &rest[..len], at: code.len() - rest.len() });
        }
        rest = &rest[len..];
    }
    tokens
}

/// The index of the token that closes the bracket opened at `open`; the last token if nothing does.
pub fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len() - 1
}

/// The line of an offset, counted from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The parts of some code that only tests compile: each item, statement or field under `#[cfg(test)]` or `#[test]`,
/// from its first attribute to its end. All of it if the file itself is under `#![cfg(test)]`.
pub fn test_ranges(code: &str) -> Vec<Range<usize>> {
    let tokens = tokens(code);
    let mut ranges = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        if tokens[index].text != "#" {
            index += 1;
            continue;
        }
        let start = index;
        let mut is_test = false;
        while index < tokens.len() && tokens[index].text == "#" {
            let is_inner = tokens.get(index + 1).is_some_and(|token| token.text == "!");
            let open = index + 1 + usize::from(is_inner);
            let close = closing(&tokens, open.min(tokens.len() - 1));
            let requires = requires_test(&tokens[(open + 1).min(close)..close]);
            if is_inner && requires {
                return iter::once(0..code.len()).collect();
            }
            is_test |= requires && !is_inner;
            index = close + 1;
        }
        if is_test {
            let end = end_of_item(&tokens, index);
            ranges.push(tokens[start].at..tokens[end].end());
            index = end + 1;
        }
    }
    ranges
}

/// Whether an attribute removes its item from all builds but those of tests.
fn requires_test(attribute: &[Token<'_>]) -> bool {
    match attribute {
        [only] => only.text == "test",
        [cfg, open, predicate @ .., _] if cfg.text == "cfg" && open.text == "(" => is_false_without_test(predicate),
        _ => false,
    }
}

/// Whether a predicate of `cfg` is false, whatever the features, if `test` is not set.
fn is_false_without_test(predicate: &[Token<'_>]) -> bool {
    match predicate {
        [only] => only.text == "test",
        [all, _, inner @ .., _] if all.text == "all" => parts(inner).any(is_false_without_test),
        [any, _, inner @ .., _] if any.text == "any" => parts(inner).all(is_false_without_test),
        _ => false,
    }
}

/// The parts of a list, less the commas between them.
fn parts<'t, 'a>(list: &'t [Token<'a>]) -> impl Iterator<Item = &'t [Token<'a>]> {
    let mut depth = 0;
    let parts = list.split(move |token| {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0 && token.text == ","
    });
    parts.filter(|part| !part.is_empty())
}

/// The index of the last token of the item, statement, field or arm that begins at `start`.
fn end_of_item(tokens: &[Token<'_>], start: usize) -> usize {
    let kind = Ending::of(&tokens[start..]);
    let mut angles = 0;
    let mut index = start;
    while index < tokens.len() {
        match tokens[index].text {
            ";" => return index,
            "," if kind == Ending::Comma && angles == 0 => return index,
            "<" if index > start && tokens[index - 1].is_word() => angles += 1,
            ">" if angles > 0 => angles -= 1,
            ")" | "]" | "}" => return (index - 1).max(start),
            "(" | "[" => index = closing(tokens, index),
            "{" => {
                index = closing(tokens, index);
                let next = tokens.get(index + 1).map_or("", |token| token.text);
                let goes_on = match kind {
                    Ending::Block => false,
                    Ending::Semicolon => true,
                    Ending::Comma => matches!(next, "," | ";" | "." | "?" | "else" | "=>" | "=" | "|"),
                };
                if !goes_on {
                    return index;
                }
            }
            _ => {}
        }
        index += 1;
    }
    tokens.len() - 1
}

/// What ends an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// A semicolon, as after `use`.
    Semicolon,
    /// The end of its block, or a semicolon if it has none, as after `fn` or `struct`.
    Block,
    /// A comma, a semicolon, or the end of its block, as after a field, an arm or an expression.
    Comma,
}

impl Ending {
    fn of(item: &[Token<'_>]) -> Ending {
        let mut words = item.iter().map(|token| token.text);
        let mut first = words.next().unwrap_or_default();
        let mut second = words.next().unwrap_or_default();
        if first == "pub" {
            if second == "(" {
                words.find(|word| *word == ")");
                second = words.next().unwrap_or_default();
            }
            first = second;
            second = words.next().unwrap_or_default();
        }
        match first {
            "const" | "static" if matches!(second, "fn" | "unsafe" | "async" | "extern") => Ending::Block,
            "use" | "const" | "static" | "type" | "let" => Ending::Semicolon,
            "fn" | "struct" | "enum" | "union" | "trait" | "impl" | "mod" | "unsafe" | "async" | "extern" => {
                Ending::Block
            }
            _ if second == "!" => Ending::Block,
            _ => Ending::Comma,
        }
    }
}
