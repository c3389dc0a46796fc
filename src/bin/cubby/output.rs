//! Lines on their way to whoever reads them, on a thread of their own. So the thread that answers the hub never waits
//! for a pager that is paused or a terminal that is busy. What is not written yet is kept within a bound; beyond it
//! lines are dropped, and in their place stands how many.

use crate::failure::Failure;
use crate::show;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many bytes are kept for a reader that is paused; a single line may have more. It is as much as a busy room says
/// in some minutes.
const KEPT: usize = 16 << 20;

/// How often the hub hears something while a command waits for room.
const WAIT: Duration = Duration::from_secs(1);

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// For standard output.
    Result(String),
    /// About the command itself; for standard error.
    Note(String),
}

/// The sending end.
pub struct Output(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    /// The bytes of `lines`.
    bytes: usize,
    /// How many lines were dropped since the last of `lines`.
    dropped: u64,
    /// Whether a line is being written.
    is_writing: bool,
}

impl Output {
    /// Starts a thread that writes each line by `write`.
    pub fn start(mut write: impl FnMut(Line) + Send + 'static) -> Output {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let output = Output(shared.clone());
        std::thread::spawn(move || {
            loop {
                write(shared.next());
                shared.lock().is_writing = false;
                shared.changed.notify_all();
            }
        });
        output
    }

    /// Starts one to standard output and standard error. The program ends if nobody reads standard output any more.
    pub fn standard() -> Output {
        Output::start(|line| match line {
            Line::Note(text) => show::complain(&text),
            Line::Result(text) => {
                let mut stdout = io::stdout().lock();
                let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
                if let Err(error) = written {
                    if error.kind() != ErrorKind::BrokenPipe {
                        show::complain(&format!("cannot write to standard output: {error}"));
                    }
                    std::process::exit(i32::from(error.kind() != ErrorKind::BrokenPipe));
                }
            }
        })
    }

    /// Writes a line for standard output, or drops it if too much waits.
    pub fn result(&self, text: String) {
        self.put(Line::Result(text));
    }

    /// Writes a line about the command itself, likewise.
    pub fn note(&self, text: &str) {
        self.put(Line::Note(text.to_owned()));
    }

    fn put(&self, line: Line) {
        let mut state = self.0.lock();
        // After a loss there must be room for more than a line, or every second line would tell of one.
        let most = if state.dropped == 0 { KEPT } else { KEPT / 2 };
        if state.bytes + line.size() > most && !state.lines.is_empty() {
            state.dropped += 1;
            return;
        }
        if let Some(note) = state.take_loss() {
            state.push(note);
        }
        state.push(line);
        self.0.changed.notify_all();
    }

    /// Waits until there is room for much more, and calls `meanwhile` each second. This is for what can be asked for
    /// later, so that nothing of it is dropped.
    pub fn wait_for_room(&self, mut meanwhile: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        while !self.wait_until(Some(WAIT), |state| state.bytes <= KEPT / 4) {
            meanwhile()?;
        }
        Ok(())
    }

    /// Waits until all lines are written, at most for `limit`.
    pub fn finish(&self, limit: Option<Duration>) {
        self.wait_until(limit, |state| state.lines.is_empty() && state.dropped == 0 && !state.is_writing);
    }

    /// Returns whether `is_reached` became true in time.
    fn wait_until(&self, limit: Option<Duration>, is_reached: impl Fn(&State) -> bool) -> bool {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.0.lock();
        while !is_reached(&state) {
            let left = deadline.map_or(WAIT, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    /// The next line, waiting for it.
    fn next(&self) -> Line {
        let mut state = self.lock();
        loop {
            if let Some(line) = state.pop() {
                state.is_writing = true;
                return line;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, line: Line) {
        self.bytes += line.size();
        self.lines.push_back(line);
    }

    fn pop(&mut self) -> Option<Line> {
        let Some(line) = self.lines.pop_front() else { return self.take_loss() };
        self.bytes -= line.size();
        Some(line)
    }

    /// What to say of the lines that were dropped.
    fn take_loss(&mut self) -> Option<Line> {
        let dropped = std::mem::take(&mut self.dropped);
        let text = || format!("lines that are missing here, because nobody read the output: {dropped}");
        (dropped > 0).then(|| Line::Note(text()))
    }
}

impl Line {
    /// The bytes that it takes in the queue, about.
    fn size(&self) -> usize {
        let (Line::Result(text) | Line::Note(text)) = self;
        size_of::<Line>() + text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_reader_that_is_paused_stops_nobody_and_is_told_how_much_is_missing() {
        let (resume, paused) = channel::<()>();
        let (write, written) = channel();
        let output = Output::start(move |line| {
            // An error means that the reader is never paused again.
            let _ = paused.recv();
            write.send(line).expect("the test listens");
        });
        let line = "x".repeat((1 << 20) - size_of::<Line>());
        (0..100).for_each(|_| output.result(line.clone()));
        drop(resume);
        output.finish(None);
        output.result("last".to_owned());
        output.finish(None);
        let lines: Vec<Line> = written.try_iter().collect();
        let kept = lines.iter().filter(|read| **read == Line::Result(line.clone())).count();
        // One may be with the writer already.
        assert!((16..=17).contains(&kept), "{kept}");
        let note = format!("lines that are missing here, because nobody read the output: {}", 100 - kept);
        assert_eq!(lines[kept..], [Line::Note(note), Line::Result("last".to_owned())]);
    }

    #[test]
    fn what_waits_for_room_is_not_dropped() {
        let (write, written) = channel();
        let output = Output::start(move |line| write.send(line).expect("the test listens"));
        let line = "x".repeat(1 << 20);
        for _ in 0..100 {
            output.wait_for_room(|| Ok(())).unwrap_or_else(|_| panic!("nothing fails meanwhile"));
            output.result(line.clone());
        }
        output.finish(None);
        assert_eq!(written.try_iter().filter(|read| *read == Line::Result(line.clone())).count(), 100);
    }
}
