//! A naive model of the hub, to compare the real one with. It encodes and decodes frames itself, and shares no code
//! with the hub, but for the epochs of rooms, which are drawn.

pub mod frames;
mod rooms;
pub mod story;
mod truth;

pub use truth::{Truth, act_as_host, exact_limits};

use crate::hub::Epochs;
use frames::text;
use rooms::Room;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use story::Heard;

const MAX_BODY: usize = 300;
const MAX_RECEIVERS: usize = 3;
const MAX_USERS: usize = 5;
const MAX_HELLO: usize = 1 + 1 + 255 + 2 + 65535;

/// Kind, flags, tag, payload: a frame as far as a client sees it.
type Seen = (u8, u8, u16, Vec<u8>);

/// Bodies by receiver and sender, each with whether the receiver was connected when it was sent.
type Addressed = BTreeMap<(u64, u64), VecDeque<(Vec<u8>, bool)>>;

#[derive(Default)]
struct Client {
    id: u64,
    present: bool,
    /// It was accepted and its connection is not removed yet, whether or not it has departed.
    counts: bool,
    name: String,
    /// The rooms it is in.
    rooms: Vec<String>,
    /// Bytes that it has sent and the model has not decoded yet.
    unread: Vec<u8>,
    /// The frames that the hub must send to it, in order. The text of an ERROR may be any.
    foretold: VecDeque<Seen>,
    /// If users wait: the newest live event that it received, by room.
    newest: BTreeMap<String, u64>,
    /// Bytes from its outbox that are no whole frame yet.
    heard: Vec<u8>,
}

/// Every client that ever connected, in order, and the frames that each must receive.
pub struct Model {
    clients: Vec<Client>,
    exact: bool,
    /// Whether requests may arrive in pieces.
    pub in_pieces: bool,
    ids: BTreeSet<u64>,
    addressed: Addressed,
    rooms: BTreeMap<String, Room>,
    epochs: Epochs,
    /// Seconds since the hub started.
    now: u64,
    mails: u64,
    /// The payload of every event, in order, as a listener receives them.
    pub story: Vec<Vec<u8>>,
}

impl Model {
    pub fn new(exact: bool) -> Model {
        Model {
            clients: Vec::new(),
            exact,
            in_pieces: false,
            ids: BTreeSet::new(),
            addressed: BTreeMap::new(),
            rooms: BTreeMap::new(),
            epochs: Epochs::default(),
            now: 0,
            mails: 0,
            story: Vec::new(),
        }
    }

    /// The id of a user by number, even if it has left. If there is no such user, an id that no user has.
    pub fn id_of(&self, user: u8) -> u64 {
        self.clients.get(usize::from(user)).map_or(u64::from(user), |client| client.id)
    }

    /// A client connected, and was accepted or turned away.
    pub fn connect(&mut self, id: u64, let_in: bool) {
        assert!(id != 0 && self.ids.insert(id), "{id} is given twice");
        assert!(self.clients.iter().all(|client| client.id < id), "ids rise with arrival");
        let full = self.clients.iter().filter(|client| client.counts).count() >= MAX_USERS;
        // If users wait, some that have sent BYE are still connected.
        assert!(!self.exact || let_in != full, "the limit of connections is kept");
        self.clients.push(Client { id, present: true, counts: let_in, ..Client::default() });
        if !let_in {
            self.fail(self.clients.len() - 1, 14, 0, 0, true);
        }
    }

    pub fn disconnect(&mut self, user: u8) {
        self.depart(usize::from(user));
        let client = &mut self.clients[usize::from(user)];
        client.counts = false;
        client.foretold.clear();
        client.unread.clear();
    }

    /// A user sent bytes: decodes the whole frames among everything that it has sent so far.
    pub fn feed(&mut self, user: u8, bytes: &[u8]) {
        let user = usize::from(user);
        self.clients[user].unread.extend(bytes);
        while self.clients[user].present && self.understand(user) {}
    }

