//! What becomes of an index that cannot be written, usually because the disk is full.
//!
//! Tantivy gives up what was not committed when a write fails. All of it is in the write-ahead log, so the index stands still,
//! refuses what comes, and reads the log again from its last commit until a commit succeeds.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tantivy::TantivyError;

use super::error::LogError;
use super::intake::{self, Mapped};
use super::record::Record;
use super::waiting::Weight;
use super::writer::{Checkpoint, Command, Writer};

/// Between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl Writer {
    /// Waits until the index can be written again. `false` when its thread must end.
    pub(super) fn stand_still(&mut self, commands: &Receiver<Command>, error: &TantivyError) -> bool {
        tracing::error!(index = self.index_id, %error, "the index cannot be written; its logs stay in the write-ahead log");
        self.committed.failed.store(true, Ordering::Relaxed);
        // With it go the documents that tantivy has taken up and the lock on the directory.
        self.writer = None;
        let mut retry_at = Instant::now() + RETRY_INTERVAL;
        loop {
            match commands.recv_timeout(retry_at.saturating_duration_since(Instant::now())) {
                Ok(Command::Index(batch)) => {
                    // Once it is told, the log has the record or never will. Until then it must not be read.
                    let _ = batch.durable.recv();
                    self.uncommitted.push(batch.needed.seq);
                }
                Ok(Command::Flush(done)) => drop(done.send(())),
                Ok(Command::Delete(_, done) | Command::Clear(done)) => drop(done.send(Err(error.clone()))),
                Ok(Command::Stop(done)) => {
                    let _ = done.send(());
                    return false;
                }
                Ok(Command::Forget(done)) => {
                    self.forget(commands, &done);
                    return false;
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {
                    match self.read_again() {
                        Ok(()) => {
                            tracing::info!(index = self.index_id, "the index can be written again");
                            self.committed.failed.store(false, Ordering::Relaxed);
                            return true;
                        }
                        Err(error) => {
                            tracing::warn!(index = self.index_id, %error, "the index still cannot be written")
                        }
                    }
                    self.writer = None;
                    retry_at = Instant::now() + RETRY_INTERVAL;
                }
            }
        }
    }

    /// Takes up from the write-ahead log what the last commit does not hold, and commits it.
    fn read_again(&mut self) -> Result<(), LogError> {
        let failed = |index_id: &str, source| LogError::Tantivy { index_id: index_id.to_owned(), source };
        // Not set: the store is still opening.
        let wal = self.shared.wal.get().cloned().ok_or(LogError::Stopping)?;
        // Perhaps the commit that failed had come through all the same.
        self.checkpoint = Checkpoint::load(&self.index).map_err(|error| failed(&self.index_id, error))?;
        // What failed writes left behind takes up space. It goes with the next commit in any case.
        if let Err(error) = self.ensure_writer().and_then(|writer| writer.garbage_collect_files().wait()) {
            tracing::warn!(index = self.index_id, %error, "cannot remove the files of a failed commit yet");
        }
        let committed_seq = self.checkpoint.wal_seq;
        let mut outcome: tantivy::Result<()> = Ok(());
        let read_upto = wal.read_after(committed_seq, |seq, bytes| {
            let record = Record::decode(bytes).filter(|record| record.index_uid == self.index_uid);
            if let Some(record) = record.filter(|_| outcome.is_ok()) {
                let Mapped { documents, source_bytes, .. } = intake::replay(&self.mapper, seq, &record);
                // It was taken before, so it does not count as waiting.
                outcome = self.add(documents, source_bytes, Weight::nothing(&self.shared.waiting));
            }
        })?;
        self.checkpoint.wal_seq = read_upto;
        outcome.and_then(|()| self.commit_always()).map_err(|error| failed(&self.index_id, error))
    }
}
