//! Prometheus' text format.
use std::collections::HashMap;
use std::fmt::Write as _;

use super::edges::{Connection, Edges};
use super::registry::{Histogram, SpanMetrics};

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// `{a="b",…}` without the labels that are empty, as Tempo leaves them out.
fn braces(labels: &Labels<'_>, bound: Option<&str>) -> String {
    let mut parts: Vec<String> = labels
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    parts.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The lines of a counter with its header; nothing at all without series.
pub fn counter<'a>(name: &str, help: &str, series: impl Iterator<Item = (Labels<'a>, u64)>, out: &mut String) {
    let mut series = series.peekable();
    if series.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
    for (labels, value) in series {
        let _ = writeln!(out, "{name}{} {value}", braces(&labels, None));
    }
}

fn histogram<'a>(name: &str, help: &str, series: impl Iterator<Item = (Labels<'a>, &'a Histogram)>, out: &mut String) {
    let mut series = series.peekable();
    if series.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
    for (labels, histogram) in series {
        let mut total = 0;
        let mut bound = histogram.first;
        for (at, count) in histogram.counts.iter().enumerate() {
            total += count;
            let shown = if at + 1 == histogram.counts.len() { "+Inf".to_owned() } else { bound.to_string() };
            let _ = writeln!(out, "{name}_bucket{} {total}", braces(&labels, Some(&shown)));
            bound *= 2.0;
        }
        let plain = braces(&labels, None);
        let _ = writeln!(out, "{name}_sum{plain} {}\n{name}_count{plain} {}", histogram.sum, histogram.count);
    }
}

pub fn edges(edges: &Edges, out: &mut String) {
    let mut sorted: Vec<_> = edges.series.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    let labelled: Vec<(Labels<'_>, _)> = sorted
        .iter()
        .map(|(key, series)| {
            let connection = match key.connection {
                Connection::Direct => "",
                Connection::Messaging => "messaging_system",
                Connection::Database => "database",
                Connection::Virtual => "virtual_node",
            };
            let labels: Labels<'_> =
                vec![("client", &key.client), ("server", &key.server), ("connection_type", connection)];
            (labels, *series)
        })
        .collect();
    let each = || labelled.iter().map(|(labels, series)| (labels.clone(), *series));
    let prefix = "traces_service_graph";
    counter(
        &format!("{prefix}_request_total"),
        "Calls between two services.",
        each().map(|(labels, series)| (labels, series.requests)),
        out,
    );
    counter(
        &format!("{prefix}_request_failed_total"),
        "Calls of which either end failed.",
        each().filter(|(_, series)| series.failed > 0).map(|(labels, series)| (labels, series.failed)),
        out,
    );
    histogram(
        &format!("{prefix}_request_client_seconds"),
        "How long calls took, seen by the caller.",
        each().map(|(labels, series)| (labels, &series.client_seconds)),
        out,
    );
    histogram(
        &format!("{prefix}_request_server_seconds"),
        "How long calls took, seen by the called.",
        each().map(|(labels, series)| (labels, &series.server_seconds)),
        out,
    );
    counter(
        &format!("{prefix}_unpaired_spans_total"),
        "Spans whose other end did not come.",
        by_service(&edges.unpaired),
        out,
    );
    counter(
        &format!("{prefix}_dropped_spans_total"),
        "Spans left out because too many were waiting.",
        by_service(&edges.dropped),
        out,
    );
}

fn by_service(counts: &HashMap<String, u64>) -> impl Iterator<Item = (Labels<'_>, u64)> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort();
    sorted.into_iter().map(|(service, count)| (vec![("service", &**service)], *count))
}

pub fn spans(metrics: &SpanMetrics, out: &mut String) {
    let each = || {
        metrics.series.iter().map(|series| {
            let labels: Labels<'_> = vec![
                ("service", &series.service),
                ("span_name", &series.name),
                ("span_kind", series.kind),
                ("status_code", series.status),
            ];
            (labels, series)
        })
    };
    let prefix = "traces_spanmetrics";
    counter(
        &format!("{prefix}_calls_total"),
        "Spans.",
        each().map(|(labels, series)| (labels, series.latency.count)),
        out,
    );
    counter(
        &format!("{prefix}_size_total"),
        "Bytes of spans, as OTLP encodes them.",
        each().map(|(labels, series)| (labels, series.size_bytes)),
        out,
    );
    histogram(
        &format!("{prefix}_latency"),
        "How long spans took, in seconds.",
        each().map(|(labels, series)| (labels, &series.latency)),
        out,
    );
    let dropped = (metrics.dropped > 0).then_some((Vec::new(), metrics.dropped));
    counter(
        &format!("{prefix}_dropped_spans_total"),
        "Spans left out because there are too many series.",
        dropped.into_iter(),
        out,
    );
}
