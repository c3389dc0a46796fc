//! `cubby chat`: a person, or a script, in rooms. One thread reads lines (`input`) and parses them (`command`). Another
//! thread owns the connection (`session`) and shows what happens (`screen`).

mod attached;
mod command;
mod held;
mod input;
mod line;
mod outage;
mod reconnect;
mod requests;
mod screen;
mod session;
mod unsent;

use crate::call::Call;
use crate::failure::Failure;
use crate::output::Output;
use crate::show;
use rustyline::{DefaultEditor, ExternalPrinter};
use screen::{Screen, on_terminal};
use session::{Ending, Session};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a person who leaves waits for a hub that does not answer.
const GOODBYE: Duration = Duration::from_secs(2);

/// Chats until the person leaves or the input ends.
pub fn chat(call: &Call) -> Result<(), Failure> {
    let settings = call.settings.clone();
    if let Some(why) = cubby::name_fault(&settings.name) {
        return Err(Failure::Usage(format!("chat needs a valid --name: {why}")));
    }
    let client = settings.connect()?;
    let max_body = client.welcome().max_body;
    let transcript = if call.flag("mess") { Some(open_transcript(&settings.name)?) } else { None };
    let failed = |error| Failure::Other(format!("cannot create a socket pair: {error}"));
    let (input, commands) = input::channel().map_err(failed)?;
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let mut editor = DefaultEditor::new().map_err(|error| Failure::Other(format!("no line editor: {error}")))?;
        let in_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let output = terminal(editor.create_external_printer().ok(), in_colour);
        let screen = Screen { output, is_terminal: true, in_colour, transcript };
        let done = start(Session::new(settings, client, screen, commands));
        input.edit_lines(&mut editor);
        let unconfirmed = |_| Failure::Other("the hub did not confirm everything that was typed".to_owned());
        report(done.recv_timeout(GOODBYE).map_err(unconfirmed)?, Some(GOODBYE))
    } else {
        let screen = Screen { output: Output::standard(), is_terminal: false, in_colour: false, transcript };
        let done = start(Session::new(settings, client, screen, commands));
        // On a thread of its own: it may wait for a line when the session has failed already.
        let reading = std::thread::spawn(move || input.read_lines(max_body));
        report(done.recv().map_err(|_| Failure::Other("the chat has crashed".to_owned()))?, None)?;
        // Otherwise the session has ended because the input has.
        reading.join().unwrap_or_else(|_| Err(Failure::Other("reading has crashed".to_owned())))
    }
}

fn open_transcript(name: &str) -> Result<File, Failure> {
    let file = format!("{}.mess", name.replace('/', "_"));
    let opened = OpenOptions::new().append(true).create(true).open(&file);
    opened.map_err(|error| Failure::Other(format!("cannot write {}: {error}", show::safe(&file))))
}

/// Prints above the line that is being edited. That waits while the editor does something else, as it does in a search
/// by Ctrl-R. The program ends if the terminal is gone.
fn terminal(mut printer: Option<impl ExternalPrinter + Send + 'static>, in_colour: bool) -> Output {
    Output::start(move |line| {
        let text = on_terminal(line, in_colour);
        if printer.as_mut().is_some_and(|printer| printer.print(text.clone()).is_ok()) {
            return;
        }
        let mut stdout = io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            std::process::exit(0);
        }
    })
}

/// Runs the session on its own thread. Returns a channel on which it sends how it has ended.
fn start(session: Session) -> Receiver<Ending> {
    let (sender, done) = channel();
    // If the person has left already, nobody receives it.
    std::thread::spawn(move || drop(sender.send(session.run())));
    done
}

/// Waits until everything is shown, at most for `limit`.
fn report(ending: Ending, limit: Option<Duration>) -> Result<(), Failure> {
    ending.screen.output.finish(limit);
    if let Some(error) = ending.refused {
        if ending.unsent > 0 {
            show::complain(&format!("lines that were not sent: {}", ending.unsent));
        }
        return Err(error.into());
    }
    match ending.unsent {
        0 => Ok(()),
        count => Err(Failure::Other(format!("the hub is away; lines that were not sent: {count}"))),
    }
}
