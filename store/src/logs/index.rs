//! One index: its mapping, its tantivy directory, and the thread that writes to it.
//!
//! Files in the index's directory: `index.json` (the index file with its ids), `arrivals.json` (which documents had come when,
//! for retention) and `tantivy/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::UserOperation;
use tantivy::schema::{Document, Field};
use tantivy::{Executor, Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument};

use super::doc_mapper::DocMapper;
use super::error::LogError;
use super::index_config::IndexConfig;
use super::merging::PatientMerges;
use super::search::KnownParts;
use super::tokenizers;
use crate::wal::Seq;

/// Memory for documents that are not yet written to a segment, per writing thread.
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
struct Checkpoint {
    /// Every record of this index up to this number is committed.
    wal_seq: Seq,
    /// The number of the next document.
    next_doc: u64,
    /// Total of the documents' sizes as returned.
    source_bytes: u64,
}

/// Of the files of an index. Format 1 had the dictionaries of its terms in another form.
pub(super) const FORMAT: u32 = 2;

/// Ids and times beside the index file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IndexMetadata {
    /// [`FORMAT`]; format 1 did not say so.
    #[serde(default)]
    pub format: u32,
    pub index_uid: String,
    pub create_timestamp: i64,
    pub config: IndexConfig,
}

/// Documents on their way to the index, in the order of the write-ahead log.
pub(super) struct Batch {
    pub seq: Seq,
    pub documents: Vec<TantivyDocument>,
    pub source_bytes: usize,
    /// What the batch counts against the limit of waiting data.
    pub weight: Weight,
    /// `true` when the record is safe; anything else, and the batch was never acknowledged.
    pub durable: Receiver<bool>,
}

enum Command {
    Index(Batch),
    Delete(Box<dyn tantivy::query::Query>, Sender<Result<(), tantivy::TantivyError>>),
    Clear(Sender<Result<(), tantivy::TantivyError>>),
    Flush(Sender<()>),
    /// A last commit, then the thread ends and gives up the directory.
    Stop(Sender<()>),
}

/// Numbers of the write-ahead log that some index still needs.
#[derive(Debug, Default)]
pub(super) struct Outstanding(Mutex<BTreeSet<Seq>>);

impl Outstanding {
    pub fn add(&self, seq: Seq) {
        self.0.lock().insert(seq);
    }

    fn remove(&self, seqs: impl IntoIterator<Item = Seq>) {
        let mut set = self.0.lock();
        for seq in seqs {
            set.remove(&seq);
        }
    }

    pub fn oldest(&self) -> Option<Seq> {
        self.0.lock().first().copied()
    }
}

/// Bytes that wait for indexing, over all indexes.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Mutex<usize>,
    less: Condvar,
}

impl Waiting {
    /// Takes `bytes` when fewer than `limit` wait, or as soon as that is so. Blocks.
    ///
    /// # Errors
    /// How many bytes wait, when that was not so within `patience`.
    pub fn take(self: &Arc<Self>, bytes: usize, limit: usize, patience: Duration) -> Result<Weight, usize> {
        let mut waiting = self.bytes.lock();
        let timed_out = self.less.wait_while_for(&mut waiting, |waiting| *waiting >= limit, patience).timed_out();
        if timed_out {
            return Err(*waiting);
        }
        *waiting += bytes;
        Ok(Weight { bytes, waiting: Arc::clone(self) })
    }

    pub fn bytes(&self) -> usize {
        *self.bytes.lock()
    }
}

/// Bytes of [`Waiting`], which are given back when this is dropped.
#[derive(Debug)]
pub(super) struct Weight {
    bytes: usize,
    waiting: Arc<Waiting>,
}

impl Weight {
    /// For what does not count as waiting.
    pub fn nothing(waiting: &Arc<Waiting>) -> Self {
        Self { bytes: 0, waiting: Arc::clone(waiting) }
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        *self.waiting.bytes.lock() -= self.bytes;
        self.waiting.less.notify_all();
    }
}

/// A document with its share of its batch's weight: when tantivy takes up the last one, the batch waits no longer.
struct Weighed {
    document: TantivyDocument,
    _weight: Arc<Weight>,
}

