//! What is fuzzed: how an input becomes a request, and what the store holds when it comes.
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use tracewright_store::logs::{LogOptions, LogStore};
use tracewright_store::logs_api::{ApiOptions, NodeNames};
use tracewright_store::traces::{StoreOptions, TraceStore};
use tracewright_store::wal::SyncPolicy;
use tracewright_store::{logs_api, otlp, tempo_api};

const MAX_BODY_BYTES: usize = 4 << 20;
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// After so many inputs to a receiver, what was taken is read back in every way.
const READ_BACK_EVERY: u64 = 100;
/// The window of the committed traces; seconds.
const WINDOW: &str = "start=1768471140&end=1768471320";
const LOGS_INDEX: &str = "otel-logs-v0_9";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// Protobuf bodies for the logs' receivers, HTTP and gRPC.
    OtlpLogs,
    /// Protobuf bodies for the traces' receivers, HTTP and gRPC.
    OtlpTraces,
    /// JSON bodies for the traces' receiver.
    OtlpJson,
    /// Quickwit's query language.
    Query,
    /// Search bodies of the Elasticsearch-compatible API: query DSL, aggregations, sorting.
    Elastic,
    /// Methods, paths and parameters of Quickwit's API.
    QuickwitRoutes,
    /// TraceQL in searches, metrics and autocompletion.
    Traceql,
    /// Paths and parameters of Tempo's API.
    TempoRoutes,
    /// Index files.
    IndexFiles,
}

impl Target {
    pub const ALL: [Self; 9] = [
        Self::OtlpLogs,
        Self::OtlpTraces,
        Self::OtlpJson,
        Self::Query,
        Self::Elastic,
        Self::QuickwitRoutes,
        Self::Traceql,
        Self::TempoRoutes,
        Self::IndexFiles,
    ];

