//! One connection as the hub sees it.

use super::codec::{Encoding, Protocol};
use super::holders::Holder;
use super::long_request::LongRequest;
use super::makers::MakerKey;
use super::outbox::Outbox;
use super::rate_limit::TokenBucket;
use super::remote_addr::{Origin, RemoteAddr};
use super::role::Role;
use super::room_list::RoomList;
use super::waits::{Reason, Waits};
use crate::wire::{Decoder, ErrorCode, UserId};
use std::sync::Arc;

/// The phase of a session's life. It only moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// An [HTTP caller](Role::HttpCaller): its requests are answered, but others cannot send to it.
    Calling,
    /// The same, beyond the limit of connections: it may only ask how the hub is.
    Spare,
    /// A user from which no whole frame has come yet.
    New,
    /// A user that has sent a whole frame, or has become a user by a handshake.
    Active,
    /// It has left, or is being closed: nothing more is queued for it, and its requests are not executed. Its outbox
    /// may still be sent.
    Departed,
    /// The same, for a connection that was turned away because the hub was full.
    TurnedAway,
}

/// What the unparsed input of a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Backlog {
    /// At most the beginning of a frame.
    Empty,
    /// Whole requests that came while others of the session waited.
    Unread,
    /// The same, and the first of them was itself tried before, and blocked by a full receiver.
    FrontWaited,
}

/// Whether a session is on a list of those to flush: see [`Effects`](super::Effects).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Dirty {
    /// Nothing is new in its outbox.
    No,
    /// It is on the list of all.
    Listed,
    /// It is on the list of those with answers, and perhaps on the other one.
    Answered,
}

/// The unparsed input that a gateway keeps for a session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AtGateway {
    /// Bytes that have arrived.
    pub bytes: u32,
    /// Bytes of memory that it takes: fewer if it is compacted, more with the room of its buffers.
    pub held: u32,
}

/// A session that waits for a receiver.
pub(super) type Waiter = UserId;

/// What few sessions have.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// Sessions whose requests wait until this one is no longer full. Some of them may have departed or given up
    /// meanwhile.
    pub waiters: Vec<Waiter>,
    /// The request of it that is not complete.
    pub long_request: Option<Box<LongRequest>>,
    /// How much of the rate limit is used up, if there is one.
    pub rate: TokenBucket,
    /// It has changed its name while it was in rooms. Its departure from them may still have to be announced.
    pub has_left_by_name: bool,
    /// Further headers of the response to the request of an HTTP caller that is unfinished or waits: see
    /// [`RequestContext::headers`](super::RequestContext::headers). A few hundred bytes at most.
    pub headers: Box<str>,
}

/// Where a session is found in tables of the hub.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places {
    /// Its index among the sessions of its name.
    pub in_name: u32,
    /// Its key among the sessions that made rooms by PUBLISH.
    pub maker: Option<MakerKey>,
    /// Its class among those that hold memory, and its index there.
    pub holder: Holder,
}

/// The answers to a session's own requests that are not sent yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnreadAnswers {
    /// Their bytes; at most `end`.
    pub bytes: u32,
    /// Bytes of the outbox up to the end of the last of them.
    pub end: u32,
}

/// A connection, with what the loop keeps for it (`link`: the socket and its read state; nothing in tests).
///
/// The most used fields come first: a fan-out touches only the first cache line of each receiver.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Session<L> {
    pub(super) id: UserId,
    pub(super) outbox: Outbox,
    /// The number of the last relay that named this session, so that each receiver is served once.
    pub(super) stamp: u32,
    pub(super) phase: Phase,
    pub(super) encoding: Encoding,
    /// Whether it is on a list of those to flush.
    pub(super) dirty: Dirty,
    /// Whether its queue went over the limit, and has not been below half of it since.
    pub(super) full: bool,

    /// Its name; `None` if it has none.
    pub(super) name: Option<Arc<str>>,
    /// The rooms that it is in.
    pub(super) rooms: RoomList,
    /// What few sessions have. Boxed, because sessions are many.
    pub(super) seldom: Option<Box<Seldom>>,
    /// Unparsed native input: the beginning of a frame, or the whole [`backlog`](Session::backlog).
    pub(super) decoder: Decoder,
    pub(super) origin: Origin,
    pub(super) places: Places,
    /// The unparsed input that its gateway keeps.
    pub(super) at_gateway: AtGateway,
    pub(super) unread: UnreadAnswers,
    /// The error that it was closed with, if any.
    pub(super) closed_with: Option<ErrorCode>,
    pub(super) backlog: Backlog,
    pub(super) role: Role,
    pub(super) waits: Waits,
    /// What the loop keeps.
    pub link: L,
}

const _: () = assert!(std::mem::offset_of!(Session<()>, name) <= 64, "what a fan-out touches is one cache line");

impl<L> Session<L> {
    pub(super) fn new(id: UserId, remote: RemoteAddr, protocol: Protocol, link: L) -> Session<L> {
        Session {
            id,
            outbox: Outbox::default(),
            stamp: 0,
            phase: match protocol.role {
                Role::User => Phase::New,
                Role::HttpCaller => Phase::Calling,
            },
            encoding: protocol.encoding,
            dirty: Dirty::No,
            full: false,
            name: None,
            rooms: RoomList::default(),
            seldom: None,
            decoder: Decoder::default(),
            origin: remote.into(),
            places: Places::default(),
            waits: Waits::of_a_new_session(),
            at_gateway: AtGateway::default(),
            closed_with: None,
            backlog: Backlog::Empty,
            role: protocol.role,
            unread: UnreadAnswers::default(),
            link,
        }
    }

