//! All indexes of the log store and the write-ahead log in front of them.
//!
//! Files in the store's directory: `wal/`, and `indexes/<index id>--<unique part>/` per index.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;
use tantivy::Executor;

use super::doc_mapper::DocMapper;
use super::error::LogError;
use super::index::{FORMAT, IndexMetadata, LogIndex};
use super::index_config::IndexConfig;
use super::intake::{Mapped, OtlpRequest, map_lines};
use super::record::{Payload, Record};
use super::retention;
use super::writer::{Batch, Shared};
use crate::ulid::ulid;
use crate::wal::{SyncPolicy, Wal, WalOptions};

/// How long a sender is kept waiting for the indexer before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct LogOptions {
    pub dir: PathBuf,
    pub sync: SyncPolicy,
    /// Documents that came longer ago are dropped. An index file's own retention goes first; it looks at their time.
    pub retention: Option<Duration>,
    /// Bytes of all indexes together; the oldest documents go first.
    pub max_disk_bytes: Option<u64>,
    /// Bytes of requests that may wait for indexing; beyond, senders are slowed down.
    pub max_waiting_bytes: usize,
}

/// What became of a request's documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestOutcome {
    pub accepted: usize,
    pub rejected: usize,
    /// The first reason for a rejection.
    pub error: Option<String>,
}

/// Numbers for `/metrics`.
#[derive(Debug, Default)]
pub struct LogCounters {
    pub accepted: AtomicU64,
    pub rejected: AtomicU64,
    pub refused_requests: AtomicU64,
    pub request_bytes: AtomicU64,
}

pub struct LogStore {
    options: LogOptions,
    wal: Wal,
    indexes: RwLock<BTreeMap<String, Arc<LogIndex>>>,
    shared: Shared,
    pub counters: LogCounters,
}

impl std::fmt::Debug for LogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogStore").field("options", &self.options).finish_non_exhaustive()
    }
}

const BUILT_IN: [&str; 2] =
    [include_str!("builtin/otel-logs-v0_9.yaml"), include_str!("builtin/otel-traces-v0_9.yaml")];

