//! The routes, and what each answers. Failures are [`Error`]s; telemetry of the request is the middleware's work.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::error::{DeliberateFailure, Error, FieldError};
use crate::faults::{Fault, Faults};
use crate::knowledge::{Item, Knowledge};
use crate::process_metrics;
use crate::search::{Hit, Index};
use crate::telemetry::server_span::{self, ServerTelemetry};

const SERVICE: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

const MAX_QUERY_CHARS: usize = 2000;
const MAX_RESULTS: usize = 20;
const DEFAULT_RESULTS: usize = 3;
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// What `GET /data` adds to its query, so that it looks like work in a trace; times `LATENCY_SCALE`.
const SIMULATED_LATENCY: Duration = Duration::from_millis(20);

/// What the handlers share.
#[derive(Clone)]
pub struct AppState {
    pub index: Arc<Index>,
    pub knowledge: Knowledge,
    pub latency_scale: f64,
    pub telemetry: ServerTelemetry,
    pub faults: Faults,
}

/// The whole service, without a socket.
pub fn router(state: AppState) -> Router {
    let traced = Router::new().route("/search", get(search)).route("/data", get(data)).route("/error", get(error));
    let untraced = Router::new()
        .route("/", get(health))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(method_not_allowed);
    in_server_spans(traced, &state).merge(untraced).with_state(state)
}

/// Puts every route, and every path that has none, under a server span.
fn in_server_spans(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(refuse_large_bodies))
        .layer(from_fn_with_state(state.telemetry.clone(), server_span::serve))
}

#[derive(Serialize)]
struct SearchAnswer {
    query: String,
    results: Vec<SearchResult>,
}

#[derive(Serialize)]
struct SearchResult {
    id: String,
    title: String,
    snippet: String,
    score: f64,
    related: Vec<String>,
}

impl From<Hit<'_>> for SearchResult {
    fn from(hit: Hit<'_>) -> Self {
        Self {
            id: hit.entry.id.clone(),
            title: hit.entry.title.clone(),
            snippet: hit.snippet,
            score: hit.score,
            related: hit.related.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// Answers from memory: PostgreSQL may be down.
async fn search(State(state): State<AppState>, asked: SearchQuery) -> Json<SearchAnswer> {
    let unbounded = state.faults.on(Fault::UnboundedSpanName).await;
    let span = tracing::info_span!(
        "search index",
        otel.name = unbounded.then(|| format!("search index for {}", asked.text)),
        otel.kind = "internal",
        search.limit = asked.limit as i64
    );
    let answer = span.in_scope(|| state.index.search(&asked.text, asked.limit));
    span.set_attribute("search.terms", answer.terms as i64);
    span.set_attribute("search.matched", answer.matched as i64);
    drop(span);
    let results: Vec<SearchResult> = answer.hits.into_iter().map(SearchResult::from).collect();
    // The text itself is not logged: it is what a person asked.
    tracing::info!(
        search.results = results.len(),
        search.matched = answer.matched,
        search.terms = answer.terms,
        "search finished"
    );
    Json(SearchAnswer { query: asked.text, results })
}

#[derive(Serialize)]
struct DataAnswer {
    service: &'static str,
    count: usize,
    items: Vec<Item>,
}

async fn data(State(state): State<AppState>) -> Result<Json<DataAnswer>, Error> {
    tokio::time::sleep(SIMULATED_LATENCY.mul_f64(state.latency_scale)).await;
    let kind = if state.faults.on(Fault::WrongSpanKind).await { "internal" } else { "client" };
    let items = state.knowledge.list(kind).await?;
    tracing::info!(rows = items.len(), "data read");
    Ok(Json(DataAnswer { service: SERVICE, count: items.len(), items }))
}

async fn error() -> Error {
    Error::Deliberate(DeliberateFailure)
}

#[derive(Serialize)]
struct Health {
    service: &'static str,
    version: &'static str,
    status: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    postgres: &'static str,
}

async fn health(State(state): State<AppState>) -> (StatusCode, Json<Health>) {
    let (code, status, postgres) = match state.knowledge.ping().await {
        Ok(()) => (StatusCode::OK, "ok", "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "unavailable"),
    };
    (code, Json(Health { service: SERVICE, version: VERSION, status, checks: Checks { postgres } }))
}

async fn metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, process_metrics::CONTENT_TYPE)], process_metrics::render())
}

async fn not_found() -> Error {
    Error::NotFound
}

async fn method_not_allowed() -> Error {
    Error::MethodNotAllowed
}

/// No route reads a body, so one that announces more than the fleet's limit is refused unread.
async fn refuse_large_bodies(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Error::BodyTooLarge.into_response();
    }
    next.run(request).await
}

/// `?q=…&limit=…`, checked.
#[derive(Debug, PartialEq, Eq)]
struct SearchQuery {
    text: String,
    limit: usize,
}

impl<S: Send + Sync> FromRequestParts<S> for SearchQuery {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self::check(pairs).map_err(Error::Invalid)
    }
}

impl SearchQuery {
    /// Unknown parameters are passed over; every fault is reported, not the first alone.
    fn check(pairs: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<FieldError>> {
        let (mut text, mut limit) = (None, None);
        let mut errors = Vec::new();
        for (name, value) in pairs {
            let (field, slot) = match name.as_str() {
                "q" => ("q", &mut text),
                "limit" => ("limit", &mut limit),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                errors.push(FieldError { field, message: "is given more than once".into() });
            }
        }
        let chars = text.as_deref().map(|text| text.trim().chars().count());
        match chars {
            None => errors.push(FieldError { field: "q", message: "is required".into() }),
            Some(1..=MAX_QUERY_CHARS) => {}
            Some(chars) => errors.push(FieldError {
                field: "q",
                message: format!("expected 1 to {MAX_QUERY_CHARS} characters, got {chars}"),
            }),
        }
        let limit = match limit.as_deref().map(str::parse) {
            None => DEFAULT_RESULTS,
            Some(Ok(limit @ 1..=MAX_RESULTS)) => limit,
            Some(_) => {
                let message = format!("expected a whole number from 1 to {MAX_RESULTS}");
                errors.push(FieldError { field: "limit", message });
                DEFAULT_RESULTS
            }
        };
        if errors.is_empty() { Ok(Self { text: text.unwrap_or_default(), limit }) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests;
