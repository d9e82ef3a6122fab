//! `/{index}/search`.

use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tantivy::aggregation::agg_req::Aggregations;

use super::query_string::{Params, RawBody};
use super::{ApiError, ApiState, index_patterns};
use crate::logs::LogIndex;
use crate::logs::search::{
    DateUnit, Order, SearchAnswer, SearchError, SearchRequest, SortBy, SortField, carry_filters,
};
use crate::query::user::{self, Defaults, Operator};

/// Most hits, and the largest offset, of one request.
const MAX_HITS: u64 = 10_000;

/// The parameters, of a body or behind the `?`. The order of the fields is that of Quickwit's error text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchParams {
    query: String,
    #[serde(default)]
    aggs: Option<Value>,
    #[serde(default)]
    search_field: Option<String>,
    #[serde(default)]
    snippet_fields: Option<String>,
    #[serde(default, deserialize_with = "number")]
    start_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    end_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    max_hits: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    start_offset: Option<i64>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    sort_by: Option<String>,
    #[serde(default)]
    sort_by_field: Option<String>,
    /// Counting is exact whatever it says: it costs nothing more here.
    #[serde(default, deserialize_with = "truth", rename = "count_all")]
    _count_all: Option<bool>,
    #[serde(default, deserialize_with = "truth", rename = "allow_failed_splits")]
    _allow_failed_splits: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    #[default]
    PrettyJson,
}

/// A number, also as text, which is how it comes behind the `?`.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| serde::de::Error::custom(format!("invalid type: `{value}`, expected an integer"))),
    }
}

fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(truth)),
        Some(Value::String(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
        Some(value) => Err(serde::de::Error::custom(format!("invalid type: `{value}`, expected a boolean"))),
    }
}

#[derive(Debug, Serialize)]
struct SearchResponse<'a> {
    num_hits: u64,
    hits: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippets: Option<Vec<Value>>,
    elapsed_time_micros: u64,
    errors: [&'a str; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregations: Option<Value>,
}

pub async fn get(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<SearchParams>,
) -> Result<Response, ApiError> {
    search(&state, &index, params).await
}

pub async fn post(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    require_json(&headers)?;
    let params = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("Request body deserialize error: {error}")))?;
    search(&state, &index, params).await
}

/// No content type is taken as JSON.
fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        None => Ok(()),
        Some(value) if value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") => {
            Ok(())
        }
        Some(_) => {
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The request's content-type is not supported"))
        }
    }
}

async fn search(state: &ApiState, index: &str, params: SearchParams) -> Result<Response, ApiError> {
    let started = Instant::now();
    let patterns = index_patterns::parse(index)?;
    let (format, with_snippets) = (params.format, params.snippet_fields.is_some());
    let prepared = Prepared::new(params)?;
    let answer = state.search(&patterns, false, move |indexes| prepared.request(indexes)).await?;
    Ok(respond(&answer, with_snippets, format, started))
}

fn respond(answer: &SearchAnswer, with_snippets: bool, format: Format, started: Instant) -> Response {
    let hits = answer.hits.iter().filter_map(|hit| serde_json::from_slice(&hit.source).ok()).collect();
    let response = SearchResponse {
        num_hits: answer.num_hits,
        hits,
        snippets: with_snippets.then(|| answer.hits.iter().map(|hit| Value::Object(hit.snippets.clone())).collect()),
        elapsed_time_micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        errors: [],
        aggregations: answer.aggregations.clone(),
    };
    let body = match format {
        Format::Json => serde_json::to_vec(&response),
        Format::PrettyJson => serde_json::to_vec_pretty(&response),
    };
    match body {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// Parameters that were checked as far as that goes without an index.
struct Prepared {
    params: SearchParams,
    sort: Vec<SortField>,
    offset: usize,
    max_hits: usize,
    aggregations: Option<Aggregations>,
}

impl Prepared {
    fn new(params: SearchParams) -> Result<Self, ApiError> {
        let max_hits = limited("max_hits", params.max_hits.unwrap_or(20))?;
        let offset = limited("start_offset", params.start_offset.unwrap_or(0))?;
        let sort = params.sort_by.as_deref().or(params.sort_by_field.as_deref()).unwrap_or_default();
        let sort = sort.split(',').map(str::trim).filter(|name| !name.is_empty()).map(sort_field).collect();
        let aggregations = params.aggs.as_ref().map(parse_aggregations).transpose()?;
        Ok(Self { sort, offset, max_hits, aggregations, params })
    }

    fn request(&self, indexes: &[std::sync::Arc<LogIndex>]) -> Result<SearchRequest, SearchError> {
        let own_fields: Option<Vec<String>> =
            self.params.search_field.as_ref().map(|list| {
                list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
            });
        let index_fields = indexes.first().map(|index| index.mapper.default_search_fields.as_slice());
        let defaults = Defaults {
            fields: own_fields.as_deref().or(index_fields).unwrap_or_default(),
            operator: Operator::And,
            lenient: false,
        };
        Ok(SearchRequest {
            query: user::parse(&self.params.query, defaults)?,
            start_timestamp: self.params.start_timestamp,
            end_timestamp: self.params.end_timestamp,
            sort: self.sort.clone(),
            search_after: None,
            offset: self.offset,
            max_hits: self.max_hits,
            aggregations: self.aggregations.clone(),
            snippet_fields: list(self.params.snippet_fields.as_deref().unwrap_or_default()),
        })
    }
}

/// Reads an aggregation request.
///
/// # Errors
/// Serde's words behind Quickwit's.
pub fn parse_aggregations(value: &Value) -> Result<Aggregations, ApiError> {
    let mut value = value.clone();
    carry_filters(&mut value);
    // From text, not from the value, so that the error has a position.
    serde_json::from_str(&value.to_string()).map_err(|error| {
        // Tantivy has one kind more than Quickwit.
        let text = error.to_string().replace("`multi_terms`, ", "");
        ApiError::bad_request(format!("invalid aggregation request: {text}"))
    })
}

/// Names between commas.
pub fn list(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn limited(name: &str, value: i64) -> Result<usize, ApiError> {
    match u64::try_from(value) {
        Ok(value) if value <= MAX_HITS => Ok(value as usize),
        Ok(value) => {
            Err(ApiError::bad_request(format!("Invalid argument: max value for {name} is 10_000, but got {value}")))
        }
        Err(_) => Err(ApiError::bad_request(format!("Invalid argument: {name} must not be negative, but got {value}"))),
    }
}

/// `name` and `+name` descend, `-name` ascends.
fn sort_field(text: &str) -> SortField {
    let (name, order) = match text.strip_prefix('-') {
        Some(name) => (name, Order::Ascending),
        None => (text.strip_prefix('+').unwrap_or(text), Order::Descending),
    };
    let by = match name {
        "_score" => SortBy::Score,
        "_doc" => SortBy::Doc,
        name => SortBy::Field(name.to_owned()),
    };
    SortField { by, order, date_unit: DateUnit::Nanoseconds }
}
