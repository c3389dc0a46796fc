//! Connecting again after the connection was lost: the pauses between attempts, the errors after which an attempt is of
//! no use, and the loop of the commands that go on until they are ended. The chat has a loop of its own, because it
//! keeps what is typed meanwhile.

use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;
use crate::show;
use cubby::{Client, ClientError, ErrorCode};
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The pause before the first attempt to connect again. It doubles with each further attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The pauses between attempts.
pub struct Pauses {
    next: Duration,
    connected_at: Instant,
}

impl Pauses {
    pub fn new() -> Pauses {
        Pauses { next: FIRST_PAUSE, connected_at: Instant::now() }
    }

    pub fn connected(&mut self) {
        self.connected_at = Instant::now();
    }

    /// Begins with the shortest pause again, if the last connection lasted for a while.
    pub fn lost(&mut self) {
        if self.connected_at.elapsed() > LONGEST_PAUSE {
            self.next = FIRST_PAUSE;
        }
    }

    /// The pause before the next attempt: a random time from half of the pause to all of it, so that the clients of one
    /// hub do not all return at the same moment.
    pub fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (2 * pause).min(LONGEST_PAUSE);
        // The keys of a new hasher are random enough for this.
        let random = RandomState::new().hash_one(()) % 1000;
        pause / 2 + pause / 2 * random as u32 / 1000
    }
}

/// Whether an error would come again if the same were tried on a new connection.
pub fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { fatal: false, .. }
        | ClientError::Address(_)
        | ClientError::TooLarge { .. }
        | ClientError::Receivers { .. }
        | ClientError::NameTooLong { .. } => true,
        ClientError::Refused { code, .. } => match code {
            ErrorCode::Malformed
            | ErrorCode::UnknownKind
            | ErrorCode::TooLarge
            | ErrorCode::TooManyReceivers
            | ErrorCode::NotSignedIn
            | ErrorCode::BadName
            | ErrorCode::NotInRoom
            | ErrorCode::Version => true,
            ErrorCode::LimitReached
            | ErrorCode::RateLimited
            | ErrorCode::GoingAway
            | ErrorCode::TooSlow
            | ErrorCode::Idle
            | ErrorCode::TooManyConnections => false,
        },
        // Also if something else than a hub answers: it may be a proxy whose hub is away. `ClientError` may grow.
        _ => false,
    }
}

/// Connects, and runs `run` on this connection, and on a new one whenever that was lost. Ends with the first failure
/// that is not a lost connection; if `retries` is not set, with any. What was printed by then is written first.
pub fn keep_connected(
    settings: &Settings,
    retries: bool,
    output: &Output,
    mut run: impl FnMut(&mut Client) -> Result<Infallible, Failure>,
) -> Result<(), Failure> {
    let mut client = settings.connect()?;
    let mut pauses = Pauses::new();
    loop {
        let Err(failure) = run(&mut client);
        match failure {
            Failure::Hub(error) if retries && !is_final(&error) => {
                output.note(&format!("{}; trying to reconnect", show::safe(&error.to_string())));
            }
            other => {
                output.finish(None);
                return Err(other);
            }
        }
        // The hub must not take the old connection for a second user while we are trying.
        drop(client);
        client = reconnect(settings, &mut pauses).inspect_err(|_| output.finish(None))?;
        output.note("the hub is back");
    }
}

/// Connects again, with growing pauses between attempts.
fn reconnect(settings: &Settings, pauses: &mut Pauses) -> Result<Client, Failure> {
    pauses.lost();
    loop {
        std::thread::sleep(pauses.next());
        match Client::connect_as(&settings.hub, &settings.name, settings.timeout) {
            Ok(client) => {
                pauses.connected();
                return Ok(client);
            }
            Err(error) if is_final(&error) => return Err(error.into()),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_seconds() {
        let mut pauses = Pauses::new();
        let drawn: Vec<Duration> = (0..10).map(|_| pauses.next()).collect();
        assert!(drawn[0] >= FIRST_PAUSE / 2 && drawn[0] <= FIRST_PAUSE, "{drawn:?}");
        assert!(drawn[9] >= LONGEST_PAUSE / 2 && drawn[9] <= LONGEST_PAUSE, "{drawn:?}");
        pauses.lost();
        assert!(pauses.next() > FIRST_PAUSE, "a hub that closes each connection at once is not asked more often");
    }

    #[test]
    fn what_would_be_refused_again_is_not_tried_again() {
        let refused = |code, fatal| ClientError::Refused { code, fatal, text: String::new() };
        assert!(is_final(&refused(ErrorCode::BadName, false)));
        assert!(is_final(&refused(ErrorCode::NotSignedIn, true)));
        assert!(!is_final(&refused(ErrorCode::TooManyConnections, true)));
        assert!(!is_final(&ClientError::Silent { silent: FIRST_PAUSE }));
        assert!(!is_final(&ClientError::Closed));
    }
}
