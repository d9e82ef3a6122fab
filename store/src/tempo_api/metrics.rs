//! `/api/metrics/query_range` and `/api/metrics/query`.
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value as JsonValue, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ApiState;
use super::error::ApiError;
use super::otlp_json::{attributes, double};
use super::params::Params;
use super::search::wire_value;
use crate::traceql::ast::MetricsFn;
use crate::traceql::metrics::Series;
use crate::traceql::model::short_hex;
use crate::traceql::steps::Steps;
use crate::traceql::value::{format_duration, parse_duration};
use crate::traceql::{self, Value};
use crate::traces::Reader;
use crate::traces::metrics::MetricsRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;

/// A range has at most so many steps.
const MAX_STEPS: u64 = 10_000;
const DEFAULT_RANGE_NS: u64 = 3600 * 1_000_000_000;
/// Tempo's limit; what is longer it refuses, so the store does not raise hopes.
const MAX_RANGE_NS: u64 = 24 * 3600 * 1_000_000_000;
const DEFAULT_EXEMPLARS: usize = 100;

type Answer = Result<Json<JsonValue>, ApiError>;

pub async fn query_range(State(state): State<ApiState>, reader: Reader, params: Params) -> Answer {
    let (start_ns, end_ns) = window(&params)?;
    let range_ns = end_ns - start_ns;
    let step_ns = match params.get("step") {
        Some(text) => step(text)?,
        None => default_step(range_ns),
    };
    let minimum = (range_ns / MAX_STEPS).max(1);
    if step_ns < minimum {
        return Err(ApiError::bad_request(format!(
            "step of {} is too small, minimum step for given range is {}",
            format_duration(step_ns as i64),
            format_duration(minimum as i64)
        )));
    }
    let request = request(&params, Steps::aligned(start_ns, end_ns, step_ns))?;
    check_range(start_ns, end_ns)?;
    state
        .run(reader, move |store| {
            let series = store.metrics(&request)?;
            let series: Vec<JsonValue> = series.iter().map(|one| range_json(one, &request)).collect();
            Ok(Json(json!({"series": series, "metrics": {"completedJobs": 1, "totalJobs": 1}})))
        })
        .await
}

pub async fn query(State(state): State<ApiState>, reader: Reader, params: Params) -> Answer {
    let (start_ns, end_ns) = window(&params)?;
    let mut request = request(&params, Steps::single(start_ns, end_ns))?;
    check_range(start_ns, end_ns)?;
    request.max_exemplars = 0;
    state
        .run(reader, move |store| {
            let series = store.metrics(&request)?;
            let series = series.iter().map(|one| {
                let mut object = Map::new();
                object.insert("labels".to_owned(), labels(&one.labels));
                if let Some((_, value)) = one.samples.last().filter(|(_, value)| *value != 0.0) {
                    object.insert("value".to_owned(), double(*value));
                }
                JsonValue::Object(object)
            });
            let series: Vec<JsonValue> = series.collect();
            Ok(Json(json!({"series": series, "metrics": {"completedJobs": 1, "totalJobs": 1}})))
        })
        .await
}

fn check_range(start_ns: u64, end_ns: u64) -> Result<(), ApiError> {
    if end_ns - start_ns <= MAX_RANGE_NS {
        return Ok(());
    }
    let (range, max) = (format_duration((end_ns - start_ns) as i64), format_duration(MAX_RANGE_NS as i64));
    Err(ApiError::bad_request(format!(
        "range specified by start and end ({range}) exceeds {max}. received start={start_ns} end={end_ns}"
    )))
}

