//! Sessions one after another: each connects, waits until it is ready, and leaves.

use super::driver::{Driver, Incoming, Part};
use super::plan::{LoadError, Outcome, Phase, Plan, Progress};
use super::processor::thread_time;
use super::setup::{NO_ANSWER, READY_TIMEOUT, connect, need_descriptors};
use super::stream::{Stream, is_timeout};
use cubby::Address;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Bytes read at once.
const READ_BYTES: usize = 4096;

/// The sessions before those that count are this fraction of them, but at most `WARM_UP_MAX`.
const WARM_UP: u64 = 10;
const WARM_UP_MAX: u64 = 1000;

/// How often progress is reported.
const TICK: Duration = Duration::from_millis(100);

/// `count` sessions connect and leave one after another, as publishers. The plan gives the address and the stop flag.
///
/// # Errors
///
/// Why a session could not be opened.
pub fn connect_and_leave<D: Driver>(
    plan: &Plan,
    count: u64,
    mut driver: impl FnMut() -> D,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, LoadError> {
    need_descriptors(1)?;
    let mut report = |phase, done, of, elapsed| {
        let share = done as f64 / of as f64;
        progress(&Progress { phase, share, elapsed, messages: 0, deliveries: 0, errors: 0 });
    };
    let mut outcome = Outcome::default();
    for (phase, all) in [(Phase::WarmingUp, (count / WARM_UP).min(WARM_UP_MAX)), (Phase::Running, count)] {
        report(phase, 0, count, Duration::ZERO);
        let (began, processor, mut next_report) = (Instant::now(), thread_time(), TICK);
        let mut done = 0;
        while done < all && !plan.stop.load(Ordering::Relaxed) {
            session(&plan.address, done as usize, all as usize, &mut driver())?;
            done += 1;
            if began.elapsed() >= next_report {
                next_report = began.elapsed() + TICK;
                report(phase, done, all, began.elapsed());
            }
        }
        outcome.sessions = done;
        (outcome.elapsed, outcome.processor) = (began.elapsed(), thread_time().saturating_sub(processor));
        outcome.stopped = done < all;
    }
    report(Phase::Done, count, count, outcome.elapsed);
    Ok(outcome)
}

/// Connects, waits until the hub accepts the session, says that it leaves, and closes the connection. `made` others of
/// `all` came before.
fn session<D: Driver>(address: &Address, made: usize, all: usize, driver: &mut D) -> Result<(), LoadError> {
    let mut stream = connect(address, made)?;
    let mut exchange = || {
        stream.set_read_timeout(Some(READY_TIMEOUT)).map_err(|error| error.to_string())?;
        wait_until_ready(&mut stream, driver)?;
        let mut out = Vec::new();
        driver.leave(&mut out);
        stream.write_all(&out).map_err(|error| error.to_string())
    };
    exchange().map_err(|why| LoadError::NotReady { ready: made, of: all, why })
}

fn wait_until_ready<D: Driver>(stream: &mut Stream, driver: &mut D) -> Result<(), String> {
    let (mut out, mut input, mut buffer) = (Vec::new(), Vec::new(), [0; READ_BYTES]);
    driver.open(Part::Publisher(0), &mut out);
    loop {
        stream.write_all(&out).map_err(|error| error.to_string())?;
        out.clear();
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Err("the hub closed the connection".to_owned()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if is_timeout(&error) => return Err(NO_ANSWER.to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        input.extend_from_slice(&buffer[..count]);
        while let Some((len, incoming)) = driver.next(&input, &mut out)? {
            match incoming {
                Incoming::Ready(_) => return Ok(()),
                Incoming::Refused(why) => return Err(why),
                Incoming::Body(_) | Incoming::Text(_) | Incoming::Missed(_) | Incoming::Other => {}
            }
            input.drain(..len);
        }
    }
}