impl Document for Weighed {
    type Value<'a> = <TantivyDocument as Document>::Value<'a>;
    type FieldsValuesIter<'a> = <TantivyDocument as Document>::FieldsValuesIter<'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        self.document.iter_fields_and_values()
    }

    fn into_tantivy_document(self) -> TantivyDocument {
        self.document
    }
}

/// What an index needs of its store.
#[derive(Clone)]
pub(super) struct Shared {
    pub outstanding: Arc<Outstanding>,
    /// Searches the segments of an index side by side.
    pub executor: Executor,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct IndexStats {
    pub documents: u64,
    pub segments: usize,
    /// Size of the documents as returned.
    pub source_bytes: u64,
    /// Size of the index on disk.
    pub disk_bytes: u64,
    /// Earliest and latest document by the timestamp field, in nanoseconds.
    pub time_range: Option<(i64, i64)>,
}

pub struct LogIndex {
    pub mapper: Arc<DocMapper>,
    pub(super) known_parts: KnownParts,
    metadata: Mutex<IndexMetadata>,
    dir: PathBuf,
    index: Index,
    reader: IndexReader,
    commands: Sender<Command>,
    committed: Arc<CommitState>,
    arrivals: Mutex<Vec<Arrival>>,
}

/// At this time (seconds since 1970) documents below this number had come.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Arrival {
    time: u64,
    next_doc: u64,
}

/// Shared with the writing thread.
struct CommitState {
    wal_seq: AtomicU64,
    source_bytes: AtomicU64,
    next_doc: AtomicU64,
    /// Set when a commit failed; nothing more is taken then, since order could no longer be kept.
    failed: AtomicBool,
}

