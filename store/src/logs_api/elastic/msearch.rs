//! `_msearch`: several searches in one request, each of which fails alone.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::ElasticError;
use super::body::{Prepared, SearchBody};
use super::params::SearchParams;
use super::search::{SearchResponse, run};
use crate::logs_api::query_string::{Params, RawBody};
use crate::logs_api::{ApiState, index_patterns};

/// Behind the `?`, for all searches. Those with an underscore are taken and without effect.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MsearchParams {
    #[serde(rename = "_source_includes")]
    source_includes: Option<String>,
    #[serde(rename = "_source_excludes")]
    source_excludes: Option<String>,
    extra_filters: Option<String>,
    #[serde(rename = "max_concurrent_shard_requests")]
    _max_concurrent_shard_requests: Option<u64>,
    #[serde(rename = "max_concurrent_searches")]
    _max_concurrent_searches: Option<u64>,
    #[serde(rename = "ccs_minimize_roundtrips")]
    _ccs_minimize_roundtrips: Option<bool>,
    #[serde(rename = "pre_filter_shard_size")]
    _pre_filter_shard_size: Option<u64>,
    #[serde(rename = "rest_total_hits_as_int")]
    _rest_total_hits_as_int: Option<bool>,
    #[serde(rename = "search_type")]
    _search_type: Option<String>,
    #[serde(rename = "typed_keys")]
    _typed_keys: Option<bool>,
}

/// The line before each search. Elasticsearch's other keys are taken and without effect.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Header {
    #[serde(deserialize_with = "one_or_many")]
    index: Vec<String>,
    ignore_unavailable: Option<bool>,
    #[serde(rename = "allow_no_indices")]
    _allow_no_indices: Option<bool>,
    #[serde(rename = "expand_wildcards")]
    _expand_wildcards: Option<Value>,
    #[serde(rename = "preference")]
    _preference: Option<String>,
    #[serde(rename = "request_cache")]
    _request_cache: Option<bool>,
    #[serde(rename = "routing")]
    _routing: Option<Value>,
    #[serde(rename = "search_type")]
    _search_type: Option<String>,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Form::deserialize(deserializer)? {
        Form::One(index) => index.split(',').map(str::to_owned).collect(),
        Form::Many(indexes) => indexes,
    })
}

/// One search, or why it cannot be run.
type Search = Result<(Vec<String>, bool, Prepared), ElasticError>;

/// In the order of the searches.
#[derive(Debug, Serialize)]
pub struct Answers {
    responses: Vec<Answer>,
}

/// Written out as it is: what documents hold is not read again.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Found(Box<SearchResponse>),
    Failed(Value),
}

pub async fn msearch(
    State(state): State<ApiState>,
    Params(params): Params<MsearchParams>,
    RawBody(body): RawBody,
) -> Result<Json<Answers>, ElasticError> {
    let params = SearchParams::of_all(params.source_includes, params.source_excludes, params.extra_filters);
    let searches = parse(&body, &params)?;
    let running: Vec<_> = searches
        .into_iter()
        .map(|search| {
            let state = state.clone();
            tokio::spawn(async move { answer(&state, search).await })
        })
        .collect();
    let mut responses = Vec::with_capacity(running.len());
    for search in running {
        responses.push(search.await.unwrap_or_else(|panic| {
            Answer::Failed(ElasticError::from(crate::logs_api::ApiError::internal(&panic)).as_answer())
        }));
    }
    Ok(Json(Answers { responses }))
}

async fn answer(state: &ApiState, search: Search) -> Answer {
    let started = Instant::now();
    let outcome = match search {
        Ok((patterns, ignore_missing, prepared)) => run(state, &patterns, ignore_missing, prepared).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(answer) => {
            let mut response = SearchResponse::new(answer, started);
            response.status = Some(200);
            Answer::Found(Box::new(response))
        }
        Err(error) => Answer::Failed(error.as_answer()),
    }
}

/// A line that cannot be read fails the whole request; what is wrong beyond that fails its search alone.
fn parse(body: &[u8], params: &SearchParams) -> Result<Vec<Search>, ElasticError> {
    let invalid = |text: String| ElasticError::bad_request(format!("Invalid argument: {text}"));
    let body = std::str::from_utf8(body).map_err(|error| invalid(format!("the body is not UTF-8: {error}")))?;
    let mut lines = body.lines().filter(|line| !line.trim().is_empty());
    let mut searches = Vec::new();
    while let Some(line) = lines.next() {
        let header: Header = serde_json::from_str(line)
            .map_err(|error| invalid(format!("failed to parse request header `{}...`: {error}", start_of(line))))?;
        if header.index.is_empty() {
            return Err(invalid("`_msearch` request header must define at least one index".to_owned()));
        }
        for pattern in &header.index {
            index_patterns::parse(pattern)
                .map_err(|error| invalid(format!("request header contains an invalid index: {}", error.message)))?;
        }
        let line = lines.next().ok_or_else(|| invalid("expect request body after request header".to_owned()))?;
        let body: SearchBody = serde_json::from_str(line)
            .map_err(|error| invalid(format!("failed to parse request body `{}...`: {error}", start_of(line))))?;
        let patterns: Vec<String> = header.index;
        let ignore_missing = header.ignore_unavailable.unwrap_or(false);
        let prepared = Prepared::new(body, params);
        searches.push(prepared.map(|prepared| (patterns, ignore_missing, prepared)).map_err(ElasticError::from));
    }
    Ok(searches)
}

fn start_of(line: &str) -> String {
    line.chars().take(20).collect()
}
