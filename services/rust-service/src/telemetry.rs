//! The three signals of this service: how they are made, enriched, exported and flushed.
//!
//! ```text
//! tracing span  ──► tracing-opentelemetry ──► baggage ──► batch ──► OTLP
//! tracing event ──► appender              ──► baggage ──► batch ──► OTLP
//!             └───► json_lines ──► standard output
//! histogram     ──► periodic reader                       ──────► OTLP
//! ```
//!
//! Spans come from `tracing` spans alone and log records from `tracing` events alone: an event never becomes a span
//! event too, so an exception is on a span once, where [`record_exception`] puts it.
//!
//! Numbers in span fields must be `i64`: `tracing-opentelemetry` writes unsigned ones as text.

pub mod baggage;
mod export;
pub mod json_lines;
pub mod server_span;

use std::error::Error;
use std::io;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanProcessor};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::config::{Propagator, TelemetryConfig};
use crate::faults::Faults;
use json_lines::JsonLines;
use server_span::ServerTelemetry;

/// Crate name: the target of our own spans and events, and the instrumentation scope of all three signals.
const SCOPE: &str = env!("CARGO_CRATE_NAME");

/// How long each signal may take to flush at the end. Five seconds, because the metric reader takes that by itself.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The providers of the three signals, which share one resource.
#[derive(Debug)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
    propagators: Vec<Propagator>,
}

impl Telemetry {
    /// Starts the pipelines to the collector, or none where `config.export` is off. Must be called on the Tokio
    /// runtime, which then carries the export requests.
    ///
    /// # Errors
    /// An exporter that cannot be built, for example for an endpoint that is no URL. A collector that does not
    /// answer is no error: its failures are logged to standard output.
    pub fn start(config: &TelemetryConfig) -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
        if config.export {
            return export::to_collector(config);
        }
        Ok(Self {
            traces: SdkTracerProvider::builder().with_span_processor(baggage::OnSpans).build(),
            logs: SdkLoggerProvider::builder().with_log_processor(baggage::OnLogs).build(),
            metrics: SdkMeterProvider::builder().build(),
            propagators: config.propagators.clone(),
        })
    }

    /// Puts the signals together: every span and log record passes the baggage processor first.
    pub fn assemble(
        resource: Resource,
        propagators: Vec<Propagator>,
        spans: impl SpanProcessor + 'static,
        logs: impl LogProcessor + 'static,
        metrics: PeriodicReader<impl PushMetricExporter>,
    ) -> Self {
        Self {
            traces: SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_span_processor(baggage::OnSpans)
                .with_span_processor(spans)
                .build(),
            logs: SdkLoggerProvider::builder()
                .with_resource(resource.clone())
                .with_log_processor(baggage::OnLogs)
                .with_log_processor(logs)
                .build(),
            metrics: SdkMeterProvider::builder().with_resource(resource).with_reader(metrics).build(),
            propagators,
        }
    }

    /// What receives `tracing` spans and events. Logs are also written to `out`, one JSON object a line.
    ///
    /// OTLP takes events of this crate alone: what the SDK, Hyper or the PostgreSQL client say about their work goes
    /// (from WARN on) to `out` only, so exporting can never feed itself.
    pub fn subscriber<W: io::Write + Send + 'static>(&self, out: W) -> impl Subscriber + Send + Sync + use<W> {
        let ours = Targets::new().with_target(SCOPE, LevelFilter::INFO);
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.traces.tracer_with_scope(scope()))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with(SCOPE)));
        let records = OpenTelemetryTracingBridge::new(&self.logs).with_filter(ours.clone());
        let lines = JsonLines::new(out).with_filter(ours.with_default(LevelFilter::WARN));
        Registry::default().with(spans).with(records).with(lines)
    }

    /// What the HTTP layer needs to open server spans and to count requests.
    pub fn server(&self, faults: Faults) -> ServerTelemetry {
        ServerTelemetry::new(self.propagator(), &self.metrics.meter_with_scope(scope()), faults)
    }

    fn propagator(&self) -> TextMapCompositePropagator {
        TextMapCompositePropagator::new(
            self.propagators
                .iter()
                .map(|propagator| -> Box<dyn TextMapPropagator + Send + Sync> {
                    match propagator {
                        Propagator::TraceContext => Box::new(TraceContextPropagator::new()),
                        Propagator::Baggage => Box::new(BaggagePropagator::new()),
                    }
                })
                .collect(),
        )
    }

    /// Exports what is still queued. Blocks; never call it on an async thread, which the export itself may need.
    ///
    /// # Errors
    /// One line per signal that could not be flushed.
    pub fn flush(&self) -> Result<(), String> {
        report([self.traces.force_flush(), self.logs.force_flush(), self.metrics.force_flush()])
    }

    /// Flushes and ends the three signals side by side, so that a collector that hangs costs one wait and not three.
    /// Blocks, like [`Telemetry::flush`], for about [`FLUSH_TIMEOUT`] at most.
    ///
    /// # Errors
    /// One line per signal that could not be flushed.
    pub fn shutdown(&self) -> Result<(), String> {
        std::thread::scope(|threads| {
            let traces = threads.spawn(|| self.traces.shutdown_with_timeout(FLUSH_TIMEOUT));
            let logs = threads.spawn(|| self.logs.shutdown_with_timeout(FLUSH_TIMEOUT));
            let metrics = threads.spawn(|| self.metrics.shutdown_with_timeout(FLUSH_TIMEOUT));
            report([traces, logs, metrics].map(|thread| thread.join().expect("the SDK does not panic")))
        })
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build()
}

fn report(results: [opentelemetry_sdk::error::OTelSdkResult; 3]) -> Result<(), String> {
    let failures: Vec<String> = ["traces", "logs", "metrics"]
        .iter()
        .zip(results)
        .filter_map(|(signal, result)| Some(format!("{signal}: {}", result.err()?)))
        .collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

/// Marks `span` as failed and puts the exception event on it. Call it once per failure, on the span where it happened.
pub fn record_exception(span: &tracing::Span, exception_type: &'static str, message: &str) {
    span.set_status(Status::error(message.to_owned()));
    describe_exception(span, exception_type, message);
}

/// The attribute and the event of an exception, without the status that makes the span a failed one.
fn describe_exception(span: &tracing::Span, exception_type: &'static str, message: &str) {
    span.set_attribute("error.type", exception_type);
    span.add_event(
        "exception",
        vec![KeyValue::new("exception.type", exception_type), KeyValue::new("exception.message", message.to_owned())],
    );
}

/// An error with its causes on one line: "read the knowledge table: connection refused".
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Capture;

    #[test]
    fn the_talk_of_libraries_is_printed_and_never_exported() {
        let capture = Capture::new();
        capture.within(|| {
            tracing::error!(target: "opentelemetry_sdk", name = "ExportError", error = "no route");
            tracing::warn!(target: "hyper_util::client", "connection closed");
            tracing::info!(target: "hyper_util::client", "connected");
            tracing::info!("ours");
        });
        let lines: Vec<_> = capture.lines().iter().map(|line| line["message"].clone()).collect();
        assert_eq!(lines, ["ExportError", "connection closed", "ours"]);
        assert_eq!(capture.logs().len(), 1);
    }

    #[test]
    fn an_error_is_told_with_its_causes_once_each() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl std::fmt::Display for Outer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("read the settings")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "read the settings: disk on fire");
        assert_eq!(chain(&std::io::Error::other(error)), "read the settings: disk on fire");
    }
}