    /// What few sessions have, to be changed.
    pub(super) fn seldom(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    /// How much of its rate limit is used up.
    pub(super) fn rate(&self) -> TokenBucket {
        self.seldom.as_ref().map_or(TokenBucket::default(), |seldom| seldom.rate)
    }

    /// Takes the request of it that is not complete.
    pub(super) fn take_long_request(&mut self) -> Option<Box<LongRequest>> {
        let taken = self.seldom.as_mut()?.long_request.take();
        self.forget_seldom();
        taken
    }

    /// Takes the sessions that wait for it.
    pub(super) fn take_waiters(&mut self) -> Vec<Waiter> {
        let waiters = self.seldom.as_mut().map(|seldom| std::mem::take(&mut seldom.waiters)).unwrap_or_default();
        self.forget_seldom();
        waiters
    }

    /// Sets the further headers of the response to an HTTP request that is unfinished or waits.
    pub(super) fn set_headers(&mut self, headers: &str) {
        if self.headers() != headers {
            self.seldom().headers = headers.into();
            self.forget_seldom();
        }
    }

    /// These headers.
    pub(super) fn headers(&self) -> &str {
        self.seldom.as_ref().map_or("", |seldom| &seldom.headers)
    }

    fn forget_seldom(&mut self) {
        let is_spare = |seldom: &Seldom| {
            let Seldom { waiters, long_request, rate, has_left_by_name, headers } = seldom;
            waiters.is_empty()
                && long_request.is_none()
                && *rate == TokenBucket::default()
                && !has_left_by_name
                && headers.is_empty()
        };
        if self.seldom.as_deref().is_some_and(is_spare) {
            self.seldom = None;
        }
    }

    /// Whether a request of it is not complete.
    pub(super) fn has_long_request(&self) -> bool {
        self.seldom.as_ref().is_some_and(|seldom| seldom.long_request.is_some())
    }

    /// Its id.
    pub fn id(&self) -> UserId {
        self.id
    }

    /// What it is called in the log.
    pub fn label(&self) -> String {
        match (&self.name, self.role) {
            (Some(name), _) => format!("user {} ({name})", self.id),
            (None, Role::User) => format!("user {}", self.id),
            (None, Role::HttpCaller) => "an HTTP caller".to_owned(),
        }
    }

    /// Whether its requests are executed and answered: it has not departed.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.phase < Phase::Departed
    }

    /// Whether others can send to it and see it: an open session of a user.
    #[inline]
    pub(super) fn is_addressable(&self) -> bool {
        matches!(self.phase, Phase::New | Phase::Active)
    }

    /// Whether its next request may be executed now.
    #[inline]
    pub fn accepts_requests(&self) -> bool {
        self.is_open() && !self.waits.is_blocked()
    }

    /// Whether its requests wait, so that it must not be read.
    pub fn is_waiting(&self) -> bool {
        self.is_open() && self.waits.is_blocked()
    }

    /// Whether its requests wait for something else than its next share of a turn.
    pub fn waits_beyond_turn(&self) -> bool {
        self.is_open() && self.waits.is_blocked_beyond_turn()
    }

    /// Whether its requests wait for a full receiver.
    pub fn waits_for_receiver(&self) -> bool {
        self.is_open() && self.waits.is_blocked_by(Reason::Receiver)
    }

    /// Whether its requests wait for its own peer, who has to read answers first.
    pub fn waits_for_reader(&self) -> bool {
        self.is_open() && self.waits.is_blocked_by(Reason::OwnAnswers)
    }

    /// Whether its requests wait because of the rate limit.
    pub fn is_rate_limited(&self) -> bool {
        self.is_open() && self.waits.is_blocked_by(Reason::RateLimit)
    }

    /// How its bytes look.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What it may do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The phase of its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it is on this machine, as far as the hub can tell.
    pub fn is_local(&self) -> bool {
        self.origin.is_local()
    }

    /// The error that it was closed with, if any.
    pub fn closed_with(&self) -> Option<ErrorCode> {
        self.closed_with
    }

    /// What is queued for it.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What is queued for it, beside what the loop keeps.
    pub fn outbox_and_link(&mut self) -> (&Outbox, &mut L) {
        (&self.outbox, &mut self.link)
    }

    /// Whether its queue went over the limit, so that its senders wait.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Bytes of input that are not executed yet: of an unfinished frame, or of requests that wait.
    pub fn unparsed(&self) -> usize {
        self.decoder.kept() + self.at_gateway.bytes as usize
    }

    /// Bytes of memory that this input takes.
    pub(super) fn unparsed_held(&self) -> usize {
        self.decoder.kept() + self.at_gateway.held as usize
    }

    /// Bytes of its outbox up to the end of the last answer to a request of its own.
    pub fn unread_answers(&self) -> usize {
        self.unread.end as usize
    }

    /// Whether whole requests are among the unparsed input.
    pub fn has_backlog(&self) -> bool {
        self.backlog != Backlog::Empty
    }
}
