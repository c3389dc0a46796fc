//! Why a request is not executed.

use super::cors::Cors;
use crate::limits::http::MAX_ERROR_TEXT;
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
    /// Whose pages may read this.
    pub cors: Cors,
}

impl Refusal {
    /// A refusal that ends the connection. A long text, which quotes the request, is cut.
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Refusal {
        let mut text = text.into();
        if text.len() > MAX_ERROR_TEXT {
            let end = text.floor_char_boundary(MAX_ERROR_TEXT);
            text = format!("{}…", &text[..end]).into();
        }
        Refusal { status, text, header: "", next_at: None, is_head: false, cors: Cors::default() }
    }
}
