//! Write-ahead log: what is acknowledged is in here first, and stays until an index has it.
//!
//! *Useful for*: opaque records that must survive a crash between "received" and "committed to an index".
//! *Not useful for*: reading by key, or keeping data for long. A record is read once, when the log is opened.
//!
//! Guarantees:
//! - [`Wal::append`] returns after the record is on disk (`SyncPolicy::Always`) or handed to the
//!   operating system (`SyncPolicy::Interval`: survives `kill -9`, not a power cut).
//! - Records come back in the order of their sequence numbers, each at most once per [`Wal::open`].
//! - A record whose write was cut short by a crash was never acknowledged; it is dropped on open.
//! - Damage anywhere else is an error: acknowledged data is never skipped in silence.
//!
//! Callers that append at the same time share one `fdatasync` (group commit).

mod error;
mod segment;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

pub use error::WalError;
use segment::Segment;

/// Position of a record. The first record of a new log is 1; numbers only grow, and may have gaps after a failed write.
pub type Seq = u64;

/// When an appended record is forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before `append` returns.
    Always,
    /// At the latest this long after `append` returned. A power cut may lose that much.
    Interval(Duration),
}

#[derive(Debug, Clone)]
pub struct WalOptions {
    pub sync: SyncPolicy,
    /// A segment file is closed when it is larger than this. Space is given back by whole segments.
    pub segment_bytes: u64,
    /// Numbers up to this one are taken: an index has committed them. Guards against a log directory that was lost.
    pub start_after: Seq,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self { sync: SyncPolicy::Always, segment_bytes: 64 << 20, start_after: 0 }
    }
}

/// A log in one directory, which nobody else may write. Cheap to clone; a clone is the same log.
#[derive(Debug, Clone)]
pub struct Wal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    options: WalOptions,
    state: Mutex<State>,
    /// Signalled when a group of records was written, and when nobody is writing any more.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    next_seq: Seq,
    /// Frames that wait for the next write.
    pending: Vec<u8>,
    pending_group: Arc<Group>,
    /// `None` while a caller is writing to it.
    active: Option<Segment>,
    /// Closed segments, oldest first.
    closed: Vec<segment::Closed>,
    /// An `fdatasync` failed: what the disk holds is unknown, so nothing more is accepted.
    broken: Option<WalError>,
}

/// Records that are written together share the outcome.
#[derive(Debug, Default)]
struct Group {
    outcome: OnceLock<Result<(), WalError>>,
}

impl Wal {
    /// Opens or creates the log in `dir` and hands every record that it holds to `replay`, oldest first.
    ///
    /// Blocks. A torn record at the end is cut off.
    ///
    /// # Errors
    /// [`WalError::Io`] when the directory or a file cannot be used, [`WalError::Corrupt`] when a record that was
    /// acknowledged cannot be read back.
    pub fn open(dir: &Path, options: WalOptions, mut replay: impl FnMut(Seq, &[u8])) -> Result<Self, WalError> {
        fs::create_dir_all(dir).map_err(|source| WalError::io(dir, source))?;
        let mut paths = segment::list(dir)?;
        let last = paths.pop();
        let mut next_seq = options.start_after + 1;
        let mut closed = Vec::new();
        for path in paths {
            let read = segment::replay(&path, &mut replay)?;
            if let Some(offset) = read.torn_at {
                return Err(WalError::Corrupt { path, offset });
            }
            next_seq = next_seq.max(read.next_seq);
            closed.push(segment::Closed { path, last_seq: read.next_seq - 1, bytes: read.good_bytes });
        }
        let active = match last {
            Some(path) => {
                let read = segment::replay(&path, &mut replay)?;
                next_seq = next_seq.max(read.next_seq);
                if let Some(offset) = read.torn_at {
                    tracing::warn!(path = %path.display(), offset, "cut a torn record off the write-ahead log");
                }
                Segment::reopen(path, &read)?
            }
            None => Segment::create(dir, next_seq)?,
        };
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            options,
            state: Mutex::new(State {
                next_seq,
                pending: Vec::new(),
                pending_group: Arc::default(),
                active: Some(active),
                closed,
                broken: None,
            }),
            changed: Condvar::new(),
        });
        if let SyncPolicy::Interval(interval) = shared.options.sync {
            spawn_syncer(Arc::downgrade(&shared), interval).map_err(|source| WalError::io(dir, source))?;
        }
        Ok(Self { shared })
    }

    /// Writes one record; returns its number when it is as safe as the [`SyncPolicy`] says. Blocks.
    ///
    /// # Errors
    /// [`WalError::DiskFull`]: the record is not in the log, later calls may succeed. Any other error: the record is
    /// not acknowledged, but may come back on the next open.
    pub fn append(&self, payload: &[u8]) -> Result<Seq, WalError> {
        self.append_with(payload, |_| ())
    }

    /// Like [`Wal::append`]; `on_number` runs as soon as the record has its number, before it is written.
    ///
    /// The calls of `on_number` come one at a time and in the order of the numbers, under the log's lock: it must be
    /// quick and must not use this log. This is how a queue gets the same order as the log.
    ///
    /// # Errors
    /// As [`Wal::append`]. `on_number` was not called for [`WalError::TooLarge`] or a log that is already broken.
    pub fn append_with(&self, payload: &[u8], on_number: impl FnOnce(Seq)) -> Result<Seq, WalError> {
        let mut state = self.shared.state.lock();
        if let Some(error) = &state.broken {
            return Err(error.clone());
        }
        let seq = state.next_seq;
        segment::encode_frame(&mut state.pending, seq, payload)
            .map_err(|payload_bytes| WalError::TooLarge { payload_bytes, max_bytes: segment::MAX_PAYLOAD_BYTES })?;
        state.next_seq += 1;
        on_number(seq);
        let group = Arc::clone(&state.pending_group);
        loop {
            if let Some(outcome) = group.outcome.get() {
                return outcome.clone().map(|()| seq);
            }
            match state.active.take() {
                // Somebody else writes; our frame goes with that write or with the next.
                None => self.shared.changed.wait(&mut state),
                Some(active) => {
                    self.shared.write_pending(&mut state, active);
                }
            }
        }
    }

    /// Hands every record beyond number `seq` that is in the log by now to `each`, oldest first. Blocks; others may append
    /// meanwhile. Returns the number up to which that was everything: `seq` itself when there was nothing.
    ///
    /// # Errors
    /// As [`Wal::open`], or why nothing more is accepted.
    pub fn read_after(&self, seq: Seq, mut each: impl FnMut(Seq, &[u8])) -> Result<Seq, WalError> {
        let mut upto = seq;
        for part in self.shared.written_after(seq)? {
            let read = part.read_through(&mut |number, payload: &[u8]| {
                if number > seq {
                    upto = number;
                    each(number, payload);
                }
            })?;
            if let Some(offset) = read.torn_at {
                return Err(WalError::Corrupt { path: part.path, offset });
            }
        }
        Ok(upto)
    }

    /// Gives back the space of the segments whose records all have numbers below `seq`.
    ///
    /// # Errors
    /// [`WalError::Io`] when a file cannot be removed; it is tried again at the next call.
    pub fn truncate_before(&self, seq: Seq) -> Result<(), WalError> {
        let mut state = self.shared.state.lock();
        while let Some(oldest) = state.closed.first() {
            if oldest.last_seq >= seq {
                break;
            }
            fs::remove_file(&oldest.path).map_err(|source| WalError::io(&oldest.path, source))?;
            state.closed.remove(0);
        }
        Ok(())
    }

    /// Bytes in all segments.
    pub fn used_bytes(&self) -> u64 {
        let state = self.shared.state.lock();
        let closed: u64 = state.closed.iter().map(|segment| segment.bytes).sum();
        closed + state.active.as_ref().map_or(0, Segment::bytes)
    }

    /// The number of the newest record that was handed out; 0 when there was none.
    pub fn last_seq(&self) -> Seq {
        self.shared.state.lock().next_seq - 1
    }

    /// Forces everything that was appended to the disk. Blocks.
    ///
    /// # Errors
    /// [`WalError::Io`] when the disk refuses.
    pub fn sync(&self) -> Result<(), WalError> {
        self.shared.sync()
    }
}

