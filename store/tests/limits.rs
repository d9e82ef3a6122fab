//! The limits of one request, and what is said when they are reached.
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tower::ServiceExt as _;
use tracewright_store::logs::{IndexConfig, LogOptions, LogStore};
use tracewright_store::logs_api::{ApiOptions, NodeNames};
use tracewright_store::traces::{StoreOptions, TraceStore};
use tracewright_store::wal::SyncPolicy;
use tracewright_store::{logs_api, otlp, tempo_api};

const MAX_BODY_BYTES: usize = 100_000;
const OTLP: &str = "/api/v1/otlp/v1/logs";
const SEARCH: &str = "/api/v1/otel-logs-v0_9/search";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn logs(max_waiting_bytes: usize, dir: &tempfile::TempDir) -> Arc<LogStore> {
    let options = LogOptions {
        dir: dir.path().to_owned(),
        sync: SyncPolicy::Always,
        retention: None,
        max_disk_bytes: None,
        max_waiting_bytes,
    };
    LogStore::open(options).expect("an empty store opens")
}

fn quickwit(store: Arc<LogStore>, search_timeout: Duration) -> Router {
    let name = || "test".to_owned();
    let names = NodeNames { cluster_id: name(), node_id: name(), rest_address: "127.0.0.1:7280".to_owned() };
    let options = ApiOptions { names, max_otlp_body_bytes: MAX_BODY_BYTES, search_timeout, max_concurrent_searches: 1 };
    logs_api::router(store, options)
}

async fn post(router: &Router, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = Request::builder().method("POST").uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).expect("a request");
    let response = router.clone().oneshot(request).await.expect("a router always answers");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

fn export(text_bytes: usize) -> Vec<u8> {
    let text = Value::StringValue("x".repeat(text_bytes));
    let log_records = vec![LogRecord { body: Some(AnyValue { value: Some(text) }), ..LogRecord::default() }];
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
        .encode_to_vec()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, plain).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_packed_or_not() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let router = quickwit(logs(8 << 20, &dir), Duration::from_secs(30));
    let kind = ("content-type", PROTOBUF);
    assert_eq!(post(&router, OTLP, &[kind], export(MAX_BODY_BYTES / 2)).await.status, 200);
    assert_eq!(post(&router, OTLP, &[kind], export(MAX_BODY_BYTES * 2)).await.status, 413);
    let bomb = gzip(&export(MAX_BODY_BYTES * 100));
    assert!(bomb.len() < MAX_BODY_BYTES);
    let answer = post(&router, OTLP, &[kind, ("content-encoding", "gzip")], bomb.clone()).await;
    assert!(answer.status == 413 && answer.text().contains("100000 bytes"), "{} {}", answer.status, answer.text());
    let search = format!("{{\"query\": \"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(post(&router, SEARCH, &[("content-type", JSON)], search.into_bytes()).await.status, 413);

    let store = Arc::new(TraceStore::open(StoreOptions::new(dir.path().join("traces"))).expect("opens"));
    let receiver = otlp::traces::router(store, MAX_BODY_BYTES);
    assert_eq!(post(&receiver, "/v1/traces", &[kind], vec![0; MAX_BODY_BYTES * 2]).await.status, 413);
    assert_eq!(post(&receiver, "/v1/traces", &[kind, ("content-encoding", "gzip")], bomb).await.status, 413);
}

#[tokio::test]
async fn more_hits_than_allowed_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let router = quickwit(logs(8 << 20, &dir), Duration::from_secs(30));
    for body in [r#"{"query": "*", "max_hits": 10001}"#, r#"{"query": "*", "start_offset": 10001}"#] {
        let answer = post(&router, SEARCH, &[("content-type", JSON)], body.as_bytes().to_vec()).await;
        assert!(answer.status == 400 && answer.text().contains("10_000"), "{}", answer.text());
    }
}

