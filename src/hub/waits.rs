//! Why the requests of a session wait. Nothing else decides whether requests are executed and the socket is read. A new
//! reason, such as the answer to a ticket, is a variant of [`Reason`].

/// A reason to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reason {
    /// The session has spent its share of this turn: requests go on in the next turn.
    NextTurn = 1,
    /// The session sent requests faster than the rate limit allows.
    RateLimit = 2,
    /// A receiver is full. A session may wait for itself.
    Receiver = 4,
    /// The session has not read the answers to its own requests.
    OwnAnswers = 8,
    /// A [long request](super::slices) of the session is not complete.
    LongRequest = 16,
}

/// It gave up waiting for a receiver: until the request is executed, and the session is no longer full itself, what it
/// sends to full receivers is refused.
const GAVE_UP: u8 = 32;

/// It cost much when it was last served, or was never served, and waits for its share behind those that did not.
const HEAVY: u8 = 64;

/// All reasons for which a session's requests wait, and what decides how long they may: one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits(u8);

impl Waits {
    /// Nothing. Whether the session will cost much is not known yet.
    pub fn of_a_new_session() -> Waits {
        Waits(HEAVY)
    }

    fn reasons(self) -> u8 {
        self.0 & !(GAVE_UP | HEAVY)
    }

    fn set(&mut self, bit: u8, is_set: bool) {
        self.0 = if is_set { self.0 | bit } else { self.0 & !bit };
    }

    /// Whether there is any reason to wait.
    #[inline]
    pub fn is_blocked(self) -> bool {
        self.reasons() != 0
    }

    /// Whether there is a reason that does not end by itself in one of the next turns.
    pub fn is_blocked_beyond_turn(self) -> bool {
        self.reasons() & !(Reason::NextTurn as u8) != 0
    }

    /// Whether this is one of its reasons.
    pub fn is_blocked_by(self, reason: Reason) -> bool {
        self.0 & reason as u8 != 0
    }

    /// Adds a reason. Returns whether it is new.
    pub fn block(&mut self, reason: Reason) -> bool {
        let is_new = !self.is_blocked_by(reason);
        self.set(reason as u8, true);
        is_new
    }

    /// Removes a reason. Returns whether that was the last one, so that the session goes on.
    pub fn unblock(&mut self, reason: Reason) -> bool {
        let was_blocked = self.is_blocked_by(reason);
        self.set(reason as u8, false);
        was_blocked && !self.is_blocked()
    }

    /// Gives up waiting for a receiver. Returns whether the session goes on.
    pub fn give_up_on_receiver(&mut self) -> bool {
        self.set(GAVE_UP, true);
        self.unblock(Reason::Receiver)
    }

    /// Whether it gave up waiting for a receiver, and has not been [reset](Waits::wait_again) since.
    pub fn has_given_up(self) -> bool {
        self.0 & GAVE_UP != 0
    }

    /// Lets it wait for receivers again.
    pub fn wait_again(&mut self) {
        self.set(GAVE_UP, false);
    }

    /// Whether it cost much when it was last served.
    pub fn is_heavy(self) -> bool {
        self.0 & HEAVY != 0
    }

    /// Notes whether it cost much.
    pub fn set_heavy(&mut self, is_heavy: bool) {
        self.set(HEAVY, is_heavy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_goes_on_when_its_last_reason_is_gone() {
        let mut waits = Waits::default();
        assert!(waits.block(Reason::Receiver));
        assert!(waits.block(Reason::NextTurn) && !waits.block(Reason::NextTurn));
        assert!(!waits.unblock(Reason::NextTurn));
        assert!(waits.is_blocked() && waits.is_blocked_by(Reason::Receiver) && waits.is_blocked_beyond_turn());
        assert!(waits.unblock(Reason::Receiver) && !waits.is_blocked());
        assert!(!waits.unblock(Reason::Receiver), "it does not go on twice");
    }

    #[test]
    fn a_reason_that_it_has_not_ends_no_wait() {
        let mut waits = Waits::default();
        assert!(!waits.unblock(Reason::RateLimit));
        waits.block(Reason::NextTurn);
        assert!(!waits.unblock(Reason::RateLimit) && waits.is_blocked_by(Reason::NextTurn));
        assert!(!waits.is_blocked_beyond_turn());
    }

    #[test]
    fn what_is_no_reason_blocks_nothing() {
        let mut waits = Waits::default();
        waits.block(Reason::Receiver);
        waits.set_heavy(true);
        assert!(waits.give_up_on_receiver() && waits.has_given_up() && waits.is_heavy() && !waits.is_blocked());
        waits.wait_again();
        assert!(!waits.has_given_up() && waits.is_heavy());
        waits.set_heavy(false);
        assert_eq!(waits, Waits::default());
    }
}
