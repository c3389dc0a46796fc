//! HISTORY: events that a room remembers, sent again in slices.

use crate::hub::budget::Cost;
use crate::hub::codec::RequestContext;
use crate::hub::long_request::{LongWork, Replay, Slice};
use crate::hub::{Hub, Session};
use crate::limits::{REPLAY_COST, SLICE};
use crate::marks::{Mark, mark};
use crate::wire::{Answer, EventRef, HEADER_LEN, Header, Kind, flag};

impl<L> Hub<L> {
    /// HISTORY: at most `limit` events, and not more than fill half a queue, but at least one if there is one.
    pub(in crate::hub) fn history(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        room: &str,
        after: u64,
        limit: u32,
    ) {
        if let Some(key) = self.own_room(slot, context, Kind::History, room) {
            let (room, bytes_left) = (self.rooms.at(key), self.limits.queue / 2);
            let (until, epoch) = (room.newest, room.epoch);
            let replay = Replay { key, epoch, after, until, limit, bytes_left, sent: 0 };
            self.begin_long_request(slot, context, LongWork::History(replay));
        }
    }

    /// Sends some of the events, or the answer that ends them.
    pub(in crate::hub) fn replay_slice(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        replay: &mut Replay,
    ) -> (Slice, Cost) {
        self.flush_batch();
        if !self.is_member(slot, replay.key) {
            // The room was closed between two slices.
            let Replay { until: newest, sent, epoch, .. } = *replay;
            self.reply(slot, context, &Answer::HistoryEnd { oldest: 0, newest, sent, epoch });
            return (Slice::Last, Cost::NONE);
        }
        let (slice, cost) = self.replay_some(slot, context, replay);
        self.sessions.note_queued(slot);
        if slice == Slice::Last {
            let room = self.rooms.at(replay.key);
            let (oldest, newest) = (room.history.oldest(room.newest), room.newest);
            let Replay { sent, epoch, .. } = *replay;
            self.reply(slot, context, &Answer::HistoryEnd { oldest, newest, sent, epoch });
        }
        (slice, cost)
    }

    fn replay_some(&mut self, slot: usize, context: &RequestContext<'_>, replay: &mut Replay) -> (Slice, Cost) {
        let (room, codecs) = (self.rooms.at(replay.key), self.fan_out.codecs);
        let session = &mut self.sessions[slot];
        let Session { outbox, encoding, .. } = &mut *session;
        let prefix = codecs.get(*encoding).map(|codec| codec.frame_prefix());
        let (mut cost, mut head, start) = (Cost::NONE, Vec::new(), outbox.queued());
        let mut slice = Slice::Last;
        let wanted = replay.until.saturating_sub(replay.after) as usize;
        for (frame, id) in room.history.after(replay.after, room.newest).take(wanted) {
            let bytes = frame.as_bytes();
            if replay.limit == 0 || id > replay.until {
                break;
            }
            if replay.sent > 0 && bytes.len() > replay.bytes_left {
                mark(Mark::HistoryCut);
                break;
            }
            if outbox.queued() - start >= SLICE {
                slice = Slice::More;
                break;
            }
            let before = outbox.queued();
            head.clear();
            if let Some(None) = prefix {
                let event = EventRef::from_frame(bytes).expect("a history keeps events");
                let answer = Answer::Event { event, replay: true };
                outbox.append(&mut self.fan_out.pool, |run| codecs.encode(*encoding, context, &answer, run));
                cost += Cost::work(outbox.queued() - before);
            } else {
                if let Some(Some(prefix)) = prefix {
                    prefix(bytes.len(), &mut head);
                }
                head.extend_from_slice(&replay_header(bytes, context).encode());
                outbox.replay(&head, frame, &mut self.fan_out.pool);
            }
            cost += Cost::work(REPLAY_COST + bytes.len().min(self.limits.share_from));
            self.stats.frames.count(Kind::Event, 1, bytes.len());
            replay.bytes_left = replay.bytes_left.saturating_sub(outbox.queued() - before);
            (replay.after, replay.limit, replay.sent) = (id, replay.limit - 1, replay.sent + 1);
        }
        session.note_answer(start);
        (slice, cost)
    }
}

/// The header of an event's frame, if it is sent again.
fn replay_header(frame: &[u8], context: &RequestContext<'_>) -> Header {
    let length = (frame.len() - HEADER_LEN) as u32;
    Header { kind: Kind::Event as u8, flags: flag::REPLAY, tag: context.tag.unwrap_or_default(), length }
}