#[tokio::test]
async fn when_too_much_waits_senders_are_told_when_to_come_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = logs(0, &dir);
    let router = quickwit(Arc::clone(&store), Duration::from_secs(30));
    let answer = post(&router, OTLP, &[("content-type", PROTOBUF)], export(10)).await;
    assert_eq!(
        (answer.status, answer.headers.get("retry-after").map(|value| value.as_bytes())),
        (429, Some(&b"1"[..]))
    );
    let bulk = b"{\"create\":{}}\n{\"body\":{}}\n".to_vec();
    let path = "/api/v1/_elastic/otel-logs-v0_9/_bulk";
    let answer = post(&router, path, &[("content-type", JSON)], bulk).await;
    assert_eq!((answer.status, answer.headers.contains_key("retry-after")), (429, true), "{}", answer.text());

    // gRPC: RESOURCE_EXHAUSTED, and the detail that OTLP exporters look for.
    let service = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let grpc = Router::new().route_service(service, otlp::logs::service(store, MAX_BODY_BYTES));
    let message = export(10);
    let frame = [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat();
    let answer = post(&grpc, service, &[("content-type", "application/grpc"), ("te", "trailers")], frame).await;
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!(header("grpc-status"), (tonic::Code::ResourceExhausted as i32).to_string());
    let details =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD_NO_PAD, header("grpc-status-details-bin"));
    let details = String::from_utf8_lossy(&details.expect("base64")).into_owned();
    assert!(details.contains("google.rpc.RetryInfo"), "{details}");
}

#[tokio::test]
async fn of_a_bulk_request_only_what_was_refused_is_to_be_sent_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = logs(8 << 20, &dir);
    let router = quickwit(Arc::clone(&store), Duration::from_secs(30));
    for id in ["first", "second"] {
        let file = format!("{{version: 0.9, index_id: {id}, doc_mapping: {{mode: dynamic}}}}");
        store.create_index(IndexConfig::from_yaml(&file).expect("a valid index file")).expect("is made");
    }
    // The second one cannot be written any more.
    let indexes = std::fs::read_dir(dir.path().join("indexes")).expect("can be listed");
    let second =
        indexes.map(|entry| entry.expect("an entry").path()).find(|path| path.to_string_lossy().contains("second--"));
    std::fs::remove_dir_all(second.expect("is there").join("tantivy")).expect("is removed");
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.ingest_ndjson("second", b"{}", |_| ()).is_ok() {
        assert!(Instant::now() < deadline, "nothing is refused");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let action = |index: &str| format!("{{\"create\": {{\"_index\": \"{index}\"}}}}\n{{\"n\": 1}}\n");
    let both = action("second") + &action("first");
    let path = "/api/v1/_elastic/_bulk?refresh=true";
    let answer = post(&router, path, &[("content-type", JSON)], both.into_bytes()).await;
    let said: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((answer.status, said["errors"].as_bool()), (200, Some(true)), "{said}");
    let statuses = [&said["items"][0]["index"]["status"], &said["items"][1]["index"]["status"]];
    assert_eq!(statuses, [503, 201], "{said}");
    assert_eq!(store.index("first").expect("exists").stats().documents, 1);

    // With nothing taken, the whole request is to be sent again.
    let answer = post(&router, path, &[("content-type", JSON)], action("second").into_bytes()).await;
    assert_eq!((answer.status, answer.headers.contains_key("retry-after")), (503, true), "{}", answer.text());
}

#[tokio::test]
async fn a_trace_query_that_takes_too_long_is_given_up() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = StoreOptions { query_timeout: Duration::ZERO, ..StoreOptions::new(dir.path().join("traces")) };
    let store = Arc::new(TraceStore::open(options).expect("opens"));
    let number = KeyValue {
        key: "n".to_owned(),
        value: Some(AnyValue { value: Some(Value::IntValue(1)) }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        start_time_unix_nano: 1_768_471_200_000_000_000,
        end_time_unix_nano: 1_768_471_200_000_000_001,
        attributes: vec![number],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    store.ingest(vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }]).expect("is taken");
    let tempo = tempo_api::router(store, String::new);
    let path = "/api/search?start=1768471140&end=1768471320&q=%7B%20span.n%20%2B%201%20%3D%202%20%7D";
    let answer = post(&tempo, path, &[], Vec::new()).await;
    assert!(answer.status == 422 && answer.text().contains("took longer"), "{} {}", answer.status, answer.text());
}
