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

/// All reasons for which a session's requests wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    /// The number of this wait for a full receiver. A wait that was given up has another number, so that a receiver
    /// that drains later does not end a newer wait.
    round: u32,
    /// A bit for each [`Reason`].
    reasons: u8,
    /// It gave up waiting for a receiver: until the request is executed, and the session is no longer full itself, what
    /// it sends to full receivers is refused.
    gave_up: bool,
    /// It cost much when it was last served, and waits for its share behind those that did not.
    pub is_heavy: bool,
}

impl Waits {
    /// Whether there is any reason to wait.
    #[inline]
    pub fn is_blocked(&self) -> bool {
        self.reasons != 0
    }

    /// Whether there is a reason that does not end by itself in one of the next turns.
    pub fn is_blocked_beyond_turn(&self) -> bool {
        self.reasons & !(Reason::NextTurn as u8) != 0
    }

    /// Whether this is one of its reasons.
    pub fn is_blocked_by(&self, reason: Reason) -> bool {
        self.reasons & reason as u8 != 0
    }

    /// Adds a reason. Returns whether it is new.
    pub fn block(&mut self, reason: Reason) -> bool {
        let is_new = !self.is_blocked_by(reason);
        self.reasons |= reason as u8;
        is_new
    }

    /// Removes a reason. Returns whether that was the last one, so that the session goes on.
    pub fn unblock(&mut self, reason: Reason) -> bool {
        let was_blocked = self.is_blocked_by(reason);
        self.reasons &= !(reason as u8);
        was_blocked && !self.is_blocked()
    }

    /// Begins to wait for a full receiver. Returns the number of the wait, which
    /// [`unblock_receiver`](Waits::unblock_receiver) needs.
    pub fn block_on_receiver(&mut self) -> u32 {
        self.round = self.round.wrapping_add(1);
        self.block(Reason::Receiver);
        self.round
    }

    /// The receiver of the wait with this number is no longer full. Returns whether the session goes on.
    pub fn unblock_receiver(&mut self, round: u32) -> bool {
        round == self.round && self.unblock(Reason::Receiver)
    }

    /// Gives up waiting for a receiver. Returns whether the session goes on.
    pub fn give_up_on_receiver(&mut self) -> bool {
        self.gave_up = true;
        self.unblock(Reason::Receiver)
    }

    /// Whether it gave up waiting for a receiver, and has not been [reset](Waits::wait_again) since.
    pub fn has_given_up(&self) -> bool {
        self.gave_up
    }

    /// Lets it wait for receivers again.
    pub fn wait_again(&mut self) {
        self.gave_up = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_goes_on_when_its_last_reason_is_gone() {
        let mut waits = Waits::default();
        let round = waits.block_on_receiver();
        assert!(waits.block(Reason::NextTurn) && !waits.block(Reason::NextTurn));
        assert!(!waits.unblock(Reason::NextTurn));
        assert!(waits.is_blocked() && waits.is_blocked_by(Reason::Receiver));
        assert!(waits.unblock_receiver(round) && !waits.is_blocked());
        assert!(!waits.unblock_receiver(round), "it does not go on twice");
    }

    #[test]
    fn a_reason_that_it_has_not_ends_no_wait() {
        let mut waits = Waits::default();
        assert!(!waits.unblock(Reason::RateLimit));
        waits.block(Reason::NextTurn);
        assert!(!waits.unblock(Reason::RateLimit) && waits.is_blocked_by(Reason::NextTurn));
    }

    #[test]
    fn a_wait_that_was_given_up_is_not_ended_again() {
        let mut waits = Waits::default();
        let old = waits.block_on_receiver();
        assert!(waits.give_up_on_receiver() && waits.has_given_up());
        let new = waits.block_on_receiver();
        assert!(!waits.unblock_receiver(old) && waits.is_blocked());
        assert!(waits.unblock_receiver(new));
        waits.wait_again();
        assert!(!waits.has_given_up());
    }
}