impl std::fmt::Debug for LogIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogIndex").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl LogIndex {
    /// Makes a new index in `dir`, which must not exist. The index is on disk when this returns.
    pub(super) fn create(dir: &Path, metadata: IndexMetadata, shared: &Shared) -> Result<Arc<Self>, LogError> {
        let mapper = DocMapper::new(&metadata.config).map_err(LogError::InvalidConfig)?;
        let io_error = |source| LogError::Io { path: dir.to_owned(), source };
        fs::create_dir_all(dir.join("tantivy")).map_err(io_error)?;
        write_metadata(dir, &metadata)?;
        Self::start(dir, metadata, mapper, shared)
    }

    /// Opens the index in `dir`. `None` when its creation was cut short by a crash.
    pub(super) fn open(dir: &Path, shared: &Shared) -> Result<Option<Arc<Self>>, LogError> {
        let path = dir.join("index.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LogError::Io { path, source }),
        };
        let metadata: IndexMetadata = serde_json::from_str(&text)
            .map_err(|error| LogError::InvalidConfig(format!("{}: {error}", path.display())))?;
        if metadata.format != FORMAT {
            return Err(LogError::InvalidConfig(format!(
                "{} was written by another version of the store: move it away to start without its logs",
                dir.display()
            )));
        }
        let mapper = DocMapper::new(&metadata.config).map_err(LogError::InvalidConfig)?;
        Self::start(dir, metadata, mapper, shared).map(Some)
    }

    fn start(dir: &Path, metadata: IndexMetadata, mapper: DocMapper, shared: &Shared) -> Result<Arc<Self>, LogError> {
        let index_id = metadata.config.index_id.clone();
        let tantivy_error = |source| LogError::Tantivy { index_id: index_id.clone(), source };
        let directory = MmapDirectory::open(dir.join("tantivy")).map_err(|error| tantivy_error(error.into()))?;
        let mut index = Index::builder()
            .schema(mapper.schema.clone())
            .tokenizers(tokenizers::manager())
            .fast_field_tokenizers(tokenizers::manager())
            .open_or_create(directory)
            .map_err(tantivy_error)?;
        index.set_executor(shared.executor.clone());
        let payload = index.load_metas().map_err(tantivy_error)?.payload;
        let checkpoint: Checkpoint = payload.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(16)
            .try_into()
            .map_err(tantivy_error)?;
        let committed = Arc::new(CommitState {
            wal_seq: AtomicU64::new(checkpoint.wal_seq),
            source_bytes: AtomicU64::new(checkpoint.source_bytes),
            next_doc: AtomicU64::new(checkpoint.next_doc),
            failed: AtomicBool::new(false),
        });
        let (commands, received) = channel();
        let asked = Duration::from_secs(metadata.config.indexing_settings.commit_timeout_secs);
        let writer = Writer {
            index_id: index_id.clone(),
            index: index.clone(),
            reader: reader.clone(),
            seq_field: mapper.seq,
            commit_delay: asked.min(MAX_COMMIT_DELAY),
            writer: None,
            busy: Arc::default(),
            checkpoint,
            uncommitted: Vec::new(),
            uncommitted_bytes: 0,
            committed: Arc::clone(&committed),
            shared: shared.clone(),
        };
        std::thread::Builder::new()
            .name(format!("index-{index_id}"))
            .spawn(move || writer.run(&received))
            .map_err(|source| LogError::Io { path: dir.to_owned(), source })?;
        Ok(Arc::new(Self {
            mapper: Arc::new(mapper),
            known_parts: KnownParts::default(),
            metadata: Mutex::new(metadata),
            dir: dir.to_owned(),
            index,
            reader,
            commands,
            committed,
            arrivals: Mutex::new(read_arrivals(dir)),
        }))
    }

    pub fn metadata(&self) -> IndexMetadata {
        self.metadata.lock().clone()
    }

    pub fn id(&self) -> String {
        self.metadata.lock().config.index_id.clone()
    }

    pub fn uid(&self) -> String {
        self.metadata.lock().index_uid.clone()
    }

    pub fn tantivy(&self) -> &Index {
        &self.index
    }

    /// A view of everything that is committed now.
    pub fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Records up to this number of the write-ahead log are committed.
    pub(super) fn committed_seq(&self) -> Seq {
        self.committed.wal_seq.load(Ordering::Acquire)
    }

    /// Notes how many documents have come by `now`, and gives the number below which all had come by `before`. Both are
    /// seconds since 1970. Notes are `interval` seconds apart, so that many documents may stay longer, none shorter.
    pub(super) fn arrived_before(&self, now: u64, before: u64, interval: u64) -> Result<Option<u64>, LogError> {
        let mut arrivals = self.arrivals.lock();
        if arrivals.last().is_none_or(|last| now >= last.time + interval) {
            arrivals.push(Arrival { time: now, next_doc: self.committed.next_doc.load(Ordering::Relaxed) });
            let expired = arrivals.partition_point(|arrival| arrival.time <= before);
            // The newest of the expired ones is the one that counts.
            arrivals.drain(..expired.saturating_sub(1));
            write_file(&self.dir, "arrivals.json", &*arrivals)?;
        }
        Ok(arrivals.first().filter(|oldest| oldest.time <= before).map(|oldest| oldest.next_doc))
    }

    /// Takes a batch; must be called in the order of the batches' numbers.
    pub(super) fn enqueue(&self, batch: Batch) {
        // Fails only when the writing thread is gone; the batch stays in the log for the next start.
        let _ = self.commands.send(Command::Index(batch));
    }

    pub(super) fn is_failed(&self) -> bool {
        self.committed.failed.load(Ordering::Relaxed)
    }

    /// Replaces the index file; the mapping must be the same. On disk when this returns.
    pub(super) fn update(&self, config: IndexConfig) -> Result<IndexMetadata, LogError> {
        let mut metadata = self.metadata.lock();
        let mut next = metadata.clone();
        next.config = config;
        next.config.index_uri.clone_from(&metadata.config.index_uri);
        next.config.doc_mapping.doc_mapping_uid.clone_from(&metadata.config.doc_mapping.doc_mapping_uid);
        let text = |config: &IndexConfig| serde_json::to_value(&config.doc_mapping).unwrap_or_default();
        if text(&next.config) != text(&metadata.config) {
            return Err(LogError::InvalidConfig(
                "this store cannot change the doc mapping of an index: create another index".to_owned(),
            ));
        }
        write_metadata(&self.dir, &next)?;
        *metadata = next.clone();
        Ok(next)
    }

    /// Commits what was enqueued before. Blocks.
    pub fn flush(&self) {
        let (done, wait) = channel();
        if self.commands.send(Command::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Deletes the documents of a query; they are gone when this returns. Blocks.
    pub fn delete(&self, query: Box<dyn tantivy::query::Query>) -> Result<(), LogError> {
        self.order(|done| Command::Delete(query, done))
    }

    /// Deletes every document; they are gone when this returns. Blocks.
    pub fn clear(&self) -> Result<(), LogError> {
        self.order(Command::Clear)
    }

    fn order(
        &self,
        command: impl FnOnce(Sender<Result<(), tantivy::TantivyError>>) -> Command,
    ) -> Result<(), LogError> {
        let (done, wait) = channel();
        self.commands.send(command(done)).map_err(|_| LogError::Stopping)?;
        let outcome = wait.recv().map_err(|_| LogError::Stopping)?;
        outcome.map_err(|source| LogError::Tantivy { index_id: self.id(), source })
    }

    /// Ends the writing thread after a last commit. Blocks. The index must not be used for writing afterwards.
    pub(super) fn stop(&self) {
        let (done, wait) = channel();
        if self.commands.send(Command::Stop(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Removes the index's files. The writing thread must have been stopped.
    pub(super) fn remove_files(&self) -> Result<(), LogError> {
        let io_error = |source| LogError::Io { path: self.dir.clone(), source };
        // Without this file the directory is not an index any more, should the rest be cut short.
        fs::remove_file(self.dir.join("index.json")).map_err(io_error)?;
        fs::remove_dir_all(&self.dir).map_err(io_error)
    }

    pub fn stats(&self) -> IndexStats {
        let searcher = self.searcher();
        let disk_bytes = searcher.space_usage().map_or(0, |usage| usage.total().get_bytes());
        IndexStats {
            documents: searcher.num_docs(),
            segments: searcher.segment_readers().len(),
            source_bytes: self.committed.source_bytes.load(Ordering::Relaxed),
            disk_bytes,
            time_range: self.time_range_of(&searcher),
        }
    }

    /// Earliest and latest document by the timestamp field, in nanoseconds.
    pub fn time_range(&self) -> Option<(i64, i64)> {
        self.time_range_of(&self.searcher())
    }

    fn time_range_of(&self, searcher: &Searcher) -> Option<(i64, i64)> {
        let timestamp = self.mapper.timestamp_field()?;
        let columns = searcher
            .segment_readers()
            .iter()
            .filter(|segment| segment.num_docs() > 0)
            .filter_map(|segment| segment.fast_fields().date(&timestamp.path).ok());
        columns
            .map(|column| (column.min_value().into_timestamp_nanos(), column.max_value().into_timestamp_nanos()))
            .reduce(|(min, max), (other_min, other_max)| (min.min(other_min), max.max(other_max)))
    }
}

fn write_metadata(dir: &Path, metadata: &IndexMetadata) -> Result<(), LogError> {
    write_file(dir, "index.json", metadata)
}

/// Replaces a file in one step; it is on disk when this returns.
fn write_file(dir: &Path, name: &str, content: &impl Serialize) -> Result<(), LogError> {
    let path = dir.join(name);
    let temporary = dir.join(format!("{name}.new"));
    let text = serde_json::to_vec_pretty(content).expect("what is kept beside an index has text keys only");
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        std::io::Write::write_all(&mut file, &text)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        fs::File::open(dir)?.sync_all()
    };
    write().map_err(|source| LogError::Io { path: path.clone(), source })
}

/// Without the file, or with a damaged one, documents stay longer.
fn read_arrivals(dir: &Path) -> Vec<Arrival> {
    let text = fs::read_to_string(dir.join("arrivals.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The writing thread's own.
struct Writer {
    index_id: String,
    index: Index,
    reader: IndexReader,
    seq_field: Field,
    commit_delay: Duration,
    /// Made with the first batch, so that an index that is only read costs no memory.
    writer: Option<IndexWriter<Weighed>>,
    /// Much comes in; segments are not joined meanwhile.
    busy: Arc<AtomicBool>,
    checkpoint: Checkpoint,
    uncommitted: Vec<Seq>,
    uncommitted_bytes: usize,
    committed: Arc<CommitState>,
    shared: Shared,
}

impl Writer {
    fn run(mut self, commands: &Receiver<Command>) {
        let mut commit_at: Option<Instant> = None;
        loop {
            let command = match (commit_at, &self.writer) {
                (Some(at), _) => commands.recv_timeout(at.saturating_duration_since(Instant::now())),
                (None, Some(_)) if self.busy.load(Ordering::Relaxed) => commands.recv_timeout(QUIET_AFTER),
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
                    let outcome = self.ensure_writer().and_then(|writer| writer.delete_query(query).map(drop));
                    commit_at = None;
                    let _ = done.send(outcome.and_then(|()| self.commit_always()));
                    Ok(())
                }
                Ok(Command::Clear(done)) => {
                    let outcome = self.ensure_writer().and_then(|writer| writer.delete_all_documents().map(drop));
                    commit_at = None;
                    self.checkpoint.source_bytes = 0;
                    let _ = done.send(outcome.and_then(|()| self.commit_always()));
                    Ok(())
                }
                Ok(Command::Stop(done)) => {
                    if let Err(error) = self.commit() {
                        tracing::error!(index = self.index_id, %error, "the last commit failed; its logs stay in the write-ahead log");
                    }
                    self.writer = None;
                    let _ = done.send(());
                    break;
                }
                Err(RecvTimeoutError::Timeout) if commit_at.is_some() => {
                    commit_at = None;
                    self.commit()
                }
                // A commit makes tantivy look for segments to join.
                Err(RecvTimeoutError::Timeout) if self.busy.swap(false, Ordering::Relaxed) => self.commit_always(),
                Err(RecvTimeoutError::Timeout) => self.writer.take().map_or(Ok(()), IndexWriter::wait_merging_threads),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = outcome {
                tracing::error!(index = self.index_id, %error, "indexing failed; its logs stay in the write-ahead log");
                self.committed.failed.store(true, Ordering::Relaxed);
                break;
            }
        }
    }

    fn ensure_writer(&mut self) -> tantivy::Result<&mut IndexWriter<Weighed>> {
        if self.writer.is_none() {
            let writer = self.index.writer_with_num_threads(1, WRITER_BYTES)?;
            writer.set_merge_policy(Box::new(PatientMerges::new(Arc::clone(&self.busy))));
            self.writer = Some(writer);
        }
        Ok(self.writer.as_mut().expect("made above"))
    }

    fn index_batch(&mut self, batch: Batch) -> tantivy::Result<()> {
        let Batch { seq, documents, source_bytes, weight, durable } = batch;
        self.uncommitted.push(seq);
        self.uncommitted_bytes += weight.bytes;
        if durable.recv() == Ok(true) && !documents.is_empty() {
            let first_doc = self.checkpoint.next_doc;
            self.checkpoint.next_doc += documents.len() as u64;
            self.checkpoint.source_bytes += source_bytes as u64;
            let seq_field = self.seq_field;
            let weight = Arc::new(weight);
            let operations = documents.into_iter().enumerate().map(|(offset, mut document)| {
                document.add_u64(seq_field, first_doc + offset as u64);
                UserOperation::Add(Weighed { document, _weight: Arc::clone(&weight) })
            });
            self.ensure_writer()?.run(operations)?;
        }
        self.checkpoint.wal_seq = seq;
        Ok(())
    }

    fn commit(&mut self) -> tantivy::Result<()> {
        if self.uncommitted.is_empty() {
            return Ok(());
        }
        self.commit_always()
    }

    fn commit_always(&mut self) -> tantivy::Result<()> {
        // Until a commit is small again; see `QUIET_AFTER` for when none comes.
        self.busy.store(self.uncommitted_bytes > BUSY_BYTES, Ordering::Relaxed);
        let payload = serde_json::to_string(&self.checkpoint).expect("numbers can be written");
        let writer = self.ensure_writer()?;
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(&payload);
        prepared.commit()?;
        self.reader.reload()?;
        self.committed.wal_seq.store(self.checkpoint.wal_seq, Ordering::Release);
        self.committed.next_doc.store(self.checkpoint.next_doc, Ordering::Relaxed);
        self.committed.source_bytes.store(self.checkpoint.source_bytes, Ordering::Relaxed);
        self.shared.outstanding.remove(self.uncommitted.drain(..));
        self.uncommitted_bytes = 0;
        Ok(())
    }
}
