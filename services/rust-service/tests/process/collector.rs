//! A collector for tests: takes OTLP over HTTP and keeps it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

#[derive(Clone, Default)]
struct Kept {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    logs: Arc<Mutex<Vec<ExportLogsServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

pub struct Collector {
    pub endpoint: String,
    kept: Kept,
}

fn keep<T: Message + Default>(kept: &Mutex<Vec<T>>, body: &Bytes) {
    let request = T::decode(body.as_ref()).expect("OTLP protobuf");
    kept.lock().unwrap_or_else(PoisonError::into_inner).push(request);
}

fn all<T: Clone>(kept: &Mutex<Vec<T>>) -> Vec<T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

impl Collector {
    /// Listens on a free port until the test's runtime ends.
    pub async fn start() -> Self {
        Self::on(free_port().await, StatusCode::OK)
    }

    /// The same, but what it gets is refused for good.
    pub async fn refusing() -> Self {
        Self::on(free_port().await, StatusCode::BAD_REQUEST)
    }

    /// The same with an answer of the caller's choice, on a port that was chosen before.
    pub fn on(listener: TcpListener, answer: StatusCode) -> Self {
        let kept = Kept::default();
        let traces = move |State(kept): State<Kept>, body: Bytes| async move {
            keep(&kept.traces, &body);
            answer
        };
        let logs = move |State(kept): State<Kept>, body: Bytes| async move {
            keep(&kept.logs, &body);
            answer
        };
        let metrics = move |State(kept): State<Kept>, body: Bytes| async move {
            keep(&kept.metrics, &body);
            answer
        };
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/logs", post(logs))
            .route("/v1/metrics", post(metrics))
            .with_state(kept.clone());
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, kept }
    }

    /// Whether `condition` came true in time.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) -> bool {
        tokio::time::timeout(PATIENCE, async {
            while !condition(self) {
                tokio::time::sleep(POLL).await;
            }
        })
        .await
        .is_ok()
    }

    pub fn spans(&self) -> Vec<Span> {
        let resources = all(&self.kept.traces).into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    pub fn span_names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name).collect()
    }

    pub fn span(&self, name: &str) -> Span {
        let found = self.spans().into_iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no span {name:?} among {:?}", self.span_names()))
    }

    /// The bodies of the log records, by time.
    pub fn messages(&self) -> Vec<String> {
        let resources = all(&self.kept.logs).into_iter().flat_map(|request| request.resource_logs);
        let scopes = resources.flat_map(|resource| resource.scope_logs);
        let mut records: Vec<_> = scopes.flat_map(|scope| scope.log_records).collect();
        records.sort_by_key(|record| record.time_unix_nano);
        records.iter().map(|record| text(record.body.as_ref())).collect()
    }

    /// Each name once.
    pub fn metric_names(&self) -> Vec<String> {
        let resources = all(&self.kept.metrics).into_iter().flat_map(|request| request.resource_metrics);
        let scopes = resources.flat_map(|resource| resource.scope_metrics);
        let mut names: Vec<String> = scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The resource of every export of every signal, its attributes sorted.
    pub fn resources(&self) -> Vec<Vec<(String, String)>> {
        let traces = all(&self.kept.traces).into_iter().flat_map(|request| request.resource_spans);
        let logs = all(&self.kept.logs).into_iter().flat_map(|request| request.resource_logs);
        let metrics = all(&self.kept.metrics).into_iter().flat_map(|request| request.resource_metrics);
        traces
            .map(|of| of.resource)
            .chain(logs.map(|of| of.resource))
            .chain(metrics.map(|of| of.resource))
            .map(|resource| pairs(&resource.unwrap_or_default()))
            .collect()
    }
}

fn pairs(resource: &Resource) -> Vec<(String, String)> {
    let mut pairs: Vec<_> =
        resource.attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect();
    pairs.sort();
    pairs
}

pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    attributes.iter().find(|pair| pair.key == key).map(|pair| text(pair.value.as_ref()))
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}
