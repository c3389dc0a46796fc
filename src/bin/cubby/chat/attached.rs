//! The room that typed lines go to. The thread that reads lines and the thread that owns the connection share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The attached room. A typed command attaches a room at once; if the room later turns out to be refused or is left,
/// the connection's thread detaches it, unless another `attach` was typed since.
#[derive(Clone, Default)]
pub struct Attached(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    room: Option<String>,
    /// How many times a room was attached so far.
    count: u64,
}

impl Attached {
    pub fn room(&self) -> Option<String> {
        self.lock().room.clone()
    }

    pub fn attach(&self, room: &str) {
        let mut state = self.lock();
        state.room = Some(room.to_owned());
        state.count += 1;
    }

    /// Detaches the room if it is one of these.
    pub fn detach_any(&self, rooms: &[String]) {
        self.lock().room.take_if(|attached| rooms.contains(attached));
    }

    /// Detaches this room if it was attached by one of the first `count` attachments.
    pub fn detach(&self, room: &str, count: u64) {
        let mut state = self.lock();
        if state.count <= count {
            state.room.take_if(|attached| attached == room);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_is_refused_late_does_not_detach_one_that_was_attached_since() {
        let attached = Attached::default();
        attached.attach("a");
        attached.attach("a");
        attached.detach("a", 1);
        assert_eq!(attached.room().as_deref(), Some("a"));
        attached.detach("b", 2);
        assert_eq!(attached.room().as_deref(), Some("a"));
        attached.detach("a", 2);
        assert_eq!(attached.room(), None);
    }
}
