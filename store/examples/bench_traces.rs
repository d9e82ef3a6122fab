//! Measures the trace store in this process: ingest from four threads, memory, searches, start-up.
//!
//! `cargo run --release --example bench_traces -p tracewright-store -- [spans]` (default 1,000,000; batches of 500).
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tracewright_store::traceql;
use tracewright_store::traceql::metrics::Steps;
use tracewright_store::traces::metrics::MetricsRequest;
use tracewright_store::traces::search::{Filter, SearchRequest};
use tracewright_store::traces::tags::Window;
use tracewright_store::traces::{IngestError, StoreOptions, TraceStore};

const SPANS_PER_TRACE: usize = 10;
const BATCH: usize = 500;
const SENDERS: usize = 4;
const NAMES: [&str; 5] =
    ["GET /checkout", "POST /api/orders", "SELECT knowledge", "chat sim-large", "process usage_events"];
const SERVICES: [&str; 4] = ["frontend", "go-service", "python-service", "rust-service"];

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Batch `number`: 50 traces of ten spans, about 230 bytes a span.
fn batch(number: usize, base_ns: u64) -> Vec<u8> {
    let resource_spans = SERVICES.iter().enumerate().map(|(service, name)| {
        let spans = (0..BATCH).filter(|index| index % SERVICES.len() == service).map(|index| {
            let trace = 1 + number * (BATCH / SPANS_PER_TRACE) + index / SPANS_PER_TRACE;
            let place = index % SPANS_PER_TRACE;
            let id = |place: usize| (((trace as u64) << 8) | (place as u64 + 1)).to_be_bytes().to_vec();
            let mut trace_id = (trace as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec();
            trace_id.extend((trace as u64).to_be_bytes());
            let start = base_ns + trace as u64 * 500_000 + place as u64 * 1_000;
            let error = trace % 50 == 7 && place == 3;
            Span {
                trace_id,
                span_id: id(place),
                parent_span_id: if place == 0 { Vec::new() } else { id(place - 1) },
                name: NAMES[place % NAMES.len()].to_owned(),
                kind: (place % 5 + 1) as i32,
                start_time_unix_nano: start,
                end_time_unix_nano: start + (trace as u64 * 7919 % 1_000) * 1_000_000,
                attributes: vec![
                    attribute("http.request.method", any_value::Value::StringValue("GET".to_owned())),
                    attribute("http.response.status_code", any_value::Value::IntValue(if error { 500 } else { 200 })),
                    attribute("tenant.id", any_value::Value::StringValue(["acme", "globex"][trace % 2].to_owned())),
                    attribute("order.id", any_value::Value::StringValue(format!("order-{trace:08}"))),
                    attribute("cart.items", any_value::Value::IntValue((trace % 17) as i64)),
                ],
                status: error.then(|| Status { code: 2, message: "failed".to_owned() }),
                ..Span::default()
            }
        });
        let resource = Resource {
            attributes: vec![
                attribute("service.name", any_value::Value::StringValue((*name).to_owned())),
                attribute("service.version", any_value::Value::StringValue("1.0.0".to_owned())),
            ],
            ..Resource::default()
        };
        let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
        ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Seconds of processor time that this process has used.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn percentiles(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{name:<44} p50 {:7.2} ms   p95 {:7.2} ms", at(0.5), at(0.95));
}

fn timed(name: &str, rounds: usize, mut run: impl FnMut(usize) -> usize) {
    let mut results = 0;
    let times = (0..rounds).map(|round| {
        let start = Instant::now();
        results = run(round);
        start.elapsed()
    });
    percentiles(name, times.collect());
    println!("{:<44} {results} results", "");
}

fn main() {
    let total: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = StoreOptions { retention: None, ..StoreOptions::new(dir.path()) };
    let store = Arc::new(TraceStore::open(options.clone()).expect("an empty store opens"));
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
    let base_ns = now_ns - 600 * 1_000_000_000;
    println!("resident when empty: {:.0} MiB", resident_mib());

    let start = Instant::now();
    for number in 0..200 {
        std::hint::black_box(ExportTraceServiceRequest::decode(&batch(number, base_ns)[..]).expect("our own encoding"));
    }
    let making = start.elapsed().as_secs_f64() / (200 * BATCH) as f64;
    println!("making and decoding a span, on one core: {:.2} us", making * 1e6);

    let next = AtomicUsize::new(0);
    let busy = AtomicUsize::new(0);
    let start = Instant::now();
    let cpu_before = cpu_s();
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number * BATCH >= total {
                        return;
                    }
                    let bytes = batch(number, base_ns);
                    loop {
                        let request = ExportTraceServiceRequest::decode(&bytes[..]).expect("our own encoding");
                        match store.ingest(request.resource_spans) {
                            Ok(_) => break,
                            Err(IngestError::Busy { .. }) => {
                                busy.fetch_add(1, Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(20));
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    let took = start.elapsed().as_secs_f64();
    let cpu_us = (cpu_s() - cpu_before) / total as f64 * 1e6;
    println!("processor time a span: {cpu_us:.2} us, making and decoding included");
    println!(
        "ingest: {:.0} spans/s (making and decoding the batches included), {} refused as busy, resident {:.0} MiB",
        total as f64 / took,
        busy.load(Ordering::Relaxed),
        resident_mib()
    );
    store.flush().expect("written");
    println!("{:?}", store.stats());
    println!("resident after the flush: {:.0} MiB", resident_mib());

    let traces = total / SPANS_PER_TRACE;
    timed("by id", 200, |round| {
        let trace = 1 + (round * 7919 % traces) as u64;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&trace.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id[8..].copy_from_slice(&trace.to_be_bytes());
        store.reader().trace(&id).expect("read").len()
    });
    let search = |query: String| {
        let request = SearchRequest {
            filter: Filter::TraceQl(traceql::compile(&query).expect("valid")),
            start_ns: base_ns,
            end_ns: now_ns,
            limit: 20,
            spans_per_set: 3,
        };
        store.reader().search(&request).expect("runs").len()
    };
    let name = r#"{ name = "GET /checkout" && resource.service.name = "frontend" }"#;
    timed("name and service", 50, |_| search(name.to_owned()));
    timed("duration > 990ms", 50, |_| search("{ duration > 990ms }".to_owned()));
    timed("rare attribute", 50, |round| {
        search(format!("{{ span.order.id = \"order-{:08}\" }}", round * 7919 % traces))
    });
    timed("status, attribute and root name", 50, |_| {
        search(r#"{ status = error && span.tenant.id = "globex" && rootName = "GET /checkout" }"#.to_owned())
    });
    let rate = |text: &str| {
        let query = traceql::compile(text).expect("valid");
        let steps = Steps::aligned(base_ns, now_ns, 10_000_000_000);
        store.reader().metrics(&MetricsRequest { query, steps, max_exemplars: 100 }).expect("runs").len()
    };
    timed("{} | rate() by(resource.service.name)", 10, |_| rate("{} | rate() by(resource.service.name)"));
    timed("{ status = error } | count_over_time()", 10, |_| rate("{ status = error } | count_over_time() by(name)"));
    let tag = traceql::parser::parse_attribute("resource.service.name").expect("an attribute");
    let window = Window { start_ns: 0, end_ns: u64::MAX };
    timed("values of service.name", 20, |_| store.reader().tag_values(&tag, &[], window).expect("runs").len());
    println!("resident after the queries: {:.0} MiB", resident_mib());

    drop(store);
    let start = Instant::now();
    let store = TraceStore::open(options).expect("opens again");
    println!("start with {} spans: {:.1} ms", store.stats().stored_spans, start.elapsed().as_secs_f64() * 1e3);
}
