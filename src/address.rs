//! The addresses on which a hub listens and to which a client connects: `HOST:PORT`, `unix:PATH`, or, for clients only,
//! `ws://HOST:PORT/PATH`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

/// The port of a WebSocket address without one.
const WS_PORT: &str = "80";

/// The path of a WebSocket address without one: that of a hub.
const WS_PATH: &str = "/ws";

/// An address as people write it. The host's name is looked up only when the address is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`, with brackets around an IPv6 host and its zone.
    Tcp(String),
    /// `unix:PATH`.
    Unix(PathBuf),
    /// `ws://HOST:PORT/PATH`, for WebSocket; the port defaults to 80, the path to `/ws`. Only clients use this form: a
    /// hub listens for them on `HOST:PORT`.
    Ws {
        /// `HOST:PORT`, with brackets around an IPv6 host.
        host_and_port: String,
        /// The path with its first slash, and the query if there is one.
        path: String,
    },
}

/// A text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// The text.
    pub given: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AddressError { given, why } = self;
        write!(
            f,
            "{given:?} is not an address: {why}; write HOST:PORT, as in 127.0.0.1:7070, or unix:PATH, or, for a \
             client, ws://HOST:PORT"
        )
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(given: &str) -> Result<Address, AddressError> {
        let address = if let Some(path) = given.strip_prefix("unix:") {
            if path.is_empty() { Err("the path is missing") } else { Ok(Address::Unix(path.into())) }
        } else if let Some(rest) = given.strip_prefix("ws://") {
            web_socket(rest)
        } else if given.starts_with("wss://") {
            Err("TLS is not supported; use a tunnel to the hub, such as `ssh -L`")
        } else if given.contains("://") {
            Err("the only scheme is ws://")
        } else {
            check(given).map(|()| Address::Tcp(given.to_owned()))
        };
        address.map_err(|why| AddressError { given: given.to_owned(), why })
    }
}

/// Parses the rest of an address after `ws://`. It is copied into the header of a request, so it must not contain
/// characters that could end a header line.
fn web_socket(rest: &str) -> Result<Address, &'static str> {
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_fit = |text: &str, not: &[char]| text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(not);
    if !is_fit(host, &['@', '?', '#', '\\', ',', '"']) {
        return Err("there is a character before the path that a host and port cannot have");
    }
    if !is_fit(path, &['#', '\\', '"']) {
        return Err("there is a character in the path that must be percent-encoded");
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    // In a URL the sign before a zone is percent-encoded (RFC 6874).
    let host = if host.starts_with('[') { host.replacen("%25", "%", 1) } else { host.to_owned() };
    let host_and_port = if has_port { host } else { format!("{host}:{WS_PORT}") };
    check(&host_and_port)?;
    // As in every URL, a single slash means that there is no path.
    let path = if path.len() > 1 { path } else { WS_PATH };
    Ok(Address::Ws { host_and_port, path: path.to_owned() })
}

/// Checks that this is `HOST:PORT`.
fn check(host_and_port: &str) -> Result<(), &'static str> {
    let (host, port) = host_and_port.rsplit_once(':').ok_or("the port is missing")?;
    if host.is_empty() {
        Err("the host is missing")
    } else if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        Err("an IPv6 host needs brackets, as in [::1]:7070")
    } else if host.ends_with("%]") {
        Err("the zone is missing, as in [fe80::1%eth0]:7070")
    } else if port.parse::<u16>().is_err() || port.starts_with('+') {
        Err("the port is not a number from 0 to 65535")
    } else {
        Ok(())
    }
}

impl Address {
    /// The addresses of the host, in the order in which the system gives them; none for a unix socket. A zone of IPv6
    /// may be a name, as in `[fe80::1%eth0]:7070`.
    ///
    /// # Errors
    ///
    /// The system's error, if it does not know the host or the zone.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let (Address::Tcp(host_and_port) | Address::Ws { host_and_port, .. }) = self else { return Ok(Vec::new()) };
        let (host, port) = host_and_port.rsplit_once(':').unwrap_or((host_and_port, ""));
        let port = port.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the port is not a number"))?;
        // The system knows the names of zones, but no brackets.
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let mut addresses: Vec<SocketAddr> =
            (host, port).to_socket_addrs().map_err(|error| name_zone(host, error))?.collect();
        let mut seen = Vec::new();
        addresses.retain(|address| {
            !seen.contains(address) && {
                seen.push(*address);
                true
            }
        });
        Ok(addresses)
    }
}

