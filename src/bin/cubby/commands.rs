//! What each command does.

use crate::show;
use cubby::{Client, ClientError, Delivery, Push, Status, UserId};
use serde_json::json;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What all commands need.
pub struct Session {
    pub hub: String,
    pub timeout: Duration,
    pub json: bool,
    pub name: String,
}

/// Why a command did not do all of it.
pub enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// Something else is.
    Other(String),
    /// Some receivers were not reached, and each was named already.
    NotReached,
    /// Whoever read our output has stopped; that is no one's fault.
    NoReader,
}

impl Failure {
    /// Says it on standard error, and gives the exit code.
    pub fn report(self) -> ExitCode {
        match self {
            Failure::Usage(what) => {
                show::complain(&format!("{what}; see cubby --help"));
                ExitCode::from(2)
            }
            Failure::Other(what) => {
                show::complain(&what);
                ExitCode::FAILURE
            }
            Failure::NotReached => ExitCode::FAILURE,
            Failure::NoReader => ExitCode::SUCCESS,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Address(error) => Failure::Usage(format!("the hub's address: {error}")),
            ClientError::Connect { ref source, .. } => {
                let absent = matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
                let advice =
                    if absent { "; is it running? start one with `cubbyd`, or name another with --hub" } else { "" };
                Failure::Other(format!("{error}{advice}"))
            }
            other => Failure::Other(show::safe(&other.to_string())),
        }
    }
}

impl Session {
    fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect_as(&self.hub, &self.name, self.timeout)?)
    }
}

/// Prints the id that the hub gives this connection.
pub fn id(session: &Session) -> Result<(), Failure> {
    let id = session.connect()?.identity()?;
    show_id(session, id)
}

fn show_id(session: &Session, id: UserId) -> Result<(), Failure> {
    if session.json {
        show::json(&json!({"type": "identity", "userId": id.to_string()}))
    } else {
        show::line(&id.to_string())
    }
}

/// Prints who else is here.
pub fn list(session: &Session) -> Result<(), Failure> {
    let ids: Vec<String> = session.connect()?.list()?.iter().map(UserId::to_string).collect();
    if session.json {
        return show::json(&json!({"type": "list", "userIds": ids}));
    }
    ids.iter().try_for_each(|id| show::line(id))
}

/// Relays a file, or standard input, to users.
pub fn relay(session: &Session, receivers: &[UserId], file: Option<PathBuf>) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let body = read_body(file.as_deref(), client.welcome().max_body)?;
    let statuses = client.relay(receivers, &body)?;
    let missed: Vec<_> = receivers.iter().zip(&statuses).filter(|(_, status)| !status.is_reached()).collect();
    for (receiver, status) in &missed {
        let why = if **status == Status::Refused { "its queue is full" } else { "nobody here has this id (any more)" };
        show::complain(&format!("{receiver} was not reached: {why}"));
    }
    let printed = if session.json {
        let to: Vec<String> = receivers.iter().map(UserId::to_string).collect();
        let names: Vec<&str> = statuses.iter().map(|status| status.name()).collect();
        show::json(&json!({"type": "receipt", "to": to, "statuses": names}))
    } else {
        let (reached, all) = (receivers.len() - missed.len(), receivers.len());
        show::line(&format!("relayed {} bytes to {reached} of {all}", body.len()))
    };
    if missed.is_empty() { printed } else { Err(Failure::NotReached) }
}

/// Reads a body of at most `max` bytes.
fn read_body(file: Option<&Path>, max: u32) -> Result<Vec<u8>, Failure> {
    let name = file.map_or("standard input".to_owned(), |file| file.display().to_string());
    let failed = |error: io::Error| Failure::Other(format!("can not read {name}: {error}"));
    let source: Box<dyn Read> = match file {
        Some(file) => Box::new(File::open(file).map_err(failed)?),
        None => {
            if io::stdin().is_terminal() {
                show::complain("type the body; Ctrl-D at the start of a line ends it");
            }
            Box::new(io::stdin())
        }
    };
    let mut body = Vec::new();
    source.take(u64::from(max) + 1).read_to_end(&mut body).map_err(failed)?;
    if body.len() > max as usize {
        return Err(Failure::Other(format!("{name} is over the {max} bytes that this hub takes")));
    }
    Ok(body)
}

/// Prints the own id, then each delivery, until the hub goes away.
pub fn listen(session: &Session, save: Option<PathBuf>) -> Result<(), Failure> {
    if let Some(dir) = &save {
        fs::create_dir_all(dir).map_err(|error| Failure::Other(format!("can not make {}: {error}", dir.display())))?;
    }
    let mut client = session.connect()?;
    show_id(session, client.welcome().user)?;
    let mut number = 1;
    while let Some(push) = client.next(None)? {
        let Push::Delivery(delivery) = push else { continue };
        let saved = match &save {
            Some(dir) => Some(save_body(dir, &mut number, &delivery)?),
            None => None,
        };
        if session.json {
            show::json(&delivery_json(&delivery, saved.as_deref()))?;
        } else {
            show::line(&delivery_line(&delivery, saved.as_deref()))?;
        }
    }
    Ok(())
}

fn delivery_json(delivery: &Delivery, saved: Option<&Path>) -> serde_json::Value {
    let mut object = json!({"type": "deliver", "from": delivery.sender.to_string()});
    match (saved, str::from_utf8(&delivery.body)) {
        (Some(path), _) => {
            object["bytes"] = delivery.body.len().into();
            object["file"] = path.display().to_string().into();
        }
        (None, Ok(text)) => object["body"] = text.into(),
        (None, Err(_)) => object["bodyBase64"] = show::base64(&delivery.body).into(),
    }
    object
}

fn delivery_line(delivery: &Delivery, saved: Option<&Path>) -> String {
    let Delivery { sender, body } = delivery;
    match saved {
        Some(path) => format!("{sender}: {} bytes saved as {}", body.len(), show::safe(&path.display().to_string())),
        None => format!("{sender}: {}", show::body(body)),
    }
}

/// Writes a body into a file of its own, named by its number and its sender; never over one that is there.
fn save_body(dir: &Path, number: &mut u32, delivery: &Delivery) -> Result<PathBuf, Failure> {
    loop {
        let path = dir.join(format!("{:06}-{}", *number, delivery.sender));
        *number += 1;
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => {
                let written = opened.and_then(|mut file| file.write_all(&delivery.body));
                let failed = |error| Failure::Other(format!("can not write {}: {error}", path.display()));
                return written.map(|()| path.clone()).map_err(failed);
            }
        }
    }
}
