//! The daemon's log, on standard error. Clients cause most of its lines, so it has a limit of lines per second: a flood
//! of connections that are closed must not be a flood of writes, for which the hub waits.

use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The most lines in one second, beside errors.
const LINES_A_SECOND: u32 = 500;

/// Starts the log at this level; if there is none, the environment decides.
pub fn start(level: Option<LevelFilter>) {
    let inner = match level {
        Some(level) => env_logger::Builder::new().filter_level(level).build(),
        None => env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).build(),
    };
    log::set_max_level(inner.filter());
    let logger = Logger { inner, began: Instant::now(), rate: Mutex::default() };
    // It fails only if there is a logger already.
    let _ = log::set_boxed_logger(Box::new(logger));
}

struct Logger {
    inner: env_logger::Logger,
    began: Instant,
    rate: Mutex<Rate>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.inner.matches(record) {
            return;
        }
        let second = self.began.elapsed().as_secs();
        let Verdict { left_out, is_over, is_first } =
            self.rate.lock().unwrap_or_else(PoisonError::into_inner).count(second);
        if left_out > 0 {
            self.say(format_args!("{left_out} lines of this log were left out"));
        }
        if is_first {
            self.say(format_args!("over {LINES_A_SECOND} lines in a second: the rest of them is left out"));
        }
        if !is_over || record.level() == Level::Error {
            self.inner.log(record);
        }
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

impl Logger {
    fn say(&self, text: std::fmt::Arguments<'_>) {
        self.inner.log(&Record::builder().level(Level::Warn).target("cubbyd").args(text).build());
    }
}

/// The lines of the current second.
#[derive(Debug, Default)]
struct Rate {
    second: u64,
    lines: u32,
    left_out: u64,
}

/// What is to be done with a line.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// Lines of an earlier second that were left out, and that nobody was told of.
    left_out: u64,
    /// This line is left out.
    is_over: bool,
    /// It is the first of its second that is.
    is_first: bool,
}

impl Rate {
    /// Counts a line in this second.
    fn count(&mut self, second: u64) -> Verdict {
        let mut left_out = 0;
        if second != self.second {
            left_out = std::mem::take(&mut self.left_out);
            (self.second, self.lines) = (second, 0);
        }
        self.lines = self.lines.saturating_add(1);
        let is_over = self.lines > LINES_A_SECOND;
        self.left_out += u64::from(is_over);
        Verdict { left_out, is_over, is_first: self.lines == LINES_A_SECOND + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_limit_of_a_second_are_left_out_and_counted() {
        let mut rate = Rate::default();
        let fine = Verdict { left_out: 0, is_over: false, is_first: false };
        assert!((0..LINES_A_SECOND).all(|_| rate.count(7) == fine));
        assert_eq!(rate.count(7), Verdict { left_out: 0, is_over: true, is_first: true });
        assert_eq!(rate.count(7), Verdict { left_out: 0, is_over: true, is_first: false });
        assert_eq!(rate.count(8), Verdict { left_out: 2, ..fine });
        assert_eq!(rate.count(9), fine);
    }
}
