//! The parts of a target: percent-encoded text, the keys of the query, and numbers.

use super::refusal::Refusal;
use crate::name_list::{ListedName, split_names};
use std::str::FromStr;

/// The values of the keys `names` in a query, in their order; not decoded yet. `path` is for error texts.
///
/// # Errors
///
/// 400 if the query has a key twice, or another key.
pub fn keys<'q, const N: usize>(path: &str, query: &'q str, names: [&str; N]) -> Result<[Option<&'q str>; N], Refusal> {
    let mut values = [None; N];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match names.iter().position(|name| *name == key) {
            Some(i) if values[i].is_none() => values[i] = Some(value),
            Some(_) => return Err(Refusal::new(400, format!("the key {key} is there more than once"))),
            None => return Err(Refusal::new(400, format!("{path} has no key {key:?}"))),
        }
    }
    Ok(values)
}

/// The items of the key `to`, not decoded yet: so a percent-encoded comma or quote belongs to a name. `example` is for
/// the error text.
///
/// # Errors
///
/// 400 if it has none, or one of them is empty.
pub fn receivers<'q>(to: Option<&'q str>, example: &str) -> Result<Vec<ListedName<'q>>, Refusal> {
    let missing = || Refusal::new(400, format!("name the receivers, as in ?to={example} or ?to={example},{example}"));
    let to = to.filter(|to| !to.is_empty()).ok_or_else(missing)?;
    split_names(to, |_| false).map(|(names, _)| names).map_err(|why| Refusal::new(400, format!("to={to} {why}")))
}

/// The value of a key that is a number.
///
/// # Errors
///
/// 400 if it is another text.
pub fn number(key: &str, value: Option<&str>) -> Result<Option<u64>, Refusal> {
    let parse = |text| whole_number(text).ok_or_else(|| Refusal::new(400, format!("{key}={text} is no number")));
    value.map(parse).transpose()
}

/// A number of digits alone, without a sign.
pub fn whole_number<N: FromStr>(text: &str) -> Option<N> {
    Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
}

/// Percent-encoded text; in a query `+` is a space.
///
/// # Errors
///
/// 400 if two hexadecimal digits do not follow a `%`, or the bytes are not UTF-8.
pub fn decode(text: &str, plus_is_space: bool) -> Result<String, Refusal> {
    let refusal = || Refusal::new(400, format!("{text:?} is not percent-encoded UTF-8"));
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high << 4 | low) as u8,
                _ => return Err(refusal()),
            },
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| refusal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_percent_encoded_is_read_back(text in ".{0,30}", plain in any::<bool>()) {
            let encode = |byte: u8| match byte {
                b'a'..=b'z' if plain => char::from(byte).to_string(),
                byte if plain => format!("%{byte:02x}"),
                byte => format!("%{byte:02X}"),
            };
            let encoded: String = text.bytes().map(encode).collect();
            prop_assert_eq!(decode(&encoded, true).ok(), Some(text));
        }

        #[test]
        fn names_with_any_characters_are_read_back_from_a_list(
            names in proptest::collection::vec("[a\", %+]{1,6}|.{1,6}", 1..5),
        ) {
            let encode = |name: &String| name.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            let list = names.iter().map(encode).collect::<Vec<_>>().join(",");
            let items = receivers(Some(&list), "NAME").map_err(|refusal| refusal.status);
            let read: Vec<_> = items.expect("a list").iter().map(|item| decode(&item.name, true).ok()).collect();
            prop_assert_eq!(read, names.into_iter().map(Some).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_percent_sign_without_its_digits_is_refused() {
        for text in ["%", "%4", "a%4", "%g1", "%4g", "%+1", "%C3", "%FF", "%%41"] {
            assert_eq!(decode(text, true).map_err(|refusal| refusal.status), Err(400), "{text}");
        }
        assert_eq!(decode("a+b%2B%25", true).ok().as_deref(), Some("a b+%"));
        assert_eq!(decode("a+b", false).ok().as_deref(), Some("a+b"));
    }
}
