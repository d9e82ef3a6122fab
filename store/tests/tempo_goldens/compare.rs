//! Whether an answer is the recorded one, by the rules that came with the recordings.
use std::sync::LazyLock;

use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};
use tracewright_store::tempo_api::{otlp_json, proto};

use crate::cases::Case;
use crate::world::Answer;

/// Times in a case stand relative to a base: `BASE_S+5`, `BASE_MS-1000`, `BASE_NS+0`.
pub fn substitute(text: &str, base_s: i64) -> String {
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"BASE_(S|MS|NS)([+-]\d+)").expect("a literal pattern"));
    let replaced = PATTERN.replace_all(text, |found: &Captures<'_>| {
        let unit = match &found[1] {
            "S" => 1,
            "MS" => 1_000,
            _ => 1_000_000_000,
        };
        let offset: i64 = found[2].parse().expect("digits behind a sign");
        (base_s * unit + offset).to_string()
    });
    replaced.into_owned()
}

/// `Err` describes the first difference.
pub fn compare(case: &Case, answer: &Answer, base_s: i64) -> Result<(), String> {
    let is_volatile = |path: &str| case.volatile.iter().any(|known| known == path);
    let shown = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)]).into_owned();
    if !is_volatile("status") && answer.status != case.response.status {
        return Err(format!("status {} instead of {}: {}", answer.status, case.response.status, shown()));
    }
    let recorded_type = case.response.headers.get("content-type").and_then(Value::as_str);
    if recorded_type.is_some() && recorded_type != answer.content_type.as_deref() {
        return Err(format!("content-type {:?} instead of {recorded_type:?}", answer.content_type));
    }
    if is_volatile("$") {
        return Ok(());
    }
    let mut expected = case.response.body.clone();
    resolve(&mut expected, base_s);
    let mut actual = decode(case, answer)?;
    for path in case.volatile.iter().filter(|path| path.starts_with('$')) {
        for value in [&mut expected, &mut actual] {
            remove(value, &segments(path));
        }
    }
    for value in [&mut expected, &mut actual] {
        for path in &case.unordered {
            sort(value, &segments(path));
        }
        if let Some(traces) = value.get_mut("traces").and_then(Value::as_array_mut) {
            traces.sort_by_key(|trace| {
                let start = trace["startTimeUnixNano"].as_str().and_then(|text| text.parse::<u64>().ok());
                (std::cmp::Reverse(start), trace["traceID"].to_string())
            });
        }
    }
    if is_full_page(case, &expected) {
        // Which of the matches fill the page is arbitrary; that it is full, and of what shape, is not.
        return match (expected["traces"].as_array(), actual["traces"].as_array()) {
            (Some(a), Some(b)) if a.len() == b.len() => Ok(()),
            _ => Err(format!("a full page was recorded: {}", short(&actual))),
        };
    }
    match difference(&expected, &actual, "$") {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}

fn is_full_page(case: &Case, expected: &Value) -> bool {
    let limit = case.request.query.get("limit").and_then(|limit| limit.as_str()?.parse::<usize>().ok());
    limit.is_some() && expected.get("traces").and_then(Value::as_array).map(Vec::len) == limit
}

fn resolve(value: &mut Value, base_s: i64) {
    match value {
        Value::String(text) => *text = substitute(text, base_s),
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, base_s)),
        Value::Object(fields) => match fields.get("$num").and_then(Value::as_str) {
            Some(text) => *value = json!(substitute(text, base_s).parse::<i64>().expect("a number")),
            None => fields.values_mut().for_each(|field| resolve(field, base_s)),
        },
        _ => {}
    }
}

fn decode(case: &Case, answer: &Answer) -> Result<Value, String> {
    let kind = &*case.response.body_kind;
    if case.response.body.is_string() && kind.starts_with("protobuf") {
        return Ok(Value::String(hex::encode(&answer.body)));
    }
    if kind.starts_with("protobuf") {
        return decode_protobuf(&case.request.path, &answer.body);
    }
    if kind == "text" || answer.body.is_empty() {
        return Ok(Value::String(String::from_utf8_lossy(&answer.body).into_owned()));
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|error| format!("no JSON: {error}"))?;
    Ok(if kind.contains("summarised") { summary(&body) } else { body })
}

fn decode_protobuf(path: &str, body: &[u8]) -> Result<Value, String> {
    let failed = |error: prost::DecodeError| format!("no protobuf: {error}");
    let spans = |trace: &[_]| trace.iter().map(otlp_json::resource_spans).collect::<Vec<_>>();
    let trace = |trace: &[_]| if trace.is_empty() { json!({}) } else { json!({"resourceSpans": spans(trace)}) };
    if path.starts_with("/api/v2/traces") {
        let answer = proto::TraceByIdResponse::decode(body).map_err(failed)?;
        let found = answer.trace.ok_or("the trace field must be present")?;
        return Ok(json!({"trace": trace(&found.resource_spans), "metrics": {"inspectedBytes": 0}}));
    }
    if path.starts_with("/api/traces") {
        return Ok(trace(&TracesData::decode(body).map_err(failed)?.resource_spans));
    }
    let answer = proto::SearchResponse::decode(body).map_err(failed)?;
    let traces: Vec<Value> = answer.traces.iter().map(metadata).collect();
    Ok(json!({"traces": traces, "metrics": "omitted"}))
}

