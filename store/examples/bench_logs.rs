//! Measures the log store in this process: ingest from four threads, time to searchable, searches, memory, start-up.
//!
//! `cargo run --release --example bench_logs -p tracewright-store -- [records]` (default 1,000,000; batches of 1,000).
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::json;
use tracewright_store::logs::search::{DateUnit, Order, SearchRequest, SortBy, SortField, search};
use tracewright_store::logs::{DEFAULT_LOGS_INDEX, LogError, LogOptions, LogStore};
use tracewright_store::query::QueryAst;
use tracewright_store::query::user::{Defaults, Operator, parse};
use tracewright_store::wal::SyncPolicy;

/// The program's allocator, so that memory is comparable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 1_000;
const SENDERS: usize = 4;
const SERVICES: [&str; 4] = ["frontend", "go-service", "python-service", "rust-service"];
const BASE_NANOS: u64 = 1_768_471_200_000_000_000;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(text: String) -> Value {
    Value::StringValue(text)
}

/// Batch `number`, about 250 bytes a record.
fn batch(number: usize) -> Vec<u8> {
    let resource_logs = SERVICES.iter().enumerate().map(|(service, name)| {
        let records = (0..BATCH).filter(|index| index % SERVICES.len() == service).map(|index| {
            let n = (number * BATCH + index) as u64;
            let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let error = scattered.is_multiple_of(10);
            let body = if error {
                format!("Connection refused: upstream db-primary:5432 timed out after {}s", scattered % 60)
            } else {
                format!("Processed order {} for customer user-{:02}", scattered % 100_000, scattered % 50)
            };
            LogRecord {
                time_unix_nano: BASE_NANOS + n * 3_600_000,
                observed_time_unix_nano: BASE_NANOS + n * 3_600_000,
                severity_number: if error { 17 } else { 9 },
                severity_text: if error { "ERROR" } else { "INFO" }.to_owned(),
                body: Some(AnyValue { value: Some(text(body)) }),
                attributes: vec![
                    attribute("http.request.method", text("GET".to_owned())),
                    attribute("http.route", text("/api/orders/{id}".to_owned())),
                    attribute("http.response.status_code", Value::IntValue(if error { 500 } else { 200 })),
                    attribute("duration_ms", Value::DoubleValue((scattered % 20_000) as f64 / 100.0)),
                ],
                trace_id: [(n / 8).to_be_bytes(), scattered.to_be_bytes()].concat(),
                span_id: scattered.to_be_bytes().to_vec(),
                flags: 1,
                ..LogRecord::default()
            }
        });
        let scope_logs = vec![ScopeLogs { log_records: records.collect(), ..ScopeLogs::default() }];
        let attributes = vec![
            attribute("service.name", text((*name).to_owned())),
            attribute("service.namespace", text("shop".to_owned())),
            attribute("service.version", text("1.4.0".to_owned())),
        ];
        ResourceLogs {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_logs,
            ..ResourceLogs::default()
        }
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }.encode_to_vec()
}

fn options(dir: &std::path::Path) -> LogOptions {
    LogOptions {
        dir: dir.to_owned(),
        sync: SyncPolicy::Always,
        retention: None,
        max_disk_bytes: None,
        max_waiting_bytes: 16 << 20,
    }
}

fn request(query: &str, max_hits: usize, aggregations: Option<serde_json::Value>) -> SearchRequest {
    let fields = ["body.message".to_owned()];
    let defaults = Defaults { fields: &fields, operator: Operator::And, lenient: false };
    SearchRequest {
        query: if query.is_empty() { QueryAst::All } else { parse(query, defaults).expect("a valid query") },
        start_timestamp: None,
        end_timestamp: None,
        sort: vec![SortField {
            by: SortBy::Field("timestamp_nanos".to_owned()),
            order: Order::Descending,
            date_unit: DateUnit::Nanoseconds,
        }],
        search_after: None,
        offset: 0,
        max_hits,
        aggregations: aggregations.map(|value| serde_json::from_value(value).expect("a valid aggregation")),
        snippet_fields: Vec::new(),
    }
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let records: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = LogStore::open(options(dir.path())).expect("the store opens");
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let busy = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= records / BATCH {
                        return;
                    }
                    let payload = batch(number);
                    loop {
                        match store.ingest_otlp(DEFAULT_LOGS_INDEX, &payload) {
                            Ok(_) => break,
                            Err(LogError::Busy { .. }) => {
                                busy.fetch_add(1, Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(100));
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "ingest {:.0} records/s acknowledged (making the requests included), {} times told to wait",
        records as f64 / seconds,
        busy.load(Ordering::Relaxed)
    );
    let acknowledged = Instant::now();
    let index = store.index(DEFAULT_LOGS_INDEX).expect("it is built in");
    while index.stats().documents < records as u64 {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("all searchable {:.2} s after the last answer", acknowledged.elapsed().as_secs_f64());
    let histogram = json!({"field": "timestamp_nanos", "fixed_interval": "60s"});
    let trace = hex::encode([1_u64.to_be_bytes(), 8_u64.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()].concat());
    let volume = json!({"l": {"terms": {"field": "severity_text"}, "aggs": {"t": {"date_histogram": histogram}}}});
    let p95 = json!({"s": {"terms": {"field": "service_name"}, "aggs": {"t": {"date_histogram": histogram,
        }, "p": {"percentiles": {"field": "attributes.duration_ms", "percents": [95]}}}}});
    for (name, request) in [
        ("100 newest", request("", 100, None)),
        ("text and level", request("refused AND severity_text:ERROR", 100, None)),
        ("log volume", request("", 0, Some(volume))),
        ("logs of a trace", request(&format!("trace_id:{trace}"), 100, None)),
        ("p95 by service", request("", 0, Some(p95))),
    ] {
        let mut millis: Vec<f64> = (0..60)
            .map(|_| {
                let started = Instant::now();
                search(std::slice::from_ref(&index), &request).expect("is answered");
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        millis.sort_by(f64::total_cmp);
        println!("{name:16} p50 {:6.1} ms  p95 {:6.1} ms", millis[30], millis[57]);
    }
    println!("resident {} MiB", resident_mib());
    store.stop();
    drop((index, store));
    let started = Instant::now();
    let store = LogStore::open(options(dir.path())).expect("the store opens");
    println!("start {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    store.stop();
}
