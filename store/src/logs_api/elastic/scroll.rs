//! Scrolling: the answer of a search in pages that do not move while new logs come in.
//!
//! The first request reads up to [`MAX_SCROLL_HITS`] hits at once; the pages are cut from them. An id is
//! base64 of the scroll's number and the page's place, so that a page can be asked for again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde::Deserialize;

use super::ElasticError;
use super::body::Prepared;
use super::search::{SearchResponse, run};
use crate::logs::search::{Hit, SearchAnswer};
use crate::logs_api::ApiState;
use crate::logs_api::query_string::{Params, RawBody};
use crate::ulid::ulid;

/// Hits of one scroll, all pages together.
const MAX_SCROLL_HITS: usize = 100_000;
/// The longest time that a scroll is kept unused.
const MAX_TTL: Duration = Duration::from_secs(30 * 60);
/// Scrolls that are kept at the same time; the oldest goes first.
const MAX_SCROLLS: usize = 32;

/// The scrolls that are open.
#[derive(Debug, Default)]
pub struct Scrolls(Mutex<HashMap<String, Scroll>>);

#[derive(Debug)]
struct Scroll {
    num_hits: u64,
    num_splits: usize,
    hits: Vec<Hit>,
    page: usize,
    expires: Instant,
}

impl Scrolls {
    fn keep(&self, scroll: Scroll) -> String {
        let mut scrolls = self.0.lock();
        let now = Instant::now();
        scrolls.retain(|_, scroll| scroll.expires > now);
        while scrolls.len() >= MAX_SCROLLS {
            let oldest = scrolls.keys().min().cloned().unwrap_or_default();
            scrolls.remove(&oldest);
        }
        let number = ulid();
        scrolls.insert(number.clone(), scroll);
        number
    }

    fn page(&self, number: &str, offset: usize, ttl: Option<Duration>) -> Option<(SearchAnswer, usize)> {
        let mut scrolls = self.0.lock();
        let now = Instant::now();
        scrolls.retain(|_, scroll| scroll.expires > now);
        let scroll = scrolls.get_mut(number)?;
        if let Some(ttl) = ttl {
            scroll.expires = now + ttl;
        }
        let hits: Vec<Hit> = scroll.hits.iter().skip(offset).take(scroll.page).cloned().collect();
        let next = offset + hits.len();
        let answer =
            SearchAnswer { num_hits: scroll.num_hits, hits, aggregations: None, num_splits: scroll.num_splits };
        Some((answer, next))
    }
}

fn encode(number: &str, offset: usize) -> String {
    BASE64.encode(format!("{number}{offset}"))
}

fn decode(id: &str) -> Option<(String, usize)> {
    let text = String::from_utf8(BASE64.decode(id).ok()?).ok()?;
    let (number, offset) = text.split_at_checked(26)?;
    Some((number.to_owned(), offset.parse().ok()?))
}

/// `1m`, `30s`, `500ms`.
pub fn parse_ttl(text: &str) -> Result<Duration, ElasticError> {
    let invalid = || ElasticError::bad_request(format!("Invalid argument: invalid scroll time: `{text}`"));
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
    let count: u64 = text[..split].parse().map_err(|_| invalid())?;
    let millis = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(invalid()),
    };
    Ok(Duration::from_millis(count.saturating_mul(millis)))
}

/// Refuses what a scroll cannot be begun with.
pub fn check(ttl: Duration, allows_partial_results: bool) -> Result<(), ElasticError> {
    let limit = MAX_TTL.as_secs();
    let why = if ttl > MAX_TTL {
        format!("only supports scroll TTL period up to {limit} secs")
    } else if !allows_partial_results {
        "only supports scroll API with allow_partial_search_results set to true".to_owned()
    } else {
        return Ok(());
    };
    Err(ElasticError::bad_request(format!("Invalid argument: Quickwit {why}")))
}

pub async fn start(
    state: &ApiState,
    patterns: Vec<String>,
    ignore_missing: bool,
    mut prepared: Prepared,
    ttl: Duration,
    started: Instant,
) -> Result<Response, ElasticError> {
    let page = prepared.max_hits;
    prepared.max_hits = MAX_SCROLL_HITS;
    let mut answer = run(state, &patterns, ignore_missing, prepared).await?;
    let rest = Scroll {
        num_hits: answer.num_hits,
        num_splits: answer.num_splits,
        hits: std::mem::take(&mut answer.hits),
        page,
        expires: Instant::now() + ttl,
    };
    answer.hits = rest.hits.iter().take(page).cloned().collect();
    let offset = answer.hits.len();
    let number = state.scrolls.keep(rest);
    let mut response = SearchResponse::new(answer, started);
    response.scroll_id = Some(encode(&number, offset));
    Ok(Json(response).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScrollParams {
    scroll: Option<String>,
    scroll_id: Option<String>,
}

pub async fn next(
    State(state): State<ApiState>,
    Params(params): Params<ScrollParams>,
    RawBody(body): RawBody,
) -> Result<Response, ElasticError> {
    let started = Instant::now();
    let invalid = |text: &str| ElasticError::bad_request(format!("Invalid argument: {text}"));
    let body: ScrollParams = if body.trim_ascii().is_empty() {
        ScrollParams::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| invalid(&error.to_string()))?
    };
    let id = body.scroll_id.or(params.scroll_id).ok_or_else(|| invalid("missing scroll_id"))?;
    let ttl = body.scroll.or(params.scroll).map(|ttl| parse_ttl(&ttl)).transpose()?;
    let ttl = ttl.map(|ttl| ttl.min(MAX_TTL));
    let (number, offset) = decode(&id).ok_or_else(|| invalid("scroll id payload is truncated"))?;
    let (answer, next) = state.scrolls.page(&number, offset, ttl).ok_or_else(|| ElasticError::Reason {
        status: axum::http::StatusCode::NOT_FOUND,
        reason: "scroll context not found".to_owned(),
    })?;
    let mut response = SearchResponse::new(answer, started);
    response.scroll_id = Some(encode(&number, next));
    Ok(Json(response).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scroll_is_kept_for_half_an_hour_at_most_and_may_lack_results() {
        let minutes = |text| parse_ttl(text).expect("a time");
        assert!(check(minutes("30m"), true).is_ok());
        assert!(check(minutes("31m"), true).is_err());
        assert!(check(minutes("1d"), true).is_err());
        assert!(check(minutes("1m"), false).is_err());
        assert!(parse_ttl("soon").is_err());
    }
}
