//! Reads the body that a command sends, from a file or from standard input.

use crate::call::Call;
use crate::failure::Failure;
use crate::show;
use cubby::Client;
use std::fs::File;
use std::io::{self, IsTerminal, Read};

/// Reads the body that this client is to send. The command's time begins anew after that: who types or pipes the body
/// may take long.
pub fn read(call: &Call, client: &mut Client) -> Result<Vec<u8>, Failure> {
    let (file, max) = (call.path("file"), client.welcome().max_body);
    let name = file.as_ref().map_or("standard input".to_owned(), |file| file.display().to_string());
    let failed = |error: io::Error| Failure::Other(format!("cannot read {name}: {error}"));
    let source: Box<dyn Read> = match file {
        Some(file) => Box::new(File::open(file).map_err(failed)?),
        None => {
            if io::stdin().is_terminal() {
                show::complain("type the body and end it with Ctrl-D at the start of a line");
            }
            Box::new(io::stdin())
        }
    };
    let mut body = Vec::new();
    source.take(u64::from(max) + 1).read_to_end(&mut body).map_err(failed)?;
    if body.len() > max as usize {
        return Err(Failure::Other(format!("{name} is larger than the {max} bytes that this hub accepts")));
    }
    client.set_deadline(call.settings.deadline());
    Ok(body)
}