    /// Returns whether there was a frame, and the user may have sent another one.
    fn understand(&mut self, user: usize) -> bool {
        let bytes = self.clients[user].unread.clone();
        let Some(&kind) = bytes.first() else { return false };
        let tag = bytes.get(2..4).map_or(0, |tag| u16::from_be_bytes([tag[0], tag[1]]));
        if (0x40..0x80).contains(&kind) {
            return self.fail(user, 2, kind, tag, true);
        }
        let Some(length) = bytes.get(4..8) else { return false };
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        let most = match kind {
            1 => MAX_HELLO,
            2 | 3 | 4 | 6 | 13..=15 => 2 + 8 * MAX_RECEIVERS + MAX_BODY,
            5 => 2 + 256 * MAX_RECEIVERS + MAX_BODY,
            7 | 8 | 11 => 256,
            9 => 256 + MAX_BODY,
            10 => 256 + 8 + 4,
            12 => 125,
            _ => return self.fail(user, 2, kind, tag, true),
        };
        let body_too_large = |before: usize| length > before + MAX_BODY;
        if length > most || where_body_begins(kind, &bytes[8..]).is_some_and(body_too_large) {
            return self.fail(user, 3, kind, tag, true);
        }
        if matches!(kind, 2 | 3 | 13..=15) && length > 0 || kind == 6 && length > 8 {
            return self.fail(user, 1, kind, tag, true);
        }
        let Some(payload) = bytes.get(8..8 + length) else { return false };
        self.clients[user].unread.drain(..8 + length);
        self.carry_out(user, kind, bytes[1], tag, payload)
    }

    fn carry_out(&mut self, user: usize, kind: u8, flags: u8, tag: u16, payload: &[u8]) -> bool {
        let known = match kind {
            4 => 1,
            5 | 9 => 3,
            _ => 0,
        };
        if flags & !known != 0 {
            return self.fail(user, 1, kind, tag, true);
        }
        let id = self.clients[user].id;
        match kind {
            1 => return self.hello(user, tag, payload),
            4 => return self.relay(user, flags == 1, tag, payload),
            5 => return self.send(user, flags & 1 != 0, tag, payload),
            6 if payload.len() != 8 => return self.fail(user, 1, kind, tag, true),
            7..=11 => return self.about_a_room(user, kind, flags, tag, payload),
            12 => self.foretell(user, (0x8C, 0, tag, payload.to_vec())),
            2 => self.foretell(user, (0x82, 0, tag, id.to_be_bytes().to_vec())),
            3 => {
                let others = self.clients.iter().filter(|client| client.present && client.id != id);
                let ids = others.flat_map(|client| client.id.to_be_bytes()).collect();
                self.foretell(user, (0x83, 0, tag, ids));
            }
            13 => self.depart(user),
            15 => self.foretell(user, (0x8F, 0, tag, Vec::new())),
            _ => {}
        }
        true
    }

    fn hello(&mut self, user: usize, tag: u16, payload: &[u8]) -> bool {
        match payload {
            [] => return self.fail(user, 1, 1, tag, true),
            [version, ..] if *version != 1 => return self.fail(user, 10, 1, tag, true),
            _ => {}
        }
        let name_len = payload.get(1).map_or(0, |len| usize::from(*len));
        let name = payload.get(2..2 + name_len);
        let token = payload.get(2 + name_len..).filter(|token| token.len() >= 2);
        let (Some(name), Some(token)) = (name, token) else { return self.fail(user, 1, 1, tag, true) };
        let fits = token.len() - 2 == usize::from(u16::from_be_bytes([token[0], token[1]]));
        let (Ok(name), true, true) = (str::from_utf8(name), fits, str::from_utf8(&token[2..]).is_ok()) else {
            return self.fail(user, 1, 1, tag, true);
        };
        if !name.is_empty() && !is_fit(name) {
            return self.fail(user, 6, 1, tag, false);
        }
        self.foretell(user, (0x81, 0, tag, Vec::new()));
        if self.exact && self.clients[user].name != name {
            self.leave_all(user, true);
            self.clients[user].name = name.to_owned();
        }
        true
    }

