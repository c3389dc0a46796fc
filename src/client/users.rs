//! The client's requests about users and names, and about the hub itself.

use super::{Client, ClientError, check_name};
use crate::wire::{Answer, Ids, Names, Request, Status, UserId};

impl Client {
    /// Asks the hub for this client's own id.
    ///
    /// # Errors
    ///
    /// If the connection broke or no reply came in time.
    pub fn identity(&mut self) -> Result<UserId, ClientError> {
        let read = |answer: Answer<'_>| if let Answer::Identity(user) = answer { Some(user) } else { None };
        self.connection.ask(Request::Identity, read)
    }

    /// Asks for the hub's counters, in the JSON of [`Stats::to_json`](crate::Stats::to_json).
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] if the hub is on another machine and not reached over a unix socket. Also if the
    /// connection broke or no reply came in time.
    pub fn stats(&mut self) -> Result<String, ClientError> {
        let read = |answer: Answer<'_>| if let Answer::Stats(json) = answer { Some(json.to_owned()) } else { None };
        self.connection.ask(Request::Stats, read)
    }

    /// Asks for the ids of all other connected users, ascending, which is the order in which they connected.
    ///
    /// # Errors
    ///
    /// If the connection broke, no whole reply came in time, or it has more ids than a hub has users.
    pub fn list(&mut self) -> Result<Vec<UserId>, ClientError> {
        let mut all = Vec::new();
        self.connection.ask_all(Request::List, |answer| {
            let Answer::List { users, more } = answer else { return None };
            all.extend(users.iter());
            Some((!more).then_some(()))
        })?;
        Ok(all)
    }

    /// Relays a body to users; a user that is named twice gets it once. Returns a status for each id, in the given
    /// order.
    ///
    /// # Errors
    ///
    /// If the body or the number of receivers exceeds the hub's limit (then nothing is sent), the connection broke, or
    /// no reply came in time.
    pub fn relay(&mut self, receivers: &[UserId], body: &[u8]) -> Result<Vec<Status>, ClientError> {
        self.check_body(body)?;
        self.check_receivers(receivers.len())?;
        let mut block = Vec::new();
        Ids::encode(receivers, &mut block);
        let ids = Ids::new(&block).expect("a block of whole ids");
        let statuses = self.connection.ask(Request::Relay { receivers: ids, body, receipt: true }, |answer| {
            if let Answer::Receipt(bytes) = answer { statuses(bytes) } else { None }
        })?;
        check_count(statuses, receivers.len())
    }

    /// Sends a body to every session of each name. Returns a status for each name, in the given order:
    /// [`Status::Unknown`] if no session has that name.
    ///
    /// # Errors
    ///
    /// Those of [`relay`](Client::relay), and [`ClientError::Refused`] if a name is not valid.
    pub fn send(&mut self, names: &[&str], body: &[u8]) -> Result<Vec<Status>, ClientError> {
        self.check_body(body)?;
        self.check_receivers(names.len())?;
        names.iter().try_for_each(|name| check_name(name))?;
        let mut block = Vec::new();
        Names::encode(names.iter().copied(), &mut block);
        let list = Names::new(&block).expect("a list of whole names");
        let request = Request::Send { names: list, body, receipt: true, store: false };
        let statuses = self
            .connection
            .ask(request, |answer| if let Answer::SendReceipt(bytes) = answer { statuses(bytes) } else { None })?;
        check_count(statuses, names.len())
    }

    fn check_receivers(&self, count: usize) -> Result<(), ClientError> {
        let max = self.welcome.max_receivers;
        if (1..=usize::from(max)).contains(&count) { Ok(()) } else { Err(ClientError::Receivers { count, max }) }
    }
}

/// The statuses of a receipt; `None` if one is unknown.
fn statuses(bytes: &[u8]) -> Option<Vec<Status>> {
    bytes.iter().map(|&byte| Status::of(byte)).collect()
}

/// A receipt must have one status for each receiver.
fn check_count(statuses: Vec<Status>, receivers: usize) -> Result<Vec<Status>, ClientError> {
    if statuses.len() == receivers {
        Ok(statuses)
    } else {
        Err(ClientError::NoHub(format!("it sent {} statuses for {receivers} receivers", statuses.len())))
    }
}
