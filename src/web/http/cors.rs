//! The headers by which a browser lets a page of another site read responses (the CORS protocol of the Fetch standard),
//! and those that answer its question beforehand. Which sites may is decided in `origin`.

use super::origin;
use crate::limits::http::{MAX_HEAD_LEN, PREFLIGHT_SECS};
use std::borrow::Cow;

/// The headers of a response that say whose pages may read it, each with its line's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors(Cow<'static, str>);

impl Cors {
    /// Those for a page of this origin. If the operator has named no origin, there are none.
    pub fn new(origin: Option<&str>, allowed: &[String]) -> Cors {
        Cors(match origin {
            _ if allowed.is_empty() => "".into(),
            // An origin that is allowed has only characters that a header may have.
            Some(origin) if origin::is_among(allowed, origin) => {
                format!("Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n").into()
            }
            // A cache must not give this response to a page of a named origin.
            Some(_) | None => "Vary: Origin\r\n".into(),
        })
    }

    /// Those for a request that can not be parsed: a page is told so as well.
    pub fn of_unparsed(bytes: &[u8], allowed: &[String]) -> Cors {
        if allowed.is_empty() {
            return Cors::default();
        }
        let lines = bytes[..bytes.len().min(MAX_HEAD_LEN)].split(|&byte| byte == b'\n').skip(1).map(<[u8]>::trim_ascii);
        let mut fields =
            lines.take_while(|line| !line.is_empty()).filter_map(|line| str::from_utf8(line).ok()?.split_once(':'));
        let origin = fields.find(|(name, _)| name.eq_ignore_ascii_case("Origin")).map(|(_, value)| value.trim());
        Cors::new(origin, allowed)
    }

    /// The header lines.
    pub fn lines(&self) -> &str {
        &self.0
    }
}

/// The further headers of the answer to a browser that asks which requests a page may send. `methods` are those of the
/// path. A page that may use the hub may send any header, so those that it wants to send are allowed.
pub fn preflight<'h>(methods: &str, wanted: impl Iterator<Item = &'h str>) -> String {
    let mut lines = format!("Access-Control-Allow-Methods: {methods}\r\nAccess-Control-Max-Age: {PREFLIGHT_SECS}\r\n");
    let wanted: Vec<&str> = wanted.filter(|name| is_token(name)).collect();
    if !wanted.is_empty() {
        lines += &format!("Access-Control-Allow-Headers: {}\r\n", wanted.join(", "));
    }
    lines
}

/// Whether a text can be the name of a header (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origin: Option<&str>, allowed: &[&str]) -> String {
        let allowed: Vec<String> = allowed.iter().map(|&text| text.to_owned()).collect();
        Cors::new(origin, &allowed).lines().to_owned()
    }

    #[test]
    fn a_named_origin_is_repeated_as_it_was_sent_and_no_other_one() {
        let named = ["https://chat.example", "null", "http://[0:0::1]:3000"];
        for origin in ["https://chat.example", "HTTPS://chat.example:443", "null", "http://[::1]:3000"] {
            let expected = format!("Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n");
            assert_eq!(cors(Some(origin), &named), expected);
        }
        for origin in [Some("https://evil.example"), Some("NULL"), Some("https://chat.example\r\nX: y"), None] {
            assert_eq!(cors(origin, &named), "Vary: Origin\r\n", "{origin:?}");
        }
        assert_eq!(cors(Some("https://chat.example"), &[]), "");
    }

    #[test]
    fn a_request_that_can_not_be_parsed_has_an_origin_as_well() {
        let named = ["https://a".to_owned()];
        for (bytes, is_named) in [
            ("GET / HTTP/9\r\norigin:  https://a \r\n\r\n", true),
            ("GET / HTTP/9\nHost: hub\nOrigin: https://a", true),
            ("Origin: https://a\r\n\r\n", false),
            ("GET / HTTP/9\r\n\r\nOrigin: https://a\r\n", false),
            ("", false),
        ] {
            let cors = Cors::of_unparsed(bytes.as_bytes(), &named);
            assert_eq!(cors.lines().contains("Allow-Origin: https://a\r\n"), is_named, "{bytes}");
        }
    }
}
