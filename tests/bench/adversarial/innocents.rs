//! Those who stand beside: they ask for little, read what they are sent, and take down how long each answer took.

use crate::client::{BOUND, Client, RECEIPT_OF_SEND};
use crate::support::*;
use hdrhistogram::Histogram;
use std::io::{self, ErrorKind};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How many innocents send a PING, and how often each does.
pub const PINGERS: usize = 4;
const PING_EVERY: Duration = Duration::from_millis(4);

/// What one of them asks again and again.
#[derive(Clone)]
pub struct Innocent {
    pub what: &'static str,
    request: Vec<u8>,
    reply: u8,
    every: Duration,
    /// The longest wait that is right.
    pub aim: Duration,
}

impl Innocent {
    pub fn pings(aim: Duration) -> Innocent {
        let request = frame(PING, 0, 9, b"innocent");
        Innocent { what: "PING", request, reply: 0x8C, every: PING_EVERY, aim }
    }

    pub fn publishes(room: &str, len: usize, every: Duration, aim: Duration) -> Innocent {
        let request = frame(PUBLISH, RECEIPT, 9, publish(room, &vec![7; len]));
        Innocent { what: "PUBLISH", request, reply: 0x89, every, aim }
    }

    pub fn sends(name: &str, every: Duration, aim: Duration) -> Innocent {
        let request = frame(SEND, RECEIPT, 9, send(&[name], b"how are you"));
        Innocent { what: "SEND", request, reply: RECEIPT_OF_SEND, every, aim }
    }

    /// Asks until then, over a connection that it has.
    pub fn run(&self, mut client: Client, address: &str, until: Instant) -> Waits {
        let mut waits = Waits::default();
        let mut next = Instant::now();
        while next < until {
            sleep(next.saturating_duration_since(Instant::now()));
            let began = Instant::now();
            waits.late = waits.late.max(began - next);
            let answer = client.ask(&self.request, self.reply);
            waits.record(began.elapsed(), self.every);
            if let Err(error) = answer {
                waits.failed(&error);
                match Client::connect(address) {
                    Ok(other) if waits.unanswered == 0 => client = other,
                    Ok(_) | Err(_) => return waits,
                }
            }
            next = (next + self.every).max(Instant::now());
        }
        waits
    }
}

/// How long answers took.
#[derive(Clone)]
pub struct Waits {
    micros: Histogram<u64>,
    /// How late the innocent itself was: what the machine does to everybody, whatever the hub does.
    pub late: Duration,
    /// Requests that had no answer in time.
    pub unanswered: u64,
    /// Requests that were refused, or whose connection ended, and how the first of them was.
    pub refused: u64,
    pub why: Option<String>,
}

impl Default for Waits {
    fn default() -> Waits {
        let micros = Histogram::new(3).expect("three digits are allowed");
        Waits { micros, late: Duration::ZERO, unanswered: 0, refused: 0, why: None }
    }
}

impl Waits {
    /// Records a wait, and those of the requests that would have been sent meanwhile.
    fn record(&mut self, wait: Duration, every: Duration) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.record_correct(micros(wait), micros(every)).expect("the histogram grows");
    }

    fn failed(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => self.unanswered += 1,
            _ => {
                self.refused += 1;
                self.why.get_or_insert_with(|| error.to_string());
            }
        }
    }

    pub fn add(&mut self, more: &Waits) {
        self.micros.add(&more.micros).expect("both have three digits");
        self.late = self.late.max(more.late);
        self.unanswered += more.unanswered;
        self.refused += more.refused;
        self.why = self.why.take().or_else(|| more.why.clone());
    }

    /// The wait of this fraction of all requests, in milliseconds.
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.micros.value_at_quantile(quantile) as f64 / 1e3
    }

    /// The longest wait in milliseconds. The histogram knows it to three digits.
    pub fn longest(&self) -> f64 {
        self.micros.max() as f64 / 1e3
    }

    pub fn count(&self) -> u64 {
        self.micros.len()
    }

    /// All of it on one line.
    pub fn line(&self) -> String {
        let [p50, p99] = [0.5, 0.99].map(|quantile| self.quantile(quantile));
        format!("{} in all, p50 {p50:.1}, p99 {p99:.1}, longest {} ms", self.count(), self.longest_text())
    }

    /// The longest wait as text, with a sign if it was not waited for to the end.
    pub fn longest_text(&self) -> String {
        let sign = if self.unanswered > 0 { "≥ " } else { "" };
        format!("{sign}{:.1}", self.longest().min(2.0 * BOUND.as_secs_f64() * 1e3))
    }
}
