//! Shows the lines of a chat on a terminal, above the line that is being edited, or writes them to a pipe. Also keeps
//! the transcript.

use crate::output::{Line as Printed, Output};
use crate::show;
use cubby::{Event, EventType, Push};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::fs::File;
use std::io::Write;

/// How many characters of a message are shown on a terminal. Others can send a whole MiB, which would push everything
/// else off the screen.
const SHOWN: usize = 4000;

/// Shows lines.
pub struct Screen {
    pub output: Output,
    /// On a terminal, each line begins with its time, and notes about the chat itself go there as well. Otherwise they
    /// go to standard error.
    pub is_terminal: bool,
    pub in_colour: bool,
    /// The file to which each incoming line is appended.
    pub transcript: Option<File>,
}

impl Screen {
    /// Shows what others sent, and keeps it.
    pub fn incoming(&mut self, push: &Push) {
        let Some(line) = Line::of(push) else { return };
        self.keep(&line);
        self.show(&line);
    }

    /// Keeps the person's own message. It is not shown on the terminal where it was typed.
    pub fn own(&mut self, event: &Event) {
        let line = Line::of_event(event);
        self.keep(&line);
        if !self.is_terminal {
            self.show(&line);
        }
    }

    /// Shows an event of the history.
    pub fn again(&mut self, event: &Event) {
        self.show(&Line::of_event(event));
    }

    /// Shows the result of a command, line by line.
    pub fn answer(&mut self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.put(show::safe(&line)));
    }

    /// Shows a note about the chat itself.
    pub fn note(&mut self, text: &str) {
        self.output.note(text);
    }

    fn show(&mut self, line: &Line) {
        let (head, rest) = line.text.split_at(line.head);
        let rest = cut(rest);
        self.put(match (self.is_terminal, self.in_colour, line.head) {
            (false, ..) => line.text.clone(),
            (true, false, _) => format!("{} {head}{rest}", local(line.unix_ms, "%H:%M:%S")),
            (true, true, 0) => dim(&format!("{} {rest}", local(line.unix_ms, "%H:%M:%S"))),
            (true, true, _) => {
                format!("{} \x1b[36m{head}\x1b[0m{rest}", dim(&local(line.unix_ms, "%H:%M:%S")))
            }
        });
    }

    fn put(&self, line: String) {
        self.output.result(line);
    }

    fn keep(&mut self, line: &Line) {
        let Some(file) = &mut self.transcript else { return };
        if let Err(error) = writeln!(file, "{} {}", local(line.unix_ms, "%Y/%m/%d %H:%M:%S"), line.text) {
            self.transcript = None;
            self.note(&format!("cannot write the transcript any more: {error}"));
        }
    }
}

/// What a terminal shows for a line: a note stands between the others, and begins with an asterisk.
pub fn on_terminal(line: Printed, in_colour: bool) -> String {
    match line {
        Printed::Result(text) => text + "\n",
        Printed::Note(text) => {
            let text = format!("* {}", show::safe(&text));
            if in_colour { dim(&text) + "\n" } else { text + "\n" }
        }
    }
}

fn dim(text: &str) -> String {
    format!("\x1b[2m{text}\x1b[0m")
}

/// An incoming line.
struct Line {
    unix_ms: u64,
    text: String,
    /// How many bytes at its front name the room and the sender; 0 if it is not a message.
    head: usize,
}

impl Line {
    fn of(push: &Push) -> Option<Line> {
        match push {
            Push::Event(event) => Some(Line::of_event(event)),
            Push::Mail(mail) => {
                let head = format!("[to you]> (@{})", show::name(&mail.name, mail.sender));
                Some(Line::said(mail.unix_ms, head, &mail.body))
            }
            Push::Delivery(delivery) => {
                let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
                Some(Line::said(now, format!("[relay]> ({})", delivery.sender), &delivery.body))
            }
            _ => None,
        }
    }

    fn of_event(event: &Event) -> Line {
        let head = if event.what == EventType::Message { show::speaker(event).len() } else { 0 };
        Line { unix_ms: event.unix_ms, text: show::event(event), head }
    }

    fn said(unix_ms: u64, head: String, body: &[u8]) -> Line {
        Line { unix_ms, text: format!("{head}: {}", show::body(body)), head: head.len() }
    }
}

/// The beginning of a text that is too long for a terminal, and how much more there is.
fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => text.into(),
        Some((end, _)) => {
            let rest = &text[end..];
            format!("{} ... and {} more characters", &text[..end], rest.chars().count()).into()
        }
    }
}

/// A time in the local time zone. If no calendar contains it, it is shown as a number.
fn local(unix_ms: u64, form: &str) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(|| unix_ms.to_string(), |at| at.to_zoned(TimeZone::system()).strftime(form).to_string())
}
