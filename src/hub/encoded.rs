//! What goes into outboxes, in the dialect of each who hears it. What many hear is rendered once for each dialect that
//! is heard, when the first who hears it comes up, and shared from then on as what is native is.

use super::{Hub, Parcel, Shared, User};
use crate::marks::{Mark, mark};
use crate::web::{DIALECTS, Dialect};

/// The parcel that is being handed out, in each dialect that was heard so far.
#[derive(Debug, Default)]
pub(super) struct Renditions {
    of: [Rendition; DIALECTS],
    /// Those who hear it in another dialect than the hub's own, as slots, while the others get it.
    put_off: Vec<u32>,
}

#[derive(Debug, Default)]
struct Rendition {
    /// It is of the parcel that is being handed out.
    is_made: bool,
    bytes: Vec<u8>,
    /// The same, held once, where it is large; then `bytes` is empty.
    shared: Option<Shared>,
}

/// Bytes of room that a rendition keeps for the next one.
const KEPT: usize = 64 * 1024;

impl Renditions {
    /// All who hear the parcel have got it.
    fn forget(&mut self) {
        self.of.iter_mut().for_each(Rendition::forget);
    }

    /// A parcel in a dialect. Says too how many bytes were made for it just now.
    fn of(&mut self, dialect: Dialect, parcel: Parcel<'_>, share_from: usize) -> (Parcel<'_>, usize) {
        let rendition = &mut self.of[dialect as usize];
        let mut made = 0;
        if !rendition.is_made {
            rendition.is_made = true;
            dialect.render(parcel.as_bytes(), &mut rendition.bytes);
            made = rendition.bytes.len();
            if made >= share_from {
                rendition.shared = Some(Shared::whole(std::mem::take(&mut rendition.bytes)));
            }
        }
        match &rendition.shared {
            Some(shared) => (Parcel::Large(shared), made),
            None => (Parcel::Small(&rendition.bytes), made),
        }
    }
}

impl Rendition {
    fn forget(&mut self) {
        self.is_made = false;
        self.shared = None;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
}

impl<L> Hub<L> {
    /// Puts a parcel into the outbox of each of those in these slots, but for one; where `spares_full`, not into those
    /// of the full. Says how many got it, and how many are full and did not.
    ///
    /// Those for whom it must be rendered are put off to the end: nothing else than what most need stands in the loop.
    #[inline(always)]
    pub(super) fn post_to(
        &mut self,
        slots: &[u32],
        except: Option<usize>,
        parcel: Parcel<'_>,
        spares_full: bool,
    ) -> (u64, u64) {
        let (mut told, mut missed) = (0, 0);
        for slot in slots.iter().map(|&slot| slot as usize).filter(|&slot| except != Some(slot)) {
            let user = &mut self.users[slot];
            if spares_full && user.full {
                mark(Mark::EventMissed);
                missed += 1;
                continue;
            }
            told += 1;
            if user.dialect.is_native() {
                user.outbox.post(parcel, &mut self.pool);
                user.told(slot, &mut self.agenda, self.limits.queue);
            } else {
                self.renditions.put_off.push(slot as u32);
            }
        }
        if !self.renditions.put_off.is_empty() {
            self.post_rendered_to_those_put_off(parcel);
        }
        (told, missed)
    }

    #[inline(never)]
    fn post_rendered_to_those_put_off(&mut self, parcel: Parcel<'_>) {
        let mut slots = std::mem::take(&mut self.renditions.put_off);
        slots.drain(..).for_each(|slot| self.post_rendered(slot as usize, parcel));
        self.renditions.put_off = slots;
        self.renditions.forget();
    }

    fn post_rendered(&mut self, slot: usize, parcel: Parcel<'_>) {
        let User { dialect, outbox, .. } = &mut self.users[slot];
        match parcel {
            Parcel::Large(frame) if dialect.wraps() => {
                outbox.append(&mut self.pool, |run| dialect.put_before(frame.as_bytes().len(), run));
                outbox.attach(frame.clone(), &mut self.pool);
            }
            _ => {
                let (parcel, made) = self.renditions.of(*dialect, parcel, self.limits.share_from);
                self.spent.said += made;
                self.spent.copies += parcel.copied();
                outbox.post(parcel, &mut self.pool);
            }
        }
        self.users[slot].told(slot, &mut self.agenda, self.limits.queue);
    }
}
