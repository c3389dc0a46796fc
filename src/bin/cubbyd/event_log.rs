//! The event log: each event of every room as a line of JSON, appended to a file by a thread of its own.
//!
//! The hub never waits for the disk: events come through a bounded channel, and those that it has no room for are lost,
//! counted and said. Lines go into a buffer and from there to the file now and then. Where the file can not be written,
//! the buffer is kept and tried again; while it is full, nothing more is taken from the channel.

use cubby::{EventJson, EventSender, Events, EventsWaker, SharedEvent, WhenFull, event_channel, json_line};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Events that wait for the writer at the most: some tenths of a second of the busiest hub, in about 25 MB.
const CHANNEL_EVENTS: usize = 128 * 1024;

/// Bytes of bodies that wait for the writer at the most.
const CHANNEL_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of lines after which the file is written, whatever the time.
const BUFFER: usize = 256 * 1024;

/// How long the end of the hub waits for the writer, whatever it hangs on.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How long the writer rests when the file can not be written and the buffer is full.
const RETRY: Duration = Duration::from_secs(1);

/// What the daemon and the writer's thread share.
#[derive(Debug, Default)]
struct Shared {
    /// What is buffered is to be written, and the file opened anew where it was moved away.
    flush: AtomicBool,
    /// The hub has ended, and nothing more is waited for.
    ending: AtomicBool,
    lines: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
}

/// The log, as the daemon sees it.
pub struct EventLog {
    shared: Arc<Shared>,
    waker: EventsWaker,
    writer: JoinHandle<()>,
    /// Disconnected once the writer has ended.
    ended: Receiver<()>,
}

impl EventLog {
    /// Opens the file and starts the writer, which flushes at least every `flush_every`. What this returns beside the
    /// log is the listener that feeds it.
    ///
    /// # Errors
    ///
    /// Where the file can not be opened: an operator who asks for a log is told so at once.
    pub fn start(path: &Path, flush_every: Duration) -> io::Result<(EventLog, EventSender)> {
        let (sender, events) = event_channel(CHANNEL_EVENTS, CHANNEL_BYTES, WhenFull::Drop);
        let (shared, waker) = (Arc::new(Shared::default()), events.waker());
        let file = LogFile::open(path)?;
        let writer = Writer {
            events,
            file,
            shared: shared.clone(),
            flush_every,
            flush_at: None,
            buffer: Vec::new(),
            lines: 0,
            done: 0,
            dropped: 0,
            is_failing: false,
        };
        let (ending, ended) = channel();
        let writer = Builder::new().name("event-log".to_owned()).spawn(move || {
            writer.run();
            drop::<Sender<()>>(ending);
        })?;
        Ok((EventLog { shared, waker, writer, ended }, sender))
    }

