//! The store itself: what is open, what is written when, what is thrown away.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use parking_lot::{Condvar, Mutex, RwLock};

use super::block::Block;
use super::cache::Caches;
use super::head::Head;
use super::manifest::Manifest;
use super::record::{self, Group};
use super::segment::{self, Segment};
use super::{IngestError, Reader, TraceError, decode};
use crate::service_graph::Generator;
use crate::wal::{Seq, SyncPolicy, Wal, WalError, WalOptions};

#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Belongs to this store alone; created when missing.
    pub dir: PathBuf,
    pub sync: SyncPolicy,
    /// Segments whose last span ended longer ago are removed; `None` keeps them.
    pub retention: Option<Duration>,
    /// The oldest segments are removed when all together are larger; `None` for no limit.
    pub max_bytes: Option<u64>,
    /// Spans stay in memory no longer than this.
    pub head_max_age: Duration,
    /// Spans in memory before they are written to a segment.
    pub head_max_spans: usize,
    /// Memory of the head before it is written to a segment.
    pub head_max_bytes: usize,
    /// Memory for what was read from segments and computed from it.
    pub cache_bytes: usize,
    /// A query that evaluates longer than this is given up.
    pub query_timeout: Duration,
}

impl StoreOptions {
    /// The defaults for a directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            sync: SyncPolicy::Always,
            retention: Some(Duration::from_secs(24 * 3600)),
            max_bytes: None,
            head_max_age: Duration::from_secs(30),
            head_max_spans: 32_768,
            head_max_bytes: 16 << 20,
            cache_bytes: 16 << 20,
            query_timeout: Duration::from_secs(30),
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestOutcome {
    /// Spans that are stored now: all of the request.
    pub accepted_spans: usize,
}

/// Sizes for the store's own metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreStats {
    pub segments: usize,
    pub segment_bytes: u64,
    pub wal_bytes: u64,
    pub head_spans: usize,
    pub stored_spans: usize,
}

impl std::ops::AddAssign for StoreStats {
    fn add_assign(&mut self, other: Self) {
        self.segments += other.segments;
        self.segment_bytes += other.segment_bytes;
        self.wal_bytes += other.wal_bytes;
        self.head_spans += other.head_spans;
        self.stored_spans += other.stored_spans;
    }
}

/// Heads that wait for the disk before senders are told to slow down.
const MAX_FROZEN: usize = 2;

