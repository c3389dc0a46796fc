//! The sessions that hold memory, by classes of how much: the one that holds most is found without looking at all.
//!
//! A class is a power of two. What a session holds is cheap to know only as an upper bound, because a frame that many
//! outboxes point to counts in full in each. So a session is filed by its bound, and is filed anew by the exact number
//! when somebody looks for the largest holder.

use crate::limits::{SEGMENT_COST, SLOT_BITS};

/// How many classes there are. The last one is for everything from two gibibytes on.
const CLASSES: usize = 26;

/// The place of a session among the holders: its class, and above it its index among those of the class. In class 0 are
/// those that hold nothing; they are in no list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holder(u32);

const CLASS_BITS: u32 = 5;

const _: () = assert!(CLASSES <= 1 << CLASS_BITS && CLASS_BITS + SLOT_BITS <= u32::BITS);

impl Holder {
    fn new(class: u8, index: usize) -> Holder {
        Holder((index as u32) << CLASS_BITS | u32::from(class))
    }

    fn class(self) -> u8 {
        (self.0 & ((1 << CLASS_BITS) - 1)) as u8
    }

    fn index(self) -> usize {
        (self.0 >> CLASS_BITS) as usize
    }
}

/// Finds the places of sessions.
pub(super) trait HolderSlots {
    /// The place of the session in this slot, which must not be vacant.
    fn holder(&mut self, slot: u32) -> &mut Holder;
}

/// The class of a session that holds this many bytes.
pub(super) fn class_of(bytes: usize) -> u8 {
    let doublings = (bytes / SEGMENT_COST + 1).ilog2() as usize;
    if bytes == 0 { 0 } else { (doublings + 1).min(CLASSES - 1) as u8 }
}

/// The slots of all sessions that hold memory, by class.
#[derive(Debug, Default)]
pub(super) struct Holders([Vec<u32>; CLASSES]);

impl Holders {
    /// Files a session that holds about this many bytes.
    #[inline]
    pub fn file(&mut self, holders: &mut impl HolderSlots, slot: usize, bytes: usize) {
        let class = class_of(bytes);
        if holders.holder(slot as u32).class() != class {
            self.move_to(holders, slot as u32, class);
        }
    }

    #[inline(never)]
    fn move_to(&mut self, holders: &mut impl HolderSlots, slot: u32, class: u8) {
        let before = *holders.holder(slot);
        if before.class() > 0 {
            let slots = &mut self.0[usize::from(before.class())];
            slots.swap_remove(before.index());
            if let Some(&moved) = slots.get(before.index()) {
                *holders.holder(moved) = before;
            }
        }
        let slots = &mut self.0[usize::from(class)];
        *holders.holder(slot) = Holder::new(class, slots.len());
        if class > 0 {
            slots.push(slot);
        }
    }

    /// One of the sessions in the highest class that has any, and that class.
    pub fn top(&self) -> Option<(usize, u8)> {
        let (class, slots) = self.0.iter().enumerate().rfind(|(_, slots)| !slots.is_empty())?;
        slots.last().map(|&slot| (slot as usize, class as u8))
    }

    /// All of them, from the highest class down.
    pub fn descending(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.0.iter().rev().flatten().map(|&slot| slot as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl HolderSlots for Vec<Holder> {
        fn holder(&mut self, slot: u32) -> &mut Holder {
            &mut self[slot as usize]
        }
    }

    #[test]
    fn a_class_is_a_power_of_two_and_nothing_is_class_zero() {
        let classes = [0, 1, 63, 64, 191, 192, 4095, 1 << 20, 1 << 40].map(class_of);
        assert_eq!(classes, [0, 1, 1, 2, 2, 3, 7, 15, 25]);
    }

    proptest! {
        #[test]
        fn the_top_is_in_the_class_of_the_largest(steps in prop::collection::vec((0usize..8, 0usize..100_000), 1..60)) {
            let (mut holders, mut places, mut held) = (Holders::default(), vec![Holder::default(); 8], [0; 8]);
            for (slot, bytes) in steps {
                held[slot] = bytes;
                holders.file(&mut places, slot, bytes);
                let largest = held.iter().copied().max().unwrap_or_default();
                let top = holders.top();
                prop_assert_eq!(top.map_or(0, |(_, class)| class), class_of(largest));
                prop_assert!(top.is_none_or(|(slot, class)| class_of(held[slot]) == class));
                prop_assert_eq!(holders.descending().count(), held.iter().filter(|&&bytes| bytes > 0).count());
            }
        }
    }
}
