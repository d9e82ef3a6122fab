//! `{index}/_search` and `{index}/_count`.

use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::body::{Prepared, SearchBody};
use super::params::SearchParams;
use super::{ElasticError, scroll};
use crate::logs::search::{Hit, SearchAnswer};
use crate::logs_api::query_string::{Params, RawBody};
use crate::logs_api::{ApiError, ApiState, index_patterns};

/// An answer in Elasticsearch's shape.
#[derive(Debug, Serialize)]
pub struct SearchResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    took: u64,
    timed_out: bool,
    terminated_early: Option<bool>,
    #[serde(rename = "_scroll_id", skip_serializing_if = "Option::is_none")]
    pub scroll_id: Option<String>,
    fields: Value,
    #[serde(rename = "_shards")]
    shards: Shards,
    hits: Hits,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregations: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Shards {
    total: usize,
    successful: usize,
    skipped: usize,
    failed: usize,
}

#[derive(Debug, Serialize)]
struct Hits {
    total: Total,
    hits: Vec<HitForm>,
}

#[derive(Debug, Serialize)]
struct Total {
    value: u64,
    relation: &'static str,
}

#[derive(Debug, Serialize)]
struct HitForm {
    #[serde(rename = "_index")]
    index: String,
    #[serde(rename = "_source")]
    source: Box<RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sort: Vec<Value>,
}

impl HitForm {
    fn new(hit: Hit) -> Option<Self> {
        let source = RawValue::from_string(String::from_utf8(hit.source).ok()?).ok()?;
        Some(Self { index: hit.index_id, source, sort: hit.sort })
    }
}

impl SearchResponse {
    pub fn new(answer: SearchAnswer, started: Instant) -> Self {
        Self {
            status: None,
            took: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            timed_out: false,
            terminated_early: None,
            scroll_id: None,
            fields: json!({}),
            shards: Shards { total: answer.num_splits, successful: answer.num_splits, skipped: 0, failed: 0 },
            hits: Hits {
                total: Total { value: answer.num_hits, relation: "eq" },
                hits: answer.hits.into_iter().filter_map(HitForm::new).collect(),
            },
            aggregations: answer.aggregations,
        }
    }
}

pub async fn no_index() -> ElasticError {
    ElasticError::Reason {
        status: StatusCode::NOT_IMPLEMENTED,
        reason: "searching without an index is not supported: name one in the path".to_owned(),
    }
}

pub async fn search(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<SearchParams>,
    RawBody(body): RawBody,
) -> Result<Response, ElasticError> {
    let started = Instant::now();
    let patterns = index_patterns::parse(&index)?;
    let prepared = Prepared::new(parse(&body)?, &params)?;
    let ignore_missing = params.ignore_unavailable.unwrap_or(false);
    if let Some(ttl) = &params.scroll {
        let ttl = scroll::parse_ttl(ttl)?;
        scroll::check(ttl, params.allow_partial_search_results.unwrap_or(true))?;
        return scroll::start(&state, patterns, ignore_missing, prepared, ttl, started).await;
    }
    let answer = run(&state, &patterns, ignore_missing, prepared).await?;
    Ok(Json(SearchResponse::new(answer, started)).into_response())
}

/// Runs a search that was prepared.
pub async fn run(
    state: &ApiState,
    patterns: &[String],
    ignore_missing: bool,
    prepared: Prepared,
) -> Result<SearchAnswer, ElasticError> {
    let filter = prepared.source_filter.clone();
    let mut answer = state.search(patterns, ignore_missing, move |indexes| prepared.request(indexes)).await?;
    answer.hits.iter_mut().for_each(|hit| filter.apply(&mut hit.source));
    Ok(answer)
}

/// An empty body is an empty object.
pub fn parse(body: &[u8]) -> Result<SearchBody, ElasticError> {
    if body.trim_ascii().is_empty() {
        return Ok(SearchBody::default());
    }
    serde_json::from_slice(body).map_err(|error| ElasticError::Plain(ApiError::bad_request(error.to_string())))
}

pub async fn count(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<SearchParams>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ElasticError> {
    let patterns = index_patterns::parse(&index)?;
    let mut prepared = Prepared::new(parse(&body)?, &params)?;
    prepared.max_hits = 0;
    let answer = run(&state, &patterns, params.ignore_unavailable.unwrap_or(false), prepared).await?;
    Ok(Json(json!({"count": answer.num_hits})))
}
