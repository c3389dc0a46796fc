//! Rooms: who is in them, what they remember, and how what happens there is told.

mod departures;
mod history;
mod members;
pub mod publishing;
mod requests;
mod room;

pub use room::Rooms;