    /// Also the name of its folder in the corpus.
    pub fn name(self) -> &'static str {
        match self {
            Self::OtlpLogs => "otlp-logs",
            Self::OtlpTraces => "otlp-traces",
            Self::OtlpJson => "otlp-json",
            Self::Query => "query",
            Self::Elastic => "elastic",
            Self::QuickwitRoutes => "quickwit-routes",
            Self::Traceql => "traceql",
            Self::TempoRoutes => "tempo-routes",
            Self::IndexFiles => "index-files",
        }
    }

    pub fn is_text(self) -> bool {
        !matches!(self, Self::OtlpLogs | Self::OtlpTraces)
    }

    /// The committed inputs. Of a file in `lines.txt` each line is one; exports are kept as OTLP/JSON.
    pub fn seeds(self, corpus: &Path) -> Vec<Vec<u8>> {
        match self {
            Self::OtlpLogs => exports::<ExportLogsServiceRequest>(&corpus.join("otlp-logs")),
            Self::OtlpTraces => exports::<ExportTraceServiceRequest>(&corpus.join("otlp-traces")),
            Self::OtlpJson => files(&corpus.join("otlp-traces")),
            _ => files(&corpus.join(self.name())),
        }
    }

    /// Pieces that a mutation may put in.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::OtlpLogs | Self::OtlpTraces => &[],
            Self::OtlpJson => &[
                "null",
                "\"\"",
                "{}",
                "[]",
                "\"intValue\"",
                "\"doubleValue\"",
                "\"NaN\"",
                "\"kvlistValue\"",
                "\"arrayValue\"",
                "\"bytesValue\"",
                "\"flags\"",
                "\"spans\"",
                "\"links\"",
                "\"events\"",
                "\"kind\"",
            ],
            Self::Query => &[
                " AND ",
                " OR ",
                "NOT ",
                "-",
                "+",
                "*",
                "?",
                "\"",
                "'",
                "/",
                "\\",
                ":",
                "(",
                ")",
                "[",
                "]",
                "{",
                "}",
                " TO ",
                ":IN [",
                ">=",
                "<",
                "~2",
                "^3",
                "attributes.",
                "body.message",
                "severity_number",
                "timestamp_nanos",
                "trace_id",
                "2026-01-15T10:00:00Z",
                "é",
                "🦀",
            ],
            Self::Elastic => &[
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "null",
                "true",
                "\"\"",
                "\"bool\"",
                "\"must\"",
                "\"filter\"",
                "\"range\"",
                "\"gte\"",
                "\"terms\"",
                "\"date_histogram\"",
                "\"fixed_interval\"",
                "\"histogram\"",
                "\"interval\"",
                "\"percentiles\"",
                "\"cardinality\"",
                "\"composite\"",
                "\"extended_bounds\"",
                "\"hard_bounds\"",
                "\"offset\"",
                "\"size\"",
                "\"missing\"",
                "\"order\"",
                "\"include\"",
                "\"min_doc_count\"",
                "\"aggs\"",
                "\"sort\"",
                "\"search_after\"",
                "\"keyed\"",
                "\"1ms\"",
                "\"1d\"",
                "\"_count\"",
                "\"_key\"",
                "\"attributes.http.response.status_code\"",
                "\"timestamp_nanos\"",
                "\"trace_id\"",
                "\"service_name\"",
                "\"body.message\"",
            ],
            Self::QuickwitRoutes | Self::TempoRoutes => &[
                "&",
                "=",
                "?",
                "/",
                "%",
                "%00",
                "%2F",
                "%22",
                ",",
                "*",
                "-",
                "start=",
                "end=",
                "limit=",
                "since=",
                "step=",
                "q=",
                "query=",
                "max_hits=",
                "start_offset=",
                "sort_by=",
                "format=",
                "fields=",
                "scope=",
                "exemplars=",
                "aggs=",
            ],
            Self::Traceql => &[
                "{",
                "}",
                "(",
                ")",
                " | ",
                "&&",
                "||",
                ">>",
                ">",
                "<<",
                "<",
                "~",
                "!>>",
                "&>>",
                "!~",
                "=~",
                "!=",
                ">=",
                "+",
                "-",
                "*",
                "/",
                "^",
                "%",
                "!",
                ".",
                "span.",
                "resource.",
                "event.",
                "link.",
                "instrumentation.",
                "parent.",
                "trace:",
                "span:",
                "event:",
                "link:",
                "name",
                "status",
                "kind",
                "duration",
                "nestedSetLeft",
                "rootName",
                "count()",
                "avg(",
                "max(",
                "by(",
                "coalesce()",
                "select(",
                "rate()",
                "count_over_time()",
                "quantile_over_time(",
                "histogram_over_time(",
                "sum_over_time(",
                "compare(",
                "topk(3)",
                "bottomk(1)",
                " with(exemplars=true)",
                "nil",
                "true",
                "error",
                "server",
                "\"GET\"",
                "`.*`",
                "100ms",
                "1h30m",
                "\"\\u00e9\"",
            ],
            Self::IndexFiles => &[
                "text",
                "json",
                "bytes",
                "datetime",
                "u64",
                "i64",
                "f64",
                "bool",
                "ip",
                "object",
                "array<text>",
                "raw",
                "default",
                "position",
                "fast: true",
                "indexed: false",
                "stored: false",
                "expand_dots",
                "strict",
                "dynamic",
                "timestamp_field",
                "tag_fields",
                "default_search_fields",
                "retention",
                "field_mappings",
                "output_format",
                "input_formats",
                "fast_precision",
                "version",
                "null",
                "{}",
                "[]",
                "1h",
                "forever",
            ],
        }
    }
}

/// Each file of a folder, or each line of its `lines.txt`, in the order of the names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the corpus has a folder for each target");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| fs::read(path).expect("a file of the corpus can be read");
    let mut inputs = Vec::new();
    for path in &paths {
        if path.ends_with("lines.txt") {
            inputs.extend(read(path).split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
        } else {
            inputs.push(read(path));
        }
    }
    inputs
}

