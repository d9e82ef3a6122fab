//! `/metrics` of the logs side, in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{ApiError, ApiState};

pub async fn metrics(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let text = state.blocking(|store| Ok(render(store))).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// The logs side's series. Blocks: reads sizes from disk.
pub fn render(store: &crate::logs::LogStore) -> String {
    let mut text = String::new();
    let mut series = |kind: &str, name: &str, help: &str, values: &[(String, u64)]| {
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "# HELP tracewright_store_logs_{name} {help}\n# TYPE tracewright_store_logs_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "tracewright_store_logs_{name}{labels} {value}");
        }
    };
    let counters = &store.counters;
    let one = |value: u64| [(String::new(), value)];
    let load = |counter: &std::sync::atomic::AtomicU64| one(counter.load(Ordering::Relaxed));
    series("counter", "accepted_total", "Log records acknowledged.", &load(&counters.accepted));
    series("counter", "rejected_total", "Log records that did not fit their index.", &load(&counters.rejected));
    series(
        "counter",
        "refused_requests_total",
        "Requests refused because too much waited for indexing, or because the index could not be written.",
        &load(&counters.refused_requests),
    );
    series("counter", "request_bytes_total", "Bytes of acknowledged requests.", &load(&counters.request_bytes));
    series("gauge", "waiting_bytes", "Bytes of requests that wait for indexing.", &one(store.waiting_bytes() as u64));
    series("gauge", "wal_bytes", "Bytes of the write-ahead log.", &one(store.wal_bytes()));
    let writable: Vec<_> = store
        .indexes()
        .iter()
        .map(|index| (format!("{{index=\"{}\"}}", index.id()), u64::from(index.is_writable())))
        .collect();
    series(
        "gauge",
        "writable",
        "1 while the index can be written, 0 from a failed commit to the next good one.",
        &writable,
    );
    let stats: Vec<_> = store.indexes().iter().map(|index| (index.id(), index.stats())).collect();
    let per_index = |value: fn(&crate::logs::IndexStats) -> u64| {
        stats.iter().map(|(id, stats)| (format!("{{index=\"{id}\"}}"), value(stats))).collect::<Vec<_>>()
    };
    series("gauge", "documents", "Documents that can be found.", &per_index(|stats| stats.documents));
    series("gauge", "index_bytes", "Bytes of the index on disk.", &per_index(|stats| stats.disk_bytes));
    series("gauge", "segments", "Segments of the index.", &per_index(|stats| stats.segments as u64));
    text
}
