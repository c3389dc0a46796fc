//! Whether a session may be in another room, or make one, and which rooms give way to a new one.
//!
//! Rooms that a session made by PUBLISH and that nobody has joined count like those that it is in. As memory fills,
//! sessions that have many rooms are refused first. A room without members gives way before anybody is refused.

use crate::hub::Hub;
use crate::hub::budget::Cost;
use crate::hub::makers::MadeBy;
use crate::hub::remote_addr::AddressKey;
use crate::limits::{ADDRESS_SHARE, DEPARTURE_COST, MEMBERSHIP_COST, STRUCTURAL_SHARE};
use crate::marks::{Mark, mark};

/// The most rooms that give way to one new room, so that no request takes long.
const MOST_GIVING_WAY: usize = 64;

impl<L> Hub<L> {
    /// The room with this key, or the one that is made if there is none, if the session may join it.
    ///
    /// # Errors
    ///
    /// Which limit forbids it.
    pub(super) fn room_to_join(&mut self, slot: usize, found: Option<u32>, name: &str) -> Result<u32, String> {
        if let Some(key) = found {
            let maker = self.sessions[slot].places.maker;
            let is_own = maker.is_some() && self.rooms.at(key).made_by.maker == maker;
            self.check_rooms_of(slot, usize::from(is_own), MEMBERSHIP_COST)?;
            return Ok(key);
        }
        self.check_rooms_of(slot, 0, MEMBERSHIP_COST + self.rooms.cost_of(name))?;
        self.make_room(MadeBy { maker: None, address: self.counted_address(slot) }, name)
    }

    /// Makes a room for a PUBLISH of this session, or of the host.
    ///
    /// # Errors
    ///
    /// Which limit forbids it.
    pub(super) fn make_room_to_publish(&mut self, slot: Option<usize>, name: &str) -> Result<u32, String> {
        let Some(slot) = slot else { return self.make_room(MadeBy::default(), name) };
        self.check_rooms_of(slot, 0, self.rooms.cost_of(name))?;
        let maker = *self.sessions[slot].places.maker.get_or_insert_with(|| self.rooms.makers.add());
        self.note_structure();
        self.make_room(MadeBy { maker: Some(maker), address: self.counted_address(slot) }, name)
    }

    /// The address whose rooms are counted, if it tells anything about a session: on this machine, all clients of a
    /// proxy have the same.
    fn counted_address(&self, slot: usize) -> Option<AddressKey> {
        self.sessions[slot].origin.address().filter(|address| !address.is_loopback())
    }

    /// Checks whether a session may have one more room, which takes this many bytes, and `but` fewer of those that it
    /// made.
    fn check_rooms_of(&self, slot: usize, but: usize, cost: usize) -> Result<(), String> {
        let session = &self.sessions[slot];
        let made = session.places.maker.map_or(0, |maker| self.rooms.makers.unjoined(maker)) - but;
        let (joined, most) = (session.rooms.len(), self.limits.rooms_per_session);
        let share = (self.free_for_structure() / (STRUCTURAL_SHARE * cost)).max(1);
        if joined + made < most.min(share) {
            return Ok(());
        }
        let has = match made {
            0 => format!("this session is in {joined} rooms, and may not be in more"),
            _ => format!("this session is in {joined} rooms and made {made} that nobody joined; it may not have more"),
        };
        if joined + made >= most {
            return Err(format!("{has}; leave one first"));
        }
        Err(format!("{has} while this hub has so little memory left for rooms (half of --memory); leave one first"))
    }

    /// Makes a room. Rooms without members give way to it.
    ///
    /// # Errors
    ///
    /// Which limit forbids it.
    fn make_room(&mut self, by: MadeBy, name: &str) -> Result<u32, String> {
        let most = self.limits.max_rooms;
        if let Some(address) = by.address {
            let (made, free) = self.rooms.share_of(address, most);
            if made > ADDRESS_SHARE * free {
                return Err(format!(
                    "this address made {made} of {most} rooms, and may not make more while {free} are free"
                ));
            }
        }
        let cost = self.rooms.cost_of(name);
        for _ in 0..MOST_GIVING_WAY {
            let is_full = self.rooms.len() >= most;
            if !is_full && self.has_structural_room(cost) {
                break;
            }
            if !self.let_one_give_way() {
                return Err(match is_full {
                    true => format!("this hub has {most} rooms, and may not have more"),
                    false => "this hub has no memory left for another room (half of --memory)".to_owned(),
                });
            }
        }
        self.stats.rooms += 1;
        let key = self.rooms.make(name, by);
        self.note_structure();
        Ok(key)
    }

    /// Lets rooms without members give way while structural parts take more than they may.
    pub(super) fn relieve_structure(&mut self) {
        for _ in 0..MOST_GIVING_WAY {
            if self.has_structural_room(0) || !self.let_one_give_way() {
                return;
            }
        }
    }

    /// Removes the room that is worth least of those without members. Returns whether there was one.
    fn let_one_give_way(&mut self) -> bool {
        let Some(key) = self.rooms.first_to_give_way() else { return false };
        mark(Mark::RoomGaveWay);
        self.stats.rooms_gave_way += 1;
        self.budget.requests += Cost::work(DEPARTURE_COST);
        self.remove_room(key);
        true
    }
}
