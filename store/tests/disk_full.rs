//! The disk is full while logs and spans come in. What comes then is refused in a way that makes senders keep it; what was
//! acknowledged is there; and when there is space again everything goes on, without a restart.
//!
//! A full disk is played by the limit on the size of files (`prlimit --fsize`), which makes every write fail and can be lifted from
//! outside. Where that program is missing there is nothing to test, and the test says so.
#[path = "program/mod.rs"]
mod program;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use program::{Program, request};
use prost::Message as _;
use tonic::{Code, Status};

const DEADLINE: Duration = Duration::from_secs(60);
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

fn logs(number: u64) -> ExportLogsServiceRequest {
    let value = Some(AnyValue { value: Some(Value::IntValue(number as i64)) });
    let record = LogRecord {
        time_unix_nano: 1_768_471_200_000_000_000 + number,
        attributes: vec![KeyValue { key: "n".to_owned(), value, ..KeyValue::default() }],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

fn trace_id(number: u64) -> [u8; 16] {
    (u128::from(number) << 64 | 1).to_be_bytes()
}

fn spans(number: u64) -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: trace_id(number).to_vec(),
        span_id: vec![1; 8],
        name: "work".to_owned(),
        start_time_unix_nano: 1_768_471_200_000_000_000,
        end_time_unix_nano: 1_768_471_200_000_000_001,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

struct Store {
    program: Program,
    next: u64,
    acknowledged_logs: BTreeSet<u64>,
    acknowledged_traces: BTreeSet<u64>,
}

impl Store {
    fn start(data_dir: &Path) -> Self {
        // Without the signal, a write beyond the limit is an error.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tracewright-store")]);
        command.arg("--data-dir").arg(data_dir);
        let (acknowledged_logs, acknowledged_traces) = Default::default();
        Self { program: Program::start(command), next: 0, acknowledged_logs, acknowledged_traces }
    }

    /// The soft limit only: it is lifted again.
    fn limit_files_to(&self, bytes: &str) {
        let mut command = Command::new("prlimit");
        command.arg("--pid").arg(self.program.child.id().to_string()).arg(format!("--fsize={bytes}:"));
        assert!(command.status().expect("it was there before").success());
    }

    /// Whether the logs were taken; a refusal must tell the sender to keep them.
    fn send_logs(&mut self) -> bool {
        self.next += 1;
        let body = logs(self.next).encode_to_vec();
        let taken = taken_or_refused_kindly(self.program.quickwit, "/api/v1/otlp/v1/logs", PROTOBUF, &body);
        if taken {
            self.acknowledged_logs.insert(self.next);
        }
        taken
    }

    fn send_spans(&mut self) -> bool {
        self.next += 1;
        let body = spans(self.next).encode_to_vec();
        let taken = taken_or_refused_kindly(self.program.tempo_otlp_http, "/v1/traces", PROTOBUF, &body);
        if taken {
            self.acknowledged_traces.insert(self.next);
        }
        taken
    }

    fn assert_nothing_is_taken(&mut self) {
        assert!(!self.send_logs() && !self.send_spans());
        let line = serde_json::json!({"timestamp_nanos": 1, "attributes": {"n": 0}}).to_string();
        let ingest = "/api/v1/otel-logs-v0_9/ingest";
        assert!(!taken_or_refused_kindly(self.program.quickwit, ingest, JSON, line.as_bytes()));
        let bulk = format!("{{\"create\":{{}}}}\n{line}\n");
        let path = "/api/v1/_elastic/otel-logs-v0_9/_bulk";
        assert!(!taken_or_refused_kindly(self.program.quickwit, path, JSON, bulk.as_bytes()));
        for (signal, status) in over_grpc(&self.program) {
            assert!(matches!(status.code(), Code::ResourceExhausted | Code::Unavailable), "{signal}: {status}");
        }
    }

    fn assert_all_is_there_once(&self) {
        let mut found = Vec::new();
        within_deadline("acknowledged logs are missing", || {
            found = self.program.log_numbers();
            self.acknowledged_logs.iter().all(|number| found.contains(number))
        });
        let distinct: BTreeSet<u64> = found.iter().copied().collect();
        assert_eq!(distinct.len(), found.len(), "logs are there twice");
        assert!(distinct.is_subset(&self.acknowledged_logs), "logs are there that were refused");
        for number in &self.acknowledged_traces {
            let path = format!("/api/traces/{}", hex::encode(trace_id(*number)));
            let answer = request(self.program.tempo, "GET", &path, "", b"").expect("an answer");
            assert_eq!(answer.status, 200, "trace {number}");
        }
    }
}

/// Whether a request was taken. If not, the answer must say when to come again.
fn taken_or_refused_kindly(address: SocketAddr, path: &str, content_type: &str, body: &[u8]) -> bool {
    let answer = request(address, "POST", path, content_type, body).expect("an answer");
    if answer.status == 200 {
        return true;
    }
    let text = String::from_utf8_lossy(&answer.body);
    assert!(matches!(answer.status, 429 | 503), "{path}: {} {text}", answer.status);
    assert!(answer.head.contains("retry-after: "), "{path}: {}", answer.head);
    false
}

fn within_deadline(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What both gRPC receivers say when there is no space.
fn over_grpc(program: &Program) -> Vec<(&'static str, Status)> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let address = format!("http://{}", program.quickwit_grpc);
        let mut client = LogsServiceClient::connect(address).await.expect("connects");
        let of_logs = client.export(logs(1_000_000)).await.expect_err("there is no space");
        let address = format!("http://{}", program.tempo_otlp_grpc);
        let mut client = TraceServiceClient::connect(address).await.expect("connects");
        let of_spans = client.export(spans(1_000_000)).await.expect_err("there is no space");
        vec![("logs", of_logs), ("spans", of_spans)]
    })
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_goes_on_when_there_is_space() {
    if !Command::new("prlimit").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: the limit on files cannot be set from outside, since there is no prlimit (util-linux)");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut store = Store::start(dir.path());
    assert!(store.send_logs() && store.send_spans(), "there is space at first");

    // Files fill up as they are written. A write may be cut short.
    store.limit_files_to("20000");
    within_deadline("logs are still taken", || !store.send_logs());
    within_deadline("spans are still taken", || !store.send_spans());
    store.limit_files_to("unlimited");
    within_deadline("no logs are taken although there is space again", || store.send_logs());
    within_deadline("no spans are taken although there is space again", || store.send_spans());
    store.assert_all_is_there_once();

    // Nothing can be written at all, not even the commit of what was just acknowledged.
    assert!(store.send_logs());
    store.limit_files_to("0");
    within_deadline("the index is still written", || is_standing_still(&store.program));
    store.assert_nothing_is_taken();
    let search = request(store.program.quickwit, "GET", "/api/v1/otel-logs-v0_9/search?query=*&max_hits=1", "", b"");
    assert_eq!(search.map(|answer| answer.status), Some(200), "reading goes on");
    store.limit_files_to("unlimited");
    within_deadline("no logs are taken although there is space again", || store.send_logs());
    within_deadline("no spans are taken although there is space again", || store.send_spans());
    store.assert_all_is_there_once();

    // What is there when the power goes while the disk is full.
    assert!(store.send_logs() && store.send_spans());
    store.limit_files_to("0");
    within_deadline("the index is still written", || is_standing_still(&store.program));
    let Store { program, next, acknowledged_logs, acknowledged_traces } = store;
    program.kill();
    let program = Store::start(dir.path()).program;
    Store { program, next, acknowledged_logs, acknowledged_traces }.assert_all_is_there_once();
}

fn is_standing_still(program: &Program) -> bool {
    let metrics = request(program.quickwit, "GET", "/metrics", "", b"").expect("an answer");
    String::from_utf8_lossy(&metrics.body).contains("tracewright_store_logs_writable{index=\"otel-logs-v0_9\"} 0")
}
