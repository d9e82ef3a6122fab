//! What aggregations gave before, kept for the next time: dashboards ask the same again and again.
//!
//! A segment never changes, so neither does its part of an answer. For each question the parts of all segments so far are
//! kept, joined: the next time only segments that came since are read. A time range that holds for all of a
//! segment is no part of the question, so that holds for a window that moves on, too.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tantivy::aggregation::DistributedAggregationCollector;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::collector::Collector;
use tantivy::index::SegmentId;
use tantivy::query::{EnableScoring, Query};
use tantivy::{Opstamp, Searcher, SegmentReader};

use super::super::dates;
use super::super::doc_mapper::DocMapper;
use super::collector::{Found, HitsCollector};
use super::size;
use crate::query::QueryAst;

/// Smaller segments are as fast to read as to remember, and soon joined to others.
const MIN_DOCUMENTS: u32 = 5_000;
/// What is kept for one index, as it would be in memory.
const MAX_BYTES: usize = 16 << 20;

/// A segment in one state: the second changes when documents of it are deleted.
type SegmentState = (SegmentId, Option<Opstamp>);

/// The joined parts of some segments.
struct Known {
    segments: Vec<SegmentState>,
    count: u64,
    aggregations: IntermediateAggregationResults,
    bytes: usize,
}

#[derive(Default)]
struct State {
    /// By question; with the time of the last use, in questions.
    answers: HashMap<String, (Arc<Known>, u64)>,
    bytes: usize,
    clock: u64,
}

/// The parts of answers that are known of one index; those least recently asked for go first.
#[derive(Default)]
pub struct KnownParts(Mutex<State>);

impl std::fmt::Debug for KnownParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownParts").field("bytes", &self.0.lock().bytes).finish()
    }
}

impl KnownParts {
    #[cfg(test)]
    pub fn answers(&self) -> usize {
        self.0.lock().answers.len()
    }

    /// What is known, if it is only about segments that are still there.
    fn get(&self, question: &str, segments: &[Option<SegmentState>]) -> Option<Arc<Known>> {
        let mut state = self.0.lock();
        state.clock += 1;
        let now = state.clock;
        let (known, used) = state.answers.get_mut(question)?;
        *used = now;
        known.segments.iter().all(|segment| segments.contains(&Some(*segment))).then(|| Arc::clone(known))
    }

    fn put(&self, question: String, known: Known) {
        let mut state = self.0.lock();
        state.clock += 1;
        let now = state.clock;
        state.bytes += known.bytes;
        if let Some((old, _)) = state.answers.insert(question, (Arc::new(known), now)) {
            state.bytes -= old.bytes;
        }
        while state.bytes > MAX_BYTES {
            let oldest = state.answers.iter().min_by_key(|(_, (_, used))| *used).map(|(question, _)| question.clone());
            let Some((known, _)) = oldest.and_then(|question| state.answers.remove(&question)) else { return };
            state.bytes -= known.bytes;
        }
    }
}

/// What is asked, so far as an aggregation depends on it.
pub(super) struct Question<'a> {
    pub query: &'a QueryAst,
    /// Seconds since 1970: at or after the first, before the second.
    pub window: (Option<i64>, Option<i64>),
    pub aggregations: String,
    pub mapper: &'a DocMapper,
}

/// Counts, finds the best hits and aggregates, all segments side by side; reads no segment for what is known of it.
pub(super) fn search(
    searcher: &Searcher,
    query: &dyn Query,
    (hits, aggregations): (HitsCollector, Option<DistributedAggregationCollector>),
    question: &Question<'_>,
    known_parts: &KnownParts,
) -> tantivy::Result<(Found, Option<IntermediateAggregationResults>)> {
    let whole = (hits, aggregations);
    let Some(aggregator) = &whole.1 else { return searcher.search(query, &whole) };
    let readers = searcher.segment_readers();
    let segments: Vec<Option<SegmentState>> = readers
        .iter()
        .map(|reader| question.holds_in(reader).then(|| (reader.segment_id(), reader.delete_opstamp())))
        .collect();
    let text = question.without_time();
    let known = known_parts.get(&text, &segments);
    let is_known = |number: usize| {
        known.as_ref().is_some_and(|known| segments[number].is_some_and(|segment| known.segments.contains(&segment)))
    };
    let scoring = if whole.requires_scoring() {
        EnableScoring::enabled_from_searcher(searcher)
    } else {
        EnableScoring::disabled_from_searcher(searcher)
    };
    let weight = query.weight(scoring)?;
    let read = |(number, reader): (usize, &SegmentReader)| {
        let hits = &whole.0;
        if !is_known(number) {
            return whole.collect_segment(&*weight, number as u32, reader);
        }
        // Its hits are counted again where they are looked for.
        let found =
            if hits.keep == 0 { Found::default() } else { hits.collect_segment(&*weight, number as u32, reader)? };
        Ok((found, None))
    };
    let parts = searcher.index().search_executor().map(read, readers.iter().enumerate())?;
    let (mut founds, mut lasting, mut passing) = (Vec::new(), Vec::new(), Vec::new());
    let (mut count, mut fresh) = (0, Vec::new());
    for (number, (found, part)) in parts.into_iter().enumerate() {
        match (part, segments[number]) {
            (Some(part), Some(segment)) => {
                count += found.count;
                fresh.push(segment);
                lasting.push(part);
            }
            (Some(part), None) => passing.push(part),
            (None, _) => {}
        }
        founds.push(found);
    }
    if let Some(known) = &known {
        if whole.0.keep == 0 {
            founds.push(Found { count: known.count, best: Vec::new() });
        }
        count += known.count;
        lasting.push(Ok(known.aggregations.clone()));
    }
    let joined = aggregator.merge_fruits(lasting)?;
    if !fresh.is_empty() {
        fresh.extend(known.iter().flat_map(|known| &known.segments));
        // What cannot be measured is not kept.
        if let Some(bytes) = size::of(&joined) {
            let bytes = bytes + text.len();
            known_parts.put(text, Known { segments: fresh, count, aggregations: joined.clone(), bytes });
        }
    }
    passing.push(Ok(joined));
    Ok((whole.0.merge_fruits(founds)?, Some(aggregator.merge_fruits(passing)?)))
}

