//! The load generator: one thread that drives a hub of any language over many connections, and measures what comes of
//! it, for `cubby bench` and the benchmarks. The hub knows nothing of it, and it nothing of the hub but its protocol.
//!
//! Every message is checked as it comes: by the stamp at its front that it was sent, to this group, once, and after
//! those before it; and that it is as long as a message of the plan. The rest of a body is not looked at. The hub's
//! languages stand behind [`Dialect`]; the engine counts [`Heard::Body`].
//!
//! It must cost less for each message than any hub, or it would measure itself. So: one read buffer, one clock read for
//! each read of a connection, deliveries that were sent together recorded together, all that a publisher may send in
//! one write, and the rest of a large body thrown away by the kernel, without a copy.

mod assemble;
mod clock;
mod course;
mod dialect;
mod ear;
mod engine;
mod link;
mod native;
mod plan;
mod poll;
mod processor;
mod schedule;
mod sizes;
mod stamp;
mod stream;
mod visits;
#[cfg(feature = "ws")]
mod web;
mod window;

pub use dialect::{Dialect, Heard, Part, put_as_text};
pub use native::Native;
pub use plan::{Extent, LoadError, Outcome, Pace, Phase, Plan, Progress};
pub use processor::process_time;
pub use sizes::Sizes;
pub use stamp::STAMP_LEN;
#[cfg(feature = "ws")]
pub use web::{WebBinary, WebJson};

use cubby::Address;
use engine::Engine;
use std::io;
use std::time::{Duration, Instant};
use stream::Stream;

/// Bytes read at once while a connection is greeted.
const GREETING_READ: usize = 4096;

/// Carries a plan out. `dialect` makes one for each connection. `progress` is told at each change of phase, and a few
/// times a second.
///
/// # Errors
///
/// Why it could not begin. What goes wrong afterwards is counted in the outcome.
pub fn run<D: Dialect>(
    plan: &Plan,
    dialect: impl FnMut() -> D,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, LoadError> {
    assemble::check(plan)?;
    Engine::new(plan, dialect)?.run(progress)
}

/// Connections that are only held.
#[derive(Debug)]
pub struct Crowd {
    _held: Vec<Stream>,
}

/// Connections that are made and greeted as publishers, and then only held. Dropping them closes them. They answer
/// nothing, so a hub that asks whether they live closes them when their time is over.
///
/// # Errors
///
/// Why not all of them could be made.
pub fn hold<D: Dialect>(address: &Address, count: u32, mut dialect: impl FnMut() -> D) -> Result<Crowd, LoadError> {
    assemble::need_descriptors(count.into())?;
    let all = count as usize;
    let held: Result<Vec<_>, _> = (0..all).map(|made| meet(address, made, all, &mut dialect())).collect();
    Ok(Crowd { _held: held? })
}

/// Connects, is known, says that it leaves, and leaves, one after the other, `count` times: the time that all took.
///
/// # Errors
///
/// Why it could not be done so often.
pub fn come_and_go<D: Dialect>(
    address: &Address,
    count: u32,
    mut dialect: impl FnMut() -> D,
) -> Result<Duration, LoadError> {
    let (all, began) = (count as usize, Instant::now());
    for made in 0..all {
        let mut dialect = dialect();
        let mut stream = meet(address, made, all, &mut dialect)?;
        let mut out = Vec::new();
        dialect.leave(&mut out);
        let broke = |error: io::Error| LoadError::Greeting { ready: made, of: all, why: error.to_string() };
        send(&mut stream, &mut out).map_err(broke)?;
    }
    Ok(began.elapsed())
}

/// Makes a connection, greets as a publisher, and waits until it is let in.
fn meet<D: Dialect>(address: &Address, made: usize, all: usize, dialect: &mut D) -> Result<Stream, LoadError> {
    let mut stream = assemble::connect(address, made)?;
    let refused = |why: String| LoadError::Greeting { ready: made, of: all, why };
    let broke = |error: io::Error| refused(error.to_string());
    let timeout = Some(assemble::GREETING_TIMEOUT);
    stream.set_read_timeout(timeout).map_err(broke)?;
    let (mut out, mut input, mut buffer) = (Vec::new(), Vec::new(), [0; GREETING_READ]);
    dialect.greet(Part::Publisher(0), &mut out);
    loop {
        send(&mut stream, &mut out).map_err(broke)?;
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Err(refused("the hub closed the connection".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if stream::is_timeout(&error) => {
                return Err(refused(assemble::NO_ANSWER.to_owned()));
            }
            other => other.map_err(broke)?,
        };
        input.extend_from_slice(&buffer[..count]);
        while let Some((len, heard)) = dialect.next(&input, &mut out).map_err(refused)? {
            match heard {
                Heard::Ready(_) => return Ok(stream),
                Heard::Refused(why) => return Err(refused(why)),
                _ => drop(input.drain(..len)),
            }
        }
    }
}

/// Sends all of it.
fn send(stream: &mut Stream, out: &mut Vec<u8>) -> io::Result<()> {
    while !out.is_empty() {
        let sent = stream.write(out)?;
        out.drain(..sent);
    }
    Ok(())
}