/// Spans of one tenant. Every method may block on the disk: call from async code through `spawn_blocking`.
pub struct TraceStore {
    inner: Arc<Inner>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Inner {
    pub(super) options: StoreOptions,
    wal: Wal,
    /// Shared from the append of a record until the head has it; exclusive to take the head away. Thus the head that
    /// is taken holds exactly the records up to the log's last number.
    gate: RwLock<()>,
    pub(super) head: RwLock<Head>,
    pub(super) older: RwLock<Older>,
    pub(super) manifest: Mutex<Manifest>,
    pub(super) cache: Arc<Caches>,
    generator: Generator,
    since: Mutex<Option<Instant>>,
    /// Held while segments are chosen and then removed or joined: one of two that chose the same would miss its files.
    pub(super) maintenance: Mutex<()>,
    signal: Mutex<Signal>,
    changed: Condvar,
}

/// Blocks that no longer change.
#[derive(Default)]
pub(super) struct Older {
    /// Heads on their way to the disk, oldest first.
    pub(super) frozen: Vec<Arc<Frozen>>,
    /// Oldest first.
    pub(super) segments: Vec<Arc<Segment>>,
}

pub(super) struct Frozen {
    pub(super) head: Head,
    upto: Seq,
}

#[derive(Default)]
struct Signal {
    stop: bool,
    full: bool,
}

impl TraceStore {
    /// Opens or creates the store and reads back what was acknowledged and is not yet in a segment.
    ///
    /// # Errors
    /// [`TraceError`] with the file that cannot be used.
    pub fn open(options: StoreOptions) -> Result<Self, TraceError> {
        fs::create_dir_all(&options.dir).map_err(|source| TraceError::io(&options.dir, source))?;
        let mut manifest = Manifest::load(&options.dir)?;
        let cache = Arc::new(Caches::new(options.cache_bytes));
        let segments = open_segments(&options.dir, &mut manifest, &cache)?;
        let mut head = Head::default();
        let wal_options = WalOptions { sync: options.sync, start_after: manifest.committed, ..WalOptions::default() };
        let mut damaged = None;
        let wal = Wal::open(&options.dir.join("wal"), wal_options, |seq, payload| {
            if seq <= manifest.committed {
                return;
            }
            match record::decode(payload) {
                Some(groups) => head.apply(&groups),
                None => damaged = Some(seq),
            }
        })?;
        if let Some(seq) = damaged {
            tracing::error!(seq, "a record of the write-ahead log holds no spans");
            return Err(TraceError::Damaged("a record of the write-ahead log"));
        }
        let since = (!head.is_empty()).then(Instant::now);
        let inner = Arc::new(Inner {
            wal,
            gate: RwLock::new(()),
            head: RwLock::new(head),
            older: RwLock::new(Older { frozen: Vec::new(), segments }),
            manifest: Mutex::new(manifest),
            cache,
            generator: Generator::default(),
            since: Mutex::new(since),
            maintenance: Mutex::default(),
            signal: Mutex::default(),
            changed: Condvar::new(),
            options,
        });
        let worker = {
            let inner = Arc::clone(&inner);
            std::thread::Builder::new()
                .name("traces".into())
                .spawn(move || inner.work())
                .map_err(|source| TraceError::io(Path::new("the worker thread"), source))?
        };
        Ok(Self { inner, worker: Mutex::new(Some(worker)) })
    }

    /// Stores the spans of a request. Returns when they are in the log (as safe as [`StoreOptions::sync`] says) and
    /// searchable; blocks. All or nothing.
    ///
    /// # Errors
    /// [`IngestError`]: nothing is stored.
    pub fn ingest(&self, request: Vec<ResourceSpans>) -> Result<IngestOutcome, IngestError> {
        let request = record::encoded(request);
        let groups = record::groups(&request).ok_or_else(|| IngestError::Invalid("not a list of spans".to_owned()))?;
        self.ingest_groups(&groups)
    }

