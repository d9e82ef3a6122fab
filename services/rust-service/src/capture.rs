//! Test kit: a router asked without a socket, with all three signals caught in memory.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogRecord, SimpleLogProcessor};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SimpleSpanProcessor, SpanData};
use tower::ServiceExt;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use crate::config::Propagator;
use crate::telemetry::Telemetry;

/// The W3C specification's example of a caller.
pub const CALLER_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub const CALLER_SPAN: &str = "b7ad6b7169203331";

pub struct Capture {
    pub telemetry: Telemetry,
    spans: InMemorySpanExporter,
    logs: InMemoryLogExporter,
    metrics: InMemoryMetricExporter,
    lines: Lines,
    dispatch: Dispatch,
}

/// An HTTP answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).expect("a JSON body")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text header"))
    }
}

impl Capture {
    pub fn new() -> Self {
        let (spans, logs, metrics) =
            (InMemorySpanExporter::default(), InMemoryLogExporter::default(), InMemoryMetricExporter::default());
        let telemetry = Telemetry::assemble(
            Resource::builder_empty().build(),
            vec![Propagator::TraceContext, Propagator::Baggage],
            SimpleSpanProcessor::new(spans.clone()),
            SimpleLogProcessor::new(logs.clone()),
            PeriodicReader::builder(metrics.clone()).with_interval(Duration::from_secs(3600)).build(),
        );
        let lines = Lines::default();
        let dispatch = Dispatch::new(telemetry.subscriber(lines.clone()));
        Self { telemetry, spans, logs, metrics, lines, dispatch }
    }

    /// Sends the request as the caller above with `baggage`, and returns when everything is recorded.
    pub async fn ask(&self, router: &Router, method: &str, uri: &str, baggage: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "rust-service:8003")
            .header("traceparent", format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01"))
            .header("baggage", baggage)
            .body(Body::empty())
            .expect("a valid request");
        self.send(router, request).await
    }

    pub async fn send(&self, router: &Router, request: Request<Body>) -> Answer {
        let response = router.clone().oneshot(request).with_subscriber(self.dispatch.clone()).await;
        let (parts, body) = response.expect("the router never fails").into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a whole body");
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).expect("a text body"),
        }
    }

    /// Runs `work` with its spans and logs caught.
    pub fn within(&self, work: impl FnOnce()) {
        tracing::dispatcher::with_default(&self.dispatch, work);
    }

    /// In the order in which they ended: children first.
    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().expect("spans")
    }

    pub fn span(&self, name: &str) -> SpanData {
        let found: Vec<_> = self.spans().into_iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "spans named {name:?} among {:?}", self.span_names());
        found[0].clone()
    }

    pub fn span_names(&self) -> Vec<String> {
        self.spans().iter().map(|span| span.name.to_string()).collect()
    }

    pub fn logs(&self) -> Vec<SdkLogRecord> {
        self.logs.get_emitted_logs().expect("logs").into_iter().map(|log| log.record).collect()
    }

    /// What was written to standard output.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let bytes = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = std::str::from_utf8(&bytes).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// The points of `http.server.request.duration`: their count and their attributes, "key=value" sorted.
    pub fn durations(&self) -> Vec<(u64, Vec<String>)> {
        self.telemetry.flush().expect("flush");
        let exports = self.metrics.get_finished_metrics().expect("metrics");
        let last = exports.last().expect("an export");
        let metrics = last.scope_metrics().flat_map(|scope| scope.metrics());
        let mut points = Vec::new();
        for metric in metrics.filter(|metric| metric.name() == "http.server.request.duration") {
            assert_eq!(metric.unit(), "s");
            let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else {
                panic!("not a histogram of f64: {metric:?}");
            };
            for point in histogram.data_points() {
                let mut attributes: Vec<String> =
                    point.attributes().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
                attributes.sort();
                points.push((point.count(), attributes));
            }
        }
        points
    }
}

pub fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    let found: Vec<_> = span.attributes.iter().filter(|pair| pair.key.as_str() == key).collect();
    assert!(found.len() <= 1, "{key} is on span {:?} {} times", span.name, found.len());
    found.first().map(|pair| &pair.value)
}

pub fn field<'a>(log: &'a SdkLogRecord, key: &str) -> Option<&'a AnyValue> {
    log.attributes_iter().find(|(name, _)| *name == Key::new(key.to_owned())).map(|(_, value)| value)
}

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
