//! Shows how far a run has come: a bar on a terminal, and a line every two seconds elsewhere.

use super::load::{Phase, Progress};
use super::units;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Columns of the bar itself.
const WIDTH: usize = 30;

/// How often a line is printed without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows progress on standard error.
pub struct Bar {
    /// The text before the bar: the value of a sweep.
    label: String,
    is_terminal: bool,
    /// Whether it shows nothing without a terminal.
    quiet: bool,
    /// When the last line was printed, and in which phase.
    printed: Option<(Instant, Phase)>,
}

impl Bar {
    pub fn new(label: String, quiet: bool) -> Bar {
        Bar { label, is_terminal: io::stderr().is_terminal(), quiet, printed: None }
    }

    /// Shows how far the run has come. If standard error is closed, nobody can read it, and that is no error.
    pub fn show(&mut self, progress: &Progress) {
        let text = line(progress);
        if self.is_terminal {
            let is_over = matches!(progress.phase, Phase::Settling | Phase::Done);
            let done = if is_over { WIDTH } else { (progress.share * WIDTH as f64) as usize };
            let _ = write!(io::stderr(), "\r{}[{:WIDTH$}] {text}\x1b[K", self.label, "#".repeat(done));
        } else if !self.quiet && self.is_time_for_a_line(progress.phase) {
            self.printed = Some((Instant::now(), progress.phase));
            let _ = writeln!(io::stderr(), "{}{text}", self.label);
        }
    }

    /// Whether a line is due: every two seconds, and at the beginning of connecting, running and resting.
    fn is_time_for_a_line(&self, phase: Phase) -> bool {
        let begins = matches!(phase, Phase::Connecting | Phase::Running | Phase::Resting);
        self.printed.is_none_or(|(when, before)| when.elapsed() >= LINE_EVERY || begins && phase != before)
    }

    /// Removes the bar.
    pub fn clear(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// The progress in words.
fn line(progress: &Progress) -> String {
    let doing = match progress.phase {
        Phase::Connecting => "connecting",
        Phase::WarmingUp => "warming up",
        Phase::Running => "running",
        Phase::Settling | Phase::Done => "waiting for messages in flight",
        Phase::Resting => "resting",
    };
    let percent = progress.share * 100.0;
    let errors = if progress.errors > 0 { format!(", {} errors", progress.errors) } else { String::new() };
    if matches!(progress.phase, Phase::Settling | Phase::Done) {
        return format!("{doing}{errors}");
    }
    if progress.phase != Phase::Running || progress.deliveries == 0 {
        return format!("{doing} {percent:.0} %{errors}");
    }
    let rate = units::count(progress.deliveries as f64 / progress.elapsed.as_secs_f64());
    format!("{doing} {percent:.0} %, {rate} deliveries/s{errors}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_line_of_words() {
        let elapsed = Duration::from_secs(2);
        let running =
            Progress { phase: Phase::Running, share: 0.25, elapsed, messages: 5, deliveries: 9_000_000, errors: 0 };
        assert_eq!(line(&running), "running 25 %, 4.50 M deliveries/s");
        assert_eq!(line(&Progress { errors: 3, ..running }), "running 25 %, 4.50 M deliveries/s, 3 errors");
        assert_eq!(line(&Progress { phase: Phase::Connecting, ..running }), "connecting 25 %");
    }
}