impl Question<'_> {
    /// Whether a segment is worth remembering, and all its documents are in the time that is asked for.
    fn holds_in(&self, segment: &SegmentReader) -> bool {
        if segment.num_docs() < MIN_DOCUMENTS {
            return false;
        }
        let Some(field) = self.mapper.timestamp_field() else { return true };
        let Ok(column) = segment.fast_fields().date(&field.path) else { return false };
        let (min, max) = (column.min_value().into_timestamp_nanos(), column.max_value().into_timestamp_nanos());
        let nanos = |seconds: i64| seconds.saturating_mul(1_000_000_000);
        self.window.0.is_none_or(|start| nanos(start) <= min)
            && self.window.1.is_none_or(|end| max < nanos(end))
            && without_fulfilled(self.query, &field.path, min, max) == self.query_without_time(&field.path)
    }

    /// The question to a segment for which [`Question::holds_in`] says so.
    fn without_time(&self) -> String {
        let query = match self.mapper.timestamp_field() {
            Some(field) => self.query_without_time(&field.path),
            None => self.query.clone(),
        };
        format!("{query:?} {}", self.aggregations)
    }

    fn query_without_time(&self, time_field: &str) -> QueryAst {
        without_ranges(self.query, time_field, &|_, _| true)
    }
}

/// The query without the ranges of the time field that hold from `min` to `max`.
fn without_fulfilled(query: &QueryAst, time_field: &str, min: i64, max: i64) -> QueryAst {
    without_ranges(query, time_field, &|lower, upper| {
        let starts = match lower {
            Bound::Unbounded => true,
            Bound::Included(value) => nanos(value).is_some_and(|edge| edge <= min),
            Bound::Excluded(value) => nanos(value).is_some_and(|edge| edge < min),
        };
        let ends = match upper {
            Bound::Unbounded => true,
            Bound::Included(value) => nanos(value).is_some_and(|edge| max <= edge),
            Bound::Excluded(value) => nanos(value).is_some_and(|edge| max < edge),
        };
        starts && ends
    })
}

/// The query with "all" in the place of those ranges of a field that `holds` says to be fulfilled.
fn without_ranges(query: &QueryAst, of_field: &str, holds: &dyn Fn(&Bound<Value>, &Bound<Value>) -> bool) -> QueryAst {
    match query {
        QueryAst::Range { field, lower, upper } if field == of_field && holds(lower, upper) => QueryAst::All,
        QueryAst::Bool(parts) => {
            let mut parts = parts.clone();
            for clauses in [&mut parts.must, &mut parts.must_not, &mut parts.should, &mut parts.filter] {
                clauses.iter_mut().for_each(|clause| *clause = without_ranges(clause, of_field, holds));
            }
            parts.into()
        }
        QueryAst::Boost(inner, boost) => QueryAst::Boost(Box::new(without_ranges(inner, of_field, holds)), *boost),
        other => other.clone(),
    }
}

fn nanos(value: &Value) -> Option<i64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    dates::parse_query(&text).map(tantivy::DateTime::into_timestamp_nanos)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn range(lower: &str, upper: &str) -> QueryAst {
        QueryAst::Range {
            field: "t".to_owned(),
            lower: Bound::Included(json!(lower)),
            upper: Bound::Excluded(json!(upper)),
        }
    }

    #[test]
    fn a_range_that_holds_for_all_of_a_segment_is_no_condition() {
        let second = 1_000_000_000;
        let (min, max) = (1_768_471_200 * second, 1_768_471_260 * second);
        let simpler = |query: &QueryAst| without_fulfilled(query, "t", min, max);
        assert_eq!(simpler(&range("2026-01-15T10:00:00Z", "2026-01-15T10:01:00.001Z")), QueryAst::All);
        for partly in [
            range("2026-01-15T10:00:00Z", "2026-01-15T10:01:00Z"),
            range("2026-01-15T10:00:01Z", "2026-01-15T11:00:00Z"),
            range("yesterday", "2026-01-15T11:00:00Z"),
        ] {
            assert_eq!(simpler(&partly), partly);
        }
    }
}
