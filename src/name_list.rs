//! Lists of names as people write them: in the chat, and in the address of an HTTP request. It does not judge the
//! names.

use std::borrow::Cow;

/// A name in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedName<'t> {
    /// The name, without the quotes around it.
    pub name: Cow<'t, str>,
    /// Whether it was written in quotes, so that each of its characters stands for itself.
    pub is_quoted: bool,
}

/// Splits a list of names at its commas. It ends before the first character outside of quotes for which `is_end` is
/// true; the rest of the text is returned as well. A name that holds a comma or such a character, or begins with a
/// double quote, is written in double quotes; a double quote within them is doubled.
///
/// # Errors
///
/// What is wrong, for a person: a quote without its end, something between it and the next comma, or an empty name.
///
/// ```
/// let (names, rest) = cubby::split_names("\"Lee, Ann\",bob hello", char::is_whitespace).expect("a list");
/// let names: Vec<&str> = names.iter().map(|listed| &*listed.name).collect();
/// assert_eq!((names, rest), (vec!["Lee, Ann", "bob"], " hello"));
/// ```
pub fn split_names(text: &str, is_end: impl Fn(char) -> bool) -> Result<(Vec<ListedName<'_>>, &str), &'static str> {
    let mut names = Vec::new();
    let mut left = text;
    loop {
        let (listed, rest) = take_name(left, |c| c == ',' || is_end(c))?;
        if listed.name.is_empty() {
            return Err("has an empty name; a name with a comma or a blank needs double quotes around it");
        }
        names.push(listed);
        match rest.strip_prefix(',') {
            Some(rest) => left = rest,
            None => return Ok((names, rest)),
        }
    }
}

/// Takes one name, in quotes or not, from the front of a text. It ends before a character for which `is_end` is true.
/// An `@` directly before the quotes is not part of it.
///
/// # Errors
///
/// What is wrong, for a person: a quote without its end, or something directly behind it.
pub fn take_name(text: &str, is_end: impl Fn(char) -> bool) -> Result<(ListedName<'_>, &str), &'static str> {
    let Some(quoted) = text.strip_prefix('"').or_else(|| text.strip_prefix("@\"")) else {
        let (name, rest) = text.split_at(text.find(is_end).unwrap_or(text.len()));
        return Ok((ListedName { name: name.into(), is_quoted: false }, rest));
    };
    let end = closing_quote(quoted).ok_or("has a double quote without its end")?;
    let (name, rest) = (&quoted[..end], &quoted[end + 1..]);
    if !rest.is_empty() && !rest.starts_with(is_end) {
        return Err("has something directly behind a closing double quote; double each quote that belongs to a name");
    }
    let name = if name.contains('"') { name.replace("\"\"", "\"").into() } else { name.into() };
    Ok((ListedName { name, is_quoted: true }, rest))
}

/// Where the first double quote is that is not doubled.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut quotes = quoted.match_indices('"').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Result<(Vec<String>, &str), &'static str> {
        let (names, rest) = split_names(text, char::is_whitespace)?;
        Ok((names.into_iter().map(|listed| listed.name.into_owned()).collect(), rest))
    }

    #[test]
    fn quoting_ends_only_after_splitting() {
        for (text, names, rest) in [
            ("ann", &["ann"][..], ""),
            ("ann,bob hi, all", &["ann", "bob"], " hi, all"),
            ("\"Lee, Ann\" x", &["Lee, Ann"], " x"),
            ("\"Ann Lee\",bob x", &["Ann Lee", "bob"], " x"),
            ("bob,\"Ann Lee\",\"Lee, Bo\" x", &["bob", "Ann Lee", "Lee, Bo"], " x"),
            ("\"Ann \"\"A\"\" Lee\" \"x\"", &["Ann \"A\" Lee"], " \"x\""),
            ("\"\"\"\" x", &["\""], " x"),
            ("O\"Neil x", &["O\"Neil"], " x"),
            ("bob,@\"Ann Lee\" x", &["bob", "Ann Lee"], " x"),
        ] {
            assert_eq!(split(text), Ok((names.iter().map(|&name| name.to_owned()).collect(), rest)), "{text}");
        }
    }

    #[test]
    fn a_list_that_is_not_clear_is_refused_and_reaches_nobody() {
        for (text, why) in [
            ("\"ann hi", "without its end"),
            ("\"ann\"\" hi", "without its end"),
            ("\"Ann\"Lee hi", "directly behind"),
            ("ann, bob hi", "empty name"),
            (",ann hi", "empty name"),
            ("ann,,bob hi", "empty name"),
            ("\"\" hi", "empty name"),
            ("", "empty name"),
        ] {
            assert!(split(text).is_err_and(|error| error.contains(why)), "{text}");
        }
    }

    /// A name as a person who knows the rule writes it.
    fn written(name: &str, is_quoted: bool) -> String {
        let must = name.starts_with('"')
            || name.starts_with("@\"")
            || name.contains([',', ' '])
            || name.contains(char::is_whitespace);
        if is_quoted || must { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
    }

    proptest! {
        #[test]
        fn every_list_of_names_is_read_as_it_is_meant(
            names in proptest::collection::vec(("[a\", \\\\é@]{1,8}|.{1,8}", any::<bool>()), 1..6),
            text in "( .*)?",
        ) {
            let list: Vec<String> = names.iter().map(|(name, is_quoted)| written(name, *is_quoted)).collect();
            let line = format!("{}{text}", list.join(","));
            let meant: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
            prop_assert_eq!(split(&line), Ok((meant, &text[..])));
        }

        #[test]
        fn no_text_makes_it_panic_or_find_an_empty_name(text in "[a\", ]{0,12}|.{0,12}") {
            if let Ok((names, rest)) = split(&text) {
                prop_assert!(names.iter().all(|name| !name.is_empty()));
                prop_assert!(text.ends_with(rest));
            }
        }
    }
}
