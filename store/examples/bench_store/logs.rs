//! Log requests, encoded before anything is measured, and the named queries on them.
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Value as Json, json};

use crate::body::{Body, SERVICES, attribute, body, int, scattered, text};
use crate::queries::{Query, Recorded};

/// 2026-01-15T10:00:00Z; the records fill the hour that follows, whatever their number.
const BASE_NANOS: u64 = 1_768_471_200_000_000_000;
const HOUR_NANOS: u64 = 3_600_000_000_000;

fn trace_id(record: u64) -> Vec<u8> {
    let trace = record / 8;
    [scattered(trace).to_be_bytes(), trace.to_be_bytes()].concat()
}

/// Record `n` of `total`: about 250 bytes with its share of the request, one in ten an error, eight to a trace.
fn record(n: u64, total: u64) -> LogRecord {
    let dice = scattered(n);
    let error = dice.is_multiple_of(10);
    let message = if error {
        format!("Connection refused: upstream db-primary:5432 timed out after {}s", dice % 60)
    } else {
        format!("Processed order {} for customer user-{:02}", dice % 100_000, dice % 50)
    };
    let time_unix_nano = BASE_NANOS + (HOUR_NANOS / total) * n;
    LogRecord {
        time_unix_nano,
        observed_time_unix_nano: time_unix_nano,
        severity_number: if error { 17 } else { 9 },
        severity_text: if error { "ERROR" } else { "INFO" }.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(message)) }),
        attributes: vec![
            text("http.request.method", "GET"),
            text("http.route", "/api/orders/{id}"),
            int("http.response.status_code", if error { 500 } else { 200 }),
            attribute("duration_ms", Value::DoubleValue((dice % 20_000) as f64 / 100.0)),
        ],
        trace_id: trace_id(n),
        span_id: dice.to_be_bytes().to_vec(),
        flags: 1,
        ..LogRecord::default()
    }
}

/// All requests of a run, in the order in which they are sent.
pub fn requests(total: usize, batch: usize) -> Vec<Body> {
    (0..total.div_ceil(batch)).map(|number| request(number * batch, batch.min(total - number * batch), total)).collect()
}

fn request(first: usize, records: usize, total: usize) -> Body {
    let resource_logs = SERVICES.iter().enumerate().map(|(service, name)| {
        let mine = (first..first + records).filter(|n| n % SERVICES.len() == service);
        let log_records = mine.map(|n| record(n as u64, total as u64)).collect();
        let attributes =
            vec![text("service.name", name), text("service.namespace", "shop"), text("service.version", "1.4.0")];
        ResourceLogs {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }
    });
    body(&ExportLogsServiceRequest { resource_logs: resource_logs.collect() }, records)
}

/// One record of its own, to be looked for; `n` is beyond the records of every run.
pub fn probe(n: u64) -> (Body, String) {
    let log_records = vec![LogRecord { trace_id: trace_id(n * 8), ..record(0, 1) }];
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    };
    (body(&request, 1), hex::encode(trace_id(n * 8)))
}

/// An `_msearch` as Grafana's plugin sends it. Every round asks for another end of the window, as a dashboard does.
fn msearch(round: usize, query: &str, parts: Json) -> (String, Vec<u8>) {
    let until = format!("2026-01-15T11:00:00.{:03}Z", round % 1_000);
    let range = json!({"range": {"timestamp_nanos": {"gte": "2026-01-15T10:00:00Z", "lte": until}}});
    let filter = match query {
        "" => json!(range),
        query => json!([range, {"query_string": {"default_operator": "AND", "query": query}}]),
    };
    let mut search = json!({"query": {"bool": {"filter": filter}}});
    if let (Some(search), Json::Object(parts)) = (search.as_object_mut(), parts) {
        search.extend(parts);
    }
    let header = json!({"ignore_unavailable": true, "index": ["otel-logs-v0_9"]});
    ("/api/v1/_elastic/_msearch".to_owned(), format!("{header}\n{search}\n").into_bytes())
}

fn newest_100() -> Json {
    json!({"size": 100, "sort": [{"timestamp_nanos": {"format": "epoch_nanos_int", "order": "desc"}}]})
}

fn over_time(also: Json) -> Json {
    let bounds = json!({"min": BASE_NANOS / 1_000_000, "max": (BASE_NANOS + HOUR_NANOS) / 1_000_000});
    let histogram =
        json!({"field": "timestamp_nanos", "fixed_interval": "60000ms", "min_doc_count": 0, "extended_bounds": bounds});
    json!({"date_histogram": histogram, "aggs": also})
}

/// Whether the search did what its name says: `needle` is in the answer.
fn checked(needle: &'static str) -> impl Fn(&str) -> bool {
    move |answer| answer.contains("\"status\":200") && answer.contains(needle)
}

/// The queries that the recorded figures name, and `_field_caps`.
pub fn queries(total: usize) -> Vec<Query> {
    let by = |field: &str, also: Json| {
        json!({"size": 0, "aggs": {"2": {"terms": {"field": field, "size": 100, "shard_size": 100,
            "order": {"_count": "desc"}, "min_doc_count": 0}, "aggs": {"3": over_time(also)}}}})
    };
    let p95 = json!({"1": {"percentiles": {"field": "attributes.duration_ms", "percents": [95]}}});
    let volume = by("severity_text", json!({}));
    let by_service = by("service_name", p95);
    let traces = (total as u64 / 8).max(1);
    vec![
        Query::post("100 newest logs", Recorded::ms(14.0, 22.0), checked("_source"), |round| {
            msearch(round, "", newest_100())
        }),
        Query::post("text and level, 100 hits", Recorded::ms(34.0, 53.0), checked("refused"), |round| {
            msearch(round, "refused AND severity_text:ERROR", newest_100())
        }),
        Query::post("log volume by level, 60 buckets", Recorded::ms(5.0, 6.0), checked("ERROR"), move |round| {
            msearch(round, "", volume.clone())
        }),
        Query::post("logs of one trace", Recorded::ms(7.0, 7.0), checked("\"value\":8"), move |round| {
            let trace = round as u64 * 7_919 % traces;
            msearch(round, &format!("trace_id:{}", hex::encode(trace_id(trace * 8))), newest_100())
        }),
        Query::post("p95 duration by service over time", Recorded::ms(15.0, 19.0), checked("95.0"), move |round| {
            msearch(round, "", by_service.clone())
        }),
        Query::get(
            "_field_caps",
            Recorded::ms(2.0, 3.0),
            |answer| answer.contains("duration_ms"),
            |round| {
                let from = BASE_NANOS / 1_000_000_000;
                let until = from + 3_601 + round as u64;
                format!("/api/v1/_elastic/otel-logs-v0_9/_field_caps?start_timestamp={from}&end_timestamp={until}")
            },
        ),
    ]
}
