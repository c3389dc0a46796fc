//! Why the requests of a session wait. Nothing else decides whether requests are executed and the socket is read. A new
//! reason, such as the answer to a ticket, is a variant of [`Reason`].

/// A reason to wait, except for full receivers, which are counted: see [`Waits::block_on_receiver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reason {
    /// The budget of this turn is spent: requests go on in the next turn.
    NextTurn = 1,
    /// The session sent requests faster than the rate limit allows.
    RateLimit = 2,
}

/// All reasons for which a session's requests wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    /// The number of full receivers that it waits for. A session may wait for itself, until it has read its own
    /// answers.
    receivers: u32,
    /// The number of this wait for full receivers. A wait that was given up has another number, so that a receiver that
    /// drains later does not end a newer wait.
    round: u32,
    /// A bit for each [`Reason`].
    reasons: u8,
    /// It gave up waiting, because it may have been part of a deadlock: until it is no longer full itself, what it
    /// sends to full receivers is refused.
    gave_up: bool,
}

impl Waits {
    /// Whether there is any reason to wait.
    #[inline]
    pub fn is_blocked(&self) -> bool {
        self.receivers > 0 || self.reasons != 0
    }

    /// Whether it waits for a full receiver.
    pub fn is_blocked_on_receivers(&self) -> bool {
        self.receivers > 0
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

    /// Adds one more full receiver. Returns the number of the wait, which [`unblock_receiver`](Waits::unblock_receiver)
    /// needs.
    pub fn block_on_receiver(&mut self) -> u32 {
        self.receivers += 1;
        self.round
    }

    /// A receiver of the wait with this number is no longer full. Returns whether the session goes on.
    pub fn unblock_receiver(&mut self, round: u32) -> bool {
        if round != self.round || self.receivers == 0 {
            return false;
        }
        self.receivers -= 1;
        !self.is_blocked()
    }

    /// Gives up waiting for receivers. Returns whether the session goes on.
    pub fn give_up_on_receivers(&mut self) -> bool {
        self.receivers = 0;
        self.round = self.round.wrapping_add(1);
        self.gave_up = true;
        !self.is_blocked()
    }

    /// Whether it gave up waiting for receivers, and has not been [reset](Waits::wait_again) since.
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
        assert_eq!(waits.block_on_receiver(), round);
        assert!(waits.block(Reason::NextTurn) && !waits.block(Reason::NextTurn));
        assert!(!waits.unblock_receiver(round) && !waits.unblock(Reason::NextTurn));
        assert!(waits.is_blocked() && waits.is_blocked_on_receivers());
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
        assert!(waits.give_up_on_receivers() && waits.has_given_up());
        let new = waits.block_on_receiver();
        assert!(!waits.unblock_receiver(old) && waits.is_blocked());
        assert!(waits.unblock_receiver(new));
        waits.wait_again();
        assert!(!waits.has_given_up());
    }
}
