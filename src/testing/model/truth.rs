//! Records a hub's events through a listener, so that the model can be compared with them.

use super::story::{self, Heard, Story};
use super::{MAX_BODY, MAX_RECEIVERS, MAX_USERS, Model, rooms};
use crate::hub::{Hub, SharedEvent};
use crate::limits::Limits;
use crate::wire::HEADER_LEN;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Records the events that a hub's listeners receive.
pub struct Truth {
    story: Arc<Mutex<Story>>,
    /// The payload of each event.
    payloads: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Truth {
    /// Listens to a hub.
    pub fn of<L>(hub: &mut Hub<L>) -> Truth {
        let story = story::listen(hub);
        let payloads = Arc::new(Mutex::new(Vec::new()));
        let heard = payloads.clone();
        hub.listeners.add(Box::new(move |event: &SharedEvent| {
            heard.lock().expect("nobody panics with it").push(event.view().to_frame()[HEADER_LEN..].to_vec());
        }));
        Truth { story, payloads }
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().expect("nobody panics with it")
    }

    /// Checks that the events of each room have no gap, and that members join and leave in a possible order.
    pub fn check_order(&self) {
        let mut story = self.story();
        assert_eq!(story.fault.take(), None);
        story.fresh.clear();
    }

    /// Checks that an event that a member received is the one that was published.
    pub(super) fn check_event(&self, heard: &Heard<'_>) {
        let story = self.story();
        let life = story.last_life(heard.room).expect("a room of which somebody hears has events");
        let happened = life.events.get(heard.id as usize - 1);
        assert_eq!(happened, Some(&heard.record), "event {} of {}", heard.id, heard.room);
    }

    /// Checks all events, and the rooms with their members and history, against the model.
    pub fn check_rooms<L>(&self, hub: &Hub<L>, model: &Model) {
        assert!(*self.payloads.lock().expect("nobody panics with it") == model.story, "the events of all rooms");
        let mut rooms = 0;
        for (room, ids, events) in model.rooms() {
            let members: Vec<u64> = hub.members_of(room).iter().map(|(id, _)| id.0).collect();
            assert_eq!(members, ids, "members of {room}");
            let kept = hub.history_of(room, 0, usize::MAX);
            let kept: Vec<Vec<u8>> = kept.iter().map(|event| event.view().to_frame()[HEADER_LEN..].to_vec()).collect();
            assert_eq!(kept, events, "history of {room}");
            rooms += 1;
        }
        assert_eq!(hub.stats.rooms, rooms);
    }
}

/// Publishes a body in a room for the host, or closes the room, in the hub and in the model.
pub fn act_as_host<L>(hub: &mut Hub<L>, model: &mut Model, room: &str, body: Option<&[u8]>) {
    match body {
        None => assert_eq!(hub.close_room(room), model.close(room)),
        Some(body) => {
            let id = hub.publish_for_host(room, body).ok();
            assert_eq!(id, model.publish_for_host(room, body));
        }
    }
}

/// Limits under which the model can predict every frame: queues are never full, so that no session waits, and there are
/// no idle timeouts. The other limits are small, so that short inputs reach them.
pub fn exact_limits() -> Limits {
    Limits {
        queue: usize::MAX,
        max_body: MAX_BODY as u32,
        max_receivers: MAX_RECEIVERS as u16,
        max_connections: MAX_USERS,
        share_from: 40,
        fan_out: usize::MAX,
        max_rooms: rooms::MAX_ROOMS,
        rooms_per_session: rooms::ROOMS_PER_SESSION,
        history: rooms::HISTORY,
        history_bytes: rooms::HISTORY_BYTES,
        history_time: Duration::from_secs(rooms::HISTORY_SECS),
        heartbeat: Duration::ZERO,
        idle: Duration::ZERO,
        frame_time: Duration::ZERO,
        ..Limits::default()
    }
}
