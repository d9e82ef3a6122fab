//! OTLP over gRPC, on the ports and with the metadata of the real programs, through the whole server.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Parser as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};
use tracewright_store::config::Config;
use tracewright_store::server::{Listeners, RunError, run};

struct Running {
    quickwit: SocketAddr,
    quickwit_grpc: SocketAddr,
    tempo_otlp_grpc: SocketAddr,
    tempo: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), RunError>>,
    _dir: tempfile::TempDir,
}

impl Running {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = dir.path().to_str().expect("a path in UTF-8");
        let config = Config::parse_from(["tracewright-store", "--data-dir", data_dir]);
        let listen = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let listeners = Listeners {
            tempo: listen().await,
            tempo_otlp_grpc: listen().await,
            tempo_otlp_http: listen().await,
            quickwit: listen().await,
            quickwit_grpc: listen().await,
        };
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let (quickwit, quickwit_grpc) = (address(&listeners.quickwit), address(&listeners.quickwit_grpc));
        let (tempo, tempo_otlp_grpc) = (address(&listeners.tempo), address(&listeners.tempo_otlp_grpc));
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(run(config, listeners, async { stopped.await.expect("the test stops the store") }));
        Self { quickwit, quickwit_grpc, tempo_otlp_grpc, tempo, stop, ended, _dir: dir }
    }

    async fn stop(self) {
        self.stop.send(()).expect("the store runs");
        self.ended.await.expect("no panic").expect("a clean end");
    }

    async fn logs(&self) -> LogsServiceClient<tonic::transport::Channel> {
        let client = LogsServiceClient::connect(format!("http://{}", self.quickwit_grpc)).await.expect("connects");
        client.send_compressed(CompressionEncoding::Gzip)
    }
}

/// Status and body.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let head = format!("GET {path} HTTP/1.1\r\nhost: store\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.split(' ').nth(1).expect("a status").parse().expect("a number"), body.to_owned())
}

fn logs(body: Value, trace_id: Vec<u8>) -> ExportLogsServiceRequest {
    let body = Some(AnyValue { value: Some(body) });
    let log_records = vec![LogRecord { body, trace_id, ..LogRecord::default() }];
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_sent_over_grpc_are_found_although_nobody_asks_for_a_commit() {
    let store = Running::start().await;
    let request = logs(Value::StringValue("hello over grpc".to_owned()), vec![1; 16]);
    let answer = store.logs().await.export(request).await.expect("is taken").into_inner();
    assert_eq!(answer.partial_success, None);
    let acknowledged = Instant::now();
    loop {
        let (_, found) = get(store.quickwit, "/api/v1/otel-logs-v0_9/search?query=hello&format=json").await;
        if found.contains("\"num_hits\":1") {
            break;
        }
        // How soon that is on an idle machine, `make bench-store` measures.
        assert!(acknowledged.elapsed() < Duration::from_secs(60), "not found: {found}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_request_are_told_by_their_codes() {
    let store = Running::start().await;
    let text = || Value::StringValue("x".to_owned());
    let mut request = Request::new(logs(text(), Vec::new()));
    request.metadata_mut().insert("qw-otel-logs-index", MetadataValue::from_static("no-such-index"));
    let unknown_index = store.logs().await.export(request).await.expect_err("there is no such index");
    assert_eq!(unknown_index.code(), Code::NotFound);
    let bad_id = store.logs().await.export(logs(text(), vec![1, 2])).await.expect_err("an id has 16 bytes");
    assert_eq!(bad_id.code(), Code::InvalidArgument);
    let empty = store.logs().await.export(ExportLogsServiceRequest::default()).await.expect("nothing to do");
    assert_eq!(empty.into_inner().partial_success, None);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_index_cannot_take_is_counted() {
    let store = Running::start().await;
    let list = Value::ArrayValue(ArrayValue { values: Vec::new() });
    let answer = store.logs().await.export(logs(list, Vec::new())).await.expect("is answered").into_inner();
    let partial = answer.partial_success.expect("a rejection is told");
    assert_eq!(partial.rejected_log_records, 1);
    assert!(partial.error_message.contains("`body`"), "{}", partial.error_message);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_sent_over_grpc_are_found_by_their_trace_id() {
    let store = Running::start().await;
    let span = Span {
        trace_id: vec![7; 16],
        span_id: vec![3; 8],
        name: "x".to_owned(),
        start_time_unix_nano: 1_768_471_200_000_000_000,
        end_time_unix_nano: 1_768_471_201_000_000_000,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let address = format!("http://{}", store.tempo_otlp_grpc);
    let mut client = TraceServiceClient::connect(address).await.expect("connects");
    client.export(request).await.expect("is taken");
    let (status, _) = get(store.tempo, "/api/traces/07070707070707070707070707070707").await;
    assert_eq!(status, 200);
    store.stop().await;
}
