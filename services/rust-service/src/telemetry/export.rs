//! OTLP over HTTP to the collector.

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::BatchLogProcessor;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::BatchSpanProcessor;
use tokio::runtime::Handle;

use super::Telemetry;
use crate::config::TelemetryConfig;

/// Batch processors and exporters for the three signals. The SDK reads endpoint, delays and sampler from `OTEL_*`.
pub(super) fn to_collector(config: &TelemetryConfig) -> Result<Telemetry, ExporterBuildError> {
    let client = RuntimeClient {
        client: HyperClient::with_default_connector(config.export_timeout, None),
        runtime: Handle::current(),
    };
    let spans = SpanExporter::builder().with_http().with_http_client(client.clone()).build()?;
    let logs = LogExporter::builder().with_http().with_http_client(client.clone()).build()?;
    let metrics = MetricExporter::builder().with_http().with_http_client(client).build()?;
    Ok(Telemetry::assemble(
        resource(),
        config.propagators.clone(),
        BatchSpanProcessor::builder(spans).build(),
        BatchLogProcessor::builder(logs).build(),
        PeriodicReader::builder(metrics).build(),
    ))
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
