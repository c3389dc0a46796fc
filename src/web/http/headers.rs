//! Looking up headers by name.

use super::refusal::Refusal;

/// The headers of a request.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h>(pub &'h [httparse::Header<'h>]);

impl<'h> Headers<'h> {
    fn all(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The value of a header that may occur at most once.
    ///
    /// # Errors
    ///
    /// 400 if it occurs more than once, or is not ASCII.
    pub fn one(self, name: &'static str) -> Result<Option<&'h str>, Refusal> {
        let mut all = self.all(name);
        let Some(value) = all.next() else { return Ok(None) };
        let text = str::from_utf8(value).ok().filter(|text| text.is_ascii());
        match (text, all.next()) {
            (Some(text), None) => Ok(Some(text.trim())),
            (None, _) => Err(Refusal::new(400, format!("the header {name} is not ASCII"))),
            (_, Some(_)) => Err(Refusal::new(400, format!("the header {name} is there more than once"))),
        }
    }

    /// The items of a header that is a list, in order, whether they are on one line or several.
    pub fn items(self, name: &'static str) -> impl Iterator<Item = &'h str> {
        self.all(name).filter_map(|value| str::from_utf8(value).ok()).flat_map(|value| value.split(',')).map(str::trim)
    }

    /// Whether a header that is a list has this item, ignoring case.
    pub fn has(self, name: &'static str, item: &str) -> bool {
        self.items(name).any(|other| other.eq_ignore_ascii_case(item))
    }

    /// Whether this header is present.
    pub fn contains(self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}
