//! Searching indexes: one request in the store's own terms, whatever API it came by.
//!
//! [`search`] runs one query over any number of indexes: the best hits by [`sort`], the exact count, and aggregations.

mod buckets;
mod collector;
mod filters;
mod hits;
mod known;
mod size;
mod sort;
#[cfg(test)]
mod tests;
mod ties;
mod zones;

use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;
use tantivy::aggregation::agg_req::{AggregationVariants, Aggregations};
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::aggregation::{AggContextParams, AggregationLimitsGuard, DistributedAggregationCollector};
use tantivy::query::{BooleanQuery, Occur, Query, RangeQuery};
use tantivy::{DateTime, Term};

use super::index::LogIndex;
use super::tokenizers;
use crate::query::{QueryAst, QueryError, build};
use collector::{HitsCollector, Ranked};
pub use filters::carry as carry_filters;
pub use hits::Hit;
pub use known::KnownParts;
use known::Question;
pub use sort::{DateUnit, Order, SortBy, SortField, SortKey};
pub use zones::KnownZones;

/// Most buckets of one answer.
const MAX_BUCKETS: u32 = 65_000;
/// Most memory of one answer's aggregations.
const MAX_AGGREGATION_BYTES: u64 = 500_000_000;

#[derive(Debug, Clone)]
pub struct SearchRequest {
    pub query: QueryAst,
    /// Seconds since 1970; documents at or after it.
    pub start_timestamp: Option<i64>,
    /// Seconds since 1970; documents before it.
    pub end_timestamp: Option<i64>,
    pub sort: Vec<SortField>,
    /// Only hits that come after these sort values; as many as `sort` has fields.
    pub search_after: Option<Vec<Value>>,
    pub offset: usize,
    pub max_hits: usize,
    pub aggregations: Option<Aggregations>,
    /// Text fields of which hits bring the parts that matched.
    pub snippet_fields: Vec<String>,
}

#[derive(Debug, Default)]
pub struct SearchAnswer {
    /// All documents that match, whatever `search_after` and `max_hits` say.
    pub num_hits: u64,
    pub hits: Vec<Hit>,
    pub aggregations: Option<Value>,
    /// Indexes that took part and hold data: what Quickwit counts as splits.
    pub num_splits: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("Invalid argument: {0}")]
    InvalidArgument(String),
    #[error("sort and search_after are of different length")]
    SearchAfterLength,
    #[error("{0}")]
    Aggregation(String),
    /// Asked for rightly, and neither Quickwit nor the store can do it: the server's lack, not the asker's mistake.
    #[error("{0}")]
    Unsupported(String),
    #[error("internal error: {0}")]
    Internal(#[from] tantivy::TantivyError),
}

/// Runs a search. Blocks: reads the disk and uses a core.
///
/// # Errors
/// [`SearchError`]; all but the last two are the asker's.
pub fn search(indexes: &[Arc<LogIndex>], request: &SearchRequest) -> Result<SearchAnswer, SearchError> {
    check_compatible(indexes)?;
    if request.search_after.as_ref().is_some_and(|values| values.len() != request.sort.len()) {
        return Err(SearchError::SearchAfterLength);
    }
    if let Some(aggregations) = &request.aggregations {
        check_aggregation_kinds(aggregations)?;
    }
    let keep = request.offset + request.max_hits;
    let mut answer = SearchAnswer::default();
    let mut ranked: Vec<(usize, Ranked)> = Vec::new();
    let mut aggregated: Option<IntermediateAggregationResults> = None;
    let limits = AggregationLimitsGuard::new(Some(MAX_AGGREGATION_BYTES), Some(MAX_BUCKETS));
    let mut opened = Vec::with_capacity(indexes.len());
    // As a JSON value first, so that equal requests are equal texts.
    let aggregations_text = request.aggregations.as_ref().map(|aggregations| {
        serde_json::to_value(aggregations).map_or_else(|_| format!("{aggregations:?}"), |value| value.to_string())
    });
    let aggregations_text = aggregations_text.unwrap_or_default();
    for (number, index) in indexes.iter().enumerate() {
        let searcher = index.searcher();
        let query = full_query(index, request)?;
        let keys = sort::resolve(&request.sort, index, &searcher)?;
        let after = request.search_after.as_ref().map(|values| sort::after(values, &keys)).transpose()?;
        if let Some(aggregations) = &request.aggregations {
            check_aggregation_fields(aggregations, index)?;
            buckets::check(aggregations, index, &searcher, &*query)?;
        }
        answer.num_splits += usize::from(searcher.num_docs() > 0);
        let hits = HitsCollector { keys: keys.clone(), keep, after };
        let aggregations =
            request.aggregations.clone().map(|aggregations| filters::bind(aggregations, index)).transpose()?;
        let aggregations = aggregations.filter(|_| searcher.num_docs() > 0).map(|aggregations| {
            let context = AggContextParams::new(limits.clone(), tokenizers::manager());
            DistributedAggregationCollector::from_aggs(aggregations, context)
        });
        let question = Question {
            query: &request.query,
            window: (request.start_timestamp, request.end_timestamp),
            aggregations: aggregations_text.clone(),
            mapper: &index.mapper,
        };
        let found = known::search(&searcher, &*query, (hits, aggregations), &question, &index.known_parts);
        let (found, partial) = found.map_err(classify)?;
        index.known_zones.forget_others(&searcher);
        answer.num_hits += found.count;
        ranked.extend(found.best.into_iter().map(|hit| (number, hit)));
        // An index without a hit has no buckets, not even empty ones.
        if let Some(partial) = partial.filter(|_| found.count > 0) {
            match &mut aggregated {
                None => aggregated = Some(partial),
                Some(merged) => merged.merge_fruits(partial).map_err(classify)?,
            }
        }
        let snippets = hits::Snippets::new(&request.snippet_fields, index, &searcher, &*query)?;
        opened.push((searcher, keys, snippets));
    }
    ranked.sort_by(|(one_index, one), (other_index, other)| other.rank.cmp(&one.rank).then(one_index.cmp(other_index)));
    for (number, hit) in ranked.into_iter().skip(request.offset).take(request.max_hits) {
        let (searcher, keys, snippets) = &opened[number];
        answer.hits.push(hits::fetch(&indexes[number], searcher, hit, keys, snippets)?);
    }
    if let Some(aggregations) = &request.aggregations {
        let merged = aggregated.unwrap_or_default();
        let result = merged.into_final_result(ties::widened(aggregations), limits).map_err(classify)?;
        let mut result = serde_json::to_value(result)
            .map_err(|error| SearchError::Internal(tantivy::TantivyError::InternalError(error.to_string())))?;
        if let Some(index) = indexes.first() {
            ties::reorder(aggregations, &mut result, &index.mapper);
        }
        ties::cut(aggregations, &mut result);
        answer.aggregations = Some(result);
    }
    Ok(answer)
}