impl LogStore {
    /// Opens the store, makes the built-in indexes, and takes up what the log holds beyond the indexes. Blocks.
    ///
    /// # Errors
    /// [`LogError`] with the file that cannot be used.
    pub fn open(options: LogOptions) -> Result<Arc<Self>, LogError> {
        let shared = Shared::new(executor()?);
        let mut indexes = BTreeMap::new();
        let indexes_dir = options.dir.join("indexes");
        fs::create_dir_all(&indexes_dir).map_err(|source| io_error(&indexes_dir, source))?;
        for entry in fs::read_dir(&indexes_dir).map_err(|source| io_error(&indexes_dir, source))? {
            let dir = entry.map_err(|source| io_error(&indexes_dir, source))?.path();
            match LogIndex::open(&dir, &shared)? {
                Some(index) => drop(indexes.insert(index.id(), index)),
                // Its creation or removal was cut short.
                None => fs::remove_dir_all(&dir).map_err(|source| io_error(&dir, source))?,
            }
        }
        let start_after = indexes.values().map(|index| index.committed_seq()).max().unwrap_or(0);
        let by_uid: BTreeMap<String, Arc<LogIndex>> =
            indexes.values().map(|index| (index.uid(), Arc::clone(index))).collect();
        let wal_options = WalOptions { sync: options.sync, start_after, ..WalOptions::default() };
        let mut replayed = 0_u64;
        let wal = Wal::open(&options.dir.join("wal"), wal_options, |seq, bytes| {
            let Some(record) = Record::decode(bytes) else {
                tracing::error!(seq, "the logs' write-ahead log holds a record of another version; it is left out");
                return;
            };
            // Records of an index that was deleted since are left out too.
            let Some(index) = by_uid.get(record.index_uid).filter(|index| index.committed_seq() < seq) else {
                return;
            };
            replayed += 1;
            index.enqueue(Batch::replayed(index.need(seq), &index.mapper, &record, &shared.waiting));
        })?;
        // Cannot be set already: this is the only place.
        let _ = shared.wal.set(wal.clone());
        if replayed > 0 {
            tracing::info!(records = replayed, "took up logs that were acknowledged and not yet indexed");
        }
        let store =
            Arc::new(Self { options, wal, indexes: RwLock::new(indexes), shared, counters: LogCounters::default() });
        for text in BUILT_IN {
            let config = IndexConfig::from_yaml(text).map_err(LogError::InvalidConfig)?;
            match store.create_index(config) {
                Ok(_) | Err(LogError::IndexExists(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(store)
    }

    /// # Errors
    /// [`LogError::IndexExists`], [`LogError::InvalidConfig`], or what the disk says.
    pub fn create_index(&self, mut config: IndexConfig) -> Result<Arc<LogIndex>, LogError> {
        let mut indexes = self.indexes.write();
        if indexes.contains_key(&config.index_id) {
            return Err(LogError::IndexExists(config.index_id));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unique = ulid();
        let dir = self.options.dir.join("indexes").join(format!("{}--{unique}", config.index_id));
        config.doc_mapping.doc_mapping_uid = ulid();
        config.index_uri.get_or_insert_with(|| format!("file://{}", dir.display()));
        let metadata = IndexMetadata {
            format: FORMAT,
            index_uid: format!("{}:{unique}", config.index_id),
            create_timestamp: now.as_secs() as i64,
            config,
        };
        let index = LogIndex::create(&dir, metadata, &self.shared)?;
        tracing::info!(index = index.id(), "created an index");
        indexes.insert(index.id(), Arc::clone(&index));
        Ok(index)
    }

    /// # Errors
    /// [`LogError::IndexNotFound`], or what the disk says.
    pub fn delete_index(&self, id: &str) -> Result<(), LogError> {
        let index = self.indexes.write().remove(id).ok_or_else(|| LogError::IndexNotFound(id.to_owned()))?;
        index.forget();
        index.remove_files()?;
        tracing::info!(index = id, "deleted an index");
        Ok(())
    }

    /// Replaces an index file; its doc mapping must stay.
    ///
    /// # Errors
    /// [`LogError::IndexNotFound`], [`LogError::InvalidConfig`], or what the disk says.
    pub fn update_index(&self, id: &str, config: IndexConfig) -> Result<IndexMetadata, LogError> {
        self.index(id)?.update(config)
    }

    /// # Errors
    /// [`LogError::IndexNotFound`].
    pub fn index(&self, id: &str) -> Result<Arc<LogIndex>, LogError> {
        self.indexes.read().get(id).cloned().ok_or_else(|| LogError::IndexNotFound(id.to_owned()))
    }

    /// Every index, by id.
    pub fn indexes(&self) -> Vec<Arc<LogIndex>> {
        self.indexes.read().values().cloned().collect()
    }

    /// Takes a protobuf `ExportLogsServiceRequest` into an index. Blocks; on disk when it returns.
    ///
    /// Records that do not fit the index's mapping are rejected one by one and counted; the others are kept.
    ///
    /// # Errors
    /// Nothing of the request was taken: [`LogError::IndexNotFound`], [`LogError::InvalidRequest`],
    /// [`LogError::InvalidRecord`], [`LogError::Busy`], [`LogError::Wal`].
    pub fn ingest_otlp(&self, index_id: &str, payload: &[u8]) -> Result<IngestOutcome, LogError> {
        let index = self.index(index_id)?;
        let request = OtlpRequest::read(payload, &index.mapper)?;
        request.validate()?;
        if request.count() == 0 {
            return Ok(IngestOutcome::default());
        }
        let received_nanos = now_nanos();
        self.ingest(&index, Payload::Otlp, received_nanos, payload, |mapper, mapped| {
            request.map(mapper, received_nanos, mapped);
        })
    }

    /// Takes JSON documents, one a line, into an index. Blocks; on disk when it returns.
    ///
    /// `outcomes` gets one entry per line that is not blank.
    ///
    /// # Errors
    /// Nothing was taken: [`LogError::IndexNotFound`], [`LogError::Busy`], [`LogError::Wal`].
    pub fn ingest_ndjson(
        &self,
        index_id: &str,
        payload: &[u8],
        mut outcomes: impl FnMut(Result<(), String>),
    ) -> Result<IngestOutcome, LogError> {
        let index = self.index(index_id)?;
        self.ingest(&index, Payload::NdJson, now_nanos(), payload, |mapper, mapped| {
            map_lines(mapper, payload, |outcome| {
                outcomes(outcome.as_ref().map(|_| ()).map_err(ToString::to_string));
                mapped.add(outcome);
            });
        })
    }

    pub(super) fn ingest(
        &self,
        index: &LogIndex,
        payload_kind: Payload,
        received_nanos: u64,
        payload: &[u8],
        map: impl FnOnce(&DocMapper, &mut Mapped),
    ) -> Result<IngestOutcome, LogError> {
        if !index.is_writable() {
            self.counters.refused_requests.fetch_add(1, Ordering::Relaxed);
            return Err(LogError::Unwritable { index_id: index.id() });
        }
        let waiting = &self.shared.waiting;
        let weight =
            waiting.take(payload.len(), self.options.max_waiting_bytes, PATIENCE).map_err(|waiting_bytes| {
                self.counters.refused_requests.fetch_add(1, Ordering::Relaxed);
                LogError::Busy { waiting_bytes }
            })?;
        let mut mapped = Mapped::default();
        map(&index.mapper, &mut mapped);
        let Mapped { documents, source_bytes, outcome } = mapped;
        self.counters.rejected.fetch_add(outcome.rejected as u64, Ordering::Relaxed);
        if documents.is_empty() {
            return Ok(outcome);
        }
        let index_uid = index.uid();
        let record = Record { payload_kind, received_nanos, index_uid: &index_uid, payload }.encode();
        let (durable, wait_durable) = channel();
        let appended = self.wal.append_with(&record, |seq| {
            index.enqueue(Batch { needed: index.need(seq), documents, source_bytes, weight, durable: wait_durable });
        });
        // The indexer waits for this; when it is gone already, the log has the record.
        let _ = durable.send(appended.is_ok());
        appended?;
        self.counters.accepted.fetch_add(outcome.accepted as u64, Ordering::Relaxed);
        self.counters.request_bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
        Ok(outcome)
    }

    /// Commits everything that was taken. Blocks.
    pub fn flush(&self) {
        for index in self.indexes() {
            index.flush();
        }
    }

    /// Commits everything and ends the writing threads. Blocks. Nothing can be written afterwards.
    pub fn stop(&self) {
        for index in self.indexes() {
            index.stop();
        }
        self.truncate_log();
        if let Err(error) = self.wal.sync() {
            tracing::error!(%error, "cannot force the logs' write-ahead log to disk");
        }
    }

    /// Gives back log segments that every index has committed, and drops what is too old or too much. Blocks.
    pub fn maintain(&self) {
        self.truncate_log();
        retention::enforce(&self.indexes(), self.options.retention, self.options.max_disk_bytes);
    }

    fn truncate_log(&self) {
        // Read first: a record that arrives in between has a higher number than this one.
        let newest = self.wal.last_seq();
        let needed = self.shared.outstanding.oldest().unwrap_or(newest + 1);
        if let Err(error) = self.wal.truncate_before(needed) {
            tracing::error!(%error, "cannot remove an old file of the logs' write-ahead log");
        }
    }

    #[cfg(test)]
    pub(super) fn oldest_needed(&self) -> Option<crate::wal::Seq> {
        self.shared.outstanding.oldest()
    }

    /// Bytes of requests that wait for indexing.
    pub fn waiting_bytes(&self) -> usize {
        self.shared.waiting.bytes()
    }

    /// Bytes of the write-ahead log.
    pub fn wal_bytes(&self) -> u64 {
        self.wal.used_bytes()
    }
}

fn executor() -> Result<Executor, LogError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Executor::multi_thread(cores, "search-").map_err(|source| LogError::Tantivy { index_id: "*".to_owned(), source })
}

fn now_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

fn io_error(path: &Path, source: std::io::Error) -> LogError {
    LogError::Io { path: path.to_owned(), source }
}
