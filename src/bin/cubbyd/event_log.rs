//! The event log: each event of every room as a line of JSON, appended to a file by a thread of its own.
//!
//! The hub never waits for the disk. Events come through a bounded channel; if it is full, they are dropped, counted
//! and reported in the log. The writer collects lines in a buffer and writes it from time to time. If that fails, it
//! keeps the buffer and tries again; while the buffer is full, it takes nothing from the channel.

use crate::machine;
use cubby::json::{EventJson, put_json_line};
use cubby::{EventSender, Events, EventsWaker, SharedEvent, WhenFull, event_channel};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The channel's limit of events: some tenths of a second of the busiest hub.
const CHANNEL_EVENTS: usize = 128 * 1024;

/// The channel's limit of bytes; but never more than an eighth of the hub's memory limit, towards which they count.
const CHANNEL_BYTES: usize = 32 * 1024 * 1024;

/// The buffer is written when it holds this many bytes, even before its time; or a quarter of the channel's limit, in
/// which it takes room.
const BUFFER: usize = 256 * 1024;

/// How long the daemon waits for the writer at shutdown, whatever blocks it.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How long the writer pauses if writing fails and the buffer is full.
const RETRY: Duration = Duration::from_secs(1);

/// The state that the daemon shares with the writer's thread.
#[derive(Debug, Default)]
struct Shared {
    /// The buffer must be written, and the file reopened if it was moved away.
    flush: AtomicBool,
    /// The hub has ended; the writer must not wait for anything.
    ending: AtomicBool,
    lines: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
}

/// The daemon's handle to the log.
pub struct EventLog {
    shared: Arc<Shared>,
    waker: EventsWaker,
    writer: JoinHandle<()>,
    /// Disconnects when the writer has ended.
    ended: Receiver<()>,
}

impl EventLog {
    /// Opens the file and starts the writer, which flushes at least every `flush_every`. `memory` is the hub's limit.
    /// Returns the log and the listener that feeds it.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or no thread started, so that the operator learns it at once.
    pub fn start(path: &Path, flush_every: Duration, memory: usize) -> Result<(EventLog, EventSender), String> {
        let most = CHANNEL_BYTES.min(memory / 8);
        let (sender, events) = event_channel(CHANNEL_EVENTS, most, WhenFull::Drop);
        let (shared, waker) = (Arc::new(Shared::default()), events.waker());
        let cannot_open = |error| format!("cannot write {}: {error}; choose another file", path.display());
        let file = LogFile::open(path).map_err(cannot_open)?;
        let writer = Writer {
            events,
            file,
            shared: shared.clone(),
            flush_every,
            flush_at: None,
            buffer: Vec::new(),
            full: BUFFER.min(most / 4),
            lines: 0,
            done: 0,
            dropped: 0,
            is_dropping: false,
            dropped_before: 0,
            is_failing: false,
        };
        let (ending, ended) = channel();
        let writer = Builder::new().name("event-log".to_owned()).spawn(move || {
            writer.run();
            drop::<Sender<()>>(ending);
        });
        let writer = writer.map_err(|error| machine::thread_error(&error))?;
        Ok((EventLog { shared, waker, writer, ended }, sender))
    }

    /// Makes the writer write its buffer, and reopen the file if it was moved away.
    pub fn flush(&self) {
        self.shared.flush.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Waits until everything is written, for at most `LAST_WAIT`. The listener must have been dropped before.
    pub fn end(self) {
        self.shared.ending.store(true, Ordering::Release);
        self.writer.thread().unpark();
        if self.ended.recv_timeout(LAST_WAIT) == Err(RecvTimeoutError::Timeout) {
            log::error!("gave up writing the event log: it has taken {LAST_WAIT:?}");
        }
    }

    /// Lines written, failed attempts to write, and events dropped because the channel was full.
    pub fn counts(&self) -> [u64; 3] {
        let Shared { lines, failures, dropped, .. } = &*self.shared;
        [lines, failures, dropped].map(|count| count.load(Ordering::Relaxed))
    }
}

/// The state of the writer's thread.
struct Writer {
    events: Events,
    file: LogFile,
    shared: Arc<Shared>,
    flush_every: Duration,
    /// When to flush; `None` if the buffer is empty.
    flush_at: Option<Instant>,
    /// Lines that are not written yet. The first of them may be written partly.
    buffer: Vec<u8>,
    /// The buffer is written when it holds this many bytes.
    full: usize,
    /// The number of these lines.
    lines: u64,
    /// How many bytes at the front of the buffer are in the file already.
    done: usize,
    /// The number of dropped events at the last flush.
    dropped: u64,
    /// Events were dropped before the last flush, and this was reported.
    is_dropping: bool,
    /// The number of dropped events when that began.
    dropped_before: u64,
    /// The last attempt to write failed, and this was reported.
    is_failing: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let wait = self.flush_at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            let mut asked = false;
            match self.events.recv_timeout(wait) {
                Ok(event) => self.add(&event),
                // Only a timeout shows that all events before the request to flush were received.
                Err(RecvTimeoutError::Timeout) => asked = self.shared.flush.swap(false, Ordering::AcqRel),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if asked || self.buffer.len() >= self.full || self.flush_at.is_some_and(|at| at <= Instant::now()) {
                self.flush();
            }
            while self.buffer.len() >= self.full {
                if self.shared.ending.load(Ordering::Acquire) {
                    return self.give_up();
                }
                std::thread::park_timeout(RETRY);
                self.flush();
            }
        }
        self.flush();
        if !self.buffer.is_empty() {
            self.give_up();
        }
    }

