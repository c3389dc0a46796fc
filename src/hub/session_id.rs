//! How user ids are made: a counter of connections above the slot in the slab.

use crate::limits::SLOT_BITS;
use crate::wire::UserId;

/// Bits of an id that count the connections accepted. The ten bits above them are for the number of the hub.
const GENERATION_BITS: u32 = 32;

const _: () = assert!(GENERATION_BITS + SLOT_BITS <= 54, "ten bits are left for the number of the hub");

/// The sender of what the host program relays. No connection has this id, because its generation is 0.
pub const HOST: UserId = UserId(1);

/// The id of the connection that was accepted as number `generation` (from 1) and is kept in `slot`.
///
/// The counter is above the slot, so that ids ascend in the order of arrival.
pub(super) fn user_id(generation: u32, slot: usize) -> UserId {
    debug_assert!(generation > 0 && slot < 1 << SLOT_BITS);
    UserId(u64::from(generation) << SLOT_BITS | slot as u64)
}

/// The slot in an id, whether or not the slot is occupied by the session with this id.
pub(super) fn slot_of(id: UserId) -> usize {
    (id.0 & ((1 << SLOT_BITS) - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_with_arrival_whatever_the_slot() {
        assert!(user_id(1, (1 << SLOT_BITS) - 1) < user_id(2, 0));
        assert_eq!(slot_of(user_id(u32::MAX, 12345)), 12345);
        assert!(HOST < user_id(1, 0));
    }
}
