//! Listeners: code in the host program that is called for the events of rooms.

use super::payload::SharedFrame;
use crate::name::canonical_name;
use crate::wire::{Event, EventRef};
use std::collections::HashMap;
use std::fmt;
use std::ops::{AddAssign, ControlFlow};

/// An event that is held once for all who use it. Cloning it copies no bytes.
#[derive(Clone, Debug)]
pub struct SharedEvent(SharedFrame);

impl SharedEvent {
    /// The event in a frame, which must be an EVENT.
    pub(super) fn new(frame: SharedFrame) -> SharedEvent {
        SharedEvent(frame)
    }

    /// The event, borrowed.
    pub fn view(&self) -> EventRef<'_> {
        EventRef::from_frame(self.0.as_bytes()).expect("it is made of an event's frame")
    }

    /// Bytes of its frame.
    pub fn frame_len(&self) -> usize {
        self.0.as_bytes().len()
    }

    /// An owned copy.
    pub fn to_event(&self) -> Event {
        self.view().to_event()
    }
}

impl From<&EventRef<'_>> for SharedEvent {
    /// An event made by hand, for the tests of a listener.
    fn from(event: &EventRef<'_>) -> SharedEvent {
        SharedEvent(SharedFrame::from_bytes(event.to_frame()))
    }
}

/// Is called for events in the order in which they happen, on the thread that turns the hub, after they were queued for
/// the members of their room. The hub waits for it, so it must be quick. A closure that takes a `&SharedEvent` is a
/// listener.
///
/// On this thread [`Handle::post`](crate::Handle::post) may be called; the methods that wait for the hub fail.
pub trait Listener: Send {
    /// Takes one event. [`ControlFlow::Break`] removes the listener.
    fn hear(&mut self, event: &SharedEvent) -> ControlFlow<()>;

    /// What it keeps of the events that it heard, if it passes them on later. The hub counts this as held memory.
    fn backlog(&self) -> ListenerBacklog {
        ListenerBacklog::default()
    }
}

/// What a listener has not passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerBacklog {
    /// Bytes of memory that its queue takes.
    pub bytes: usize,
    /// Events for which its queue had no room, since it was made.
    pub dropped: u64,
}

impl ListenerBacklog {
    /// A queue of this many bytes, for which this many events were dropped.
    pub fn new(bytes: usize, dropped: u64) -> ListenerBacklog {
        ListenerBacklog { bytes, dropped }
    }
}

impl AddAssign for ListenerBacklog {
    fn add_assign(&mut self, more: ListenerBacklog) {
        self.bytes += more.bytes;
        self.dropped += more.dropped;
    }
}

impl<F: FnMut(&SharedEvent) + Send> Listener for F {
    fn hear(&mut self, event: &SharedEvent) -> ControlFlow<()> {
        self(event);
        ControlFlow::Continue(())
    }
}

/// Listeners, called in the order in which they were added.
#[derive(Default)]
struct Queue(Vec<Box<dyn Listener>>);

impl Queue {
    /// Calls each. Returns how many events those had dropped that are removed now.
    fn hear(&mut self, event: &SharedEvent) -> u64 {
        let mut dropped = 0;
        self.0.retain_mut(|listener| {
            let stays = listener.hear(event).is_continue();
            dropped += if stays { 0 } else { listener.backlog().dropped };
            stays
        });
        dropped
    }
}

/// All listeners of a hub: for every room, and for one room.
#[derive(Default)]
pub struct Listeners {
    everywhere: Queue,
    in_room: HashMap<Box<str>, Queue>,
    /// Events that listeners dropped which are not here any more.
    dropped: u64,
}

impl Listeners {
    /// Adds a listener for every room.
    pub fn add(&mut self, listener: Box<dyn Listener>) {
        self.everywhere.0.push(listener);
    }

    /// Adds a listener for one room, which stays when the room is removed and made again.
    pub fn add_in(&mut self, room: &str, listener: Box<dyn Listener>) {
        self.in_room.entry(canonical_name(room).into()).or_default().0.push(listener);
    }

    /// Whether there are no listeners.
    pub fn is_empty(&self) -> bool {
        self.everywhere.0.is_empty() && self.in_room.is_empty()
    }

    /// What all of them together have not passed on.
    pub fn backlog(&self) -> ListenerBacklog {
        let mut sum = ListenerBacklog::new(0, self.dropped);
        for queue in self.in_room.values().chain([&self.everywhere]) {
            queue.0.iter().for_each(|listener| sum += listener.backlog());
        }
        sum
    }

    /// Calls the listeners for the room of an event.
    pub fn hear(&mut self, event: &SharedEvent) {
        self.dropped += self.everywhere.hear(event);
        let room = event.view().room;
        if let Some(queue) = self.in_room.get_mut(room) {
            self.dropped += queue.hear(event);
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

    /// A message in a room.
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
