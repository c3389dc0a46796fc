//! Why a request is not executed.

use std::borrow::Cow;

/// Why a request is not executed.
#[derive(Debug)]
pub struct Refusal {
    /// The status of the response.
    pub status: u16,
    /// What is wrong, for a person to read.
    pub text: Cow<'static, str>,
    /// A further header of the response, with its line's end.
    pub header: &'static str,
    /// Where the next request begins; `None` if that is unknown, so that the connection must end.
    pub next_at: Option<usize>,
    /// Whether the request is a HEAD, so that the response has no body.
    pub is_head: bool,
}

impl Refusal {
    /// A refusal that ends the connection.
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, text: text.into(), header: "", next_at: None, is_head: false }
    }
}
