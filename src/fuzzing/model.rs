//! A naive hub to compare the real one with. Reads and writes frames by hand, and shares no code with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

const MAX_BODY: usize = 300;
const MAX_RECEIVERS: usize = 3;
const MAX_USERS: usize = 5;
const MAX_HELLO: usize = 1 + 1 + 255 + 2 + 65535;

/// Kind, flags, tag, payload: a frame as far as a client sees it.
type Seen = (u8, u8, u16, Vec<u8>);

/// Bodies by receiver and sender, each with whether the receiver was here when it was sent.
type Addressed = BTreeMap<(u64, u64), VecDeque<(Vec<u8>, bool)>>;

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, tag: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, flags, (tag >> 8) as u8, tag as u8];
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The bytes of a RELAY.
pub fn relay(ids: &[u64], body: &[u8], receipt: bool) -> Vec<u8> {
    let mut payload = (ids.len() as u16).to_be_bytes().to_vec();
    ids.iter().for_each(|id| payload.extend(id.to_be_bytes()));
    payload.extend(body);
    frame(4, receipt.into(), 9, &payload)
}

#[derive(Default)]
struct Client {
    id: u64,
    present: bool,
    /// Sent by it and not yet understood.
    unread: Vec<u8>,
    /// What the hub has to say to it, in order. An ERROR's text is left open.
    foretold: VecDeque<Seen>,
    /// What came out of its outbox and is no whole frame yet.
    heard: Vec<u8>,
}

/// Everybody who ever came, in order, and what each must hear.
pub struct Model {
    clients: Vec<Client>,
    exact: bool,
    ids: BTreeSet<u64>,
    addressed: Addressed,
}

impl Model {
    pub fn new(exact: bool) -> Model {
        Model { clients: Vec::new(), exact, ids: BTreeSet::new(), addressed: BTreeMap::new() }
    }

    /// The id of a user by number, also of one who is gone; of nobody, where nobody has it.
    pub fn id_of(&self, user: u8) -> u64 {
        self.clients.get(usize::from(user)).map_or(u64::from(user), |client| client.id)
    }

    /// Somebody connected, and was let in or turned away.
    pub fn connect(&mut self, id: u64, let_in: bool) {
        assert!(id != 0 && self.ids.insert(id), "{id} is given twice");
        assert!(self.clients.iter().all(|client| client.id < id), "ids rise with arrival");
        let full = self.clients.iter().filter(|client| client.present).count() >= MAX_USERS;
        // Where users wait, some who have said goodbye by now are still there.
        assert!(!self.exact || let_in != full, "the limit of connections is kept");
        self.clients.push(Client { id, present: true, ..Client::default() });
        if !let_in {
            self.fail(self.clients.len() - 1, 14, 0, 0, true);
        }
    }

    pub fn disconnect(&mut self, user: u8) {
        let client = &mut self.clients[usize::from(user)];
        client.present = false;
        client.foretold.clear();
        client.unread.clear();
    }

    /// A user sent bytes: understands the whole frames among all that it sent so far.
    pub fn feed(&mut self, user: u8, bytes: &[u8]) {
        let user = usize::from(user);
        self.clients[user].unread.extend(bytes);
        while self.clients[user].present && self.understand(user) {}
    }

