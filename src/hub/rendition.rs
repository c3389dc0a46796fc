//! What goes into outboxes, in the dialect of each who hears it. What many hear is rendered once for each dialect that
//! is heard, when the first who hears it comes up, and shared from then on as what is native is.

use super::{Hub, Parcel, Shared, User};
use crate::door::{DIALECTS, Dialect};
use crate::marks::{Mark, mark};

/// The parcel that is being handed out, in each dialect that was heard so far.
#[derive(Debug, Default)]
pub(super) struct Renditions {
    /// Whether there are any.
    are_made: bool,
    of: [Rendition; DIALECTS],
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
    /// Another parcel comes next.
    #[inline]
    pub fn forget(&mut self) {
        if self.are_made {
            self.are_made = false;
            self.of.iter_mut().for_each(Rendition::forget);
        }
    }

    /// A parcel in a dialect. Says too how many bytes were made for it just now.
    fn of(&mut self, dialect: Dialect, parcel: Parcel<'_>, share_from: usize) -> (Parcel<'_>, usize) {
        let rendition = &mut self.of[dialect as usize];
        let mut made = 0;
        if !rendition.is_made {
            (self.are_made, rendition.is_made) = (true, true);
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
    /// Puts a parcel into the outbox of one of those who hear it. Before the first of them, what was made of the parcel
    /// before must be [forgotten](Renditions::forget).
    #[inline(always)]
    pub(super) fn post(&mut self, slot: usize, parcel: Parcel<'_>) {
        let user = &mut self.users[slot];
        if !user.dialect.is_native() {
            return self.post_rendered(slot, parcel);
        }
        user.outbox.post(parcel, &mut self.pool);
        user.told(slot, &mut self.agenda, self.limits.queue);
    }

    #[inline(never)]
    fn post_rendered(&mut self, slot: usize, parcel: Parcel<'_>) {
        mark(Mark::Rendered);
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
