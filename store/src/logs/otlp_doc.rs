//! Quickwit's mapping of an OTLP log record to a document of its logs index.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as OtlpValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};

const UNKNOWN_SERVICE: &str = "unknown_service";

/// A record that no index can take. The whole request is refused then, as Quickwit does.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    #[error("failed to parse log record: `trace ID must be 16 bytes long, got {0}`")]
    TraceId(usize),
    #[error("failed to parse log record: `span ID must be 8 bytes long, got {0}`")]
    SpanId(usize),
}

/// Number of records in the request.
pub fn count(request: &ExportLogsServiceRequest) -> usize {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len()).sum()
}

/// Checks what must hold of every record before the request may be acknowledged.
///
/// # Errors
/// The first record's fault.
pub fn validate(request: &ExportLogsServiceRequest) -> Result<(), RecordError> {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    let mut records = scopes.flat_map(|scope| &scope.log_records);
    records.try_for_each(|record| validate_ids(&record.trace_id, &record.span_id))
}

/// Ids are whole or not there.
pub(super) fn validate_ids(trace_id: &[u8], span_id: &[u8]) -> Result<(), RecordError> {
    if !matches!(trace_id.len(), 0 | 16) {
        return Err(RecordError::TraceId(trace_id.len()));
    }
    if !matches!(span_id.len(), 0 | 8) {
        return Err(RecordError::SpanId(span_id.len()));
    }
    Ok(())
}

/// Hands the documents of a request to `each`, in its order. `received_nanos` dates the records that have no time.
pub fn for_each(request: ExportLogsServiceRequest, received_nanos: u64, mut each: impl FnMut(Map<String, Value>)) {
    for resource_logs in request.resource_logs {
        let resource = resource_fields(resource_logs.resource.unwrap_or_default());
        for scope_logs in resource_logs.scope_logs {
            let mut shared = resource.clone();
            scope_fields(scope_logs.scope.unwrap_or_default(), &mut shared);
            for record in scope_logs.log_records {
                let mut doc = shared.clone();
                record_fields(record, received_nanos, &mut doc);
                each(doc);
            }
        }
    }
}

pub(super) fn resource_fields(resource: Resource) -> Map<String, Value> {
    let mut doc = Map::new();
    let mut attributes = attributes(resource.attributes);
    let service_name = match attributes.remove("service.name") {
        Some(Value::String(name)) => name,
        _ => UNKNOWN_SERVICE.to_owned(),
    };
    doc.insert("service_name".to_owned(), Value::String(service_name));
    put_map(&mut doc, "resource_attributes", attributes);
    put_count(&mut doc, "resource_dropped_attributes_count", resource.dropped_attributes_count);
    doc
}

pub(super) fn scope_fields(scope: InstrumentationScope, doc: &mut Map<String, Value>) {
    put_text(doc, "scope_name", scope.name);
    put_text(doc, "scope_version", scope.version);
    put_map(doc, "scope_attributes", attributes(scope.attributes));
    put_count(doc, "scope_dropped_attributes_count", scope.dropped_attributes_count);
}

pub(super) fn record_fields(record: LogRecord, received_nanos: u64, doc: &mut Map<String, Value>) {
    let observed = if record.observed_time_unix_nano == 0 { received_nanos } else { record.observed_time_unix_nano };
    let timestamp = if record.time_unix_nano == 0 { observed } else { record.time_unix_nano };
    doc.insert("timestamp_nanos".to_owned(), timestamp.into());
    doc.insert("observed_timestamp_nanos".to_owned(), observed.into());
    put_text(doc, "severity_text", record.severity_text);
    doc.insert("severity_number".to_owned(), record.severity_number.max(0).into());
    if let Some(body) = record.body.and_then(any_value) {
        let body = match body {
            Value::String(text) => {
                let mut message = Map::new();
                message.insert("message".to_owned(), Value::String(text));
                Value::Object(message)
            }
            other => other,
        };
        doc.insert("body".to_owned(), body);
    }
    put_map(doc, "attributes", attributes(record.attributes));
    put_count(doc, "dropped_attributes_count", record.dropped_attributes_count);
    doc.insert("trace_flags".to_owned(), record.flags.into());
    put_id(doc, "trace_id", &record.trace_id);
    put_id(doc, "span_id", &record.span_id);
}

/// Values that JSON cannot hold (bytes, NaN, infinities) are left out, and so are empty keys.
fn attributes(attributes: Vec<KeyValue>) -> Map<String, Value> {
    attributes
        .into_iter()
        .filter(|attribute| !attribute.key.is_empty())
        .filter_map(|attribute| Some((attribute.key, any_value(attribute.value?)?)))
        .collect()
}

fn any_value(value: AnyValue) -> Option<Value> {
    match value.value? {
        OtlpValue::StringValue(text) => Some(Value::String(text)),
        OtlpValue::BoolValue(truth) => Some(Value::Bool(truth)),
        OtlpValue::IntValue(number) => Some(number.into()),
        OtlpValue::DoubleValue(number) => serde_json::Number::from_f64(number).map(Value::Number),
        OtlpValue::ArrayValue(array) => Some(array.values.into_iter().filter_map(any_value).collect()),
        OtlpValue::KvlistValue(list) => Some(Value::Object(attributes(list.values))),
        _ => None,
    }
}

fn put_text(doc: &mut Map<String, Value>, key: &str, text: String) {
    if !text.is_empty() {
        doc.insert(key.to_owned(), Value::String(text));
    }
}

fn put_map(doc: &mut Map<String, Value>, key: &str, map: Map<String, Value>) {
    if !map.is_empty() {
        doc.insert(key.to_owned(), Value::Object(map));
    }
}

fn put_count(doc: &mut Map<String, Value>, key: &str, count: u32) {
    if count != 0 {
        doc.insert(key.to_owned(), count.into());
    }
}

fn put_id(doc: &mut Map<String, Value>, key: &str, id: &[u8]) {
    if id.iter().any(|byte| *byte != 0) {
        doc.insert(key.to_owned(), Value::String(hex::encode(id)));
    }
}
