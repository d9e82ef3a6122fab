//! Span requests, encoded before anything is measured, and the named queries on them.
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::body::{Body, SERVICES, body, int, scattered, text};
use crate::queries::{Query, Recorded};

const SPANS_PER_TRACE: usize = 10;
const NAMES: [&str; 5] =
    ["GET /checkout", "POST /api/orders", "SELECT knowledge", "chat sim-large", "process usage_events"];

fn trace_id(trace: u64) -> Vec<u8> {
    [scattered(trace).to_be_bytes(), trace.to_be_bytes()].concat()
}

/// Span `n`: about 230 bytes with its share of the request, ten to a trace, each the child of the last.
fn span(n: u64, base_ns: u64, step_ns: u64) -> Span {
    let (trace, place) = (n / SPANS_PER_TRACE as u64, n % SPANS_PER_TRACE as u64);
    let id = |place: u64| ((trace << 8) | (place + 1)).to_be_bytes().to_vec();
    let start = base_ns + trace * step_ns + place * 1_000;
    let error = trace % 50 == 7 && place == 3;
    Span {
        trace_id: trace_id(trace),
        span_id: id(place),
        parent_span_id: if place == 0 { Vec::new() } else { id(place - 1) },
        name: NAMES[place as usize % NAMES.len()].to_owned(),
        kind: (place % 5 + 1) as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + (trace * 7_919 % 1_000) * 1_000_000,
        attributes: vec![
            text("http.request.method", "GET"),
            int("http.response.status_code", if error { 500 } else { 200 }),
            text("tenant.id", ["acme", "globex"][trace as usize % 2]),
            text("order.id", &format!("order-{trace:08}")),
            int("cart.items", (trace % 17) as i64),
        ],
        status: error.then(|| Status { code: 2, message: "failed".to_owned() }),
        ..Span::default()
    }
}

/// All requests of a run. The traces fill the ten minutes before `now_ns`.
pub fn requests(total: usize, batch: usize, now_ns: u64) -> Vec<Body> {
    let base_ns = now_ns - 600_000_000_000;
    let step_ns = 590_000_000_000 / (total / SPANS_PER_TRACE).max(1) as u64;
    let request = |first: usize| {
        let spans = batch.min(total - first);
        let resource_spans = SERVICES.iter().enumerate().map(|(service, name)| {
            let mine = (first..first + spans).filter(|n| n % SERVICES.len() == service);
            let spans = mine.map(|n| span(n as u64, base_ns, step_ns)).collect();
            let attributes = vec![text("service.name", name), text("service.version", "1.0.0")];
            ResourceSpans {
                resource: Some(Resource { attributes, ..Resource::default() }),
                scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            }
        });
        body(&ExportTraceServiceRequest { resource_spans: resource_spans.collect() }, spans)
    };
    (0..total.div_ceil(batch)).map(|number| request(number * batch)).collect()
}

/// One span of its own, to be looked for; `n` is beyond the traces of every run.
pub fn probe(n: u64, now_ns: u64) -> (Body, String) {
    let spans = vec![span(n * SPANS_PER_TRACE as u64, now_ns, 0)];
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    (body(&request, 1), hex::encode(trace_id(n)))
}

fn search(query: &str, now_ns: u64) -> String {
    let end = now_ns / 1_000_000_000 + 60;
    format!("/api/search?q={}&limit=20&start={}&end={end}", escaped(query), end - 900)
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The queries that the recorded figures name, then the other ones that Grafana sends.
pub fn queries(total: usize, now_ns: u64) -> Vec<Query> {
    let traces = (total / SPANS_PER_TRACE).max(1);
    let some = move |round: usize| (round * 7_919 % traces) as u64;
    let found = |answer: &str| answer.contains("traceID");
    let start = now_ns / 1_000_000_000 - 600;
    let window = format!("start={start}&end={}", start + 660);
    let rate =
        format!("/api/metrics/query_range?q={}&step=10&{window}", escaped("{} | rate() by(resource.service.name)"));
    vec![
        Query::get("name && service", Recorded::ms(8.0, 13.0), found, move |_| {
            search(r#"{ name = "GET /checkout" && resource.service.name = "frontend" }"#, now_ns)
        }),
        Query::get("duration > 990ms", Recorded::ms(7.0, 8.0), found, move |_| search("{ duration > 990ms }", now_ns)),
        Query::get("rare attribute", Recorded::ms(24.0, 43.0), found, move |round| {
            search(&format!("{{ span.order.id = \"order-{:08}\" }}", some(round)), now_ns)
        }),
        Query::get("status=error && attribute && root name", Recorded::ms(26.0, 38.0), found, move |_| {
            search(r#"{ status = error && span.tenant.id = "globex" && rootName = "GET /checkout" }"#, now_ns)
        }),
        Query::get(
            "by id, protobuf",
            Recorded::ms(16.0, 26.0),
            |answer| answer.contains("GET /checkout"),
            move |round| format!("/api/v2/traces/{}", hex::encode(trace_id(some(round)))),
        )
        .accepting("application/protobuf"),
        Query::get(
            "values of resource.service.name",
            Recorded::ms(1.5, 1.5),
            |answer| answer.contains("rust-service"),
            |_| "/api/v2/search/tag/resource.service.name/values".to_owned(),
        ),
        Query::get(
            "rate by service",
            Recorded::ms(3.0, 4.0),
            |answer| answer.contains("rust-service"),
            move |_| rate.clone(),
        ),
    ]
}
