//! The commands about users and names, and about the hub's counters.

use crate::call::Call;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::{body, show};
use cubby::json::json_line;
use cubby::{Status, UserId};
use serde_json::{Value, json};

/// Prints the id that the hub gives to this connection.
pub fn id(call: &Call) -> Result<(), Failure> {
    let id = call.settings.connect_briefly()?.identity()?;
    show::line(&id_line(&call.settings, id))
}

/// The line that shows a client's own id.
pub fn id_line(settings: &Settings, id: UserId) -> String {
    if settings.json { json_line(&json!({"type": "identity", "userId": id.to_string()})) } else { id.to_string() }
}

/// Prints the ids of all other users.
pub fn list(call: &Call) -> Result<(), Failure> {
    let ids: Vec<String> = call.settings.connect_briefly()?.list()?.iter().map(UserId::to_string).collect();
    if call.settings.json {
        return show::json(&json!({"type": "list", "userIds": ids}));
    }
    ids.iter().try_for_each(|id| show::line(id))
}

/// Prints the hub's counters, one per line.
pub fn stats(call: &Call) -> Result<(), Failure> {
    let json = call.settings.connect_briefly()?.stats()?;
    let counters: Value = serde_json::from_str(&json)
        .map_err(|error| Failure::Other(format!("the hub's statistics are not JSON: {error}")))?;
    if call.settings.json {
        return show::json(&counters);
    }
    show_counters("", &counters)
}

/// Prints the numbers in an object, each after its path.
fn show_counters(path: &str, value: &Value) -> Result<(), Failure> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            let name = name.to_lowercase().replace(' ', "-");
            show_counters(&if path.is_empty() { name } else { format!("{path}.{name}") }, value)
        }),
        value => show::line(&show::safe(&format!("{path} {value}"))),
    }
}

/// Relays a file, or standard input, to users.
pub fn relay(call: &Call) -> Result<(), Failure> {
    let id = |text: &String| text.parse().map_err(|_| Failure::Usage(format!("{text:?} is not a user id")));
    let receivers: Vec<UserId> = call.arguments.iter().map(id).collect::<Result<_, _>>()?;
    let mut client = call.settings.connect_briefly()?;
    let body = body::read(call, &mut client)?;
    let statuses = client.relay(&receivers, &body)?;
    let to: Vec<String> = receivers.iter().map(UserId::to_string).collect();
    let receipt = Receipt { done: "relayed", absent: "nobody has this id (any more)", to: &to, statuses: &statuses };
    receipt.show(&call.settings, body.len())
}

/// Sends a file, or standard input, to names.
pub fn send(call: &Call) -> Result<(), Failure> {
    let names = &call.arguments;
    let mut client = call.settings.connect_briefly()?;
    let body = body::read(call, &mut client)?;
    let statuses = client.send(&names.iter().map(String::as_str).collect::<Vec<_>>(), &body)?;
    let receipt = Receipt { done: "sent", absent: "nobody here has this name", to: names, statuses: &statuses };
    receipt.show(&call.settings, body.len())
}

/// Which receivers a body has reached.
struct Receipt<'a> {
    /// What was done with the body.
    done: &'a str,
    /// Why a receiver is unknown.
    absent: &'a str,
    to: &'a [String],
    /// A status for each receiver.
    statuses: &'a [Status],
}

impl Receipt<'_> {
    /// Reports each receiver that was not reached, and prints how many were.
    fn show(&self, settings: &Settings, body_len: usize) -> Result<(), Failure> {
        let missed: Vec<_> = self.to.iter().zip(self.statuses).filter(|(_, status)| !status.is_reached()).collect();
        for (receiver, status) in &missed {
            let why = if **status == Status::Refused { "its queue is full" } else { self.absent };
            show::complain(&format!("{receiver} was not reached: {why}"));
        }
        let printed = if settings.json {
            let names: Vec<&str> = self.statuses.iter().map(|status| status.name()).collect();
            show::json(&json!({"type": "receipt", "to": self.to, "statuses": names}))
        } else {
            let (reached, all) = (self.to.len() - missed.len(), self.to.len());
            show::line(&format!("{} {body_len} bytes to {reached} of {all}", self.done))
        };
        if missed.is_empty() { printed } else { Err(Failure::NotReached) }
    }
}
