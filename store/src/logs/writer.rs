//! The thread that writes to an index: takes batches in the order of the write-ahead log, and commits them.
//!
//! What becomes of an index that cannot be written: `recovery.rs`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tantivy::indexer::UserOperation;
use tantivy::{Executor, Index, IndexReader, IndexWriter};

use super::doc_mapper::{DocMapper, LogDocument};
use super::intake::{self, Mapped};
use super::merging::PatientMerges;
use super::record::Record;
use super::waiting::{Needed, Outstanding, Waiting, Weighed, Weight};
use crate::wal::{Seq, Wal};

/// Threads of tantivy while much comes in: indexing is most of the work of an export, so one would be what all senders wait for.
/// Each makes a segment of its own, so while little comes in there is only one.
const BUSY_THREADS: usize = 2;
/// Memory for documents that are not yet written to a segment, of all writing threads together.
const WRITER_BYTES: usize = 32 << 20;
/// A commit starts at the latest this long after the first document that it holds; the index file may ask for more.
const MAX_COMMIT_DELAY: Duration = Duration::from_millis(300);
/// While much comes in, commits are larger, and so are rarer merges.
const BUSY_COMMIT_DELAY: Duration = Duration::from_millis(600);
/// Uncommitted bytes of requests from which on that is so.
const BUSY_BYTES: usize = 2 << 20;
/// So long after the last commit, what waited for a quiet time is done.
const QUIET_AFTER: Duration = Duration::from_secs(1);
/// So long after the last commit, the memory for writing is given back.
const IDLE_AFTER: Duration = Duration::from_secs(10);

/// What a commit carries beside the documents.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Every record of this index up to this number is committed.
    pub wal_seq: Seq,
    /// The number of the next document.
    pub next_doc: u64,
    /// Total of the documents' sizes as returned.
    pub source_bytes: u64,
}

impl Checkpoint {
    /// Of the last commit.
    pub fn load(index: &Index) -> tantivy::Result<Self> {
        let payload = index.load_metas()?.payload;
        Ok(payload.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }
}

/// Documents on their way to the index, in the order of the write-ahead log.
pub(super) struct Batch {
    pub needed: Needed,
    pub documents: Vec<LogDocument>,
    pub source_bytes: usize,
    /// What the batch counts against the limit of waiting data.
    pub weight: Weight,
    /// `true` when the record is safe; anything else, and the batch was never acknowledged.
    pub durable: Receiver<bool>,
}

impl Batch {
    /// A record that the log holds already. It does not count as waiting: it was taken before.
    pub fn replayed(needed: Needed, mapper: &DocMapper, record: &Record<'_>, waiting: &Arc<Waiting>) -> Self {
        let Mapped { documents, source_bytes, .. } = intake::replay(mapper, needed.seq, record);
        let (durable, wait_durable) = channel();
        // Cannot fail: the receiver is right here.
        let _ = durable.send(true);
        Self { needed, documents, source_bytes, weight: Weight::nothing(waiting), durable: wait_durable }
    }
}

type Outcome = Result<(), tantivy::TantivyError>;

pub(super) enum Command {
    Index(Batch),
    Delete(Box<dyn tantivy::query::Query>, Sender<Outcome>),
    Clear(Sender<Outcome>),
    Flush(Sender<()>),
    /// A last commit, then the thread ends and gives up the directory.
    Stop(Sender<()>),
    /// The same for an index that is about to be removed: what it has not committed is needed no more.
    Forget(Sender<()>),
}

/// What every index shares with its store.
#[derive(Clone)]
pub(super) struct Shared {
    pub outstanding: Arc<Outstanding>,
    pub waiting: Arc<Waiting>,
    /// Searches the segments of an index side by side.
    pub executor: Executor,
    /// Set as soon as the log is open.
    pub wal: Arc<OnceLock<Wal>>,
}

impl Shared {
    pub fn new(executor: Executor) -> Self {
        Self { outstanding: Arc::default(), waiting: Arc::default(), executor, wal: Arc::default() }
    }
}

/// What the index knows of its writing thread.
#[derive(Debug, Default)]
pub(super) struct CommitState {
    pub wal_seq: AtomicU64,
    pub source_bytes: AtomicU64,
    pub next_doc: AtomicU64,
    /// The index cannot be written; nothing is taken until it can.
    pub failed: AtomicBool,
}

impl CommitState {
    fn set(&self, checkpoint: Checkpoint) {
        self.wal_seq.store(checkpoint.wal_seq, Ordering::Release);
        self.next_doc.store(checkpoint.next_doc, Ordering::Relaxed);
        self.source_bytes.store(checkpoint.source_bytes, Ordering::Relaxed);
    }
}

/// The writing thread's own.
pub(super) struct Writer {
    pub index_id: String,
    pub index_uid: String,
    pub index: Index,
    pub mapper: Arc<DocMapper>,
    pub checkpoint: Checkpoint,
    pub committed: Arc<CommitState>,
    pub shared: Shared,
    /// Made with the first batch, so that an index that is only read costs no memory.
    pub writer: Option<IndexWriter<Weighed>>,
    pub uncommitted: Vec<Seq>,
    reader: IndexReader,
    commit_delay: Duration,
    /// Much comes in; segments are not joined meanwhile.
    busy: Arc<AtomicBool>,
    /// Of `writer`.
    threads: usize,
    uncommitted_bytes: usize,
}

impl Writer {
    /// `commit_timeout` is what the index file asks for.
    pub fn new(
        (index_id, index_uid): (String, String),
        (index, reader): (Index, IndexReader),
        mapper: Arc<DocMapper>,
        commit_timeout: Duration,
        shared: Shared,
    ) -> tantivy::Result<Self> {
        let checkpoint = Checkpoint::load(&index)?;
        let committed = Arc::<CommitState>::default();
        committed.set(checkpoint);
        Ok(Self {
            index_id,
            index_uid,
            index,
            mapper,
            checkpoint,
            committed,
            shared,
            writer: None,
            uncommitted: Vec::new(),
            reader,
            commit_delay: commit_timeout.min(MAX_COMMIT_DELAY),
            busy: Arc::default(),
            threads: 1,
            uncommitted_bytes: 0,
        })
    }