fn metadata(trace: &proto::TraceMetadata) -> Value {
    let stats = trace.service_stats.iter().map(|(service, stats)| {
        let mut counts = Map::new();
        counts.insert("spanCount".into(), stats.span_count.into());
        if stats.error_count > 0 {
            counts.insert("errorCount".into(), stats.error_count.into());
        }
        (service.clone(), Value::Object(counts))
    });
    json!({
        "traceID": trace.trace_id,
        "rootServiceName": trace.root_service_name,
        "rootTraceName": trace.root_trace_name,
        "startTimeUnixNano": trace.start_time_unix_nano.to_string(),
        "durationMs": trace.duration_ms,
        "spanSet": trace.span_set.as_ref().map(span_set),
        "spanSets": trace.span_sets.iter().map(span_set).collect::<Vec<_>>(),
        "serviceStats": Value::Object(stats.collect()),
    })
}

fn span_set(set: &proto::SpanSet) -> Value {
    let spans = set.spans.iter().map(|span| {
        json!({
            "spanID": span.span_id,
            "startTimeUnixNano": span.start_time_unix_nano.to_string(),
            "durationNanos": span.duration_nanos.to_string(),
            "attributes": otlp_json::attributes(&span.attributes),
        })
    });
    json!({"spans": spans.collect::<Vec<_>>(), "matched": set.matched})
}

/// What the recordings keep of a trace that is too large to keep.
fn summary(body: &Value) -> Value {
    let groups = body["trace"]["resourceSpans"].as_array().cloned().unwrap_or_default();
    let scopes: Vec<Value> =
        groups.iter().flat_map(|group| group["scopeSpans"].as_array().cloned().unwrap_or_default()).collect();
    let spans: Vec<Value> =
        scopes.iter().flat_map(|scope| scope["spans"].as_array().cloned().unwrap_or_default()).collect();
    let mut names: Map<String, Value> = Map::new();
    for span in &spans {
        let name = span["name"].as_str().unwrap_or_default();
        let count = names.get(name).and_then(Value::as_u64).unwrap_or(0);
        names.insert(name.to_owned(), (count + 1).into());
    }
    let ids: std::collections::BTreeSet<String> = spans.iter().map(|span| span["spanId"].to_string()).collect();
    let mut keys: Vec<&String> = body.as_object().map(|object| object.keys().collect()).unwrap_or_default();
    keys.sort();
    json!({
        "top_level_keys": keys,
        "resourceSpans": groups.len(),
        "scopeSpans_total": scopes.len(),
        "spans_total": spans.len(),
        "distinct_spanIds": ids.len(),
        "names": names,
        "errors": spans.iter().filter(|span| span["status"]["code"] == "STATUS_CODE_ERROR").count(),
    })
}

enum Segment {
    Key(String),
    Every,
    /// `..key`: under that key at any depth.
    Deep(String),
}

fn segments(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix("[*]") {
            segments.push(Segment::Every);
            rest = behind;
            continue;
        }
        let deep = rest.starts_with("..");
        rest = rest.trim_start_matches('.');
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let key = rest[..end].to_owned();
        segments.push(if deep { Segment::Deep(key) } else { Segment::Key(key) });
        rest = &rest[end..];
    }
    segments
}

/// Calls `visit` with each value that the path names.
fn each(value: &mut Value, path: &[Segment], visit: &mut dyn FnMut(&mut Value)) {
    let Some((first, rest)) = path.split_first() else { return visit(value) };
    match (first, value) {
        (Segment::Key(key), Value::Object(fields)) => {
            if let Some(field) = fields.get_mut(key) {
                each(field, rest, visit);
            }
        }
        (Segment::Every, Value::Array(items)) => items.iter_mut().for_each(|item| each(item, rest, visit)),
        (Segment::Deep(key), Value::Object(fields)) => {
            for (name, field) in fields {
                each(field, path, visit);
                if name == key {
                    each(field, rest, visit);
                }
            }
        }
        (Segment::Deep(_), Value::Array(items)) => items.iter_mut().for_each(|item| each(item, path, visit)),
        _ => {}
    }
}

fn sort(value: &mut Value, path: &[Segment]) {
    each(value, path, &mut |found| {
        if let Value::Array(items) = found {
            items.sort_by_key(Value::to_string);
        }
    });
}

/// A volatile value must be there, whatever it is; a volatile list may be missing.
fn remove(value: &mut Value, path: &[Segment]) {
    let Some((Segment::Key(last), parents)) = path.split_last() else { return };
    each(value, parents, &mut |found| {
        if let Value::Object(fields) = found {
            let there = fields.remove(last).is_some();
            if there && last == "metrics" {
                fields.insert(last.clone(), "present".into());
            }
        }
    });
}

fn difference(expected: &Value, actual: &Value, path: &str) -> Option<String> {
    match (expected, actual) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = a.keys().find(|key| !b.contains_key(*key));
            if let Some(key) = missing {
                return Some(format!("{path}.{key} is missing, expected {}", short(&a[key])));
            }
            if let Some(key) = b.keys().find(|key| !a.contains_key(*key)) {
                return Some(format!("{path}.{key} is not in the recording: {}", short(&b[key])));
            }
            a.iter().find_map(|(key, value)| difference(value, &b[key], &format!("{path}.{key}")))
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return Some(format!(
                    "{path} has {} items instead of {}:\n got  {}\n want {}",
                    b.len(),
                    a.len(),
                    short(actual),
                    short(expected)
                ));
            }
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| difference(a, b, &format!("{path}[{at}]")))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            ((a - b).abs() > a.abs() * 1e-9).then(|| format!("{path} is {b} instead of {a}"))
        }
        (a, b) => (a != b).then(|| format!("{path} is {} instead of {}", short(b), short(a))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(700).collect()
}