/// Indexes that are searched together must agree on time and default fields, as in Quickwit.
fn check_compatible(indexes: &[Arc<LogIndex>]) -> Result<(), SearchError> {
    let mut indexes = indexes.iter().map(|index| &index.mapper);
    let Some(first) = indexes.next() else { return Ok(()) };
    let time = |mapper: &super::DocMapper| mapper.timestamp_field().map(|field| field.path.clone());
    for other in indexes {
        if time(other) != time(first) {
            return Err(SearchError::InvalidArgument(format!(
                "the timestamp field ({:?} if present) should be the same for all indexes",
                time(first).unwrap_or_default()
            )));
        }
        if other.default_search_fields != first.default_search_fields {
            return Err(SearchError::InvalidArgument(
                "the default search fields should be the same for all indexes".to_owned(),
            ));
        }
    }
    Ok(())
}

fn full_query(index: &LogIndex, request: &SearchRequest) -> Result<Box<dyn Query>, SearchError> {
    let query = build(&request.query, &index.mapper, index.tantivy().tokenizers())?;
    if request.start_timestamp.is_none() && request.end_timestamp.is_none() {
        return Ok(query);
    }
    let Some(timestamp) = index.mapper.timestamp_field() else {
        return Err(SearchError::InvalidArgument("the index has no timestamp field".to_owned()));
    };
    // Saturates: a time beyond what nanoseconds can say (somebody sent milliseconds) is after every document.
    let term = |seconds: i64| {
        Term::from_field_date(timestamp.field, DateTime::from_timestamp_nanos(seconds.saturating_mul(1_000_000_000)))
    };
    let lower = request.start_timestamp.map_or(Bound::Unbounded, |seconds| Bound::Included(term(seconds)));
    let upper = request.end_timestamp.map_or(Bound::Unbounded, |seconds| Bound::Excluded(term(seconds)));
    Ok(Box::new(BooleanQuery::new(vec![(Occur::Must, query), (Occur::Must, Box::new(RangeQuery::new(lower, upper)))])))
}

/// What tantivy cannot do, or panics at. Quickwit fails on `top_hits`, and its values could not be told apart from a column's
/// inner numbers.
fn check_aggregation_kinds(aggregations: &Aggregations) -> Result<(), SearchError> {
    for aggregation in aggregations.values() {
        if matches!(aggregation.agg, AggregationVariants::TopHits(_)) {
            return Err(SearchError::Unsupported("the aggregation `top_hits` is not supported".to_owned()));
        }
        if let AggregationVariants::Range(range) = &aggregation.agg
            && range.ranges.is_empty()
        {
            return Err(SearchError::Aggregation("a range aggregation needs at least one range".to_owned()));
        }
        check_aggregation_kinds(&aggregation.sub_aggregation)?;
    }
    Ok(())
}

/// Aggregations read columns, so every field must exist and have one.
fn check_aggregation_fields(aggregations: &Aggregations, index: &LogIndex) -> Result<(), SearchError> {
    for name in tantivy::aggregation::agg_req::get_fast_field_names(aggregations) {
        let Some((field_ref, _)) = index.mapper.find(&name) else {
            return Err(SearchError::InvalidArgument(format!("Field \"{name}\" does not exist")));
        };
        let entry = index.mapper.schema.get_field_entry(field_ref.field());
        if !entry.is_fast() {
            return Err(SearchError::InvalidArgument(format!(
                "Field \"{}\" is not configured as a fast field",
                entry.name()
            )));
        }
    }
    Ok(())
}

/// Tells the asker's mistakes from our own.
fn classify(error: tantivy::TantivyError) -> SearchError {
    match error {
        // `calendar_interval`, `interval` and `format` of `date_histogram`.
        tantivy::TantivyError::InvalidArgument(text) if text.contains("unsupported") => SearchError::Unsupported(text),
        tantivy::TantivyError::InvalidArgument(text) => SearchError::Aggregation(text),
        tantivy::TantivyError::AggregationError(error) => SearchError::Aggregation(error.to_string()),
        tantivy::TantivyError::FieldNotFound(name) => {
            SearchError::InvalidArgument(format!("Field \"{name}\" does not exist"))
        }
        tantivy::TantivyError::SchemaError(text) => SearchError::InvalidArgument(text),
        error => SearchError::Internal(error),
    }
}