    /// Body of the thread.
    pub fn run(mut self, commands: &Receiver<Command>) {
        let mut commit_at: Option<Instant> = None;
        loop {
            let command = match (commit_at, &self.writer) {
                (Some(at), _) => commands.recv_timeout(at.saturating_duration_since(Instant::now())),
                (None, _) if self.busy.load(Ordering::Relaxed) => commands.recv_timeout(QUIET_AFTER),
                (None, Some(_)) => commands.recv_timeout(IDLE_AFTER),
                (None, None) => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let outcome = match command {
                Ok(Command::Index(batch)) => {
                    let outcome = self.index_batch(batch);
                    commit_at.get_or_insert_with(|| Instant::now() + self.commit_delay);
                    // A busy queue never lets `recv_timeout` run out, so look at the clock too.
                    let busy = self.uncommitted_bytes > BUSY_BYTES;
                    let extra = if busy { BUSY_COMMIT_DELAY.saturating_sub(self.commit_delay) } else { Duration::ZERO };
                    if commit_at.is_some_and(|at| at + extra <= Instant::now()) {
                        commit_at = None;
                        outcome.and_then(|()| self.commit())
                    } else {
                        outcome
                    }
                }
                Ok(Command::Flush(done)) => {
                    commit_at = None;
                    let outcome = self.commit();
                    let _ = done.send(());
                    outcome
                }
                Ok(Command::Delete(query, done)) => {
                    commit_at = None;
                    let outcome = self.delete(query);
                    let _ = done.send(outcome.clone());
                    outcome
                }
                Ok(Command::Clear(done)) => {
                    commit_at = None;
                    let outcome = self.clear();
                    let _ = done.send(outcome.clone());
                    outcome
                }
                Ok(Command::Stop(done)) => {
                    if let Err(error) = self.commit() {
                        tracing::error!(index = self.index_id, %error, "the last commit failed; its logs stay in the write-ahead log");
                    }
                    self.writer = None;
                    let _ = done.send(());
                    return;
                }
                Ok(Command::Forget(done)) => {
                    self.forget(commands, &done);
                    return;
                }
                Err(RecvTimeoutError::Timeout) if commit_at.take().is_some() => self.commit(),
                // A commit makes tantivy look for segments to join.
                Err(RecvTimeoutError::Timeout) if self.busy.swap(false, Ordering::Relaxed) => self.commit_always(),
                Err(RecvTimeoutError::Timeout) => self.writer.take().map_or(Ok(()), IndexWriter::wait_merging_threads),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Err(error) = outcome {
                commit_at = None;
                if !self.stand_still(commands, &error) {
                    return;
                }
            }
        }
    }

    pub fn ensure_writer(&mut self) -> tantivy::Result<&mut IndexWriter<Weighed>> {
        if self.writer.is_none() {
            self.threads = if self.busy.load(Ordering::Relaxed) { BUSY_THREADS } else { 1 };
            let writer = self.index.writer_with_num_threads(self.threads, WRITER_BYTES)?;
            writer.set_merge_policy(Box::new(PatientMerges::new(Arc::clone(&self.busy))));
            self.writer = Some(writer);
        }
        Ok(self.writer.as_mut().expect("made above"))
    }

    fn index_batch(&mut self, batch: Batch) -> tantivy::Result<()> {
        let Batch { needed, documents, source_bytes, weight, durable } = batch;
        let seq = needed.seq;
        self.uncommitted.push(seq);
        self.uncommitted_bytes += weight.bytes();
        let is_safe = durable.recv() == Ok(true);
        // After a fault the log was read again, perhaps beyond what is still in the queue.
        if seq <= self.checkpoint.wal_seq {
            return Ok(());
        }
        if is_safe && !documents.is_empty() {
            self.add(documents, source_bytes, weight)?;
        }
        self.checkpoint.wal_seq = seq;
        Ok(())
    }

    /// Gives documents to tantivy, with their numbers.
    pub fn add(&mut self, documents: Vec<LogDocument>, source_bytes: usize, weight: Weight) -> tantivy::Result<()> {
        let first_doc = self.checkpoint.next_doc;
        self.checkpoint.next_doc += documents.len() as u64;
        self.checkpoint.source_bytes += source_bytes as u64;
        let seq_field = self.mapper.seq;
        let weight = Arc::new(weight);
        let operations = documents.into_iter().enumerate().map(|(offset, mut document)| {
            document.own.add_u64(seq_field, first_doc + offset as u64);
            UserOperation::Add(Weighed::new(document, Arc::clone(&weight)))
        });
        self.ensure_writer()?.run(operations).map(drop)
    }

    fn delete(&mut self, query: Box<dyn tantivy::query::Query>) -> tantivy::Result<()> {
        self.ensure_writer()?.delete_query(query)?;
        self.commit_always()
    }

    fn clear(&mut self) -> tantivy::Result<()> {
        self.ensure_writer()?.delete_all_documents()?;
        self.checkpoint.source_bytes = 0;
        self.commit_always()
    }

    /// Ends without a commit and frees the log of what this index has not committed.
    pub fn forget(&mut self, commands: &Receiver<Command>, done: &Sender<()>) {
        self.writer = None;
        for command in commands.try_iter() {
            if let Command::Index(batch) = command {
                self.uncommitted.push(batch.needed.seq);
            }
        }
        self.shared.outstanding.remove(self.uncommitted.drain(..));
        let _ = done.send(());
    }

    fn commit(&mut self) -> tantivy::Result<()> {
        if self.uncommitted.is_empty() {
            return Ok(());
        }
        self.commit_always()
    }

    pub fn commit_always(&mut self) -> tantivy::Result<()> {
        // Until a commit is small again; see `QUIET_AFTER` for when none comes.
        self.busy.store(self.uncommitted_bytes > BUSY_BYTES, Ordering::Relaxed);
        let payload = serde_json::to_string(&self.checkpoint).expect("numbers can be written");
        let writer = self.ensure_writer()?;
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(&payload);
        prepared.commit()?;
        self.reader.reload()?;
        self.committed.set(self.checkpoint);
        self.shared.outstanding.remove(self.uncommitted.drain(..));
        self.uncommitted_bytes = 0;
        if self.busy.load(Ordering::Relaxed) && self.threads < BUSY_THREADS {
            // The next batch makes it anew. What is being joined of the little that came before is waited for.
            return self.writer.take().map_or(Ok(()), IndexWriter::wait_merging_threads);
        }
        Ok(())
    }
}
