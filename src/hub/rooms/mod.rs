//! Rooms: their members, their history, and how events are published.
//!
//! [`Rooms`] owns all rooms, by key and by name, and decides which of them are removed. It knows sessions as slots
//! alone. What requests do to rooms is in [`membership`] (JOIN, LEAVE, WHO), [`making`] (who may have how many rooms),
//! [`publishing`] (PUBLISH and every other event), [`replay`] (HISTORY) and [`departures`] (sessions that departed,
//! announced later). Events are kept in one place, `Rooms::remember`, and read in `replay`.
//!
//! A membership is an entry in two lists: of the session's slot in the room's [`members`], and of the room's key in the
//! session's own list of rooms. The hub's methods keep the two equal. Which sessions of a name are in a room is found
//! out in [`namesakes`]; nothing is kept for it.

mod departed;
mod departures;
mod deserted;
mod epochs;
mod history;
mod making;
mod members;
mod membership;
mod namesakes;
mod publishing;
mod replay;
mod room;
mod table;

pub(super) use departed::Departures;
pub(crate) use epochs::Epochs;
pub(super) use members::Author;
pub(super) use room::Rooms;
