//! Code in the host program that hears the events of rooms: the trait, and the bounded channel to another thread.

use crate::wire::{Event, EventRef};
use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Hears events, in the order in which they happen, on the thread that turns the hub and after they were queued for the
/// members of their room. Whatever it does, the hub waits for it: it must be quick. A closure that takes an
/// `&EventRef<'_>` is a listener.
///
/// On this thread [`Handle::post`](crate::Handle::post) may be used; those of its methods that wait for the hub refuse.
pub trait Listener: Send {
    /// One event. [`ControlFlow::Break`] ends the listening.
    fn hear(&mut self, event: &EventRef<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(&EventRef<'_>) + Send> Listener for F {
    fn hear(&mut self, event: &EventRef<'_>) -> ControlFlow<()> {
        self(event);
        ControlFlow::Continue(())
    }
}

/// Several listeners, called in the order in which they came.
#[derive(Default)]
struct Queue(Vec<Box<dyn Listener>>);

impl Queue {
    fn hear(&mut self, event: &EventRef<'_>) {
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
    pub fn hear(&mut self, event: &EventRef<'_>) {
        self.everywhere.hear(event);
        if let Some(queue) = self.in_room.get_mut(event.room) {
            queue.hear(event);
            if queue.0.is_empty() {
                self.in_room.remove(event.room);
            }
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listeners {{ everywhere: {}, rooms: {} }}", self.everywhere.0.len(), self.in_room.len())
    }
}

/// What happens to an event that an [`event_channel`] has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is dropped and counted; see [`Events::dropped`]. The gap shows in the ids.
    Drop,
    /// It is dropped and counted, and the channel gets no more: what is in it can still be received, then it ends.
    Disconnect,
}

/// What both ends of an event channel count.
#[derive(Debug, Default)]
struct Counts {
    /// Bytes of bodies in the channel.
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

/// A channel that takes events to another thread, with room for `events` of them and for `bytes` of their bodies. The
/// hub never waits for it: what it has no room for is lost, as `when_full` says. A body larger than `bytes` still fits
/// into an empty channel.
///
/// ```
/// use cubby::{Client, Server, WhenFull};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut server = Server::bind("127.0.0.1:0")?;
/// let (listener, events) = cubby::event_channel(1024, 1 << 20, WhenFull::Drop);
/// server.listen_to_all(listener);
/// let handle = server.handle();
/// let hub = std::thread::spawn(move || server.run());
///
/// handle.publish("lobby", b"hello")?;
/// let event = events.recv().expect("the hub is there");
/// assert_eq!((event.id, &event.room[..], &event.body[..]), (1, "lobby", &b"hello"[..]));
/// handle.stop()?;
/// assert_eq!(events.recv(), None);
/// # Ok(hub.join().expect("the hub does not panic")?) }
/// ```
pub fn event_channel(events: usize, bytes: usize, when_full: WhenFull) -> (EventSender, Events) {
    // A channel without room would be a meeting place, which the hub has no time for.
    let (sender, receiver) = mpsc::sync_channel(events.max(1));
    let counts = Arc::new(Counts::default());
    let sender = Arc::new(sender);
    let events = Events { receiver, counts: counts.clone(), waker: EventsWaker(Arc::downgrade(&sender)) };
    (EventSender { sender, counts, bytes, when_full }, events)
}

/// The hub's end of an [`event_channel`]: a [`Listener`].
#[derive(Debug)]
pub struct EventSender {
    /// Held once, so that the channel ends with it. `None` only wakes.
    sender: Arc<SyncSender<Option<Event>>>,
    counts: Arc<Counts>,
    /// The most that `counts.bytes` may be before another event is added.
    bytes: usize,
    when_full: WhenFull,
}

impl EventSender {
    /// Whether the event is in the channel; `None` where nobody receives any more.
    fn try_send(&self, event: &EventRef<'_>) -> Option<bool> {
        let len = event.body.len();
        let before = self.counts.bytes.fetch_add(len, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(len) <= self.bytes;
        let outcome = if fits { Some(self.sender.try_send(Some(event.to_event()))) } else { None };
        if outcome == Some(Ok(())) {
            return Some(true);
        }
        self.counts.bytes.fetch_sub(len, Ordering::Relaxed);
        let closed = matches!(outcome, Some(Err(TrySendError::Disconnected(_))));
        if closed { None } else { Some(false) }
    }
}

impl Listener for EventSender {
    fn hear(&mut self, event: &EventRef<'_>) -> ControlFlow<()> {
        match self.try_send(event) {
            Some(true) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
            Some(false) => {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                if self.when_full == WhenFull::Drop { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
        }
    }
}

/// The host's end of an [`event_channel`].
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Option<Event>>,
    counts: Arc<Counts>,
    waker: EventsWaker,
}

/// Ends a wait of [`Events::recv_timeout`] early, from another thread.
#[derive(Clone, Debug)]
pub struct EventsWaker(Weak<SyncSender<Option<Event>>>);

impl EventsWaker {
    /// Has the current wait, or the next one that has nothing to give, end as if its time were over.
    pub fn wake(&self) {
        if let Some(sender) = self.0.upgrade() {
            // Where the channel is full, nobody waits.
            let _ = sender.try_send(None);
        }
    }
}

impl Events {
    /// The next event, however long it takes; `None` once the hub has ended, or the channel was full and was to
    /// disconnect then.
    pub fn recv(&self) -> Option<Event> {
        self.receiver.iter().flatten().next().inspect(|event| self.taken(event))
    }

    /// The next event, waiting at most `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`Timeout`](RecvTimeoutError::Timeout) where none came or the wait was ended by [`waker`](Events::waker), [`Disconnected`](RecvTimeoutError::Disconnected) where
    /// none will.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        let received = self.receiver.recv_timeout(timeout)?;
        received.inspect(|event| self.taken(event)).ok_or(RecvTimeoutError::Timeout)
    }

    /// The next event, if one is there.
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty) where none is, [`Disconnected`](TryRecvError::Disconnected) where none will be.
    pub fn try_recv(&self) -> Result<Event, TryRecvError> {
        let received = self.receiver.try_recv()?;
        received.inspect(|event| self.taken(event)).ok_or(TryRecvError::Empty)
    }

    /// What ends a wait of [`recv_timeout`](Events::recv_timeout) early.
    pub fn waker(&self) -> EventsWaker {
        self.waker.clone()
    }

    /// Events lost so far because the channel was full.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    fn taken(&self, event: &Event) {
        self.counts.bytes.fetch_sub(event.body.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EventType, UserId};

    fn event<'a>(id: u64, room: &'a str, body: &'a [u8]) -> EventRef<'a> {
        EventRef { what: EventType::Message, id, unix_ms: 0, session: UserId(9), room, name: "ann", body }
    }

    #[test]
    fn a_listener_of_one_room_hears_that_room() {
        let (mut listeners, heard) = (Listeners::default(), Arc::new(AtomicU64::new(0)));
        let sum = heard.clone();
        let add = move |event: &EventRef<'_>| {
            sum.fetch_add(event.id, Ordering::Relaxed);
        };
        listeners.add_in("lobby", Box::new(add));
        listeners.hear(&event(1, "lobby", b""));
        listeners.hear(&event(10, "elsewhere", b""));
        assert_eq!(heard.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_full_channel_drops_and_counts() {
        let (mut sender, events) = event_channel(2, 100, WhenFull::Drop);
        for id in 1..=4 {
            assert!(sender.hear(&event(id, "lobby", b"x")).is_continue());
        }
        assert_eq!((events.dropped(), events.recv().map(|event| event.id)), (2, Some(1)));
        assert!(sender.hear(&event(5, "lobby", b"x")).is_continue());
        let rest: Vec<u64> = std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.id).collect();
        assert_eq!((rest, events.dropped()), (vec![2, 5], 2));
    }

    #[test]
    fn a_channel_is_full_by_bytes_too_but_never_for_one_alone() {
        let (mut sender, events) = event_channel(10, 100, WhenFull::Drop);
        let _ = sender.hear(&event(1, "lobby", &[0; 1000]));
        let _ = sender.hear(&event(2, "lobby", &[0; 1]));
        assert_eq!((events.recv().map(|event| event.id), events.dropped()), (Some(1), 1));
        let _ = sender.hear(&event(3, "lobby", &[0; 60]));
        let _ = sender.hear(&event(4, "lobby", &[0; 60]));
        assert_eq!((events.recv().map(|event| event.id), events.dropped()), (Some(3), 2));
    }

    #[test]
    fn a_channel_that_is_to_disconnect_gives_what_it_has_and_ends() {
        let (sender, events) = event_channel(1, 100, WhenFull::Disconnect);
        let mut listeners = Listeners::default();
        listeners.add(Box::new(sender));
        (1..=3).for_each(|id| listeners.hear(&event(id, "lobby", b"")));
        assert_eq!((events.recv().map(|event| event.id), events.recv()), (Some(1), None));
        assert!(listeners.is_empty() && events.dropped() == 1);
    }

    #[test]
    fn a_wait_can_be_ended_early_but_the_channel_does_not_depend_on_it() {
        let (sender, events) = event_channel(1, 100, WhenFull::Drop);
        let waker = events.waker();
        waker.wake();
        assert_eq!(events.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Timeout));
        drop(sender);
        assert_eq!(events.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_channel_that_nobody_receives_from_is_let_go() {
        let (mut sender, events) = event_channel(1, 100, WhenFull::Drop);
        drop(events);
        assert!(sender.hear(&event(1, "lobby", b"")).is_break());
    }
}
