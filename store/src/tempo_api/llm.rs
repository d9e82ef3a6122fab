//! The short JSON of a trace that Tempo gives for `Accept: application/vnd.grafana.llm`.
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, span};
use serde_json::{Map, Value, json};

use super::otlp_json::double;
use crate::traceql::model::short_hex;
use crate::traces::decode;

pub fn trace(id: &[u8; 16], wire: &[ResourceSpans]) -> Value {
    let services = wire.iter().map(|group| {
        let attributes = group.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
        let resource: Vec<KeyValue> = attributes.iter().filter(|pair| pair.key != "service.name").cloned().collect();
        let scopes = group.scope_spans.iter().map(|scoped| {
            let mut object = Map::new();
            if let Some(scope) = &scoped.scope {
                object.insert("name".to_owned(), scope.name.clone().into());
                object.insert("version".to_owned(), scope.version.clone().into());
            }
            object.insert("spans".to_owned(), scoped.spans.iter().map(one_span).collect());
            Value::Object(object)
        });
        json!({
            "serviceName": decode::service_name(attributes),
            "resource": plain_attributes(&resource),
            "scopes": scopes.collect::<Vec<_>>(),
        })
    });
    json!({"traceId": short_hex(id), "services": services.collect::<Vec<_>>()})
}

fn one_span(wire: &Span) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("spanId", hex::encode(&wire.span_id).into());
    put("name", wire.name.clone().into());
    if wire.parent_span_id.iter().any(|byte| *byte != 0) {
        put("parentSpanId", hex::encode(&wire.parent_span_id).into());
    }
    let kind = span::SpanKind::try_from(wire.kind).unwrap_or_default();
    put("kind", kind.as_str_name().into());
    put("startTimeUnixNano", wire.start_time_unix_nano.to_string().into());
    put("endTimeUnixNano", wire.end_time_unix_nano.to_string().into());
    let duration = wire.end_time_unix_nano.saturating_sub(wire.start_time_unix_nano);
    put("durationMs", double(duration as f64 / 1e6));
    put("attributes", plain_attributes(&wire.attributes));
    if !wire.events.is_empty() {
        let events = wire.events.iter().map(|event| {
            json!({
                "name": event.name,
                "timeUnixNano": event.time_unix_nano.to_string(),
                "attributes": plain_attributes(&event.attributes),
            })
        });
        put("events", events.collect());
    }
    if !wire.links.is_empty() {
        let links = wire.links.iter().map(|link| {
            json!({
                "traceId": hex::encode(&link.trace_id),
                "spanId": hex::encode(&link.span_id),
                "attributes": plain_attributes(&link.attributes),
            })
        });
        put("links", links.collect());
    }
    let (code, message) = wire.status.as_ref().map_or((0, ""), |status| (status.code, &*status.message));
    let code = match code {
        1 => "STATUS_CODE_OK",
        2 => "STATUS_CODE_ERROR",
        _ => "STATUS_CODE_UNSET",
    };
    put("status", json!({"code": code, "message": message}));
    Value::Object(object)
}

fn plain_attributes(wire: &[KeyValue]) -> Value {
    let pairs = wire.iter().map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(Value::Null, plain)));
    Value::Object(pairs.collect())
}

fn plain(wire: &AnyValue) -> Value {
    match &wire.value {
        Some(any_value::Value::StringValue(text)) => text.clone().into(),
        Some(any_value::Value::BoolValue(flag)) => (*flag).into(),
        Some(any_value::Value::IntValue(number)) => (*number).into(),
        Some(any_value::Value::DoubleValue(number)) => double(*number),
        Some(any_value::Value::ArrayValue(array)) => array.values.iter().map(plain).collect(),
        Some(any_value::Value::KvlistValue(list)) => plain_attributes(&list.values),
        Some(any_value::Value::BytesValue(bytes)) => hex::encode(bytes).into(),
        _ => Value::Null,
    }
}