    /// Reports at shutdown how many lines could not be written.
    fn give_up(&self) {
        let waiting = std::iter::from_fn(|| self.events.try_recv().ok()).count() as u64;
        log::error!(
            "the event log {} lacks its last {} lines: they could not be written",
            self.file.path.display(),
            self.lines + waiting
        );
    }

    fn add(&mut self, event: &SharedEvent) {
        put_json_line(&EventJson::new(&event.view()), &mut self.buffer);
        self.buffer.push(b'\n');
        self.events.set_retained(self.buffer.capacity());
        self.lines += 1;
        self.flush_at.get_or_insert_with(|| Instant::now() + self.flush_every);
    }

    /// Writes the buffer. If that fails, it reports why and keeps the rest.
    fn flush(&mut self) {
        let outcome = self.file.write(&self.buffer, &mut self.done);
        let path = self.file.path.display();
        if let Err(error) = outcome {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            if !self.is_failing {
                log::error!("cannot write the event log {path}: {error}; keeping events in memory and trying again");
            }
            let written = line_start(&self.buffer, &mut self.done);
            let lines = self.buffer.drain(..written).filter(|&byte| byte == b'\n').count() as u64;
            self.lines -= lines;
            self.shared.lines.fetch_add(lines, Ordering::Relaxed);
            (self.flush_at, self.is_failing) = (Some(Instant::now() + self.flush_every.max(RETRY)), true);
        } else {
            if self.is_failing {
                log::info!("writing the event log {path} works again");
            }
            self.buffer.clear();
            // One line of a large event may have taken many times the usual room.
            self.buffer.shrink_to(self.full);
            self.events.set_retained(self.buffer.capacity());
            self.shared.lines.fetch_add(std::mem::take(&mut self.lines), Ordering::Relaxed);
            (self.done, self.flush_at, self.is_failing) = (0, None, false);
        }
        self.report_dropped();
    }

    /// Reports that events are dropped: once when it begins, and how many they were when the channel has room again.
    fn report_dropped(&mut self) {
        let dropped = self.events.dropped();
        self.shared.dropped.store(dropped, Ordering::Relaxed);
        let more = dropped - self.dropped;
        match (self.is_dropping, more) {
            (false, 1..) => {
                log::warn!("the event log loses events: they come faster than they can be written");
                (self.is_dropping, self.dropped_before) = (true, self.dropped);
            }
            (true, 0) => {
                let lost = dropped - self.dropped_before;
                log::warn!("the event log lacks {lost} events, and loses no more");
                self.is_dropping = false;
            }
            (false, 0) | (true, 1..) => {}
        }
        self.dropped = dropped;
    }
}

/// Where the first line that is not completely written begins, if `done` bytes of the buffer are written. `done` then
/// counts from there.
fn line_start(buffer: &[u8], done: &mut usize) -> usize {
    let start = buffer[..*done].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    *done -= start;
    start
}

/// The log's file, which is reopened if it was moved away.
struct LogFile {
    path: PathBuf,
    file: File,
    /// The file was moved away, a new one cannot be created, and this was reported.
    is_adrift: bool,
}

impl LogFile {
    /// Opens the file for appending. If its last line has no end, as after a crash, the line is ended. The file may be
    /// a pipe: if nobody reads it, that is an error, now or later, and the writer does not wait.
    fn open(path: &Path) -> io::Result<LogFile> {
        let mut file = OpenOptions::new().append(true).create(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        // If the file cannot be read, its last line may be incomplete, and an extra line end does little harm.
        if is_torn(path).unwrap_or(true) {
            file.write_all(b"\n")?;
        }
        Ok(LogFile { path: path.to_owned(), file, is_adrift: false })
    }

    /// Whether the path still leads to the open file.
    fn is_there(&self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        let there = std::fs::metadata(&self.path);
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
    }

    /// Writes `buffer` from byte `done` on, and advances `done`. If the file was moved away, this creates a new one and
    /// writes the current line there again from its start. If it cannot, it continues with the old file as long as that
    /// has a name somewhere.
    fn write(&mut self, buffer: &[u8], done: &mut usize) -> io::Result<()> {
        if !self.is_there()? {
            match LogFile::open(&self.path) {
                Ok(new) => {
                    (self.file, self.is_adrift) = (new.file, false);
                    let mut torn = *done;
                    *done = line_start(buffer, &mut torn);
                }
                // The old file was deleted, so nobody could read it.
                Err(error) if self.file.metadata()?.nlink() == 0 => return Err(error),
                Err(error) if !self.is_adrift => {
                    self.is_adrift = true;
                    log::warn!(
                        "cannot reopen {}, so the file that was moved away is used: {error}",
                        self.path.display()
                    );
                }
                Err(_) => {}
            }
        }
        while *done < buffer.len() {
            match self.file.write(&buffer[*done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => *done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the last line of a file has no end.
fn is_torn(path: &Path) -> io::Result<bool> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
