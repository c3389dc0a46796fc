//! Code in the host program that hears the events of rooms.

use super::payload::SharedFrame;
use crate::wire::{Event, EventRef};
use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;

/// An event that is held once for all who want it: a clone costs no copy.
#[derive(Clone, Debug)]
pub struct SharedEvent(SharedFrame);

impl SharedEvent {
    /// The event of a frame, which must be one.
    pub(super) fn new(frame: SharedFrame) -> SharedEvent {
        SharedEvent(frame)
    }

    /// The event, to be looked at.
    pub fn view(&self) -> EventRef<'_> {
        EventRef::from_frame(self.0.as_bytes()).expect("it is made of an event's frame")
    }

    /// A copy that holds nothing but itself.
    pub fn to_event(&self) -> Event {
        self.view().to_event()
    }
}

impl From<&EventRef<'_>> for SharedEvent {
    /// An event of one's own making, as a listener's tests need.
    fn from(event: &EventRef<'_>) -> SharedEvent {
        SharedEvent(SharedFrame::from_bytes(event.to_frame()))
    }
}

/// Hears events, in the order in which they happen, on the thread that turns the hub and after they were queued for the
/// members of their room. Whatever it does, the hub waits for it: it must be quick. A closure that takes a
/// `&SharedEvent` is a listener.
///
/// On this thread [`Handle::post`](crate::Handle::post) may be used; those of its methods that wait for the hub refuse.
pub trait Listener: Send {
    /// One event. [`ControlFlow::Break`] ends the listening.
    fn hear(&mut self, event: &SharedEvent) -> ControlFlow<()>;
}

impl<F: FnMut(&SharedEvent) + Send> Listener for F {
    fn hear(&mut self, event: &SharedEvent) -> ControlFlow<()> {
        self(event);
        ControlFlow::Continue(())
    }
}

/// Several listeners, called in the order in which they came.
#[derive(Default)]
struct Queue(Vec<Box<dyn Listener>>);

impl Queue {
    fn hear(&mut self, event: &SharedEvent) {
        self.0.retain_mut(|listener| listener.hear(event).is_continue());
    }
}

/// All listeners of a hub: those who hear every room, and those who hear one.
#[derive(Default)]
pub struct Listeners {
    everywhere: Queue,
    in_room: HashMap<Box<str>, Queue>,
}

impl Listeners {
    /// Adds one that hears every room.
    pub fn add(&mut self, listener: Box<dyn Listener>) {
        self.everywhere.0.push(listener);
    }

    /// Adds one that hears one room, now and whenever a room of this name is there again.
    pub fn add_in(&mut self, room: &str, listener: Box<dyn Listener>) {
        self.in_room.entry(room.into()).or_default().0.push(listener);
    }

    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.everywhere.0.is_empty() && self.in_room.is_empty()
    }

    /// Calls those whom an event concerns.
    pub fn hear(&mut self, event: &SharedEvent) {
        self.everywhere.hear(event);
        let room = event.view().room;
        if let Some(queue) = self.in_room.get_mut(room) {
            queue.hear(event);
            if queue.0.is_empty() {
                self.in_room.remove(room);
            }
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listeners {{ everywhere: {}, rooms: {} }}", self.everywhere.0.len(), self.in_room.len())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::wire::{EventType, UserId};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// What somebody said in a room.
    pub fn message(id: u64, room: &str, body: &[u8]) -> SharedEvent {
        let (what, session) = (EventType::Message, UserId(9));
        SharedEvent::from(&EventRef { what, id, unix_ms: 0, session, room, name: "ann", body })
    }

    #[test]
    fn a_listener_of_one_room_hears_that_room() {
        let (mut listeners, heard) = (Listeners::default(), Arc::new(AtomicU64::new(0)));
        let sum = heard.clone();
        let add = move |event: &SharedEvent| {
            sum.fetch_add(event.view().id, Ordering::Relaxed);
        };
        listeners.add_in("lobby", Box::new(add));
        listeners.hear(&message(1, "lobby", b""));
        listeners.hear(&message(10, "elsewhere", b""));
        assert_eq!(heard.load(Ordering::Relaxed), 1);
    }
}
