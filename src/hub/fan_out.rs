//! The fan-out: one payload into the outboxes of many sessions.

use super::batch::Batch;
use super::budget::Cost;
use super::codec::{CodecTable, Codecs, RequestContext};
use super::encoded::EncodedFrames;
use super::payload::Payload;
use super::pool::Pool;
use super::session::Session;
use super::sessions::Sessions;
use crate::limits::{Limits, POST_COST, RUN_FULL};
use crate::marks::{Mark, mark};
use crate::wire::Answer;

/// What outboxes are filled from: their memory, the open batch, and the payload in other encodings than the native one.
#[derive(Debug)]
pub(super) struct FanOut {
    pub pool: Pool,
    pub batch: Batch,
    pub codecs: CodecTable,
    encoded: EncodedFrames,
    /// Receivers with another encoding, as slots, while the native ones receive the payload. Empty otherwise.
    deferred: Vec<u32>,
    share_from: usize,
}

/// The result of a fan-out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Posted {
    /// Sessions that have received it.
    pub told: u64,
    /// Sessions that were skipped because they are full.
    pub missed: u64,
    /// What it cost beside the payload itself: to find outboxes to which nothing was posted before in this turn, and to
    /// encode it for those that need that.
    pub cost: Cost,
}

impl FanOut {
    pub fn new(codecs: Codecs, limits: &Limits) -> FanOut {
        let codecs = CodecTable(codecs);
        FanOut {
            pool: Pool::new(limits.memory),
            batch: Batch::default(),
            codecs,
            encoded: EncodedFrames::new(codecs),
            deferred: Vec::new(),
            share_from: limits.share_from,
        }
    }

    /// Appends an answer or a push to the outbox of one session, in its encoding.
    #[inline]
    pub fn encode<L>(&mut self, session: &mut Session<L>, context: &RequestContext<'_>, answer: &Answer<'_>) {
        let (codecs, encoding) = (self.codecs, session.encoding);
        session.outbox.append(&mut self.pool, |run| codecs.encode(encoding, context, answer, run));
    }

    /// Puts a payload into the outbox of each session in `slots` but `except`. If `skip_full`, it skips full sessions.
    ///
    /// Sessions that need another encoding come last, so that the loop over native sessions stays small.
    #[inline(always)]
    pub fn post<L>(
        &mut self,
        sessions: &mut Sessions<L>,
        slots: &[u32],
        except: Option<usize>,
        payload: Payload<'_>,
        skip_full: bool,
    ) -> Posted {
        let (mut missed, mut excepted) = (0, 0);
        let dirty = sessions.effects.dirty.len();
        let except = except.map_or(u32::MAX, |slot| slot as u32);
        for &slot in slots {
            if slot == except {
                excepted = 1;
                continue;
            }
            let slot = slot as usize;
            let session = &mut sessions.slab[slot];
            if skip_full && session.full {
                mark(Mark::EventMissed);
                missed += 1;
                continue;
            }
            if session.encoding.is_native() {
                session.outbox.post(payload, &mut self.pool);
                session.note_queued(slot, &mut sessions.effects, sessions.queue_limit);
            } else {
                self.deferred.push(slot as u32);
            }
        }
        let has_deferred = !self.deferred.is_empty();
        let encoding = if has_deferred { self.post_encoded(sessions, payload) } else { Cost::NONE };
        let found = Cost::work((sessions.effects.dirty.len() - dirty) * POST_COST);
        Posted { told: slots.len() as u64 - excepted - missed, missed, cost: found + encoding }
    }

    /// Puts a payload into the outboxes of the deferred sessions, in the encoding of each. Returns what that cost.
    #[inline(never)]
    fn post_encoded<L>(&mut self, sessions: &mut Sessions<L>, payload: Payload<'_>) -> Cost {
        let mut cost = Cost::NONE;
        for slot in self.deferred.drain(..).map(|slot| slot as usize) {
            let session = &mut sessions.slab[slot];
            let prefix = match payload {
                Payload::Shared(_) => self.codecs.get(session.encoding).and_then(|codec| codec.frame_prefix()),
                Payload::Copied(_) => None,
            };
            match (payload, prefix) {
                (Payload::Shared(frame), Some(prefix)) => {
                    session.outbox.append(&mut self.pool, |run| prefix(frame.as_bytes().len(), run));
                    session.outbox.attach(frame.clone(), &mut self.pool);
                }
                (Payload::Shared(_), None) | (Payload::Copied(_), _) => {
                    let (encoded, made) = self.encoded.get(self.codecs, session.encoding, payload, self.share_from);
                    cost += Cost::of(1, made, encoded.cost());
                    session.outbox.post(encoded, &mut self.pool);
                }
            }
            session.note_queued(slot, &mut sessions.effects, sessions.queue_limit);
        }
        self.encoded.clear();
        cost
    }

    /// Puts the open batch into the outboxes of its receivers, if there is one. Returns what that cost beside the
    /// frames, which were charged when they joined.
    #[inline(never)]
    pub fn flush_batch<L>(&mut self, sessions: &mut Sessions<L>) -> Cost {
        let Some((receivers, frames)) = self.batch.close() else { return Cost::NONE };
        let posted = self.post(sessions, &receivers, None, Payload::Copied(&frames), false);
        self.batch.recycle(receivers, frames);
        posted.cost
    }

    /// Bytes that may still join: no more than fit into the queue of every receiver, nor than `memory` allows if each
    /// receiver holds them.
    pub fn room_in_batch<L>(&mut self, sessions: &Sessions<L>, memory: usize) -> usize {
        if let Some(room) = self.batch.room {
            return room;
        }
        mark(Mark::Batch);
        let (mut most_queued, mut growth) = (0, 1);
        for session in self.batch.receivers.iter().map(|&slot| &sessions.slab[slot as usize]) {
            most_queued = most_queued.max(session.outbox.queued());
            if !session.encoding.is_native() {
                growth = growth.max(self.codecs.max_growth(session.encoding));
            }
        }
        let memory = memory.saturating_sub(self.pool.held()) / self.batch.receivers.len().max(1);
        let room = sessions.queue_limit.saturating_sub(most_queued).min(memory).min(RUN_FULL) / growth;
        self.batch.room = Some(room);
        room
    }
}