fn exports<T: prost::Message + serde::de::DeserializeOwned>(folder: &Path) -> Vec<Vec<u8>> {
    let decode =
        |json: Vec<u8>| serde_json::from_slice::<T>(&json).expect("the corpus holds OTLP/JSON").encode_to_vec();
    files(folder).into_iter().map(decode).collect()
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    /// Whether the store says that the fault is its own.
    pub fn is_internal_error(&self) -> bool {
        let own = ["see the log of the store", "internal error", "cannot read the stored traces"];
        self.status >= 500 && own.iter().any(|part| self.text.starts_with(part) || self.text.contains("see the log"))
    }
}

/// A store with the committed exports in it.
pub struct World {
    target: Target,
    sent: u64,
    runtime: Runtime,
    logs: Arc<LogStore>,
    traces: Arc<TraceStore>,
    quickwit: Router,
    tempo: Router,
    tempo_receiver: Router,
    grpc: Router,
    _dir: tempfile::TempDir,
}

impl World {
    pub fn new(target: Target, corpus: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let logs = LogStore::open(LogOptions {
            dir: dir.path().join("logs"),
            sync: SyncPolicy::Interval(Duration::from_millis(200)),
            retention: None,
            max_disk_bytes: None,
            max_waiting_bytes: 64 << 20,
        })
        .expect("an empty store opens");
        let mut options = StoreOptions::new(dir.path().join("traces"));
        options.sync = SyncPolicy::Interval(Duration::from_millis(200));
        options.retention = None;
        options.query_timeout = QUERY_TIMEOUT;
        let traces = Arc::new(TraceStore::open(options).expect("an empty store opens"));
        for export in Target::OtlpLogs.seeds(corpus) {
            logs.ingest_otlp(LOGS_INDEX, &export).expect("the committed logs are taken");
        }
        for export in Target::OtlpTraces.seeds(corpus) {
            let export = ExportTraceServiceRequest::decode(&export[..]).expect("encoded just now");
            traces.ingest(export.resource_spans).expect("the committed spans are taken");
        }
        logs.flush();
        let names = NodeNames {
            cluster_id: "fuzz".to_owned(),
            node_id: "fuzz".to_owned(),
            rest_address: "127.0.0.1:7280".to_owned(),
        };
        let options = ApiOptions {
            names,
            max_otlp_body_bytes: MAX_BODY_BYTES,
            search_timeout: QUERY_TIMEOUT,
            max_concurrent_searches: 2,
        };
        let service = "/opentelemetry.proto.collector";
        let grpc = Router::new()
            .route_service(
                &format!("{service}.logs.v1.LogsService/Export"),
                otlp::logs::service(Arc::clone(&logs), MAX_BODY_BYTES),
            )
            .route_service(
                &format!("{service}.trace.v1.TraceService/Export"),
                otlp::traces::service(Arc::clone(&traces), MAX_BODY_BYTES),
            );
        Self {
            target,
            sent: 0,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime"),
            quickwit: logs_api::router(Arc::clone(&logs), options),
            tempo: tempo_api::router(Arc::clone(&traces), String::new),
            tempo_receiver: otlp::traces::router(Arc::clone(&traces), MAX_BODY_BYTES),
            grpc,
            logs,
            traces,
            _dir: dir,
        }
    }

