//! Refuses histograms that would fill more buckets than memory has, before tantivy makes them.
//!
//! A histogram has a bucket for every interval between its first and its last document. Tantivy counts them when they are
//! made already, and an interval of a nanosecond over a year is more than any machine can make.

use tantivy::aggregation::agg_req::{AggregationVariants, Aggregations};
use tantivy::aggregation::bucket::HistogramBounds;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::aggregation::{AggContextParams, AggregationLimitsGuard, DistributedAggregationCollector};
use tantivy::columnar::ColumnType;
use tantivy::query::Query;
use tantivy::{Searcher, TantivyError};

use super::super::index::LogIndex;
use super::{MAX_BUCKETS, SearchError, classify};
use crate::logs::tokenizers;

/// Of a histogram below another aggregation: it may see fewer documents than the query finds, so the check is a coarse one.
const MAX_NESTED_BUCKETS: f64 = 1_000_000.0;
const NANOS_PER_MILLI: f64 = 1e6;

/// A histogram that shows empty buckets too.
struct Filled<'a> {
    field: &'a str,
    /// Milliseconds when the field is a date.
    interval: f64,
    bounds: Option<HistogramBounds>,
    hard_bounds: Option<HistogramBounds>,
    nested: bool,
}

/// Lowest and highest value.
type Range = (f64, f64);

/// # Errors
/// [`SearchError::Aggregation`] in tantivy's words, with the number of buckets that it would have been.
pub(super) fn check(
    aggregations: &Aggregations,
    index: &LogIndex,
    searcher: &Searcher,
    query: &dyn Query,
) -> Result<(), SearchError> {
    let mut histograms = Vec::new();
    collect(aggregations, false, &mut histograms);
    for histogram in histograms {
        let limit = if histogram.nested { MAX_NESTED_BUCKETS } else { f64::from(MAX_BUCKETS) };
        let (of_column, is_date) = column_range(histogram.field, index, searcher)?;
        let unit = if is_date { NANOS_PER_MILLI } else { 1.0 };
        if histogram.buckets(of_column, unit) <= limit {
            continue;
        }
        // Only now it is worth a search of its own to know what the query leaves of the column.
        let count = histogram.buckets(found_range(histogram.field, searcher, query)?, unit);
        if count > limit {
            return Err(SearchError::Aggregation(format!(
                "Aborting aggregation because bucket limit was exceeded. Limit: {MAX_BUCKETS}, Current: {count:.0}"
            )));
        }
    }
    Ok(())
}

fn collect<'a>(aggregations: &'a Aggregations, nested: bool, into: &mut Vec<Filled<'a>>) {
    for aggregation in aggregations.values() {
        match &aggregation.agg {
            AggregationVariants::Histogram(request) if request.min_doc_count() == 0 => into.push(Filled {
                field: &request.field,
                interval: request.interval,
                bounds: request.extended_bounds,
                hard_bounds: request.hard_bounds,
                nested,
            }),
            AggregationVariants::DateHistogram(request) if request.min_doc_count.unwrap_or(0) == 0 => {
                // What is no interval is left to tantivy to refuse.
                let interval = request.fixed_interval.as_deref().and_then(milliseconds);
                into.extend(interval.map(|interval| Filled {
                    field: &request.field,
                    interval,
                    bounds: request.extended_bounds,
                    hard_bounds: request.hard_bounds,
                    nested,
                }));
            }
            _ => {}
        }
        collect(&aggregation.sub_aggregation, true, into);
    }
}

fn milliseconds(interval: &str) -> Option<f64> {
    let unit = interval.find(|c: char| !c.is_ascii_digit())?;
    let length: f64 = interval[..unit].parse().ok()?;
    let factor = match &interval[unit..] {
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return None,
    };
    Some(length * factor)
}

