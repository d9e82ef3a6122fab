//! Dropping what is too old or too much.
//!
//! By age: documents whose timestamp field is older than the index file's `retention.period`; where the file has none,
//! documents that came longer ago than the store's own retention, whatever time they carry (Quickwit would keep them, and
//! old logs may be sent on purpose). By size: the documents that came first, over all indexes, until the rest fits.

use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tantivy::query::RangeQuery;
use tantivy::{DateTime, Term};

use super::doc_mapper::SEQ_FIELD;
use super::index::LogIndex;

/// When too big, an index gives up this share more than it must, so that it does not happen all the time.
const SLACK: f64 = 0.1;

/// Blocks while documents are deleted.
pub(super) fn enforce(indexes: &[Arc<LogIndex>], default: Option<Duration>, max_disk_bytes: Option<u64>) {
    for index in indexes {
        let own = index.metadata().config.retention.and_then(|retention| retention.period().ok());
        match (own.and_then(|period| period.try_into().ok()), default) {
            (Some(period), _) => drop_older(index, period),
            (None, Some(period)) => drop_arrived_before(index, period),
            (None, None) => {}
        }
    }
    if let Some(max_disk_bytes) = max_disk_bytes {
        let used: u64 = indexes.iter().map(|index| index.stats().disk_bytes).sum();
        if used > max_disk_bytes {
            let keep = max_disk_bytes as f64 / used as f64 * (1.0 - SLACK);
            for index in indexes {
                keep_newest(index, keep);
            }
        }
    }
}

fn drop_older(index: &LogIndex, period: Duration) {
    let Some(timestamp) = index.mapper.timestamp_field() else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let cutoff_nanos = i64::try_from(now.saturating_sub(period).as_nanos()).unwrap_or(i64::MAX);
    if index.stats().time_range.is_none_or(|(oldest, _)| oldest >= cutoff_nanos) {
        return;
    }
    let cutoff = Term::from_field_date(timestamp.field, DateTime::from_timestamp_nanos(cutoff_nanos));
    delete(index, RangeQuery::new(Bound::Unbounded, Bound::Excluded(cutoff)), "age");
}

/// Notes of arrival per retention period.
const NOTES: u64 = 48;

fn drop_arrived_before(index: &LogIndex, period: Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = now.saturating_sub(period).as_secs();
    let first_kept = match index.arrived_before(now.as_secs(), before, period.as_secs() / NOTES) {
        Ok(first_kept) => first_kept,
        Err(error) => {
            tracing::error!(index = index.id(), %error, "cannot note which logs have come");
            return;
        }
    };
    if let Some(first_kept) =
        first_kept.filter(|first_kept| numbers(index).is_some_and(|(oldest, _)| oldest < *first_kept))
    {
        let cutoff = Term::from_field_u64(index.mapper.seq, first_kept);
        delete(index, RangeQuery::new(Bound::Unbounded, Bound::Excluded(cutoff)), "age");
    }
}

/// The lowest and highest number of an index's documents.
fn numbers(index: &LogIndex) -> Option<(u64, u64)> {
    let searcher = index.searcher();
    let columns = searcher.segment_readers().iter().filter_map(|segment| segment.fast_fields().u64(SEQ_FIELD).ok());
    columns
        .map(|column| (column.min_value(), column.max_value()))
        .reduce(|(min, max), (other_min, other_max)| (min.min(other_min), max.max(other_max)))
        .filter(|_| searcher.num_docs() > 0)
}

/// Keeps the share of the documents that arrived last.
fn keep_newest(index: &LogIndex, share: f64) {
    let Some((oldest, newest)) = numbers(index) else { return };
    let drop_count = ((newest - oldest + 1) as f64 * (1.0 - share)).ceil() as u64;
    let cutoff = Term::from_field_u64(index.mapper.seq, oldest + drop_count);
    delete(index, RangeQuery::new(Bound::Unbounded, Bound::Excluded(cutoff)), "size");
}

fn delete(index: &LogIndex, query: RangeQuery, reason: &'static str) {
    let before = index.searcher().num_docs();
    match index.delete(Box::new(query)) {
        Ok(()) => {
            let dropped = before.saturating_sub(index.searcher().num_docs());
            tracing::info!(index = index.id(), reason, dropped, "dropped old logs");
        }
        Err(error) => tracing::error!(index = index.id(), %error, "cannot drop old logs"),
    }
}
