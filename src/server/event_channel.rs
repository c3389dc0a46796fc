//! A bounded channel that takes events to another thread of the host program. The hub never waits for it.

use crate::hub::{Listener, ListenerBacklog, SharedEvent};
use crate::limits::EVENT_OVERHEAD;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What happens to an event for which an [`event_channel`] has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is dropped and counted; see [`Events::dropped`]. The gap shows in the ids.
    Drop,
    /// It is dropped and counted, and the channel is closed: the events in it can still be received, then it ends.
    Disconnect,
}

/// The counters that both ends of an event channel share.
#[derive(Debug, Default)]
struct Counts {
    /// Events in the channel.
    events: AtomicUsize,
    /// Bytes of memory that they take.
    bytes: AtomicUsize,
    /// Bytes that the receiver keeps of events that it has taken.
    retained: AtomicUsize,
    dropped: AtomicU64,
}

impl Counts {
    /// Bytes of memory on the other side of the hub.
    fn held(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) + self.retained.load(Ordering::Relaxed)
    }
}

/// Bytes that an event takes in a channel. Its frame may be shared with a history, but may also outlive it there.
fn cost(event: &SharedEvent) -> usize {
    event.frame_len() + EVENT_OVERHEAD
}

/// A channel that takes events to another thread, with room for `events` events that take `bytes` bytes of memory: each
/// its frame and 128 bytes. The hub never waits for it: `when_full` says what happens to an event for which there is no
/// room. An empty channel has room for any event. Its memory follows what is in it, and counts as held by the hub.
///
/// ```
/// use cubby::{Server, WhenFull};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut server = Server::bind("127.0.0.1:0")?;
/// let (listener, events) = cubby::event_channel(1024, 1 << 20, WhenFull::Drop);
/// server.listen_to_all(listener);
/// let handle = server.handle();
/// let hub = std::thread::spawn(move || server.run());
///
/// handle.publish("lobby", b"hello")?;
/// let event = events.recv().expect("the hub is there").to_event();
/// assert_eq!((event.id, &event.room[..], &event.body[..]), (1, "lobby", &b"hello"[..]));
/// handle.stop()?;
/// assert!(events.recv().is_none());
/// # Ok(hub.join().expect("the hub does not panic")?) }
/// ```
pub fn event_channel(events: usize, bytes: usize, when_full: WhenFull) -> (EventSender, Events) {
    let (sender, receiver) = mpsc::channel();
    let (sender, counts) = (Arc::new(sender), Arc::new(Counts::default()));
    let received = Events { receiver, counts: counts.clone(), waker: EventsWaker(Arc::downgrade(&sender)) };
    (EventSender { sender, counts, events, bytes, when_full }, received)
}

/// The hub's end of an [`event_channel`]: a [`Listener`].
#[derive(Debug)]
pub struct EventSender {
    /// The only strong reference, so that the channel ends with it. `None` only wakes the receiver.
    sender: Arc<Sender<Option<SharedEvent>>>,
    counts: Arc<Counts>,
    /// The most that may be in the channel.
    events: usize,
    bytes: usize,
    when_full: WhenFull,
}

impl EventSender {
    /// Whether there is room for an event that takes `len` bytes. Only this end adds events, so the answer stays valid
    /// until it adds one.
    fn has_room(&self, len: usize) -> bool {
        let events = self.counts.events.load(Ordering::Relaxed);
        events == 0 || events < self.events && self.counts.held().saturating_add(len) <= self.bytes
    }
}

impl Listener for EventSender {
    fn hear(&mut self, event: &SharedEvent) -> ControlFlow<()> {
        let len = cost(event);
        if !self.has_room(len) {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            let goes_on = self.when_full == WhenFull::Drop;
            return if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        }
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(len, Ordering::Relaxed);
        match self.sender.send(Some(event.clone())) {
            Ok(()) => ControlFlow::Continue(()),
            // The receiver was dropped.
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn backlog(&self) -> ListenerBacklog {
        ListenerBacklog::new(self.counts.held(), self.counts.dropped.load(Ordering::Relaxed))
    }
}

/// The host's end of an [`event_channel`].
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Option<SharedEvent>>,
    counts: Arc<Counts>,
    waker: EventsWaker,
}

/// Ends a wait of [`Events::recv_timeout`] early, from another thread.
#[derive(Clone, Debug)]
pub struct EventsWaker(Weak<Sender<Option<SharedEvent>>>);

impl EventsWaker {
    /// Ends the current wait, or the next one, with a timeout, after all events that came before were received.
    pub fn wake(&self) {
        if let Some(sender) = self.0.upgrade() {
            // It fails if the receiver was dropped; then nobody waits.
            let _ = sender.send(None);
        }
    }
}

impl Events {
    /// The next event, however long it takes; `None` after the hub has ended, or after the channel was closed because
    /// it was full.
    pub fn recv(&self) -> Option<SharedEvent> {
        self.receiver.iter().flatten().next().inspect(|event| self.taken(event))
    }

    /// The next event, waiting at most `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`Timeout`](RecvTimeoutError::Timeout) if none came or the [`waker`](Events::waker) ended the wait,
    /// [`Disconnected`](RecvTimeoutError::Disconnected) if no event will come any more.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<SharedEvent, RecvTimeoutError> {
        let received = self.receiver.recv_timeout(timeout)?;
        received.inspect(|event| self.taken(event)).ok_or(RecvTimeoutError::Timeout)
    }

