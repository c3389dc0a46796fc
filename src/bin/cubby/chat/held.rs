//! How many bytes of typed text wait between the two threads of a chat. It knows nothing of the commands.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many bytes may wait; a single command may have more. A script pipes lines faster than a hub takes them.
const MOST: usize = 4 << 20;

/// The bytes that wait.
#[derive(Default)]
pub struct Held {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: usize,
    /// Nobody takes them any more.
    is_closed: bool,
}

impl Held {
    /// Adds bytes, as soon as there is room for them.
    pub fn add(&self, bytes: usize) {
        let has_none = |state: &mut State| !state.is_closed && state.bytes > 0 && state.bytes + bytes > MOST;
        let state = self.changed.wait_while(self.lock(), has_none);
        state.unwrap_or_else(PoisonError::into_inner).bytes += bytes;
    }

    /// Removes bytes that were added.
    pub fn remove(&self, bytes: usize) {
        self.lock().bytes -= bytes;
        self.changed.notify_all();
    }

    /// Nobody waits for room any more.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