    /// Sends one input; of several requests the first answer that is the store's own fault, else the first.
    pub fn send(&mut self, input: &[u8]) -> Answer {
        self.sent += 1;
        let mut answers = match self.target {
            Target::OtlpLogs => vec![
                self.post(&self.quickwit, "/api/v1/otlp/v1/logs", "application/x-protobuf", input),
                self.export("/opentelemetry.proto.collector.logs.v1.LogsService/Export", input),
            ],
            Target::OtlpTraces => vec![
                self.post(&self.tempo_receiver, "/v1/traces", "application/x-protobuf", input),
                self.export("/opentelemetry.proto.collector.trace.v1.TraceService/Export", input),
            ],
            Target::OtlpJson => vec![self.post(&self.tempo_receiver, "/v1/traces", "application/json", input)],
            Target::Query => {
                let query = encode(input);
                let path = format!("/api/v1/{LOGS_INDEX}/search?max_hits=3&sort_by=timestamp_nanos&query={query}");
                vec![self.get(&self.quickwit, &path)]
            }
            Target::Elastic => {
                let search = format!("/api/v1/_elastic/{LOGS_INDEX}/_search");
                let count = format!("/api/v1/_elastic/{LOGS_INDEX}/_count");
                let many = [format!("{{\"index\":\"{LOGS_INDEX}\"}}\n").as_bytes(), &one_line(input), b"\n"].concat();
                vec![
                    self.post(&self.quickwit, &search, "application/json", input),
                    self.post(&self.quickwit, &count, "application/json", input),
                    self.post(&self.quickwit, "/api/v1/_elastic/_msearch", "application/x-ndjson", &many),
                ]
            }
            Target::QuickwitRoutes => vec![self.get(&self.quickwit, &format!("/{}", target_of(input)))],
            Target::TempoRoutes => vec![self.get(&self.tempo, &format!("/{}", target_of(input)))],
            Target::Traceql => {
                let q = encode(input);
                let paths = [
                    format!("/api/search?{WINDOW}&q={q}"),
                    format!("/api/metrics/query_range?{WINDOW}&step=10s&q={q}"),
                    format!("/api/metrics/query?{WINDOW}&q={q}"),
                    format!("/api/v2/search/tag/name/values?{WINDOW}&q={q}"),
                    format!("/api/v2/search/tag/{q}/values?{WINDOW}"),
                ];
                paths.iter().map(|path| self.get(&self.tempo, path)).collect()
            }
            Target::IndexFiles => self.index_file(input),
        };
        if matches!(self.target, Target::OtlpLogs | Target::OtlpTraces | Target::OtlpJson)
            && self.sent.is_multiple_of(READ_BACK_EVERY)
        {
            answers.extend(self.read_back());
        }
        let at = answers.iter().position(Answer::is_internal_error).unwrap_or(0);
        answers.swap_remove(at)
    }

    /// As YAML, JSON and TOML; an index that comes to be is written to, searched and deleted.
    fn index_file(&self, input: &[u8]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for kind in ["application/yaml", "application/json", "application/toml"] {
            let answer = self.post(&self.quickwit, "/api/v1/indexes?overwrite=true", kind, input);
            let made = serde_json::from_str::<serde_json::Value>(&answer.text).ok();
            let id = made.and_then(|made| made["index_config"]["index_id"].as_str().map(encode_text));
            answers.push(answer);
            if let Some(id) = id.filter(|_| answers.last().is_some_and(|answer| answer.status == 200)) {
                let doc = br#"{"timestamp_nanos":1768471200000000000,"message":"a b","n":1,"body":{"message":"x"},"tags":["a"]}"#;
                answers.push(self.post(
                    &self.quickwit,
                    &format!("/api/v1/{id}/ingest?commit=force"),
                    "application/json",
                    doc,
                ));
                answers.push(self.get(&self.quickwit, &format!("/api/v1/{id}/search?query=*")));
                answers.push(self.get(&self.quickwit, &format!("/api/v1/_elastic/{id}/_field_caps")));
                answers.push(self.get(&self.quickwit, &format!("/api/v1/indexes/{id}/describe")));
                if id != LOGS_INDEX {
                    answers.push(self.request(
                        &self.quickwit,
                        Method::DELETE,
                        &format!("/api/v1/indexes/{id}"),
                        "",
                        &[],
                    ));
                }
            }
        }
        answers
    }

