//! `/api/search`: TraceQL in `q`, or the older `tags`, `minDuration`, `maxDuration`.
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use prost::Message;
use serde_json::{Map, Value as Json, json};

use super::error::ApiError;
use super::params::{Encoding, Params, check_length, check_order};
use super::{ApiState, otlp_json, proto};
use crate::traceql::model::short_hex;
use crate::traceql::value::parse_duration;
use crate::traceql::{self, Value};
use crate::traces::Reader;
use crate::traces::search::{Filter, Found, FoundSet, SearchRequest};

const DEFAULT_LIMIT: u64 = 20;
const MAX_LIMIT: u64 = 262_144;
const DEFAULT_SPANS: u64 = 3;
const MAX_SPANS: u64 = 100;
/// Without start and end, so much of the past is searched.
const DEFAULT_WINDOW_S: u64 = 15 * 60;
const MAX_WINDOW_S: i64 = 168 * 3600;
/// What Tempo calls a trace whose root it does not have.
const NO_ROOT: &str = "<root span not yet received>";

pub async fn search(
    State(state): State<ApiState>,
    reader: Reader,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let request = parse(&params)?;
    let encoding = Encoding::of(&headers);
    state
        .run(reader, move |store| {
            let found = store.search(&request)?;
            let body = match encoding {
                Encoding::Protobuf => {
                    let traces = found.iter().map(to_proto).collect();
                    let metrics = proto::SearchMetrics { completed_jobs: 1, total_jobs: 1 };
                    proto::SearchResponse { traces, metrics: Some(metrics) }.encode_to_vec()
                }
                _ => {
                    let traces: Vec<Json> = found.iter().map(to_json).collect();
                    json!({"traces": traces, "metrics": {"completedJobs": 1, "totalJobs": 1}}).to_string().into_bytes()
                }
            };
            let kind = if encoding == Encoding::Protobuf { encoding } else { Encoding::Json };
            Ok(([(header::CONTENT_TYPE, kind.content_type())], body).into_response())
        })
        .await
}

fn parse(params: &Params) -> Result<SearchRequest, ApiError> {
    let start = params.seconds_u32("start")?;
    let end = params.seconds_u32("end")?;
    let filter = filter(params)?;
    let limit = params.number("limit")?;
    if limit == Some(0) {
        return Err(ApiError::bad_request("invalid limit: must be a positive number"));
    }
    let spans = params.number("spss")?.unwrap_or(0);
    let (start_ns, end_ns) = window(params, start, end)?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if limit > MAX_LIMIT {
        return Err(ApiError::bad_request(format!("limit {limit} exceeds max limit {MAX_LIMIT}")));
    }
    if spans > MAX_SPANS {
        return Err(ApiError::bad_request(format!("spans per span set exceeds {MAX_SPANS}. received {spans}")));
    }
    let spans_per_set = if spans == 0 { DEFAULT_SPANS } else { spans } as usize;
    Ok(SearchRequest { filter, start_ns, end_ns, limit: limit as usize, spans_per_set })
}

/// The window in nanoseconds. Tempo wants both ends or none; `since` counts back from now.
pub fn window(params: &Params, start: Option<u64>, end: Option<u64>) -> Result<(u64, u64), ApiError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (start, end) = match (start, end) {
        (None, None) => {
            let back = match params.get("since") {
                None => DEFAULT_WINDOW_S,
                Some(text) => match parse_duration(text, true) {
                    Some(nanos) => (nanos / 1_000_000_000).unsigned_abs(),
                    None => {
                        return Err(ApiError::bad_request(format!(
                            "invalid since: cannot parse {text:?} to a valid duration"
                        )));
                    }
                },
            };
            // Spans of this very second, and of clocks that are a little ahead, are recent too.
            return Ok((now.saturating_sub(back) * 1_000_000_000, (now + 60) * 1_000_000_000));
        }
        (start, end) => (start.unwrap_or(0) as i64, end.unwrap_or(0) as i64),
    };
    check_order(start, end)?;
    check_length(start, end, MAX_WINDOW_S)?;
    Ok((start as u64 * 1_000_000_000, end as u64 * 1_000_000_000))
}

fn filter(params: &Params) -> Result<Filter, ApiError> {
    let q = params.get("q");
    let tags = params.get("tags");
    if q.is_some() && tags.is_some() {
        return Err(ApiError::bad_request("invalid request: can't specify tags and q in the same query"));
    }
    if let Some(q) = q {
        return traceql::compile(q).map(Filter::TraceQl).map_err(|error| ApiError::invalid_search(&error));
    }
    let min = params.duration_ns("minDuration")?;
    let max = params.duration_ns("maxDuration")?;
    if let (Some(min), Some(max)) = (min, max)
        && max <= min
    {
        return Err(ApiError::bad_request("invalid maxDuration: must be greater than minDuration"));
    }
    let tags = tags.map_or(Ok(Vec::new()), logfmt)?;
    let unsigned = |nanos: i64| u64::try_from(nanos).unwrap_or(0);
    Ok(Filter::Tags { tags, min_duration_ns: min.map(unsigned), max_duration_ns: max.map(unsigned) })
}

