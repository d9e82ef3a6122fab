//! OTLP over HTTP to the collector.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::BatchLogProcessor;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::BatchSpanProcessor;
use tokio::runtime::Handle;

use super::Telemetry;
use crate::config::TelemetryConfig;

/// How long a batch of spans or log records is tried again while the collector is away or refuses it for now; behind it
/// the queue fills up. The SDK would try three times within a second. Metrics are left to it: the next export has the
/// same counters.
const HOLD: Duration = Duration::from_secs(120);

/// Batch processors and exporters for the three signals. The SDK reads endpoint, delays and sampler from `OTEL_*`.
pub(super) fn to_collector(config: &TelemetryConfig) -> Result<Telemetry, ExporterBuildError> {
    let client = RuntimeClient {
        client: HyperClient::with_default_connector(config.export_timeout, None),
        runtime: Handle::current(),
    };
    // The timeout is that of all tries together; the client bounds each of them.
    let spans = SpanExporter::builder()
        .with_http()
        .with_http_client(client.clone())
        .with_timeout(HOLD)
        .with_retry_policy(retries())
        .build()?;
    let logs = LogExporter::builder()
        .with_http()
        .with_http_client(client.clone())
        .with_timeout(HOLD)
        .with_retry_policy(retries())
        .build()?;
    let metrics = MetricExporter::builder().with_http().with_http_client(client).build()?;
    Ok(Telemetry::assemble(
        resource(),
        config.propagators.clone(),
        BatchSpanProcessor::builder(spans).build(),
        BatchLogProcessor::builder(logs).build(),
        PeriodicReader::builder(metrics).build(),
    ))
}

/// As many tries as [`HOLD`] allows, from 200 ms apart to a second: a collector that is back hears soon.
fn retries() -> RetryPolicy {
    RetryPolicy::recommended()
        .with_max_retries(usize::MAX)
        .with_initial_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(1))
}

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` over what this program knows about itself.
fn resource() -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())])
        .with_attributes(
            std::env::var("OTEL_SERVICE_NAME")
                .ok()
                .filter(|name| !name.is_empty())
                .map(|name| KeyValue::new("service.name", name)),
        )
        .build()
}

/// Hyper's client for the SDK's export threads. They are plain threads, while Hyper needs Tokio's reactor: the request
/// runs as a task of the runtime, and the export thread waits for it.
#[derive(Debug, Clone)]
struct RuntimeClient {
    client: HyperClient,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for RuntimeClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}