    /// Has what is buffered written, and the file opened anew where it was moved away.
    pub fn flush(&self) {
        self.shared.flush.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Waits until all is written, once the hub has let go of the listener; but not for ever.
    pub fn end(self) {
        self.shared.ending.store(true, Ordering::Release);
        self.writer.thread().unpark();
        if self.ended.recv_timeout(LAST_WAIT) == Err(RecvTimeoutError::Timeout) {
            log::error!("the event log is given up: writing it has not ended in {LAST_WAIT:?}");
        }
    }

    /// What was counted: lines written, attempts to write that failed, events lost for want of room.
    pub fn counts(&self) -> [u64; 3] {
        let Shared { lines, failures, dropped, .. } = &*self.shared;
        [lines, failures, dropped].map(|count| count.load(Ordering::Relaxed))
    }
}

/// The writer's thread.
struct Writer {
    events: Events,
    file: LogFile,
    shared: Arc<Shared>,
    flush_every: Duration,
    /// When to flush; `None` while nothing is buffered.
    flush_at: Option<Instant>,
    /// Whole lines that are not written yet, or of which the first is in part.
    buffer: Vec<u8>,
    /// How many lines those are.
    lines: u64,
    /// Bytes at the buffer's front that are in the file.
    done: usize,
    /// Events that were known to be lost when that was last said.
    dropped: u64,
    /// The last attempt to write has failed, and that was said.
    is_failing: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let wait = self.flush_at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            let mut asked = false;
            match self.events.recv_timeout(wait) {
                Ok(event) => self.add(&event),
                // Only here, where all events have been taken that came before it was asked.
                Err(RecvTimeoutError::Timeout) => asked = self.shared.flush.swap(false, Ordering::AcqRel),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if asked || self.buffer.len() >= BUFFER || self.flush_at.is_some_and(|at| at <= Instant::now()) {
                self.flush();
            }
            while self.buffer.len() >= BUFFER {
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

    /// Says what could not be written, though the hub has ended.
    fn give_up(&self) {
        let waiting = std::iter::from_fn(|| self.events.try_recv().ok()).count() as u64;
        log::error!("the event log {} lacks its last {} lines", self.file.path.display(), self.lines + waiting);
    }

    fn add(&mut self, event: &SharedEvent) {
        self.buffer.extend_from_slice(json_line(&EventJson::new(&event.view())).as_bytes());
        self.buffer.push(b'\n');
        self.lines += 1;
        self.flush_at.get_or_insert_with(|| Instant::now() + self.flush_every);
    }

    /// Writes what is buffered, or says why that can not be and keeps it.
    fn flush(&mut self) {
        let outcome = self.file.write(&self.buffer, &mut self.done);
        let path = self.file.path.display();
        if let Err(error) = outcome {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            if !self.is_failing {
                log::error!("can not write the event log {path}: {error}; it is kept in memory and tried again");
            }
            let written = line_start(&self.buffer, &mut self.done);
            let lines = self.buffer.drain(..written).filter(|&byte| byte == b'\n').count() as u64;
            self.lines -= lines;
            self.shared.lines.fetch_add(lines, Ordering::Relaxed);
            (self.flush_at, self.is_failing) = (Some(Instant::now() + self.flush_every.max(RETRY)), true);
        } else {
            if self.is_failing {
                log::info!("the event log {path} is written again");
            }
            self.buffer.clear();
            self.shared.lines.fetch_add(std::mem::take(&mut self.lines), Ordering::Relaxed);
            (self.done, self.flush_at, self.is_failing) = (0, None, false);
        }
        let dropped = self.events.dropped();
        if dropped > self.dropped {
            log::warn!(
                "the event log lacks {} events: they came faster than they were written",
                dropped - self.dropped
            );
            self.dropped = dropped;
            self.shared.dropped.store(dropped, Ordering::Relaxed);
        }
    }
}

/// Where the line begins of which `done` bytes are written, with all before it; `done` then counts from there.
fn line_start(buffer: &[u8], done: &mut usize) -> usize {
    let start = buffer[..*done].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    *done -= start;
    start
}

/// The file, and what it takes to notice that it was moved away.
struct LogFile {
    path: PathBuf,
    file: File,
    /// It was moved away and no other can be made there; that was said.
    is_adrift: bool,
}

impl LogFile {
    /// Opens the file to append to it. A last line without an end, as a crash may leave it, is ended. A pipe that
    /// nobody reads is an error, now or later, and not waited for.
    fn open(path: &Path) -> io::Result<LogFile> {
        let mut file = OpenOptions::new().append(true).create(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        // One that may be written but not read might be torn: an empty line does less harm than half of one.
        if is_torn(path).unwrap_or(true) {
            file.write_all(b"\n")?;
        }
        Ok(LogFile { path: path.to_owned(), file, is_adrift: false })
    }

    /// Whether the path still means the file that is open.
    fn is_there(&self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        let there = std::fs::metadata(&self.path);
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
    }

    /// Writes all of `buffer` after the first `done` bytes, which grow with what is written. Where the file was moved
    /// away, a new one is made, and the line that the old one has in part is written whole. Where none can be made, the
    /// old one does while it has a name somewhere.
    fn write(&mut self, buffer: &[u8], done: &mut usize) -> io::Result<()> {
        if !self.is_there()? {
            match LogFile::open(&self.path) {
                Ok(new) => {
                    (self.file, self.is_adrift) = (new.file, false);
                    let mut torn = *done;
                    *done = line_start(buffer, &mut torn);
                }
                // Nobody would find what is written there.
                Err(error) if self.file.metadata()?.nlink() == 0 => return Err(error),
                Err(error) if !self.is_adrift => {
                    self.is_adrift = true;
                    log::warn!(
                        "can not open {} anew, the file that was there is written: {error}",
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

/// Whether a file's last line has no end.
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