fn request(params: &Params, steps: Steps) -> Result<MetricsRequest, ApiError> {
    let text = params.get("q").or_else(|| params.get("query")).unwrap_or("");
    let query = traceql::compile(text).map_err(|error| ApiError::bad_request(error.to_string()))?;
    match query.metrics.as_ref().map(|stage| &stage.function) {
        None => return Err(ApiError::bad_request("not a metrics query")),
        Some(MetricsFn::Compare { .. }) => {
            return Err(ApiError::text(StatusCode::NOT_IMPLEMENTED, "compare() is not supported by this store"));
        }
        Some(_) => {}
    }
    let wanted = params.number("exemplars")?.map_or(DEFAULT_EXEMPLARS, |count| (count as usize).min(DEFAULT_EXEMPLARS));
    let max_exemplars = if query.hint("exemplars") == Some(&Value::Bool(false)) { 0 } else { wanted };
    Ok(MetricsRequest { query, steps, max_exemplars })
}

/// Seconds (also with a fraction), nanoseconds or RFC 3339; `since` counts back from now; the default is an hour.
fn window(params: &Params) -> Result<(u64, u64), ApiError> {
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    let since = match params.get("since") {
        None => DEFAULT_RANGE_NS,
        Some(text) => step(text)?,
    };
    let end_ns = params.get("end").map(|text| instant("end", text)).transpose()?.unwrap_or(now_ns);
    let start = params.get("start").map(|text| instant("start", text)).transpose()?;
    let start_ns = start.unwrap_or(end_ns.saturating_sub(since));
    if start_ns >= end_ns {
        return Err(ApiError::bad_request("end must be greater than start"));
    }
    Ok((start_ns, end_ns))
}

fn instant(name: &str, text: &str) -> Result<u64, ApiError> {
    if let Ok(number) = text.parse::<u64>() {
        // Ten digits are seconds until the year 2286; more are nanoseconds.
        return Ok(if text.len() <= 10 { number * 1_000_000_000 } else { number });
    }
    if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| (0.0..1e11).contains(seconds)) {
        return Ok((seconds * 1e9) as u64);
    }
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok();
    parsed
        .and_then(|moment| u64::try_from(moment.unix_timestamp_nanos()).ok())
        .ok_or_else(|| ApiError::bad_request(format!("could not parse {text:?} as a time for parameter {name}")))
}

/// A duration, or seconds as a number.
fn step(text: &str) -> Result<u64, ApiError> {
    if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| (0.0..1e9).contains(seconds)) {
        return Ok((seconds * 1e9) as u64);
    }
    parse_duration(text, true).and_then(|nanos| u64::try_from(nanos).ok()).ok_or_else(|| {
        ApiError::bad_request(format!("rpc error: code = Code(400) desc = cannot parse {text:?} to a valid duration"))
    })
}

/// About 120 steps of whole seconds.
fn default_step(range_ns: u64) -> u64 {
    (range_ns / 120 / 1_000_000_000).max(1) * 1_000_000_000
}

fn range_json(series: &Series, request: &MetricsRequest) -> JsonValue {
    let samples = series.samples.iter().map(|(step, value)| {
        let mut object = Map::new();
        object.insert("timestampMs".to_owned(), request.steps.stamp_ms(*step).to_string().into());
        if *value != 0.0 {
            object.insert("value".to_owned(), double(*value));
        }
        JsonValue::Object(object)
    });
    let mut object = Map::new();
    object.insert("labels".to_owned(), labels(&series.labels));
    object.insert("samples".to_owned(), samples.collect());
    if !series.exemplars.is_empty() {
        let exemplars = series.exemplars.iter().map(|exemplar| {
            let counted =
                series.samples.iter().find(|(step, _)| *step == exemplar.step).map_or(0.0, |(_, value)| *value);
            json!({
                "labels": labels(&[("trace:id".to_owned(), Value::Str(short_hex(&exemplar.trace_id)))]),
                "value": double(exemplar.value.unwrap_or(counted)),
                "timestampMs": (exemplar.time_ns / 1_000_000).to_string(),
            })
        });
        object.insert("exemplars".to_owned(), exemplars.collect());
    }
    JsonValue::Object(object)
}

fn labels(labels: &[(String, Value)]) -> JsonValue {
    let pair = |(key, value): &(String, Value)| KeyValue {
        key: key.clone(),
        value: Some(wire_value(value)),
        ..KeyValue::default()
    };
    attributes(&labels.iter().map(pair).collect::<Vec<_>>())
}