    /// What was taken must be readable, however odd it is.
    fn read_back(&self) -> Vec<Answer> {
        if self.target == Target::OtlpLogs {
            self.logs.flush();
            let aggs = r#"{"query":"*","max_hits":1000,"sort_by":"timestamp_nanos","aggs":{"a":{"terms":{"field":"attributes.k"}},
                "h":{"date_histogram":{"field":"timestamp_nanos","fixed_interval":"3650d"}}}}"#;
            return vec![
                self.post(&self.quickwit, &format!("/api/v1/{LOGS_INDEX}/search"), "application/json", aggs.as_bytes()),
                self.get(&self.quickwit, &format!("/api/v1/_elastic/{LOGS_INDEX}/_field_caps")),
                self.get(
                    &self.quickwit,
                    &format!("/api/v1/{LOGS_INDEX}/search?query=body.message:*a*%20OR%20NOT%20body.message:b"),
                ),
            ];
        }
        if self.sent.is_multiple_of(READ_BACK_EVERY * 10) {
            self.traces.flush().expect("the head is written");
        }
        let window = "start=1&end=500000&limit=1000&spss=100";
        [
            format!(
                "/api/search?{WINDOW}&limit=1000&spss=100&q={}",
                encode(b"{ } >> { } | select(.http.route, event:name, link:spanID)")
            ),
            format!("/api/search?{window}"),
            format!("/api/search?{WINDOW}&q={}", encode(b"{ } | by(span.k) | count() > 0")),
            format!(
                "/api/metrics/query_range?{WINDOW}&q={}",
                encode(b"{ } | quantile_over_time(duration, .5) by (resource.service.name, kind)")
            ),
            format!("/api/v2/search/tags?{WINDOW}"),
            format!("/api/v2/search/tag/name/values?{WINDOW}"),
            "/api/v2/traces/0102030405060708090a0b0c0d0e0f10".to_owned(),
            "/metrics".to_owned(),
        ]
        .iter()
        .map(|path| self.get(&self.tempo, path))
        .collect()
    }

    fn get(&self, router: &Router, path: &str) -> Answer {
        self.request(router, Method::GET, path, "", &[])
    }

    fn post(&self, router: &Router, path: &str, content_type: &str, body: &[u8]) -> Answer {
        self.request(router, Method::POST, path, content_type, body)
    }

    /// One message in gRPC's framing.
    fn export(&self, path: &str, message: &[u8]) -> Answer {
        let length = (message.len() as u32).to_be_bytes();
        self.request(&self.grpc, Method::POST, path, "application/grpc", &[&[0], &length[..], message].concat())
    }

    fn request(&self, router: &Router, method: Method, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type).header("te", "trailers");
        }
        // A target that no client could send.
        let Ok(request) = request.body(Body::from(body.to_vec())) else {
            return Answer { status: 0, text: "not a request".to_owned() };
        };
        self.runtime.block_on(async {
            // Polled on a thread of the runtime: a panic in a handler must not end the run.
            let router = router.clone();
            let answered = tokio::spawn(async move {
                let response = router.oneshot(request).await.expect("a router always answers");
                let status = response.status();
                let grpc = response.headers().get("grpc-message").map(|text| text.to_str().unwrap_or("").to_owned());
                let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                (status, grpc.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned()))
            });
            let (status, text) = answered.await.unwrap_or((StatusCode::INTERNAL_SERVER_ERROR, "panic".to_owned()));
            Answer { status: status.as_u16(), text }
        })
    }
}

fn one_line(input: &[u8]) -> Vec<u8> {
    input.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect()
}

/// Path and query as they are, but for what cannot stand in a request line.
fn target_of(input: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:/?[]@!$&'()*+,;=%".contains(&byte);
    input.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn encode(input: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    input.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn encode_text(text: &str) -> String {
    encode(text.as_bytes())
}
