//! The history of a room, page by page.

use super::{Client, ClientError};
use crate::wire::Event;

/// A part of a room's history, to be asked for page by page, so that only one page is in memory at a time.
///
/// ```no_run
/// # fn main() -> Result<(), cubby::ClientError> {
/// let mut client = cubby::Client::connect("127.0.0.1:7070")?;
/// let newest = client.join("lobby")?.newest;
/// let mut pages = cubby::Pages::new("lobby", 0, newest);
/// while let Some(events) = pages.next(&mut client)? {
///     events.iter().for_each(|event| println!("{} {}", event.id, event.name));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Pages {
    room: String,
    /// All events up to this one were returned.
    after: u64,
    last: u64,
}

impl Pages {
    /// The events of a room with ids above `after`, up to `last`.
    pub fn new(room: &str, after: u64, last: u64) -> Pages {
        Pages { room: room.to_owned(), after, last }
    }

    /// The next events, oldest first; `None` if the room remembers no further ones.
    ///
    /// # Errors
    ///
    /// Those of [`Client::history`].
    pub fn next(&mut self, client: &mut Client) -> Result<Option<Vec<Event>>, ClientError> {
        if self.after >= self.last {
            return Ok(None);
        }
        let mut events = client.history(&self.room, self.after, u32::MAX)?.events;
        events.retain(|event| self.after < event.id && event.id <= self.last);
        // A page without progress ends it, or it would be asked for again and again.
        let Some(last) = events.last() else { return Ok(None) };
        self.after = last.id;
        Ok(Some(events))
    }
}
