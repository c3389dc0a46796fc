//! Where a hub listens and a client connects: `HOST:PORT` or `unix:PATH`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// An address as people write it. A host's name is looked up only when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`, with an IPv6 host in brackets.
    Tcp(String),
    /// `unix:PATH`.
    Unix(PathBuf),
}

/// An address that is neither `HOST:PORT` nor `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// What was given.
    pub given: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AddressError { given, why } = self;
        write!(f, "{given:?} is no address: {why}; write HOST:PORT, as in 127.0.0.1:7070, or unix:PATH")
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(given: &str) -> Result<Address, AddressError> {
        let error = |why| Err(AddressError { given: given.to_owned(), why });
        if let Some(path) = given.strip_prefix("unix:") {
            return if path.is_empty() { error("the path is missing") } else { Ok(Address::Unix(path.into())) };
        }
        let Some((host, port)) = given.rsplit_once(':') else { return error("the port is missing") };
        if host.is_empty() {
            error("the host is missing")
        } else if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            error("an IPv6 host goes in brackets, as in [::1]:7070")
        } else if port.parse::<u16>().is_err() || port.starts_with('+') {
            error("the port is not a number from 0 to 65535")
        } else {
            Ok(Address::Tcp(given.to_owned()))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host_and_port) => f.write_str(host_and_port),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in ["127.0.0.1:7070", "localhost:0", "[::1]:7070", "unix:/run/cubby.sock"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (text, why) in [
            ("7070", "the port is missing"),
            (":7070", "the host is missing"),
            ("::1:7070", "an IPv6 host goes in brackets, as in [::1]:7070"),
            ("localhost:", "the port is not a number from 0 to 65535"),
            ("localhost:65536", "the port is not a number from 0 to 65535"),
            ("unix:", "the path is missing"),
        ] {
            assert_eq!(text.parse::<Address>().map_err(|error| error.why), Err(why), "{text}");
        }
    }
}
