//! Reads the body that a command sends, from a file or from standard input, while the hub hears that the client is
//! there.

use crate::call::Call;
use crate::failure::Failure;
use crate::show;
use cubby::Client;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long the hub is not listened to while the body is read.
const STEP: Duration = Duration::from_millis(100);

/// How many pushes are dropped at most before the next look at the body. No command that sends a body wants them.
const PUSHES: usize = 64;

/// Reads the body that this client is to send. The command's time begins anew after that: who types or pipes the body
/// may take long.
pub fn read(call: &Call, client: &mut Client) -> Result<Vec<u8>, Failure> {
    let (file, max) = (call.path("file"), client.welcome().max_body);
    let name = file.as_ref().map_or("standard input".to_owned(), |file| file.display().to_string());
    let failed = |error: io::Error| Failure::Other(format!("cannot read {name}: {error}"));
    let source: Box<dyn Read + Send> = match file {
        Some(file) => Box::new(File::open(file).map_err(failed)?),
        None => {
            if io::stdin().is_terminal() {
                show::complain("type the body and end it with Ctrl-D at the start of a line");
            }
            Box::new(io::stdin())
        }
    };
    let body = read_meanwhile(source, u64::from(max) + 1, client)?.map_err(failed)?;
    if body.len() > max as usize {
        return Err(Failure::Other(format!("{name} is larger than the {max} bytes that this hub accepts")));
    }
    client.set_deadline(call.settings.deadline());
    Ok(body)
}

/// Reads at most `most` bytes on another thread. A hub closes clients that are silent for too long, so this one answers
/// its heartbeats meanwhile.
fn read_meanwhile(
    source: impl Read + Send + 'static,
    most: u64,
    client: &mut Client,
) -> Result<io::Result<Vec<u8>>, Failure> {
    let (sender, read) = channel();
    std::thread::spawn(move || {
        let mut body = Vec::new();
        let outcome = source.take(most).read_to_end(&mut body).map(|_| body);
        // If the hub is gone, nobody waits for the body.
        drop(sender.send(outcome));
    });
    loop {
        match read.recv_timeout(STEP) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::Other("reading has crashed".to_owned())),
            Err(RecvTimeoutError::Timeout) => {}
        }
        for _ in 0..PUSHES {
            if client.next(Some(Duration::ZERO))?.is_none() {
                break;
            }
        }
    }
}