    /// Whether a frame was there and the user may have sent another.
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
            2 | 3 | 4 | 13 | 14 => 2 + 8 * MAX_RECEIVERS + MAX_BODY,
            12 => 125,
            _ => return self.fail(user, 2, kind, tag, true),
        };
        let body_too_large = match bytes.get(8..10) {
            Some(count) if kind == 4 => {
                length > 2 + 8 * usize::from(u16::from_be_bytes([count[0], count[1]])) + MAX_BODY
            }
            _ => false,
        };
        if length > most || body_too_large {
            return self.fail(user, 3, kind, tag, true);
        }
        if matches!(kind, 2 | 3 | 13 | 14) && length > 0 {
            return self.fail(user, 1, kind, tag, true);
        }
        let Some(payload) = bytes.get(8..8 + length) else { return false };
        self.clients[user].unread.drain(..8 + length);
        self.carry_out(user, kind, bytes[1], tag, payload)
    }

    fn carry_out(&mut self, user: usize, kind: u8, flags: u8, tag: u16, payload: &[u8]) -> bool {
        if flags & !u8::from(kind == 4) != 0 {
            return self.fail(user, 1, kind, tag, true);
        }
        let id = self.clients[user].id;
        match kind {
            1 => return self.hello(user, tag, payload),
            4 => return self.relay(user, flags == 1, tag, payload),
            12 => self.foretell(user, (0x8C, 0, tag, payload.to_vec())),
            2 => self.foretell(user, (0x82, 0, tag, id.to_be_bytes().to_vec())),
            3 => {
                let others = self.clients.iter().filter(|client| client.present && client.id != id);
                let ids = others.flat_map(|client| client.id.to_be_bytes()).collect();
                self.foretell(user, (0x83, 0, tag, ids));
            }
            13 => self.clients[user].present = false,
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
        let graphic = name.bytes().all(|byte| (b' '..0x7F).contains(&byte));
        let fit = name.len() <= 64 && !name.starts_with(' ') && !name.ends_with(' ');
        match (name.is_ascii(), graphic && fit) {
            (true, false) => self.fail(user, 6, 1, tag, false),
            // What is a good name beyond ASCII is the real hub's to say; either answer will do.
            (ascii, _) => {
                let kind = if ascii { 0x81 } else { 0 };
                self.foretell(user, (kind, 0, tag, Vec::new()));
                true
            }
        }
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
        self.clients[user].present &= !fatal;
        !fatal
    }

    fn foretell(&mut self, user: usize, seen: Seen) {
        self.clients[user].foretold.push_back(seen);
    }

    /// A user read bytes from its outbox: checks each whole frame among them.
    pub fn read(&mut self, user: u8, bytes: &[u8]) {
        let exact = self.exact;
        let client = &mut self.clients[usize::from(user)];
        client.heard.extend(bytes);
        while let Some(header) = client.heard.get(..8) {
            let length = u32::from_be_bytes(header[4..].try_into().expect("four bytes")) as usize;
            let (kind, flags, tag) = (header[0], header[1], u16::from_be_bytes([header[2], header[3]]));
            let Some(payload) = client.heard.get(8..8 + length).map(<[u8]>::to_vec) else { return };
            client.heard.drain(..8 + length);
            if exact {
                client.check_foretold(&(kind, flags, tag, payload));
            } else if kind == 0xC4 {
                check_addressed(&mut self.addressed, client.id, &payload);
            }
        }
    }

    /// A user has read everything: nothing that was foretold is missing.
    pub fn check_heard(&self, user: u8) {
        let client = &self.clients[usize::from(user)];
        let missing = self.exact && !client.foretold.is_empty();
        assert!(!missing, "user {} never heard {:?}", client.id, client.foretold);
    }

    /// Everybody who is here has read everything: what one of them sent another has arrived.
    pub fn check_arrived(&self) {
        let here = |id: u64| self.clients.iter().any(|client| client.id == id && client.present);
        for (&(receiver, sender), bodies) in self.addressed.iter().filter(|_| !self.exact) {
            let lost = bodies.iter().any(|(_, due)| *due) && here(receiver) && here(sender);
            assert!(!lost, "{receiver} never heard what {sender} sent");
        }
    }
}

impl Client {
    fn check_foretold(&mut self, (kind, flags, tag, payload): &Seen) {
        let Some((want_kind, want_flags, want_tag, want)) = self.foretold.pop_front() else {
            panic!("user {} hears a {kind:#04x} that nobody foretold", self.id);
        };
        if want_kind == 0 {
            return assert!(matches!(kind, 0x81 | 0xFF) && *tag == want_tag);
        }
        assert_eq!((*kind, *flags, *tag), (want_kind, want_flags, want_tag), "user {}", self.id);
        match kind {
            0x81 => assert_eq!(payload[..9], [&[1], &self.id.to_be_bytes()[..]].concat()),
            0xFF => assert_eq!(payload[..3], want),
            _ => assert_eq!(*payload, want, "user {}", self.id),
        }
    }
}

/// That a DELIVER's body was sent by whom it names, to this receiver, after all that came before it.
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