    /// Like [`TraceStore::ingest`], for a request that [`record::groups`] took apart.
    ///
    /// # Errors
    /// [`IngestError`]: nothing is stored.
    pub fn ingest_groups(&self, groups: &[Group<'_>]) -> Result<IngestOutcome, IngestError> {
        check_ids(groups)?;
        let accepted_spans = groups.iter().map(|group| group.spans.len()).sum();
        if accepted_spans == 0 {
            return Ok(IngestOutcome { accepted_spans });
        }
        let inner = &self.inner;
        if inner.older.read().frozen.len() >= MAX_FROZEN {
            return Err(IngestError::Busy {
                reason: "the disk does not keep up with the spans".to_owned(),
                retry_after: Duration::from_secs(1),
            });
        }
        let payload = record::encode(groups);
        let full = {
            let _gate = inner.gate.read();
            inner.wal.append(&payload).map_err(refused)?;
            let mut head = inner.head.write();
            if head.is_empty() {
                *inner.since.lock() = Some(Instant::now());
            }
            head.apply(groups);
            inner.is_full(&head)
        };
        inner.generator.observe(groups);
        if full {
            // Here and not in the worker, so that the head stays bounded while the worker waits for the disk.
            inner.freeze(Inner::is_full);
            inner.signal.lock().full = true;
            inner.changed.notify_one();
        }
        Ok(IngestOutcome { accepted_spans })
    }

    /// Calls `visit` with every block, newest first. A block moves from the head to a segment while it runs: it is
    /// then seen once, in either place.
    pub(super) fn for_each_block(
        &self,
        visit: &mut dyn FnMut(&dyn Block) -> Result<(), TraceError>,
    ) -> Result<(), TraceError> {
        let (frozen, segments) = {
            let older = self.inner.older.read();
            let head = self.inner.head.read();
            let lists = (older.frozen.clone(), older.segments.clone());
            drop(older);
            if !head.is_empty() {
                visit(&*head)?;
            }
            lists
        };
        for block in frozen.iter().rev() {
            visit(&block.head)?;
        }
        for segment in segments.iter().rev() {
            visit(&**segment)?;
        }
        Ok(())
    }

    /// A reader of this store alone.
    pub fn reader(self: &Arc<Self>) -> Reader {
        Reader::of(vec![Arc::clone(self)])
    }

    pub(super) fn options(&self) -> &StoreOptions {
        &self.inner.options
    }

    /// The service graph and span metrics of what was ingested since the start.
    pub fn generator(&self) -> &Generator {
        &self.inner.generator
    }

    pub fn stats(&self) -> StoreStats {
        let older = self.inner.older.read();
        let head_spans = self.inner.head.read().len(super::column::Domain::Span);
        let frozen: usize = older.frozen.iter().map(|frozen| frozen.head.rows.len()).sum();
        let stored: usize = older.segments.iter().map(|segment| segment.rows()).sum();
        StoreStats {
            segments: older.segments.len(),
            segment_bytes: older.segments.iter().map(|segment| segment.file_bytes).sum(),
            wal_bytes: self.inner.wal.used_bytes(),
            head_spans,
            stored_spans: stored + frozen + head_spans,
        }
    }

    /// Writes what is in memory to a segment; returns when it is on disk.
    ///
    /// # Errors
    /// [`TraceError`]; the spans stay in memory and in the log.
    pub fn flush(&self) -> Result<(), TraceError> {
        self.inner.freeze(|_, _| true);
        self.inner.write_frozen()
    }

    /// Removes what retention says now; the worker does so by itself.
    #[cfg(test)]
    pub(super) fn retain(&self) -> Result<(), TraceError> {
        self.inner.retain()
    }

    /// Joins small segments now; the worker does so by itself.
    #[cfg(test)]
    pub(super) fn compact(&self) -> Result<(), TraceError> {
        self.inner.compact()
    }

    /// Stops the background work and writes what is in memory to a segment. Idempotent.
    ///
    /// # Errors
    /// [`TraceError`]; the spans are still in the log then.
    pub fn close(&self) -> Result<(), TraceError> {
        self.inner.signal.lock().stop = true;
        self.inner.changed.notify_all();
        if let Some(worker) = self.worker.lock().take()
            && worker.join().is_err()
        {
            tracing::error!("the worker of the trace store had panicked");
        }
        self.flush()
    }
}

impl Drop for TraceStore {
    fn drop(&mut self) {
        // Without `close`, the log keeps what is in memory; only the thread must not outlive the store.
        self.inner.signal.lock().stop = true;
        self.inner.changed.notify_all();
    }
}

impl Inner {
    /// Body of the worker thread: writes full or old heads, joins small segments, removes old ones.
    fn work(&self) {
        loop {
            {
                let mut signal = self.signal.lock();
                if !signal.full && !signal.stop {
                    self.changed.wait_for(&mut signal, Duration::from_secs(1));
                }
                if signal.stop {
                    return;
                }
                signal.full = false;
            }
            self.generator.expire(Instant::now());
            self.freeze(Self::is_due);
            for outcome in [self.write_frozen(), self.retain(), self.compact()] {
                if let Err(error) = outcome {
                    tracing::error!(%error, "the trace store cannot write; it tries again");
                }
            }
        }
    }

    fn is_full(&self, head: &Head) -> bool {
        head.rows.len() >= self.options.head_max_spans || head.bytes() >= self.options.head_max_bytes
    }

    fn is_due(&self, head: &Head) -> bool {
        self.is_full(head) || self.since.lock().is_some_and(|since| since.elapsed() >= self.options.head_max_age)
    }

