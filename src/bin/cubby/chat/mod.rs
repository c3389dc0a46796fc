//! `cubby chat`: a person, or a script, in rooms. One thread reads what is typed (here), another one talks with the hub
//! (`talk`); what is typed is understood in `command`, and shown by `screen`.

mod command;
mod cursor;
mod screen;
mod session;

use crate::show;
use crate::users::{Failure, Session};
use command::Command;
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use screen::{Printer, Screen};
use session::Talk;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lines that may wait for the hub to answer those before them. Whoever types more, waits.
const LINES: usize = 256;

/// How long a person who leaves waits for a hub that does not answer.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where what is typed goes.
struct Typed {
    lines: SyncSender<Command>,
    wake: UnixStream,
    attached: Attached,
}

/// The room that lines go to, and the number of the attachment. Who types attaches it; who talks with the hub, later,
/// detaches it where it can not be or is left, unless another attachment was typed since.
#[derive(Clone, Default)]
pub struct Attached(Arc<Mutex<Attachment>>);

#[derive(Default)]
struct Attachment {
    room: Option<String>,
    /// How many there were so far.
    number: u64,
}

impl Attached {
    fn room(&self) -> Option<String> {
        self.lock().room.clone()
    }

    fn attach(&self, room: &str) {
        let mut attachment = self.lock();
        attachment.room = Some(room.to_owned());
        attachment.number += 1;
    }

    /// Lines go to none of these rooms any more.
    fn leave(&self, rooms: &[String]) {
        self.lock().room.take_if(|attached| rooms.contains(attached));
    }

    /// Lines go to this room no more, if it was attached by the attachment with this number or one before.
    pub fn detach(&self, room: &str, number: u64) {
        let mut attachment = self.lock();
        if attachment.number <= number {
            attachment.room.take_if(|attached| attached == room);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Attachment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chats until the person leaves.
pub fn chat(session: Session, transcribe: bool) -> Result<(), Failure> {
    if let Some(why) = cubby::name_fault(&session.name) {
        return Err(Failure::Usage(format!("chat needs a name, given by --name: {why}")));
    }
    let client = session.connect()?;
    let transcript = if transcribe { Some(open_transcript(&session.name)?) } else { None };
    let (lines, typed) = sync_channel(LINES);
    let (wake, woken) = wake_pair().map_err(|error| Failure::Other(format!("can not make a socket pair: {error}")))?;
    let attached = Attached::default();
    let typing = Typed { lines, wake, attached: attached.clone() };
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let mut editor = DefaultEditor::new().map_err(|error| Failure::Other(format!("no line editor: {error}")))?;
        let print = editor.create_external_printer().map_or_else(|_| plain_printer(), printer_of);
        let in_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let screen = Screen { print, is_terminal: true, in_colour, transcript };
        let done = start(Talk::new(session, client, screen, attached, typed, woken));
        type_lines(&mut editor, typing);
        let unconfirmed = || Failure::Other("the hub did not confirm all that was typed".to_owned());
        report(done.recv_timeout(GOODBYE).map_err(|_| unconfirmed())?)
    } else {
        let screen = Screen { print: plain_printer(), is_terminal: false, in_colour: false, transcript };
        let done = start(Talk::new(session, client, screen, attached, typed, woken));
        read_lines(typing)?;
        report(done.recv().map_err(|_| Failure::Other("the chat has failed".to_owned()))?)
    }
}

fn open_transcript(name: &str) -> Result<File, Failure> {
    let file = format!("{}.mess", name.replace('/', "_"));
    let opened = OpenOptions::new().append(true).create(true).open(&file);
    opened.map_err(|error| Failure::Other(format!("can not write {}: {error}", show::safe(&file))))
}

fn wake_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    Ok((wake, woken))
}

fn printer_of(mut printer: impl ExternalPrinter + Send + 'static) -> Printer {
    Box::new(move |line| {
        if printer.print(line.clone()).is_err() {
            plain_printer()(line);
        }
    })
}

/// Prints to a pipe. Where nobody reads it any more, there is nothing left to do.
fn plain_printer() -> Printer {
    Box::new(|line| {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            std::process::exit(0);
        }
    })
}

/// Talks on a thread of its own; what this returns gets the number of lines that never reached a hub.
fn start(talk: Talk) -> Receiver<usize> {
    let (tell, done) = channel();
    // A person who has left does not wait for it.
    std::thread::spawn(move || tell.send(talk.run()).unwrap_or_default());
    done
}

fn report(unsent: usize) -> Result<(), Failure> {
    match unsent {
        0 => Ok(()),
        count => Err(Failure::Other(format!("the hub is away, and {count} of the lines typed never reached it"))),
    }
}

/// Has a person type lines, until the end.
fn type_lines(editor: &mut DefaultEditor, mut typing: Typed) {
    loop {
        let prompt = typing.attached.room().map_or("> ".to_owned(), |room| format!("[r/{}]> ", show::safe(&room)));
        match editor.readline(&prompt) {
            Ok(line) => {
                // History is a comfort: a line that it does not take is typed all the same.
                let _ = editor.add_history_entry(&line);
                if !typing.line(&line) {
                    return;
                }
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return,
            Err(error) => return show::complain(&format!("can not read the terminal: {error}")),
        }
    }
}

/// Reads lines from a pipe, until the end.
fn read_lines(mut typing: Typed) -> Result<(), Failure> {
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = stdin.read_until(b'\n', &mut line);
        match count.map_err(|error| Failure::Other(format!("can not read standard input: {error}")))? {
            0 => return Ok(()),
            _ if !typing.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])) => return Ok(()),
            _ => {}
        }
    }
}

impl Typed {
    /// Passes a line on. Whether there will be more.
    fn line(&mut self, line: &str) -> bool {
        let Some(command) = command::parse(line, self.attached.room().as_deref()) else { return true };
        match &command {
            Command::Attach(room) => {
                if let Some(why) = cubby::name_fault(room) {
                    return self.pass(Command::Wrong(format!("{room:?} is no room: {why}")));
                }
                self.attached.attach(room);
            }
            Command::Unsub(rooms) => self.attached.leave(rooms),
            Command::Detach => self.attached.leave(self.attached.room().as_slice()),
            _ => {}
        }
        let more = command != Command::Quit;
        self.pass(command) && more
    }

    fn pass(&mut self, command: Command) -> bool {
        let passed = self.lines.send(command).is_ok();
        // A pair that is full wakes as well.
        let _ = self.wake.write(&[0]);
        passed
    }
}

impl Drop for Typed {
    /// Nothing more is typed; whoever waits for it is told.
    fn drop(&mut self) {
        let _ = self.lines.send(Command::Quit);
        let _ = self.wake.write(&[0]);
    }
}
