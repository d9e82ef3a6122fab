//! A store with the recorded data in it, asked at the recorded moments.
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;
use tower::ServiceExt;
use tracewright_store::traces::{StoreOptions, Tenants, TraceStore};
use tracewright_store::{otlp, tempo_api};

use crate::cases::Case;
use crate::compare::substitute;

pub struct World {
    pub base_s: i64,
    store: Arc<TraceStore>,
    single: Server,
    /// With multi-tenancy; one of the cases sends its only trace.
    many: Server,
    late: Vec<ExportTraceServiceRequest>,
    _dir: tempfile::TempDir,
}

struct Server {
    api: Router,
    receiver: Router,
}

impl Server {
    fn new(tenants: Tenants) -> Self {
        let receiver = otlp::traces::router(tenants.clone(), 64 << 20);
        Self { api: tempo_api::router(tenants, String::new), receiver }
    }
}

pub struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl World {
    /// Stores what was sent first. The base lies far enough back for the late spans to be in the past.
    pub fn new(folder: &Path) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
        let base_s = (now - 146) / 60 * 60;
        let text = std::fs::read_to_string(folder.join("traces.json")).expect("the recordings have traces");
        let traces: Value = serde_json::from_str(&text).expect("traces are JSON");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Arc::new(TraceStore::open(StoreOptions::new(dir.path())).expect("an empty store opens"));
        for request in requests(&traces["main"], base_s) {
            store.ingest(request.resource_spans).expect("the store takes the recorded traces");
        }
        let single = Server::new(Arc::clone(&store).into());
        let many = Tenants::open_many(StoreOptions::new(dir.path().join("tenants"))).expect("empty stores open");
        let late = requests(&traces["late"], base_s);
        Self { base_s, store, single, many: Server::new(many), late, _dir: dir }
    }

    /// The answers to all cases, each asked in its phase.
    pub fn ask(&self, cases: &[Case]) -> Vec<Answer> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let mut answers: Vec<Option<Answer>> = cases.iter().map(|_| None).collect();
        let ask = |early: bool, answers: &mut Vec<Option<Answer>>| {
            for (case, answer) in cases.iter().zip(answers) {
                if (case.phase.as_deref() == Some("early")) == early {
                    *answer = Some(runtime.block_on(self.one(case)));
                }
            }
        };
        ask(true, &mut answers);
        // Between the two pushes Tempo had cut its block, so the late spans were fragments of their own.
        self.store.flush().expect("the head is written");
        for request in &self.late {
            self.store.ingest(request.resource_spans.clone()).expect("the store takes late spans");
        }
        ask(false, &mut answers);
        answers.into_iter().map(|answer| answer.expect("every case has a phase")).collect()
    }

    async fn one(&self, case: &Case) -> Answer {
        let pairs = case.request.query.iter().map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{}={}", encode(key), encode(&substitute(&text, self.base_s)))
        });
        let query: Vec<String> = pairs.collect();
        let path: String = case.request.path.split('/').map(encode).collect::<Vec<_>>().join("/");
        let uri = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let mut request = Request::builder().method(case.request.method.as_str()).uri(uri);
        for (name, value) in &case.request.headers {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let body = Body::from(substitute(case.request.body.as_deref().unwrap_or_default(), self.base_s));
        let request = request.body(body).expect("a recorded request is well formed");
        let server = if case.phase.as_deref() == Some("multitenant") { &self.many } else { &self.single };
        let router = if case.request.path.starts_with("/v1/") { &server.receiver } else { &server.api };
        let response = router.clone().oneshot(request).await.expect("a router does not fail");
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap_or("").to_owned());
        let body = response.into_body().collect().await.expect("a body in memory").to_bytes().to_vec();
        Answer { status, content_type, body }
    }
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The recorded exports with their offsets made absolute.
pub fn requests(list: &Value, base_s: i64) -> Vec<ExportTraceServiceRequest> {
    let list = list.as_array().expect("a list of requests");
    let shifted = list.iter().map(|request| {
        let mut request = request.clone();
        shift(&mut request, base_s);
        serde_json::from_value(request).expect("a recorded request is OTLP/JSON")
    });
    shifted.collect()
}

fn shift(value: &mut Value, base_s: i64) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| shift(item, base_s)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if name.ends_with("UnixNano") {
                    let offset = field.as_str().and_then(|text| text.parse::<i64>().ok()).or(field.as_i64());
                    let absolute = base_s * 1_000_000_000 + offset.expect("an offset in nanoseconds");
                    *field = Value::String(absolute.to_string());
                } else {
                    shift(field, base_s);
                }
            }
        }
        _ => {}
    }
}