    /// Takes the head away to be written, if `when` says so.
    fn freeze(&self, when: fn(&Self, &Head) -> bool) {
        if !when(self, &self.head.read()) {
            return;
        }
        let _gate = self.gate.write();
        let mut older = self.older.write();
        let mut head = self.head.write();
        // Another thread may have been faster.
        if head.is_empty() || !when(self, &head) {
            return;
        }
        let upto = self.wal.last_seq();
        older.frozen.push(Arc::new(Frozen { head: std::mem::take(&mut head), upto }));
        *self.since.lock() = None;
    }

    fn write_frozen(&self) -> Result<(), TraceError> {
        let mut manifest = self.manifest.lock();
        loop {
            let Some(frozen) = self.older.read().frozen.first().cloned() else { return Ok(()) };
            let segment = self.write_segment(&frozen.head, &mut manifest, |manifest, number| {
                manifest.segments.push(number);
                manifest.committed = frozen.upto;
            })?;
            {
                let mut older = self.older.write();
                older.segments.push(Arc::new(segment));
                older.frozen.remove(0);
            }
            self.wal.truncate_before(frozen.upto + 1)?;
        }
    }

    /// Writes a segment and, in one step with it, the change to the manifest that makes it count.
    pub(super) fn write_segment(
        &self,
        head: &Head,
        manifest: &mut Manifest,
        change: impl FnOnce(&mut Manifest, u64),
    ) -> Result<Segment, TraceError> {
        let number = manifest.next_segment;
        let path = segment_path(&self.options.dir, number);
        segment::write(head, &path)?;
        let segment = Segment::open(&path, number, Arc::clone(&self.cache))?;
        let mut next = manifest.clone();
        next.next_segment += 1;
        change(&mut next, number);
        next.save(&self.options.dir)?;
        *manifest = next;
        Ok(segment)
    }
}

pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.traces"))
}

/// Opens what the manifest names and removes what a crash left behind.
fn open_segments(dir: &Path, manifest: &mut Manifest, cache: &Arc<Caches>) -> Result<Vec<Arc<Segment>>, TraceError> {
    for entry in fs::read_dir(dir).map_err(|source| TraceError::io(dir, source))? {
        let path = entry.map_err(|source| TraceError::io(dir, source))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let known = manifest.segments.iter().any(|number| segment_path(dir, *number) == path);
        if extension == Some("tmp") || (extension == Some("traces") && !known) {
            fs::remove_file(&path).map_err(|source| TraceError::io(&path, source))?;
        }
    }
    let mut segments = Vec::new();
    for number in std::mem::take(&mut manifest.segments) {
        let path = segment_path(dir, number);
        if !path.exists() {
            tracing::error!(path = %path.display(), "a segment of traces is missing; its spans are lost");
            continue;
        }
        segments.push(Arc::new(Segment::open(&path, number, Arc::clone(cache))?));
        manifest.segments.push(number);
    }
    Ok(segments)
}

/// Tempo's rule and texts: whole ids that are not all zero.
fn check_ids(groups: &[Group<'_>]) -> Result<(), IngestError> {
    for span in groups.iter().flat_map(|group| &group.spans) {
        let bits = |id: &[u8]| if id.iter().all(|byte| *byte == 0) { 0 } else { id.len() * 8 };
        let trace_bits = bits(span.trace_id);
        if trace_bits != 128 {
            return Err(IngestError::Invalid(format!("trace ids must be 128 bit, received {trace_bits} bits")));
        }
        let span_bits = bits(span.span_id);
        if span_bits != 64 {
            let text = format!("span ids must be 64 bit and not all zero, received {span_bits} bits");
            return Err(IngestError::Invalid(text));
        }
        debug_assert_ne!(decode::id::<16>(span.trace_id), [0; 16]);
    }
    Ok(())
}

fn refused(error: WalError) -> IngestError {
    match error {
        WalError::DiskFull { .. } => {
            IngestError::Busy { reason: error.to_string(), retry_after: Duration::from_secs(5) }
        }
        WalError::TooLarge { .. } => IngestError::Invalid(error.to_string()),
        other => IngestError::Storage(other.into()),
    }
}