/// `a=b c="d e"`.
fn logfmt(text: &str) -> Result<Vec<(String, String)>, ApiError> {
    let invalid = |what: String| ApiError::bad_request(format!("invalid tags: {what}"));
    let mut tags: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let key_end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let key = rest[..key_end].to_owned();
        rest = &rest[key_end..];
        let mut value = String::new();
        if let Some(behind) = rest.strip_prefix('=') {
            if key.is_empty() {
                let position = text.len() - rest.len() + 1;
                return Err(invalid(format!("logfmt syntax error at pos {position} on line 1: unexpected '='")));
            }
            rest = behind;
            if let Some(quoted) = rest.strip_prefix('"') {
                let mut escaped = false;
                let end = quoted.find(|c: char| {
                    let close = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    close
                });
                let Some(end) = end else {
                    let position = text.len() + 1;
                    return Err(invalid(format!(
                        "logfmt syntax error at pos {position} on line 1: unterminated quoted value"
                    )));
                };
                value = serde_json::from_str(&rest[..end + 2]).unwrap_or_else(|_| quoted[..end].to_owned());
                rest = &quoted[end + 1..];
            } else {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                value = rest[..end].to_owned();
                rest = &rest[end..];
            }
        }
        if tags.iter().any(|(known, _)| *known == key) {
            return Err(invalid(format!("tag {key} has been set twice")));
        }
        tags.push((key, value));
        rest = rest.trim_start();
    }
    Ok(tags)
}

fn to_json(found: &Found) -> Json {
    let mut object = Map::new();
    let mut put = |name: &str, value: Json| object.insert(name.to_owned(), value);
    put("traceID", short_hex(&found.id).into());
    put("rootServiceName", found.root_service.as_deref().unwrap_or(NO_ROOT).into());
    if let Some(name) = found.root_name.as_deref().filter(|name| !name.is_empty()) {
        put("rootTraceName", name.into());
    }
    put("startTimeUnixNano", found.start_ns.to_string().into());
    let millis = found.duration_ns / 1_000_000;
    if millis > 0 {
        put("durationMs", millis.into());
    }
    if let Some(first) = found.sets.first() {
        put("spanSet", set_json(first));
        put("spanSets", found.sets.iter().map(set_json).collect());
        let services = found.services.iter().map(|(service, stats)| {
            let mut counts = Map::new();
            counts.insert("spanCount".to_owned(), stats.spans.into());
            if stats.errors > 0 {
                counts.insert("errorCount".to_owned(), stats.errors.into());
            }
            (service.clone(), Json::Object(counts))
        });
        put("serviceStats", Json::Object(services.collect()));
    }
    Json::Object(object)
}

fn set_json(set: &FoundSet) -> Json {
    let spans = set.spans.iter().map(|span| {
        let mut object = Map::new();
        let mut put = |name: &str, value: Json| object.insert(name.to_owned(), value);
        put("spanID", hex::encode(span.id).into());
        if let Some(name) = span.name.as_deref().filter(|name| !name.is_empty()) {
            put("name", name.into());
        }
        put("startTimeUnixNano", span.start_ns.to_string().into());
        if span.duration_ns > 0 {
            put("durationNanos", span.duration_ns.to_string().into());
        }
        if !span.attributes.is_empty() {
            put("attributes", otlp_json::attributes(&wire_attributes(&span.attributes)));
        }
        Json::Object(object)
    });
    let mut object = Map::new();
    object.insert("spans".to_owned(), spans.collect());
    object.insert("matched".to_owned(), set.matched.into());
    if !set.attributes.is_empty() {
        object.insert("attributes".to_owned(), otlp_json::attributes(&wire_attributes(&set.attributes)));
    }
    Json::Object(object)
}

fn to_proto(found: &Found) -> proto::TraceMetadata {
    let span_sets: Vec<proto::SpanSet> = found.sets.iter().map(set_proto).collect();
    let stats = |(service, stats): (&String, &crate::traces::search::ServiceStats)| {
        (service.clone(), proto::ServiceStats { span_count: stats.spans, error_count: stats.errors })
    };
    proto::TraceMetadata {
        trace_id: short_hex(&found.id),
        root_service_name: found.root_service.clone().unwrap_or_else(|| NO_ROOT.to_owned()),
        root_trace_name: found.root_name.clone().unwrap_or_default(),
        start_time_unix_nano: found.start_ns,
        duration_ms: (found.duration_ns / 1_000_000) as u32,
        span_set: span_sets.first().cloned(),
        service_stats: if span_sets.is_empty() {
            Default::default()
        } else {
            found.services.iter().map(stats).collect()
        },
        span_sets,
    }
}

fn set_proto(set: &FoundSet) -> proto::SpanSet {
    let spans = set.spans.iter().map(|span| proto::Span {
        span_id: hex::encode(span.id),
        name: span.name.clone().unwrap_or_default(),
        start_time_unix_nano: span.start_ns,
        duration_nanos: span.duration_ns,
        attributes: wire_attributes(&span.attributes),
    });
    proto::SpanSet { spans: spans.collect(), matched: set.matched as u32, attributes: wire_attributes(&set.attributes) }
}

fn wire_attributes(attributes: &[(String, Value)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(String, Value)| KeyValue {
        key: key.clone(),
        value: Some(wire_value(value)),
        ..KeyValue::default()
    };
    attributes.iter().map(pair).collect()
}

/// Keywords, durations and nil become texts.
pub fn wire_value(value: &Value) -> AnyValue {
    let wire = match value {
        Value::Int(number) => any_value::Value::IntValue(*number),
        Value::Float(number) => any_value::Value::DoubleValue(*number),
        Value::Bool(flag) => any_value::Value::BoolValue(*flag),
        Value::Array(elements) => {
            any_value::Value::ArrayValue(ArrayValue { values: elements.iter().map(wire_value).collect() })
        }
        other => any_value::Value::StringValue(other.to_text()),
    };
    AnyValue { value: Some(wire) }
}
