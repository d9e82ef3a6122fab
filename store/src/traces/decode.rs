//! OTLP to what TraceQL evaluates.
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan};

use crate::traceql::Value;
use crate::traceql::model::{Attributes, Event, Instrumentation, Link, Resource, Span};
use crate::traceql::value::{Kind, Status};

/// The value of an attribute as TraceQL sees it; `None` for what it cannot see (bytes, maps, mixed arrays, nothing).
pub fn value(wire: Option<&AnyValue>) -> Option<Value> {
    Some(match wire?.value.as_ref()? {
        any_value::Value::StringValue(text) => Value::Str(text.clone()),
        any_value::Value::BoolValue(flag) => Value::Bool(*flag),
        any_value::Value::IntValue(number) => Value::Int(*number),
        any_value::Value::DoubleValue(number) => Value::Float(*number),
        any_value::Value::ArrayValue(array) => {
            let elements: Option<Vec<Value>> = array.values.iter().map(|element| value(Some(element))).collect();
            let elements = elements?;
            let first = std::mem::discriminant(elements.first()?);
            let uniform = elements
                .iter()
                .all(|element| std::mem::discriminant(element) == first && !matches!(element, Value::Array(_)));
            if !uniform {
                return None;
            }
            Value::Array(elements)
        }
        _ => return None,
    })
}

/// The visible ones of a list of attributes, in order.
pub fn attributes(wire: &[KeyValue]) -> Attributes {
    wire.iter().filter_map(|pair| Some((pair.key.clone(), value(pair.value.as_ref())?))).collect()
}

/// The text of `service.name`, empty when it is missing or no text.
pub fn service_name(wire: &[KeyValue]) -> &str {
    let found = wire.iter().find(|pair| pair.key == "service.name");
    match found.and_then(|pair| pair.value.as_ref()?.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text,
        _ => "",
    }
}

pub fn resource(wire: &ResourceSpans) -> Resource {
    let Some(resource) = &wire.resource else { return Resource::default() };
    Resource {
        attributes: attributes(&resource.attributes),
        service_name: service_name(&resource.attributes).to_owned(),
    }
}

pub fn instrumentation(wire: &ScopeSpans) -> Instrumentation {
    let Some(scope) = &wire.scope else { return Instrumentation::default() };
    Instrumentation {
        name: scope.name.clone(),
        version: scope.version.clone(),
        attributes: attributes(&scope.attributes),
    }
}

/// The number of OTLP's status as TraceQL's status.
pub fn status(code: i32) -> Status {
    match code {
        1 => Status::Ok,
        2 => Status::Error,
        _ => Status::Unset,
    }
}

/// The number of OTLP's kind as TraceQL's kind; unknown numbers are `unspecified`.
pub fn kind(code: i32) -> Kind {
    usize::try_from(code).ok().and_then(|code| Kind::ALL.get(code)).copied().unwrap_or(Kind::Unspecified)
}

/// An id of fixed length; shorter ones are filled up with zeros, longer ones cut.
pub fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut id = [0; N];
    let length = bytes.len().min(N);
    id[..length].copy_from_slice(&bytes[..length]);
    id
}

pub fn span(wire: WireSpan, resource: Arc<Resource>, instrumentation: Arc<Instrumentation>) -> Span {
    let start_ns = wire.start_time_unix_nano;
    let (code, status_message) = wire.status.map_or((0, String::new()), |status| (status.code, status.message));
    Span {
        id: id(&wire.span_id),
        parent_id: id(&wire.parent_span_id),
        name: wire.name,
        kind: kind(wire.kind),
        status: status(code),
        status_message,
        start_ns,
        duration_ns: wire.end_time_unix_nano.saturating_sub(start_ns),
        attributes: attributes(&wire.attributes),
        events: wire
            .events
            .into_iter()
            .map(|event| Event {
                name: event.name,
                time_since_start: event.time_unix_nano.wrapping_sub(start_ns) as i64,
                attributes: attributes(&event.attributes),
            })
            .collect(),
        links: wire
            .links
            .iter()
            .map(|link| Link {
                trace_id: id(&link.trace_id),
                span_id: id(&link.span_id),
                attributes: attributes(&link.attributes),
            })
            .collect(),
        resource,
        instrumentation,
    }
}
