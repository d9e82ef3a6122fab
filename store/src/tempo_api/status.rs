//! What says that the store is there: readiness, versions, metrics.
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::ApiState;
use crate::traces::StoreStats;

/// The release of Tempo whose answers these are. Clients choose their features by it.
const TEMPO_VERSION: &str = "v3.0.3";
const TEMPO_REVISION: &str = "1900ed7bb5";
const TEMPO_GO: &str = "go1.26.8";

fn plain(status: StatusCode, text: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, text).into_response()
}

pub async fn ready() -> Response {
    plain(StatusCode::OK, "ready\n")
}

pub async fn echo() -> Response {
    plain(StatusCode::OK, "echo\n")
}

pub async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

pub async fn build_info() -> impl IntoResponse {
    axum::Json(json!({
        "version": TEMPO_VERSION,
        "revision": TEMPO_REVISION,
        "branch": TEMPO_VERSION,
        "buildUser": "",
        "buildDate": "",
        "goVersion": TEMPO_GO,
    }))
}

pub async fn version() -> impl IntoResponse {
    let text = format!(
        "GET /status/version\ntempo, version {TEMPO_VERSION} (branch: {TEMPO_VERSION}, revision: {TEMPO_REVISION})\n  \
         build user:       \n  build date:       \n  go version:       {TEMPO_GO}\n  platform:         linux/amd64\n  \
         tags:             unknown\n"
    );
    ([(header::CONTENT_TYPE, "text/plain")], text)
}

/// The service graph and span metrics, the store's own sizes, and what the program adds.
pub async fn metrics(State(state): State<ApiState>) -> impl IntoResponse {
    let mut text = String::new();
    let mut stats = StoreStats::default();
    let stores = state.tenants.all();
    for (tenant, store) in &stores {
        stats += store.stats();
        // With several tenants, which share no services, one page cannot hold the graphs of all.
        if tenant.is_none() {
            text.push_str(&store.generator().render());
        }
    }
    for (name, help, value) in [
        ("segments", "Segments of traces on disk.", stats.segments as u64),
        ("segment_bytes", "Size of the segments of traces.", stats.segment_bytes),
        ("wal_bytes", "Size of the write-ahead log of traces.", stats.wal_bytes),
        ("head_spans", "Spans that are in memory and in the log only.", stats.head_spans as u64),
        ("stored_spans", "Spans that can be found.", stats.stored_spans as u64),
    ] {
        text.push_str(&format!(
            "# HELP tracewright_store_traces_{name} {help}\n# TYPE tracewright_store_traces_{name} gauge\n\
             tracewright_store_traces_{name} {value}\n"
        ));
    }
    text.push_str(&(state.extra_metrics)());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
