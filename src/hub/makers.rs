//! Who made the rooms: how many rooms each session made by PUBLISH that nobody has joined, and how many each address
//! made.

use super::remote_addr::AddressKey;
use slab::Slab;
use std::collections::HashMap;
use std::num::NonZeroU32;

/// Bytes that a session that has made rooms takes here, and an address: a share of tables that have just doubled.
const MAKER_COST: usize = 32;
const ADDRESS_COST: usize = 64;

/// A session that made a room by PUBLISH. It has a key of its own here, which is never another session's while a room
/// points to it: a slot is given again, and an HTTP caller changes its id with each request.
#[derive(Debug)]
struct Maker {
    /// Rooms that it made by PUBLISH, that are still there, and that nobody has joined.
    unjoined: u32,
    /// The session has departed, and the entry goes with its last room.
    is_gone: bool,
}

/// The key of a session that made rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakerKey(NonZeroU32);

impl MakerKey {
    fn of(index: usize) -> MakerKey {
        MakerKey(NonZeroU32::MIN.saturating_add(index as u32))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Who made a room.
#[derive(Clone, Copy, Debug, Default)]
pub struct MadeBy {
    /// The session, if it made the room by PUBLISH and nobody has joined since.
    pub maker: Option<MakerKey>,
    /// The address, if rooms of this address are counted.
    pub address: Option<AddressKey>,
}

/// The rooms that an address made and that are still there.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoomsOfAddress {
    pub all: u32,
    /// Those without members.
    pub deserted: u32,
}

/// The sessions and the addresses that made rooms.
#[derive(Debug, Default)]
pub struct Makers {
    sessions: Slab<Maker>,
    /// An address without rooms is not in it.
    addresses: HashMap<AddressKey, RoomsOfAddress>,
}

impl Makers {
    /// Adds a session that is about to make its first room by PUBLISH.
    pub fn add(&mut self) -> MakerKey {
        MakerKey::of(self.sessions.insert(Maker { unjoined: 0, is_gone: false }))
    }

    /// How many rooms a session made by PUBLISH that nobody has joined.
    pub fn unjoined(&self, maker: MakerKey) -> usize {
        self.sessions[maker.index()].unjoined as usize
    }

    /// How many rooms an address made.
    pub fn rooms_of(&self, address: AddressKey) -> RoomsOfAddress {
        self.addresses.get(&address).copied().unwrap_or_default()
    }

    /// Counts a room that was made.
    pub fn count(&mut self, by: MadeBy) {
        if let Some(maker) = by.maker {
            self.sessions[maker.index()].unjoined += 1;
        }
        if let Some(address) = by.address {
            self.addresses.entry(address).or_default().all += 1;
        }
    }

    /// A room was joined, so that it no longer counts against the session that made it.
    pub fn note_joined(&mut self, by: &mut MadeBy) {
        if let Some(maker) = by.maker.take() {
            self.sessions[maker.index()].unjoined -= 1;
            self.forget_if_done(maker);
        }
    }

    /// A room has no members any more, or is no longer without.
    pub fn note_deserted(&mut self, by: MadeBy, is_deserted: bool) {
        if let Some(rooms) = by.address.and_then(|address| self.addresses.get_mut(&address)) {
            rooms.deserted = if is_deserted { rooms.deserted + 1 } else { rooms.deserted - 1 };
        }
    }

    /// A room was removed, which was not without members, or is [noted](Makers::note_deserted) to be no longer.
    pub fn note_removed(&mut self, mut by: MadeBy) {
        self.note_joined(&mut by);
        if let Some(address) = by.address
            && let Some(rooms) = self.addresses.get_mut(&address)
        {
            rooms.all -= 1;
            if rooms.all == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// A session has departed.
    pub fn note_gone(&mut self, maker: MakerKey) {
        self.sessions[maker.index()].is_gone = true;
        self.forget_if_done(maker);
    }

    fn forget_if_done(&mut self, maker: MakerKey) {
        let Maker { unjoined, is_gone } = self.sessions[maker.index()];
        if is_gone && unjoined == 0 {
            self.sessions.remove(maker.index());
        }
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.sessions.len() * MAKER_COST + self.addresses.len() * ADDRESS_COST
    }

    /// Gives back the memory of sessions and addresses that are gone.
    pub fn shrink(&mut self) {
        self.sessions.shrink_to_fit();
        self.addresses.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::super::RemoteAddr;
    use super::*;

    #[test]
    fn a_room_counts_against_its_maker_until_it_is_joined_or_gone_and_against_its_address_until_it_is_gone() {
        let mut makers = Makers::default();
        let address = RemoteAddr::Ip([192, 0, 2, 1].into()).key().expect("it is far");
        let maker = makers.add();
        let mut by = [MadeBy { maker: Some(maker), address: Some(address) }; 3];
        by.iter().for_each(|by| makers.count(*by));
        assert_eq!((makers.unjoined(maker), makers.rooms_of(address).all), (3, 3));
        makers.note_joined(&mut by[0]);
        makers.note_joined(&mut by[0]);
        makers.note_deserted(by[0], true);
        assert_eq!((makers.unjoined(maker), makers.rooms_of(address).all), (2, 3));
        assert_eq!(makers.rooms_of(address).deserted, 1);
        makers.note_deserted(by[0], false);
        makers.note_gone(maker);
        assert_ne!(makers.add(), maker, "rooms still point to it");
        by.into_iter().for_each(|by| makers.note_removed(by));
        assert_eq!((makers.rooms_of(address).all, makers.held()), (0, MAKER_COST));
    }
}