    fn relay(&mut self, user: usize, receipt: bool, tag: u16, payload: &[u8]) -> bool {
        let count = payload.get(..2).map(|count| usize::from(u16::from_be_bytes([count[0], count[1]])));
        let Some((count, block)) = count.and_then(|count| Some((count, payload.get(2..2 + 8 * count)?))) else {
            return self.fail(user, 1, 4, tag, true);
        };
        if count == 0 || count > MAX_RECEIVERS {
            return self.fail(user, 4, 4, tag, false);
        }
        let sender = self.clients[user].id;
        let named: Vec<u64> = block.chunks(8).map(|id| u64::from_be_bytes(id.try_into().expect("an id"))).collect();
        let body = &payload[2 + 8 * count..];
        let distinct: BTreeSet<u64> = named.iter().copied().collect();
        for receiver in &distinct {
            let here = self.clients.iter().any(|client| client.id == *receiver && client.present);
            self.addressed.entry((*receiver, sender)).or_default().push_back((body.to_vec(), here));
        }
        for client in self.clients.iter_mut().filter(|client| client.present && distinct.contains(&client.id)) {
            client.foretold.push_back((0xC4, 0, 0, [&sender.to_be_bytes()[..], body].concat()));
        }
        if receipt {
            let here = |id: &u64| self.clients.iter().any(|client| client.id == *id && client.present);
            let statuses = named.iter().map(|id| u8::from(!here(id)));
            let payload = (count as u16).to_be_bytes().into_iter().chain(statuses).collect();
            self.foretell(user, (0x84, 0, tag, payload));
        }
        true
    }

    fn fail(&mut self, user: usize, code: u16, kind: u8, tag: u16, fatal: bool) -> bool {
        let payload = [&code.to_be_bytes()[..], &[kind]].concat();
        self.foretell(user, (0xFF, fatal.into(), tag, payload));
        if fatal {
            self.depart(user);
        }
        !fatal
    }

    fn depart(&mut self, user: usize) {
        self.clients[user].present = false;
        self.leave_all(user, false);
    }

    /// SEND to names: every session of each, once.
    fn send(&mut self, user: usize, receipt: bool, tag: u16, payload: &[u8]) -> bool {
        let mut names = Vec::new();
        let mut rest = payload.get(2..).unwrap_or_default();
        let count = payload.get(..2).map_or(0, |count| u16::from_be_bytes([count[0], count[1]]));
        for _ in 0..count {
            let name = rest.split_first().and_then(|(&len, rest)| rest.split_at_checked(len.into()));
            let Some((name, after)) = name else { return self.fail(user, 1, 5, tag, true) };
            let Ok(name) = str::from_utf8(name) else { return self.fail(user, 1, 5, tag, true) };
            names.push(name);
            rest = after;
        }
        if payload.len() < 2 {
            return self.fail(user, 1, 5, tag, true);
        }
        if !(1..=MAX_RECEIVERS).contains(&names.len()) {
            return self.fail(user, 4, 5, tag, false);
        }
        if !names.iter().all(|name| is_fit(name)) {
            return self.fail(user, 6, 5, tag, false);
        }
        if !self.exact {
            return true;
        }
        self.mails += 1;
        let sender = &self.clients[user];
        let unix_ms = self.unix_ms().to_be_bytes();
        let head = [&self.mails.to_be_bytes()[..], &unix_ms, &sender.id.to_be_bytes(), &text(&sender.name)].concat();
        let mail = (0xC5, 0, 0, [&head[..], rest].concat());
        for client in self.clients.iter_mut().filter(|client| client.present && names.contains(&&client.name[..])) {
            client.foretold.push_back(mail.clone());
        }
        if receipt {
            let here = |name: &&str| self.clients.iter().any(|client| client.present && client.name == **name);
            let statuses = names.iter().map(|name| u8::from(!here(name)));
            let payload = count.to_be_bytes().into_iter().chain(statuses).collect();
            self.foretell(user, (0x85, 0, tag, payload));
        }
        true
    }

    fn foretell(&mut self, user: usize, seen: Seen) {
        self.clients[user].foretold.push_back(seen);
    }

    /// A user read bytes from its outbox: checks each whole frame among them.
    pub fn read(&mut self, user: u8, bytes: &[u8], truth: &Truth) {
        let exact = self.exact;
        let client = &mut self.clients[usize::from(user)];
        client.heard.extend(bytes);
        while let Some(header) = client.heard.get(..8) {
            let length = u32::from_be_bytes(header[4..].try_into().expect("four bytes")) as usize;
            let (kind, flags, tag) = (header[0], header[1], u16::from_be_bytes([header[2], header[3]]));
            let Some(payload) = client.heard.get(8..8 + length).map(<[u8]>::to_vec) else { return };
            client.heard.drain(..8 + length);
            if exact {
                client.check_foretold(&(kind, flags, tag, payload), self.in_pieces);
            } else if kind == 0xC4 {
                check_addressed(&mut self.addressed, client.id, &payload);
            } else if kind == 0xC9 {
                let heard = Heard::read(&payload);
                truth.check_event(&heard);
                client.check_rises(&heard, flags == 1);
            }
        }
    }

