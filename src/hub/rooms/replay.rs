//! HISTORY: events that a room remembers, sent again.

use crate::hub::budget::Cost;
use crate::hub::codec::RequestContext;
use crate::hub::{Hub, Session};
use crate::marks::{Mark, mark};
use crate::wire::{Answer, EventRef, HEADER_LEN, Header, Kind, flag};

impl<L> Hub<L> {
    /// HISTORY.
    pub(in crate::hub) fn history(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        room: &str,
        after: u64,
        limit: u32,
    ) {
        if let Some(key) = self.own_room(slot, context, Kind::History, room) {
            let end = self.replay(slot, context, key, after, limit);
            self.reply(slot, context, &end);
        }
    }

    /// Sends events again: at most `limit`, and not more than fill half a queue, but at least one if there is one.
    /// Returns the answer that ends them.
    fn replay(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        key: u32,
        after: u64,
        limit: u32,
    ) -> Answer<'static> {
        self.flush_batch();
        let (room, codecs) = (self.rooms.at(key), self.fan_out.codecs);
        let Session { outbox, encoding, .. } = &mut self.sessions[slot];
        let prefix = codecs.get(*encoding).map(|codec| codec.frame_prefix());
        let enough = outbox.queued() + self.limits.queue / 2;
        let (mut sent, mut encoded, mut head) = (0, 0, Vec::new());
        for frame in room.history.after(after, room.newest).take(limit as usize) {
            let bytes = frame.as_bytes();
            if sent > 0 && outbox.queued() + bytes.len() > enough {
                mark(Mark::HistoryCut);
                break;
            }
            head.clear();
            if let Some(None) = prefix {
                let event = EventRef::from_frame(bytes).expect("a history keeps events");
                let answer = Answer::Event { event, replay: true };
                let before = outbox.queued();
                let pool = &mut self.fan_out.pool;
                outbox.append(pool, |run| codecs.encode(*encoding, context, &answer, run));
                encoded += outbox.queued() - before;
            } else {
                if let Some(Some(prefix)) = prefix {
                    prefix(bytes.len(), &mut head);
                }
                head.extend_from_slice(&replay_header(bytes, context).encode());
                outbox.replay(&head, frame, self.limits.share_from, &mut self.fan_out.pool);
            }
            self.stats.frames.count(Kind::Event, 1, bytes.len());
            sent += 1;
        }
        let end = Answer::HistoryEnd { oldest: room.history.oldest(room.newest), newest: room.newest, sent };
        self.budget.requests += Cost::of(1, encoded, encoded);
        end
    }
}

/// The header of an event's frame, if it is sent again.
fn replay_header(frame: &[u8], context: &RequestContext<'_>) -> Header {
    let length = (frame.len() - HEADER_LEN) as u32;
    Header { kind: Kind::Event as u8, flags: flag::REPLAY, tag: context.tag.unwrap_or_default(), length }
}
