//! One index: its mapping and its tantivy directory. The thread that writes to it: `writer.rs`.
//!
//! Files in the index's directory: `index.json` (the index file with its ids), `arrivals.json` (which documents had come when,
//! for retention) and `tantivy/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher};

use super::doc_mapper::DocMapper;
use super::error::LogError;
use super::index_config::IndexConfig;
use super::search::{KnownParts, KnownZones};
use super::tokenizers;
use super::waiting::{Needed, Outstanding};
use super::writer::{Batch, Command, CommitState, Shared, Writer};
use crate::wal::Seq;

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
    pub(super) known_zones: Arc<KnownZones>,
    metadata: Mutex<IndexMetadata>,
    dir: PathBuf,
    index: Index,
    reader: IndexReader,
    commands: Sender<Command>,
    committed: Arc<CommitState>,
    outstanding: Arc<Outstanding>,
    /// The index was deleted: nothing of the write-ahead log is needed for it any more.
    forgotten: Arc<AtomicBool>,
    arrivals: Mutex<Vec<Arrival>>,
}

/// At this time (seconds since 1970) documents below this number had come.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Arrival {
    time: u64,
    next_doc: u64,
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
        // Several threads write documents already; handing what they wrote to yet another only costs.
        index.settings_mut().docstore_compress_dedicated_thread = false;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(16)
            .try_into()
            .map_err(tantivy_error)?;
        let mapper = Arc::new(mapper);
        let (commands, received) = channel();
        let writer = Writer::new(
            (index_id.clone(), metadata.index_uid.clone()),
            (index.clone(), IndexReader::clone(&reader)),
            Arc::clone(&mapper),
            Duration::from_secs(metadata.config.indexing_settings.commit_timeout_secs),
            shared.clone(),
        )
        .map_err(tantivy_error)?;
        let committed = Arc::clone(&writer.committed);
        std::thread::Builder::new()
            .name(format!("index-{index_id}"))
            .spawn(move || writer.run(&received))
            .map_err(|source| LogError::Io { path: dir.to_owned(), source })?;
        Ok(Arc::new(Self {
            mapper,
            known_parts: KnownParts::default(),
            known_zones: Arc::default(),
            metadata: Mutex::new(metadata),
            dir: dir.to_owned(),
            index,
            reader,
            commands,
            committed,
            outstanding: Arc::clone(&shared.outstanding),
            forgotten: Arc::default(),
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

    #[cfg(test)]
    pub(super) fn dir(&self) -> &Path {
        &self.dir
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

    /// Notes that the index needs a record of the write-ahead log.
    pub(super) fn need(&self, seq: Seq) -> Needed {
        Needed::new(seq, &self.outstanding, &self.forgotten)
    }

    /// Takes a batch; must be called in the order of the batches' numbers.
    pub(super) fn enqueue(&self, batch: Batch) {
        // Fails only when the writing thread is gone; the batch stays in the log for the next start.
        let _ = self.commands.send(Command::Index(batch));
    }

    /// The last commit did not fail; see `recovery.rs`.
    pub fn is_writable(&self) -> bool {
        !self.committed.failed.load(Ordering::Relaxed)
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

    /// Like [`Self::stop`], before the index is removed: what was not committed is given up. Blocks.
    pub(super) fn forget(&self) {
        // Before the thread ends: what is sent to it from then on only reaches the end of its queue.
        self.forgotten.store(true, Ordering::Release);
        let (done, wait) = channel();
        if self.commands.send(Command::Forget(done)).is_ok() {
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
