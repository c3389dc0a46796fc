//! What each command does that is about users and names.

use crate::show;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cubby::{Client, ClientError, Delivery, Mail, Push, Status, UserId};
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
    /// That of `cubby bench` is.
    BenchUsage(String),
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
            Failure::BenchUsage(what) => {
                show::complain(&format!("{what}; see cubby bench --help"));
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
    pub fn connect(&self) -> Result<Client, Failure> {
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

/// Prints what the hub has counted: a line for each number.
pub fn stats(session: &Session) -> Result<(), Failure> {
    let json = session.connect()?.stats()?;
    let counts: serde_json::Value = serde_json::from_str(&json)
        .map_err(|error| Failure::Other(format!("the hub's statistics are not JSON: {error}")))?;
    if session.json {
        return show::json(&counts);
    }
    show_counts("", &counts)
}

/// Prints numbers by their path.
fn show_counts(path: &str, value: &serde_json::Value) -> Result<(), Failure> {
    match value {
        serde_json::Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            let name = name.to_lowercase().replace(' ', "-");
            show_counts(&if path.is_empty() { name } else { format!("{path}.{name}") }, value)
        }),
        value => show::line(&show::safe(&format!("{path} {value}"))),
    }
}

/// Relays a file, or standard input, to users.
pub fn relay(session: &Session, receivers: &[UserId], file: Option<&Path>) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let body = read_body(file, client.welcome().max_body)?;
    let statuses = client.relay(receivers, &body)?;
    let to: Vec<String> = receivers.iter().map(UserId::to_string).collect();
    receipt(session, "relayed", "nobody here has this id (any more)", body.len(), &to, &statuses)
}

/// Sends a file, or standard input, to names.
pub fn send(session: &Session, names: &[String], file: Option<&Path>) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let body = read_body(file, client.welcome().max_body)?;
    let statuses = client.send(&names.iter().map(String::as_str).collect::<Vec<_>>(), &body)?;
    receipt(session, "sent", "nobody here has this name", body.len(), names, &statuses)
}

/// Says who was not reached, and prints how many were.
fn receipt(
    session: &Session,
    done: &str,
    absent: &str,
    len: usize,
    to: &[String],
    statuses: &[Status],
) -> Result<(), Failure> {
    let missed: Vec<_> = to.iter().zip(statuses).filter(|(_, status)| !status.is_reached()).collect();
    for (receiver, status) in &missed {
        let why = if **status == Status::Refused { "its queue is full" } else { absent };
        show::complain(&format!("{receiver} was not reached: {why}"));
    }
    let printed = if session.json {
        let names: Vec<&str> = statuses.iter().map(|status| status.name()).collect();
        show::json(&json!({"type": "receipt", "to": to, "statuses": names}))
    } else {
        let (reached, all) = (to.len() - missed.len(), to.len());
        show::line(&format!("{done} {len} bytes to {reached} of {all}"))
    };
    if missed.is_empty() { printed } else { Err(Failure::NotReached) }
}

/// Reads a body of at most `max` bytes.
pub fn read_body(file: Option<&Path>, max: u32) -> Result<Vec<u8>, Failure> {
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
        let Some(letter) = Letter::of(&push) else { continue };
        let saved = match &save {
            Some(dir) => Some(save_body(dir, &mut number, &letter)?),
            None => None,
        };
        if session.json {
            show::json(&letter.json(saved.as_deref()))?;
        } else {
            show::line(&letter.line(saved.as_deref()))?;
        }
    }
    Ok(())
}

/// What `listen` shows: a body relayed to this session, or sent to its name.
struct Letter<'a> {
    sender: UserId,
    body: &'a [u8],
    mail: Option<&'a Mail>,
}

impl<'a> Letter<'a> {
    fn of(push: &'a Push) -> Option<Letter<'a>> {
        match push {
            Push::Delivery(Delivery { sender, body }) => Some(Letter { sender: *sender, body, mail: None }),
            Push::Mail(mail) => Some(Letter { sender: mail.sender, body: &mail.body, mail: Some(mail) }),
            _ => None,
        }
    }

    fn json(&self, saved: Option<&Path>) -> serde_json::Value {
        let mut object = json!({"type": "deliver", "from": self.sender.to_string()});
        if let Some(mail) = self.mail {
            object["type"] = "mail".into();
            object["mailId"] = mail.id.to_string().into();
            object["unixTime"] = (mail.unix_ms / 1000).into();
            object["name"] = mail.name.as_str().into();
        }
        match (saved, str::from_utf8(self.body)) {
            (Some(path), _) => {
                object["bytes"] = self.body.len().into();
                object["file"] = path.display().to_string().into();
            }
            (None, Ok(text)) => object["body"] = text.into(),
            (None, Err(_)) => object["bodyBase64"] = STANDARD.encode(self.body).into(),
        }
        object
    }

    fn line(&self, saved: Option<&Path>) -> String {
        let name = self.mail.map(|mail| mail.name.as_str()).filter(|name| !name.is_empty());
        let name = name.map_or_else(String::new, |name| format!(" (@{})", show::safe(name)));
        let what = match saved {
            Some(path) => format!("{} bytes saved as {}", self.body.len(), show::safe(&path.display().to_string())),
            None => show::body(self.body),
        };
        format!("{}{name}: {what}", self.sender)
    }
}

/// Writes a body into a file of its own, named by its number and its sender; never over one that is there.
fn save_body(dir: &Path, number: &mut u32, letter: &Letter<'_>) -> Result<PathBuf, Failure> {
    loop {
        let path = dir.join(format!("{:06}-{}", *number, letter.sender));
        *number += 1;
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => {
                let written = opened.and_then(|mut file| file.write_all(letter.body));
                let failed = |error| Failure::Other(format!("can not write {}: {error}", path.display()));
                return written.map(|()| path.clone()).map_err(failed);
            }
        }
    }
}
