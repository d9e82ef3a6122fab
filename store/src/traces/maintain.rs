//! What the worker does beside writing: retention by age and size, and compaction.
use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

use super::block::{self, Block, TraceEntry};
use super::head::Head;
use super::segment::Segment;
use super::store::{Inner, segment_path};
use super::{TraceError, record};

/// When there are so many segments, small ones are joined until they hold about this many spans: what fits in memory
/// beside a head.
const COMPACT_AT: usize = 24;
const COMPACTED_SPANS: usize = 65_536;

impl Inner {
    /// Removes segments that are too old, then the oldest while all are too large.
    pub(super) fn retain(&self) -> Result<(), TraceError> {
        let _alone = self.maintenance.lock();
        let segments = self.older.read().segments.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let oldest_end = self.options.retention.map_or(0, |age| now.saturating_sub(age).as_nanos() as u64);
        let mut total: u64 = segments.iter().map(|segment| segment.file_bytes).sum();
        let limit = self.options.max_bytes.unwrap_or(u64::MAX);
        let mut doomed = Vec::new();
        for segment in &segments {
            if segment.bounds().1 < oldest_end || total > limit {
                total -= segment.file_bytes;
                doomed.push(segment.number);
            }
        }
        self.remove(&doomed)
    }

    fn remove(&self, numbers: &[u64]) -> Result<(), TraceError> {
        if numbers.is_empty() {
            return Ok(());
        }
        let mut manifest = self.manifest.lock();
        let mut next = manifest.clone();
        next.segments.retain(|number| !numbers.contains(number));
        next.save(&self.options.dir)?;
        *manifest = next;
        self.older.write().segments.retain(|segment| !numbers.contains(&segment.number));
        self.delete_files(numbers)
    }

    fn delete_files(&self, numbers: &[u64]) -> Result<(), TraceError> {
        for number in numbers {
            self.cache.forget(*number);
            let path = segment_path(&self.options.dir, *number);
            fs::remove_file(&path).map_err(|source| TraceError::io(&path, source))?;
        }
        Ok(())
    }

    /// Joins neighbouring small segments, so that their number stays bounded and fragments of a trace come together.
    pub(super) fn compact(&self) -> Result<(), TraceError> {
        let _alone = self.maintenance.lock();
        let inputs: Vec<Arc<Segment>> = {
            let older = self.older.read();
            if older.segments.len() < COMPACT_AT {
                return Ok(());
            }
            let small: Vec<_> =
                older.segments.iter().filter(|segment| segment.rows() < COMPACTED_SPANS / 2).cloned().collect();
            let mut spans = 0;
            small
                .into_iter()
                .take_while(|segment| {
                    spans += segment.rows();
                    spans <= COMPACTED_SPANS
                })
                .collect()
        };
        if inputs.len() < 2 {
            return Ok(());
        }
        let joined = join_segments(&inputs)?;
        let numbers: Vec<u64> = inputs.iter().map(|segment| segment.number).collect();
        let mut manifest = self.manifest.lock();
        let segment = self.write_segment(&joined, &mut manifest, |manifest, number| {
            let at = manifest.segments.iter().position(|known| *known == numbers[0]).unwrap_or(0);
            manifest.segments.retain(|known| !numbers.contains(known));
            manifest.segments.insert(at, number);
        })?;
        {
            let mut older = self.older.write();
            let at = older.segments.iter().position(|known| known.number == numbers[0]).unwrap_or(0);
            older.segments.retain(|known| !numbers.contains(&known.number));
            older.segments.insert(at, Arc::new(segment));
        }
        drop(manifest);
        self.delete_files(&numbers)
    }
}

/// The spans of several segments as one head; a span that stands in two of them comes once.
fn join_segments(inputs: &[Arc<Segment>]) -> Result<Head, TraceError> {
    let mut places: Vec<(u32, Arc<Vec<TraceEntry>>)> = Vec::with_capacity(inputs.len());
    for segment in inputs {
        places.push((0, segment.entries()?));
    }
    let mut head = Head::default();
    // Each segment has its traces in the order of their ids, so one trace at a time is in memory.
    while let Some(id) = places.iter().filter_map(|(at, entries)| Some(entries.get(*at as usize)?.id)).min() {
        let mut fragments = Vec::new();
        for (segment, (at, entries)) in inputs.iter().zip(&mut places) {
            if entries.get(*at as usize).is_some_and(|entry| entry.id == id) {
                fragments.push(block::load_wire(&**segment, *at)?);
                *at += 1;
            }
        }
        let trace = record::encoded(join_fragments(fragments));
        head.apply(&record::groups(&trace).ok_or(TraceError::Damaged("a trace"))?);
    }
    Ok(head)
}

/// Puts fragments of a trace together. What one fragment holds stays; of the others, spans with new ids and kinds.
pub(super) fn join_fragments(fragments: Vec<Vec<ResourceSpans>>) -> Vec<ResourceSpans> {
    let mut seen = std::collections::HashSet::new();
    let mut whole: Vec<ResourceSpans> = Vec::new();
    for fragment in fragments {
        let mut fresh = Vec::new();
        for mut resource in fragment {
            for scope in &mut resource.scope_spans {
                scope.spans.retain(|span| !seen.contains(&(span.span_id.clone(), span.kind)));
                fresh.extend(scope.spans.iter().map(|span| (span.span_id.clone(), span.kind)));
            }
            resource.scope_spans.retain(|scope| !scope.spans.is_empty());
            if resource.scope_spans.is_empty() {
                continue;
            }
            match whole
                .iter_mut()
                .find(|known| known.resource == resource.resource && known.schema_url == resource.schema_url)
            {
                Some(known) => known.scope_spans.extend(resource.scope_spans),
                None => whole.push(resource),
            }
        }
        seen.extend(fresh);
    }
    whole
}
