//! Origins of web pages (RFC 6454), compared by their parts: scheme, host and port. A text that names no host is equal
//! to nothing, not even to itself. The exception is `null`, if the operator has named it: this origin is shared by
//! pages that have nothing to do with each other.

use std::net::Ipv6Addr;

/// What a page sends that has no origin of its own: a file, or a frame in a sandbox.
const NULL: &str = "null";

/// The origin of a page: its scheme, host and port.
#[derive(Clone, Copy, Debug)]
struct Origin<'t> {
    scheme: &'t str,
    site: Site<'t>,
}

/// A host, and its port if that is given.
#[derive(Clone, Copy, Debug)]
struct Site<'t> {
    host: &'t str,
    port: Option<u16>,
}

/// Whether a page of `origin` was served under this value of the header Host, over HTTP or HTTPS: a proxy may have
/// taken the TLS off. Pages of other schemes, such as files and extensions, are nobody's own.
pub fn is_own(origin: &str, host: &str) -> bool {
    let (Some(origin), Some(host)) = (Origin::parse(origin), Site::parse(host)) else { return false };
    default_port(origin.scheme).is_some() && origin.is_same(Origin { scheme: origin.scheme, site: host })
}

/// Whether a text is the origin of web pages, as in `https://example.org`: a scheme, a host, and perhaps a port; or
/// `null`, which all pages send that have no origin of their own.
pub fn is_origin(text: &str) -> bool {
    text == NULL || Origin::parse(text).is_some()
}

/// Whether an origin is one of those that the operator has named.
pub fn is_among(named: &[String], origin: &str) -> bool {
    named.iter().any(|named| is_same(named, origin))
}

/// Whether both texts name the same origin.
fn is_same(one: &str, other: &str) -> bool {
    (one == NULL && other == NULL)
        || matches!((Origin::parse(one), Origin::parse(other)), (Some(one), Some(other)) if one.is_same(other))
}

impl<'t> Origin<'t> {
    /// `None` if this is not `SCHEME://HOST` or `SCHEME://HOST:PORT`, as `null` and `file://` are not.
    fn parse(text: &'t str) -> Option<Origin<'t>> {
        let (scheme, site) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        is_scheme.then_some(Origin { scheme, site: Site::parse(site)? })
    }

    fn is_same(self, other: Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && is_same_host(self.site.host, other.site.host)
            && self.port() == other.port()
    }

    /// The port that a browser connects to; `None` if only the scheme's owner knows.
    fn port(self) -> Option<u16> {
        self.site.port.or(default_port(self.scheme))
    }
}

impl<'t> Site<'t> {
    /// `None` if this is not `HOST` or `HOST:PORT`.
    fn parse(text: &'t str) -> Option<Site<'t>> {
        // The colons within an IPv6 address are in brackets.
        let colon = text.rfind(':').filter(|at| !text[*at..].contains(']'));
        let (host, port) = match colon {
            Some(at) => (&text[..at], Some(parse_port(&text[at + 1..])?)),
            None => (text, None),
        };
        is_host(host).then_some(Site { host, port })
    }
}

fn is_host(host: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !b"/\\?#@:,;[]\"<>".contains(&byte);
    ipv6(host).is_some() || !host.is_empty() && host.bytes().all(is_fit)
}

/// The address in brackets.
fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// An IPv6 address can be written in several ways.
fn is_same_host(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || matches!((ipv6(one), ipv6(other)), (Some(one), Some(other)) if one == other)
}

/// No browser writes zeros before a port. Without them an origin that is allowed is short, and so is what repeats it.
fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok()).flatten()
}

fn default_port(scheme: &str) -> Option<u16> {
    let is = |known| scheme.eq_ignore_ascii_case(known);
    if is("http") {
        Some(80)
    } else if is("https") {
        Some(443)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_hubs_own_if_it_came_from_the_host_that_is_asked() {
        for (origin, host) in [
            ("http://hub", "hub"),
            ("https://hub", "hub"),
            ("HTTP://Hub", "hUB"),
            ("http://hub:8080", "hub:8080"),
            ("http://hub", "hub:80"),
            ("http://hub:80", "hub"),
            ("https://hub", "hub:443"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]"),
            ("http://[::1]:80", "[0:0:0:0:0:0:0:1]"),
            ("http://[fd00::abcd]", "[FD00:0::ABCD]"),
            ("http://[::ffff:102:304]", "[::ffff:1.2.3.4]"),
        ] {
            assert!(is_own(origin, host), "{origin} at {host}");
        }
    }

    #[test]
    fn no_other_page_is() {
        for (origin, host) in [
            // Without a host there is nothing to be equal to.
            ("file://", ""),
            ("http://", ""),
            ("http://:80", ":80"),
            ("http://hub", ""),
            ("null", ""),
            ("null", "null"),
            ("", ""),
            ("://hub", "hub"),
            // The pages of these are not served by the hub, whatever they call their host.
            ("file://hub", "hub"),
            ("capacitor://localhost", "localhost"),
            ("chrome-extension://hub", "hub"),
            ("http://hub", "hub:8080"),
            ("http://hub:8080", "hub"),
            ("https://hub", "hub:80"),
            ("http://hub:443", "hub"),
            ("http://hub.evil", "hub"),
            // These are no origins.
            ("http://hub/", "hub/"),
            ("http://hub http://evil", "hub http://evil"),
            ("http://ann@hub", "ann@hub"),
            ("http://hub:", "hub:"),
            ("http://hub:+80", "hub:+80"),
            ("http://hub:65616", "hub:65616"),
            ("http://hub:080", "hub:080"),
            ("http://[]", "[]"),
            ("http://[:::1]", "[:::1]"),
            ("http://[::1]", "[::2]"),
            ("http://[::1]", "::1"),
            ("http://a:b:80", "a:b:80"),
        ] {
            assert!(!is_own(origin, host), "{origin} at {host}");
        }
    }

    #[test]
    fn an_origin_that_the_operator_allows_is_compared_by_its_parts_too() {
        assert!(is_same("https://chat.example", "HTTPS://Chat.Example:443"));
        assert!(is_same("http://[0::1]:3000", "http://[::1]:3000"));
        assert!(is_same("null", "null") && is_origin("null"), "if the operator says so");
        assert!(is_same("chrome-extension://abc", "chrome-extension://abc") && is_origin("chrome-extension://abc"));
        for (one, other) in [
            ("https://chat.example", "http://chat.example"),
            ("https://chat.example", "https://chat.example:444"),
            ("null", "NULL"),
            ("null", "https://null"),
            ("file://", "file://"),
            ("", ""),
        ] {
            assert!(!is_same(one, other), "{one} and {other}");
        }
    }
}
