//! `cubby listen`: prints, or saves, what is relayed to this session or sent to its name.

use crate::call::Call;
use crate::failure::Failure;
use crate::output::Output;
use crate::retry::keep_connected;
use crate::show;
use crate::users::id_line;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cubby::json::json_line;
use cubby::{Mail, Push, UserId};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Prints the own id, then each body that arrives. If the connection is lost, it connects again and has another id,
/// which it prints as well; what was sent meanwhile is lost.
pub fn listen(call: &Call) -> Result<(), Failure> {
    let (settings, save) = (&call.settings, call.path("save"));
    if let Some(dir) = &save {
        let failed = |error| Failure::Other(format!("cannot create {}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(failed)?;
    }
    let (mut number, output) = (1, Output::standard());
    keep_connected(settings, !call.flag("no-retry"), &output, |client| {
        output.result(id_line(settings, client.welcome().user));
        loop {
            let push = client.next(None)?;
            let Some(incoming) = push.as_ref().and_then(Incoming::of) else { continue };
            let saved = match &save {
                Some(dir) => Some(save_body(dir, &mut number, &incoming)?),
                None => None,
            };
            output.result(match settings.json {
                true => json_line(&incoming.json(saved.as_deref())),
                false => incoming.line(saved.as_deref()),
            });
        }
    })
}

/// A body that was relayed to this session, or sent to its name.
struct Incoming<'a> {
    sender: UserId,
    body: &'a [u8],
    /// The mail, if the body was sent to the name.
    mail: Option<&'a Mail>,
}

impl<'a> Incoming<'a> {
    fn of(push: &'a Push) -> Option<Incoming<'a>> {
        match push {
            Push::Delivery(delivery) => Some(Incoming { sender: delivery.sender, body: &delivery.body, mail: None }),
            Push::Mail(mail) => Some(Incoming { sender: mail.sender, body: &mail.body, mail: Some(mail) }),
            _ => None,
        }
    }

    fn json(&self, saved: Option<&Path>) -> Value {
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

/// Saves a body as a new file, named by a number and the sender. Existing files are never overwritten.
fn save_body(dir: &Path, number: &mut u32, incoming: &Incoming<'_>) -> Result<PathBuf, Failure> {
    loop {
        let path = dir.join(format!("{:06}-{}", *number, incoming.sender));
        *number += 1;
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => {
                let written = opened.and_then(|mut file| file.write_all(incoming.body));
                let failed = |error| Failure::Other(format!("cannot write {}: {error}", path.display()));
                return written.map(|()| path.clone()).map_err(failed);
            }
        }
    }
}
