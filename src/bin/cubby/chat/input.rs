//! Reads lines from a terminal or a pipe and passes the commands in them to the connection's thread.

use super::attached::Attached;
use super::command::{self, Command, Local};
use super::held::Held;
use super::line::{self, Line};
use crate::failure::Failure;
use crate::show;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// How many commands may wait for the hub. If there are more, reading lines pauses.
const QUEUE: usize = 256;

/// How many bytes of a line may be no part of the body: the command, and the names of the most receivers.
const COMMAND: usize = 64 * 1024;

/// The sending end: what is typed.
pub struct Input {
    queue: SyncSender<Command>,
    /// The bytes in the queue.
    held: Arc<Held>,
    /// A byte in it tells the receiving end that a command is in the queue.
    wake: UnixStream,
    attached: Attached,
}

/// The receiving end: commands to be carried out.
pub struct Commands {
    queue: Receiver<Command>,
    held: Arc<Held>,
    wake: UnixStream,
    attached: Attached,
    /// How many `attach` commands were received.
    attachments: u64,
}

/// A queue of commands, and its two ends.
pub fn channel() -> io::Result<(Input, Commands)> {
    let (sender, receiver) = sync_channel(QUEUE);
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let (attached, held) = (Attached::default(), Arc::new(Held::default()));
    let input = Input { queue: sender, held: held.clone(), wake, attached: attached.clone() };
    Ok((input, Commands { queue: receiver, held, wake: woken, attached, attachments: 0 }))
}

impl Input {
    /// Lets a person type lines until they leave.
    pub fn edit_lines(mut self, editor: &mut DefaultEditor) {
        loop {
            let prompt = self.attached.room().map_or("> ".to_owned(), |room| format!("[r/{}]> ", show::safe(&room)));
            match editor.readline(&prompt) {
                Ok(line) => {
                    // The line is used even if the history does not accept it.
                    let _ = editor.add_history_entry(&line);
                    if !self.pass_line(&line) {
                        return;
                    }
                }
                Err(ReadlineError::Interrupted | ReadlineError::Eof) => return,
                Err(error) => return show::complain(&format!("cannot read the terminal: {error}")),
            }
        }
    }

    /// Reads lines from a pipe until it ends. `max_body` is what the hub takes, so no more is kept of a line.
    pub fn read_lines(mut self, max_body: u32) -> Result<(), Failure> {
        let mut stdin = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            let read = line::read(&mut stdin, max_body as usize + COMMAND, &mut line);
            let goes_on = match read.map_err(|error| Failure::Other(format!("cannot read standard input: {error}")))? {
                Line::End => false,
                Line::Whole => self.pass_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])),
                Line::TooLong => {
                    let what =
                        format!("a line is too large and was not sent; this hub accepts at most {max_body} bytes");
                    self.pass(Command::Local(Local::Wrong(what)))
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Passes on what a line asks for. Returns whether more lines may follow.
    fn pass_line(&mut self, line: &str) -> bool {
        let Some(command) = command::parse(line, self.attached.room().as_deref()) else { return true };
        match &command {
            Command::Attach(room) => {
                if let Some(why) = cubby::name_fault(room) {
                    return self.pass(Command::Local(Local::Wrong(format!("{room:?} is not a room: {why}"))));
                }
                self.attached.attach(room);
            }
            Command::Unsub(rooms) => self.attached.detach_any(rooms),
            Command::Local(Local::Detach) => self.attached.detach_any(self.attached.room().as_slice()),
            Command::Quit => {
                self.pass(command);
                return false;
            }
            Command::Say { .. }
            | Command::Sub(_)
            | Command::Who(_)
            | Command::List
            | Command::History(..)
            | Command::To { .. }
            | Command::Local(Local::Rooms | Local::Help | Local::Wrong(_)) => {}
        }
        self.pass(command)
    }

    /// Returns whether the receiving end still exists.
    fn pass(&mut self, command: Command) -> bool {
        self.held.add(command.text_len());
        let is_passed = self.queue.send(command).is_ok();
        // If the pair is full, it is readable anyway.
        let _ = self.wake.write(&[0]);
        is_passed
    }
}

impl Drop for Input {
    /// The input ends: the session must end too.
    fn drop(&mut self) {
        self.pass(Command::Quit);
    }
}

impl Commands {
    /// The next command, if there is one now.
    pub fn next(&mut self) -> Option<Command> {
        let received = self.queue.try_recv();
        self.count(match received {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Command::Quit),
        })
    }

    /// The next command, waiting at most for `wait`.
    pub fn next_within(&mut self, wait: Duration) -> Option<Command> {
        let received = self.queue.recv_timeout(wait);
        self.count(match received {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Command::Quit),
        })
    }

    fn count(&mut self, command: Option<Command>) -> Option<Command> {
        self.attachments += u64::from(matches!(command, Some(Command::Attach(_))));
        if let Some(command) = &command {
            self.held.remove(command.text_len());
        }
        command
    }

    /// Lines no longer go to this room, unless it was attached again by a command that is still in the queue.
    pub fn detach(&self, room: &str) {
        self.attached.detach(room, self.attachments);
    }

    /// Takes all commands that are left, and returns how many they are.
    pub fn drain(&self) -> usize {
        let taken = self.queue.try_iter().inspect(|command| self.held.remove(command.text_len()));
        taken.filter(|command| *command != Command::Quit).count()
    }

    /// Makes the descriptor unreadable until the next command.
    pub fn clear_wake(&mut self) {
        let _ = self.wake.read(&mut [0; 64]);
    }
}

impl Drop for Commands {
    /// Nothing is carried out any more: who types must not wait for it.
    fn drop(&mut self) {
        self.held.close();
    }
}

impl AsFd for Commands {
    /// A descriptor that is readable if a command is in the queue.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