impl Shared {
    /// Writes what is pending, with the lock released, and tells the outcome to everybody who waits for it.
    fn write_pending(&self, state: &mut parking_lot::MutexGuard<'_, State>, mut active: Segment) {
        let frames = std::mem::take(&mut state.pending);
        let group = std::mem::take(&mut state.pending_group);
        let next_seq = state.next_seq;
        let always = self.options.sync == SyncPolicy::Always;
        let (outcome, active, closed) = parking_lot::MutexGuard::unlocked(state, || {
            let outcome = active.write(&frames).and_then(|()| if always { active.sync() } else { Ok(()) });
            if outcome.is_err() || active.bytes() < self.options.segment_bytes {
                return (outcome, active, None);
            }
            match active.sync().and_then(|()| Segment::create(&self.dir, next_seq)) {
                Ok(next) => (outcome, next, Some(active.close(next_seq - 1))),
                // The records are safe; only the new file could not be made. The old one grows on until it can.
                Err(error) => {
                    tracing::warn!(%error, "cannot start a new segment of the write-ahead log");
                    (outcome, active, None)
                }
            }
        });
        if let Err(error @ (WalError::Io { .. } | WalError::Corrupt { .. })) = &outcome {
            state.broken = Some(error.clone());
        }
        state.closed.extend(closed);
        state.active = Some(active);
        // Set once, here: the group left `pending_group` above, so no other writer can hold it.
        let _ = group.outcome.set(outcome);
        self.changed.notify_all();
    }

    /// What is in the files now beyond a number, opened: they may be removed while they are read.
    fn written_after(&self, seq: Seq) -> Result<Vec<segment::Part>, WalError> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.broken {
                return Err(error.clone());
            }
            // Nobody writes, so each file ends with a whole record.
            if let Some(active) = &state.active {
                let closed = state.closed.iter().filter(|closed| closed.last_seq > seq);
                let files = closed.map(|closed| (closed.path.as_path(), closed.bytes));
                let active = (active.path(), active.bytes());
                return files.chain([active]).map(|(path, bytes)| segment::Part::open(path, bytes)).collect();
            }
            self.changed.wait(&mut state);
        }
    }

    fn sync(&self) -> Result<(), WalError> {
        let mut state = self.state.lock();
        loop {
            if let Some(mut active) = state.active.take() {
                let outcome;
                (outcome, active) = parking_lot::MutexGuard::unlocked(&mut state, || (active.sync(), active));
                if let Err(error) = &outcome {
                    state.broken = Some(error.clone());
                }
                state.active = Some(active);
                self.changed.notify_all();
                return outcome;
            }
            self.changed.wait(&mut state);
        }
    }
}

/// Ends by itself soon after the log was dropped.
fn spawn_syncer(shared: Weak<Shared>, interval: Duration) -> std::io::Result<()> {
    std::thread::Builder::new().name("wal-sync".into()).spawn(move || {
        while let Some(shared) = shared.upgrade() {
            if let Err(error) = shared.sync() {
                tracing::error!(%error, "the write-ahead log cannot be forced to disk");
                return;
            }
            drop(shared);
            std::thread::sleep(interval);
        }
    })?;
    Ok(())
}
