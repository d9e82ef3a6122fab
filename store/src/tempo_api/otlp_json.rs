//! OTLP as protobuf's canonical JSON: ids and bytes in base64, 64-bit numbers as strings, defaults left out.
//!
//! This is Tempo's spelling, not that of OTLP/JSON, which has ids in hex.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, span};
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// Puts a field unless it has its default.
fn put(object: &mut Object, name: &str, value: Value) {
    let default = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    };
    if !default {
        object.insert(name.to_owned(), value);
    }
}

fn unsigned(number: u64) -> Value {
    if number == 0 { Value::Null } else { Value::String(number.to_string()) }
}

pub fn resource_spans(wire: &ResourceSpans) -> Value {
    let mut resource = Object::new();
    if let Some(found) = &wire.resource {
        put(&mut resource, "attributes", attributes(&found.attributes));
        put(&mut resource, "droppedAttributesCount", found.dropped_attributes_count.into());
    }
    let scopes = wire.scope_spans.iter().map(|group| {
        let mut object = Object::new();
        object.insert("scope".to_owned(), scope(group.scope.as_ref()));
        put(&mut object, "spans", group.spans.iter().map(span).collect());
        put(&mut object, "schemaUrl", group.schema_url.clone().into());
        Value::Object(object)
    });
    let mut object = Object::new();
    object.insert("resource".to_owned(), Value::Object(resource));
    put(&mut object, "scopeSpans", scopes.collect());
    put(&mut object, "schemaUrl", wire.schema_url.clone().into());
    Value::Object(object)
}

fn scope(wire: Option<&InstrumentationScope>) -> Value {
    let mut object = Object::new();
    if let Some(scope) = wire {
        put(&mut object, "name", scope.name.clone().into());
        put(&mut object, "version", scope.version.clone().into());
        put(&mut object, "attributes", attributes(&scope.attributes));
        put(&mut object, "droppedAttributesCount", scope.dropped_attributes_count.into());
    }
    Value::Object(object)
}

fn span(wire: &Span) -> Value {
    let mut object = Object::new();
    put(&mut object, "traceId", STANDARD.encode(&wire.trace_id).into());
    put(&mut object, "spanId", STANDARD.encode(&wire.span_id).into());
    put(&mut object, "traceState", wire.trace_state.clone().into());
    if wire.parent_span_id.iter().any(|byte| *byte != 0) {
        put(&mut object, "parentSpanId", STANDARD.encode(&wire.parent_span_id).into());
    }
    put(&mut object, "name", wire.name.clone().into());
    let kind = span::SpanKind::try_from(wire.kind).unwrap_or_default();
    if kind != span::SpanKind::Unspecified {
        put(&mut object, "kind", kind.as_str_name().into());
    }
    put(&mut object, "startTimeUnixNano", unsigned(wire.start_time_unix_nano));
    put(&mut object, "endTimeUnixNano", unsigned(wire.end_time_unix_nano));
    put(&mut object, "attributes", attributes(&wire.attributes));
    put(&mut object, "droppedAttributesCount", wire.dropped_attributes_count.into());
    put(&mut object, "events", wire.events.iter().map(event).collect());
    put(&mut object, "droppedEventsCount", wire.dropped_events_count.into());
    put(&mut object, "links", wire.links.iter().map(link).collect());
    put(&mut object, "droppedLinksCount", wire.dropped_links_count.into());
    let mut status = Object::new();
    if let Some(found) = &wire.status {
        put(&mut status, "message", found.message.clone().into());
        match found.code {
            1 => put(&mut status, "code", "STATUS_CODE_OK".into()),
            2 => put(&mut status, "code", "STATUS_CODE_ERROR".into()),
            _ => {}
        }
    }
    object.insert("status".to_owned(), Value::Object(status));
    Value::Object(object)
}

fn event(wire: &span::Event) -> Value {
    let mut object = Object::new();
    put(&mut object, "timeUnixNano", unsigned(wire.time_unix_nano));
    put(&mut object, "name", wire.name.clone().into());
    put(&mut object, "attributes", attributes(&wire.attributes));
    put(&mut object, "droppedAttributesCount", wire.dropped_attributes_count.into());
    Value::Object(object)
}

fn link(wire: &span::Link) -> Value {
    let mut object = Object::new();
    put(&mut object, "traceId", STANDARD.encode(&wire.trace_id).into());
    put(&mut object, "spanId", STANDARD.encode(&wire.span_id).into());
    put(&mut object, "traceState", wire.trace_state.clone().into());
    put(&mut object, "attributes", attributes(&wire.attributes));
    put(&mut object, "droppedAttributesCount", wire.dropped_attributes_count.into());
    Value::Object(object)
}

pub fn attributes(wire: &[KeyValue]) -> Value {
    let pair = |pair: &KeyValue| {
        let value = pair.value.as_ref().map_or_else(|| json!({}), any_value);
        json!({"key": pair.key, "value": value})
    };
    wire.iter().map(pair).collect()
}

fn any_value(wire: &AnyValue) -> Value {
    match &wire.value {
        None => json!({}),
        Some(any_value::Value::StringValue(text)) => json!({"stringValue": text}),
        Some(any_value::Value::BoolValue(flag)) => json!({"boolValue": flag}),
        Some(any_value::Value::IntValue(number)) => json!({"intValue": number.to_string()}),
        Some(any_value::Value::DoubleValue(number)) => json!({"doubleValue": double(*number)}),
        Some(any_value::Value::BytesValue(bytes)) => json!({"bytesValue": STANDARD.encode(bytes)}),
        Some(any_value::Value::ArrayValue(array)) => {
            let mut object = Object::new();
            put(&mut object, "values", array.values.iter().map(any_value).collect());
            json!({"arrayValue": object})
        }
        Some(any_value::Value::KvlistValue(list)) => {
            let mut object = Object::new();
            put(&mut object, "values", attributes(&list.values));
            json!({"kvlistValue": object})
        }
        // A reference into a table that OTLP does not send for traces.
        Some(_) => json!({}),
    }
}

/// A double: whole numbers without a fraction, what JSON has no number for as a string.
pub fn double(number: f64) -> Value {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}