    /// A user has read everything: checks that no predicted frame is missing.
    pub fn check_heard(&self, user: u8) {
        let client = &self.clients[usize::from(user)];
        let missing = self.exact && !client.foretold.is_empty();
        assert!(!missing, "user {} never heard {:?}", client.id, client.foretold);
    }

    /// All connected users have read everything: checks that each body from one of them to another has arrived.
    pub fn check_arrived(&self) {
        let here = |id: u64| self.clients.iter().any(|client| client.id == id && client.present);
        for (&(receiver, sender), bodies) in self.addressed.iter().filter(|_| !self.exact) {
            let lost = bodies.iter().any(|(_, due)| *due) && here(receiver) && here(sender);
            assert!(!lost, "{receiver} never heard what {sender} sent");
        }
    }
}

impl Client {
    /// Checks that the ids of a room's live events increase.
    fn check_rises(&mut self, heard: &Heard<'_>, is_replay: bool) {
        if !is_replay {
            let before = self.newest.insert(heard.room.to_owned(), heard.id).unwrap_or_default();
            assert!(before < heard.id, "event {} of {} after {before}", heard.id, heard.room);
        }
    }

    fn check_foretold(&mut self, (kind, flags, tag, payload): &Seen, in_pieces: bool) {
        let Some((want_kind, want_flags, want_tag, want)) = self.foretold.pop_front() else {
            panic!("user {} hears a {kind:#04x} that nobody foretold", self.id);
        };
        // A first byte that cannot begin a frame is refused at once: the tag may not have arrived.
        let lacks_tag = in_pieces && *kind == 0xFF && payload[..2] == [0, 2] && (0x40..0x80).contains(&payload[2]);
        let tag = if lacks_tag && *tag == 0 { want_tag } else { *tag };
        assert_eq!((*kind, *flags, tag), (want_kind, want_flags, want_tag), "user {}", self.id);
        match kind {
            0x81 => assert_eq!(payload[..9], [&[1], &self.id.to_be_bytes()[..]].concat()),
            0xFF => assert_eq!(payload[..3], want),
            0x8F => assert!(payload.starts_with(b"{") && payload.ends_with(b"}")),
            _ => assert_eq!(*payload, want, "user {}", self.id),
        }
    }
}

/// The number of bytes before the body of a request that has one, once they have arrived.
fn where_body_begins(kind: u8, payload: &[u8]) -> Option<usize> {
    let count = || payload.get(..2).map(|count| usize::from(u16::from_be_bytes([count[0], count[1]])));
    match kind {
        4 => Some(2 + 8 * count()?),
        9 => Some(1 + usize::from(*payload.first()?)),
        5 if count()? <= MAX_RECEIVERS => {
            let mut at = 2;
            for _ in 0..count()? {
                at += 1 + usize::from(*payload.get(at)?);
            }
            Some(at)
        }
        _ => None,
    }
}

/// Whether this is a valid name of a user or a room.
fn is_fit(name: &str) -> bool {
    let strange = |c: char| {
        let code = u32::from(c);
        code < 0x20
            || (0x7F..0xA0).contains(&code)
            || [0x061C, 0x200E, 0x200F, 0x2028, 0x2029].contains(&code)
            || (0x202A..=0x202E).contains(&code)
            || (0x2066..=0x2069).contains(&code)
    };
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    name.len() <= 64 && !name.chars().any(strange) && !blank(name.chars().next()) && !blank(name.chars().next_back())
}

/// Checks that the body of a DELIVER was sent by the named sender to this receiver, and in order.
fn check_addressed(addressed: &mut Addressed, receiver: u64, payload: &[u8]) {
    let (sender, body) = payload.split_at(8);
    let sender = u64::from_be_bytes(sender.try_into().expect("an id"));
    let meant = addressed.entry((receiver, sender)).or_default();
    loop {
        let next = meant.pop_front();
        let (sent, due) = next.unwrap_or_else(|| panic!("{sender} never sent that to {receiver}"));
        if sent == body {
            break;
        }
        assert!(!due, "{receiver} misses something that {sender} sent before");
    }
}