/// Says that the zone may be what the system does not know, and what to do.
fn name_zone(host: &str, error: io::Error) -> io::Error {
    match host.split_once('%') {
        Some((_, zone)) => {
            let text = format!("{error}; is {zone:?} a network interface of this machine? `ip link` lists them");
            io::Error::new(error.kind(), text)
        }
        None => error,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host_and_port) => f.write_str(host_and_port),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Ws { host_and_port, path } => write!(f, "ws://{host_and_port}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "127.0.0.1:7070",
            "localhost:0",
            "[::1]:7070",
            "[fe80::1%eth0]:7070",
            "unix:/run/cubby.sock",
            "ws://hub.example:8080/chat/ws?via=home",
        ] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_with_an_address() {
        for (text, why) in [
            ("7070", "the port is missing"),
            (":7070", "the host is missing"),
            ("::1:7070", "an IPv6 host needs brackets, as in [::1]:7070"),
            ("[fe80::1%]:7070", "the zone is missing, as in [fe80::1%eth0]:7070"),
            ("localhost:", "the port is not a number from 0 to 65535"),
            ("localhost:65536", "the port is not a number from 0 to 65535"),
            ("unix:", "the path is missing"),
            ("ws://", "the host is missing"),
            ("ws://:80", "the host is missing"),
            ("ws://hub:", "the port is not a number from 0 to 65535"),
            ("ws://::1", "an IPv6 host needs brackets, as in [::1]:7070"),
            ("ws://ann:secret@hub", "there is a character before the path that a host and port cannot have"),
            ("ws://hub?x", "there is a character before the path that a host and port cannot have"),
            ("ws://hub\r\nX: y", "there is a character before the path that a host and port cannot have"),
            ("ws://hub/ws HTTP/1.1", "there is a character in the path that must be percent-encoded"),
            ("ws://hub/ws\r\nX: y", "there is a character in the path that must be percent-encoded"),
            ("ws://hub/ws#top", "there is a character in the path that must be percent-encoded"),
            ("http://hub:8080/ws", "the only scheme is ws://"),
        ] {
            assert_eq!(text.parse::<Address>().map_err(|error| error.why), Err(why), "{text}");
        }
    }

    #[test]
    fn a_web_socket_address_may_leave_out_its_port_and_its_path() {
        for (text, meant) in [
            ("ws://hub", "ws://hub:80/ws"),
            ("ws://hub/", "ws://hub:80/ws"),
            ("ws://hub:8080", "ws://hub:8080/ws"),
            ("ws://[::1]", "ws://[::1]:80/ws"),
            ("ws://[::1]:8080/", "ws://[::1]:8080/ws"),
            ("ws://[fe80::1%25eth0]:8080", "ws://[fe80::1%eth0]:8080/ws"),
            ("ws://[fe80::1%eth0]", "ws://[fe80::1%eth0]:80/ws"),
            ("ws://hub/a//b:c", "ws://hub:80/a//b:c"),
        ] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(meant.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_host_is_resolved_with_its_zone() {
        let resolve = |text: &str| text.parse::<Address>().expect("an address").resolve();
        let found = |text: &str| resolve(text).map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(found("127.0.0.1:7070").ok(), Some(vec!["127.0.0.1:7070".to_owned()]));
        assert_eq!(found("[::1]:0").ok(), Some(vec!["[::1]:0".to_owned()]));
        assert_eq!(found("ws://[::1]").ok(), Some(vec!["[::1]:80".to_owned()]));
        assert_eq!(found("[fe80::1%1]:7").ok(), Some(vec!["[fe80::1%1]:7".to_owned()]));
        assert_eq!(found("unix:/run/cubby.sock").ok(), Some(vec![]));
        let error = resolve("[fe80::1%nowhere0]:7").expect_err("there is no such zone");
        assert!(error.to_string().contains("\"nowhere0\" a network interface"), "{error}");
        let first = std::fs::read_to_string("/proc/net/dev").ok();
        if first.is_some_and(|list| list.contains(" lo:")) {
            let found = resolve("[fe80::1%lo]:7").expect("the zone is there");
            assert!(matches!(found[..], [SocketAddr::V6(address)] if address.scope_id() != 0), "{found:?}");
        }
    }

    #[test]
    fn the_error_for_wss_says_what_to_do() {
        let error = "wss://hub/ws".parse::<Address>().expect_err("TLS is not supported");
        assert!(error.to_string().contains("ssh -L") && error.to_string().ends_with("ws://HOST:PORT"), "{error}");
    }
}
