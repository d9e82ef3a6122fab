//! Metrics from spans, under the names of Tempo's metrics generator.
//!
//! [`edges`] pairs client with server spans into the service graph; [`registry`] counts spans by service, name,
//! kind and status; [`exposition`] prints both in Prometheus' text format. Counted since the start of the process:
//! a restart begins at zero, which `rate()` understands.
mod edges;
mod exposition;
mod registry;
#[cfg(test)]
mod tests;

use std::time::Instant;

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use parking_lot::Mutex;
use prost::Message as _;

pub use edges::EdgeOptions;

use crate::traces::decode;
use crate::traces::record::Group;
use edges::Edges;
use registry::SpanMetrics;

/// Takes every ingested span; cheap enough to stand on the way of an export.
#[derive(Default)]
pub struct Generator {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    edges: Edges,
    spans: SpanMetrics,
}

impl Generator {
    pub fn new(options: EdgeOptions) -> Self {
        let state = State { edges: Edges::new(options), spans: SpanMetrics::default() };
        Self { state: Mutex::new(state) }
    }

    /// Counts the spans of a request.
    pub fn observe(&self, groups: &[Group<'_>]) {
        let mut state = self.state.lock();
        let now = Instant::now();
        for group in groups {
            let resource = ResourceSpans::decode(&group.resource[..]).unwrap_or_default().resource.unwrap_or_default();
            let service = decode::service_name(&resource.attributes);
            for span in &group.spans {
                state.spans.observe(service, span);
                state.edges.observe(service, span, now);
            }
        }
    }

    /// Gives up on edges whose other half did not come in time. To be called about once a second.
    pub fn expire(&self, now: Instant) {
        self.state.lock().edges.expire(now);
    }

    /// Everything in Prometheus' text format.
    pub fn render(&self) -> String {
        let state = self.state.lock();
        let mut text = String::new();
        exposition::edges(&state.edges, &mut text);
        exposition::spans(&state.spans, &mut text);
        text
    }
}