    /// The next event, if there is one.
    ///
    /// # Errors
    ///
    /// [`Empty`](TryRecvError::Empty) if there is none, [`Disconnected`](TryRecvError::Disconnected) if none will come.
    pub fn try_recv(&self) -> Result<SharedEvent, TryRecvError> {
        loop {
            if let Some(event) = self.receiver.try_recv()? {
                self.taken(&event);
                return Ok(event);
            }
        }
    }

    /// What ends a wait of [`recv_timeout`](Events::recv_timeout) early.
    pub fn waker(&self) -> EventsWaker {
        self.waker.clone()
    }

    /// Notes how many bytes this thread keeps of events that it has taken, such as lines that are not written yet. They
    /// take room in the channel, and the hub counts them as held.
    pub fn set_retained(&self, bytes: usize) {
        self.counts.retained.store(bytes, Ordering::Relaxed);
    }

    /// Events lost so far because the channel was full.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    fn taken(&self, event: &SharedEvent) {
        self.counts.events.fetch_sub(1, Ordering::Relaxed);
        self.counts.bytes.fetch_sub(cost(event), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::message;

    #[test]
    fn a_full_channel_drops_and_counts() {
        let (mut sender, events) = event_channel(2, 10_000, WhenFull::Drop);
        for id in 1..=4 {
            assert!(sender.hear(&message(id, "lobby", b"x")).is_continue());
        }
        assert_eq!((events.dropped(), events.recv().map(|event| event.view().id)), (2, Some(1)));
        assert!(sender.hear(&message(5, "lobby", b"x")).is_continue());
        let rest: Vec<u64> = std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.view().id).collect();
        assert_eq!((rest, events.dropped()), (vec![2, 5], 2));
    }

    #[test]
    fn a_channel_is_full_by_the_memory_of_its_events_too_but_never_for_one_alone() {
        let most = cost(&message(1, "lobby", &[0; 100]));
        let (mut sender, events) = event_channel(10, most, WhenFull::Drop);
        let _ = sender.hear(&message(1, "lobby", &[0; 1000]));
        let _ = sender.hear(&message(2, "lobby", &[0; 1]));
        assert_eq!((events.recv().map(|event| event.view().id), events.dropped()), (Some(1), 1));
        let _ = sender.hear(&message(3, "lobby", &[]));
        let _ = sender.hear(&message(4, "lobby", &[]));
        assert_eq!((events.recv().map(|event| event.view().id), events.dropped()), (Some(3), 2));
    }

    #[test]
    fn what_a_channel_holds_and_has_dropped_is_known_to_the_hub() {
        let (sender, events) = event_channel(2, 10_000, WhenFull::Drop);
        let mut listeners = crate::hub::Listeners::default();
        listeners.add(Box::new(sender));
        (1..=3).for_each(|id| listeners.hear(&message(id, "lobby", &[0; 1000])));
        assert_eq!(listeners.backlog(), ListenerBacklog::new(2 * cost(&message(1, "lobby", &[0; 1000])), 1));
        let rest = std::iter::from_fn(|| events.try_recv().ok());
        assert_eq!((rest.count(), listeners.backlog()), (2, ListenerBacklog::new(0, 1)));
        events.set_retained(9_900);
        (4..=5).for_each(|id| listeners.hear(&message(id, "lobby", b"")));
        assert_eq!(listeners.backlog().dropped, 2, "there is room for one, because the channel is empty");
        assert!(listeners.backlog().bytes > 9_900 && events.try_recv().is_ok());
        events.set_retained(0);
        let (sender, _events) = event_channel(0, 0, WhenFull::Disconnect);
        listeners.add_in("den", Box::new(sender));
        (1..=2).for_each(|id| listeners.hear(&message(id, "den", b"")));
        assert_eq!(listeners.backlog().dropped, 3, "a listener that is gone counts still");
    }

    #[test]
    fn a_channel_that_is_to_disconnect_gives_what_it_has_and_ends() {
        let (sender, events) = event_channel(1, 10_000, WhenFull::Disconnect);
        let mut listeners = crate::hub::Listeners::default();
        listeners.add(Box::new(sender));
        (1..=3).for_each(|id| listeners.hear(&message(id, "lobby", b"")));
        assert_eq!(events.recv().map(|event| event.view().id), Some(1));
        assert!(events.recv().is_none());
        assert!(listeners.is_empty() && events.dropped() == 1);
    }

    #[test]
    fn a_wait_can_be_ended_early_but_the_channel_does_not_depend_on_it() {
        let (sender, events) = event_channel(1, 100, WhenFull::Drop);
        let waker = events.waker();
        waker.wake();
        assert_eq!(events.recv_timeout(Duration::MAX).err(), Some(RecvTimeoutError::Timeout));
        drop(sender);
        assert_eq!(events.recv_timeout(Duration::MAX).err(), Some(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_channel_that_nobody_receives_from_is_let_go() {
        let (mut sender, events) = event_channel(1, 100, WhenFull::Drop);
        drop(events);
        assert!(sender.hear(&message(1, "lobby", b"")).is_break());
    }
}
