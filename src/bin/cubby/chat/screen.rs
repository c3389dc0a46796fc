//! Where the lines of a chat are shown: a terminal, whose line being typed they do not tear, or a pipe. And the
//! transcript that is kept of them.

use crate::show;
use cubby::{Event, EventType, Mail, Push};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fs::File;
use std::io::Write;

/// Prints a line that ends with a line end, wherever it has to go.
pub type Printer = Box<dyn FnMut(String) + Send>;

/// Where lines are shown.
pub struct Screen {
    pub print: Printer,
    /// On a terminal each line has its time, and what is said about the chat itself stands there too, not on standard
    /// error.
    pub is_terminal: bool,
    pub in_colour: bool,
    /// Where each incoming line is kept as well.
    pub transcript: Option<File>,
}

impl Screen {
    /// Shows what came from others, and keeps it.
    pub fn incoming(&mut self, push: &Push) {
        let (unix_ms, line) = match push {
            Push::Event(event) => (event.unix_ms, show::event(event)),
            Push::Mail(mail) => (mail.unix_ms, mail_line(mail)),
            Push::Delivery(delivery) => {
                let now = Timestamp::now().as_millisecond();
                (now as u64, format!("[relay]> ({}): {}", delivery.sender, show::body(&delivery.body)))
            }
            _ => return,
        };
        self.keep(unix_ms, &line);
        self.show(unix_ms, &line, matches!(push, Push::Event(event) if event.what != EventType::Message));
    }

    /// Keeps one's own words, which are on the terminal already.
    pub fn own(&mut self, event: &Event) {
        if self.is_terminal {
            self.keep(event.unix_ms, &show::event(event));
        } else {
            self.incoming(&Push::Event(event.clone()));
        }
    }

    /// Shows an event that was asked for again.
    pub fn again(&mut self, event: &Event) {
        self.show(event.unix_ms, &show::event(event), event.what != EventType::Message);
    }

    /// Shows an answer to a command.
    pub fn answer(&mut self, text: &str) {
        self.put(show::safe_lines(text));
    }

    /// Says something about the chat itself.
    pub fn note(&mut self, text: &str) {
        if self.is_terminal {
            let text = format!("* {}", show::safe(text));
            self.put(self.dim(&text));
        } else {
            show::complain(text);
        }
    }

    fn show(&mut self, unix_ms: u64, line: &str, is_dim: bool) {
        let line = match (self.is_terminal, is_dim) {
            (false, _) => line.to_owned(),
            (true, true) => self.dim(&format!("{} {line}", local(unix_ms, "%H:%M:%S"))),
            (true, false) => format!("{} {}", self.dim(&local(unix_ms, "%H:%M:%S")), self.accented(line)),
        };
        self.put(line);
    }

    fn put(&mut self, mut line: String) {
        line.push('\n');
        (self.print)(line);
    }

    fn keep(&mut self, unix_ms: u64, line: &str) {
        let Some(file) = &mut self.transcript else { return };
        if let Err(error) = writeln!(file, "{} {line}", local(unix_ms, "%Y/%m/%d %H:%M:%S")) {
            self.transcript = None;
            self.note(&format!("the transcript is given up: {error}"));
        }
    }

    fn dim(&self, text: &str) -> String {
        if self.in_colour { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A message with the place where it was said, and by whom, in colour.
    fn accented(&self, line: &str) -> String {
        match line.split_once("): ") {
            Some((head, text)) if self.in_colour => format!("\x1b[36m{head})\x1b[0m: {text}"),
            _ => line.to_owned(),
        }
    }
}

fn mail_line(mail: &Mail) -> String {
    format!("[to you]> (@{}): {}", show::name(&mail.name, mail.sender), show::body(&mail.body))
}

/// A moment in local time. One that no calendar has is shown as the number it is.
fn local(unix_ms: u64, form: &str) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(|| unix_ms.to_string(), |at| at.to_zoned(TimeZone::system()).strftime(form).to_string())
}
