//! Rooms: their members, their history, and how events are published.
//!
//! [`Rooms`] owns all rooms, by key and by name, and decides which of them are removed. It knows sessions as slots
//! alone. What requests do to rooms is in [`membership`] (JOIN, LEAVE, WHO), [`publishing`] (PUBLISH and every other
//! event), [`replay`] (HISTORY) and [`departures`] (sessions that departed, announced later). Events
//! are kept in one place, `Rooms::remember`, and read in `replay`.

mod departures;
mod history;
mod members;
mod membership;
mod publishing;
mod replay;
mod room;

pub(super) use members::Author;
pub(super) use membership::WhoCursor;
pub(super) use replay::Replay;
pub(super) use room::Rooms;
