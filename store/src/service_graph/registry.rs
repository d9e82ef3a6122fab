//! Calls, sizes and latencies of spans by service, name, kind and status.
use rustc_hash::FxHashMap;

use crate::traces::wire::SpanView;

/// Upper bounds of a latency histogram in seconds, each twice the last; `+Inf` is implied.
#[derive(Debug, Clone)]
pub struct Histogram {
    pub first: f64,
    /// Not cumulative; the last is `+Inf`.
    pub counts: Vec<u64>,
    pub sum: f64,
    pub count: u64,
}

impl Histogram {
    pub fn new(first: f64, bounds: usize) -> Self {
        Self { first, counts: vec![0; bounds + 1], sum: 0.0, count: 0 }
    }

    pub fn observe(&mut self, seconds: f64) {
        let mut bound = self.first;
        let mut at = 0;
        while at + 1 < self.counts.len() && seconds > bound {
            bound *= 2.0;
            at += 1;
        }
        self.counts[at] += 1;
        self.sum += seconds;
        self.count += 1;
    }
}

#[derive(Debug)]
pub struct SpanSeries {
    pub service: String,
    pub name: String,
    pub kind: &'static str,
    pub status: &'static str,
    pub size_bytes: u64,
    pub latency: Histogram,
}

/// Past this many series, spans of new ones are only counted as dropped: names are meant to be few.
const MAX_SERIES: usize = 20_000;

#[derive(Debug, Default)]
pub struct SpanMetrics {
    places: FxHashMap<String, usize>,
    pub series: Vec<SpanSeries>,
    pub dropped: u64,
    key: String,
}

impl SpanMetrics {
    pub fn observe(&mut self, service: &str, span: &SpanView<'_>) {
        let kind = kind_label(span.kind);
        let status = status_label(span.status);
        self.key.clear();
        for part in [service, "\0", span.name, "\0", kind, status] {
            self.key.push_str(part);
        }
        let place = match self.places.get(&self.key) {
            Some(place) => *place,
            None if self.series.len() >= MAX_SERIES => {
                self.dropped += 1;
                return;
            }
            None => {
                self.series.push(SpanSeries {
                    service: service.to_owned(),
                    name: span.name.to_owned(),
                    kind,
                    status,
                    size_bytes: 0,
                    latency: Histogram::new(0.002, 14),
                });
                self.places.insert(self.key.clone(), self.series.len() - 1);
                self.series.len() - 1
            }
        };
        let series = &mut self.series[place];
        series.size_bytes += span.bytes.len() as u64;
        series.latency.observe(seconds(span));
    }
}

/// How long a span took; 0 when its end is before its start.
pub fn seconds(span: &SpanView<'_>) -> f64 {
    span.end_ns.saturating_sub(span.start_ns) as f64 / 1e9
}

fn kind_label(kind: i32) -> &'static str {
    match kind {
        1 => "SPAN_KIND_INTERNAL",
        2 => "SPAN_KIND_SERVER",
        3 => "SPAN_KIND_CLIENT",
        4 => "SPAN_KIND_PRODUCER",
        5 => "SPAN_KIND_CONSUMER",
        _ => "SPAN_KIND_UNSPECIFIED",
    }
}

fn status_label(code: i32) -> &'static str {
    match code {
        1 => "STATUS_CODE_OK",
        2 => "STATUS_CODE_ERROR",
        _ => "STATUS_CODE_UNSET",
    }
}