impl Filled<'_> {
    /// `unit`: of the column's values in one of the request's.
    fn buckets(&self, values: Option<Range>, unit: f64) -> f64 {
        // Of a histogram without an interval no buckets come to be.
        if self.interval <= 0.0 {
            return 0.0;
        }
        let (mut lowest, mut highest) = values.unwrap_or((f64::MAX, f64::MIN));
        if let Some(bounds) = self.bounds {
            (lowest, highest) = (lowest.min(bounds.min * unit), highest.max(bounds.max * unit));
        }
        if let Some(bounds) = self.hard_bounds {
            (lowest, highest) = (lowest.max(bounds.min * unit), highest.min(bounds.max * unit));
        }
        if highest < lowest { 0.0 } else { ((highest - lowest) / (self.interval * unit)).floor() + 1.0 }
    }
}

/// The values of a column, whatever the query, and whether they are dates.
fn column_range(name: &str, index: &LogIndex, searcher: &Searcher) -> Result<(Option<Range>, bool), SearchError> {
    let Some((field_ref, _)) = index.mapper.find(name) else { return Ok((None, false)) };
    let name = super::sort::column_name(field_ref, name);
    let mut range: Option<Range> = None;
    let mut is_date = false;
    for segment in searcher.segment_readers() {
        let Some((column, kind)) = segment.fast_fields().u64_lenient_for_type(Some(&super::sort::SORTABLE), &name)?
        else {
            continue;
        };
        is_date |= kind == ColumnType::DateTime;
        let number = |mapped: u64| match kind {
            ColumnType::I64 | ColumnType::DateTime => tantivy::u64_to_i64(mapped) as f64,
            ColumnType::F64 => tantivy::u64_to_f64(mapped),
            _ => mapped as f64,
        };
        let (lowest, highest) = (number(column.min_value()), number(column.max_value()));
        let known = range.unwrap_or((lowest, highest));
        range = Some((known.0.min(lowest), known.1.max(highest)));
    }
    Ok((range, is_date))
}

/// The values of a column in what a query finds.
fn found_range(name: &str, searcher: &Searcher, query: &dyn Query) -> Result<Option<Range>, SearchError> {
    let request = serde_json::json!({"min": {"min": {"field": name}}, "max": {"max": {"field": name}}});
    let internal = |error: serde_json::Error| SearchError::Internal(TantivyError::InternalError(error.to_string()));
    let request: Aggregations = serde_json::from_value(request).map_err(internal)?;
    let limits = AggregationLimitsGuard::new(None, None);
    let context = AggContextParams::new(limits.clone(), tokenizers::manager());
    let collector = DistributedAggregationCollector::from_aggs(request.clone(), context);
    let found: IntermediateAggregationResults = searcher.search(query, &collector).map_err(classify)?;
    let result = found.into_final_result(request, limits).map_err(classify)?;
    let result = serde_json::to_value(result).map_err(internal)?;
    let value = |key: &str| result[key]["value"].as_f64();
    Ok(value("min").zip(value("max")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(interval: f64, bounds: Option<(f64, f64)>, hard: Option<(f64, f64)>) -> Filled<'static> {
        let bounds_of = |(min, max)| HistogramBounds { min, max };
        Filled { field: "n", interval, bounds: bounds.map(bounds_of), hard_bounds: hard.map(bounds_of), nested: false }
    }

    #[test]
    fn buckets_span_from_the_first_value_to_the_last() {
        assert_eq!(filled(10.0, None, None).buckets(Some((0.0, 99.0)), 1.0), 10.0);
        assert_eq!(filled(10.0, Some((-100.0, 0.0)), None).buckets(Some((0.0, 99.0)), 1.0), 20.0);
        assert_eq!(filled(10.0, None, Some((50.0, 1e9))).buckets(Some((0.0, 99.0)), 1.0), 5.0);
        assert_eq!(filled(10.0, None, None).buckets(None, 1.0), 0.0);
        assert_eq!(filled(1e-300, Some((0.0, 1e300)), None).buckets(None, 1.0), f64::INFINITY);
    }

    #[test]
    fn dates_are_nanoseconds_and_their_intervals_milliseconds() {
        let hour = milliseconds("1h").expect("an interval");
        assert_eq!(filled(hour, None, None).buckets(Some((0.0, 7_200e9)), NANOS_PER_MILLI), 3.0);
        assert_eq!(milliseconds("1w"), None);
    }
}
