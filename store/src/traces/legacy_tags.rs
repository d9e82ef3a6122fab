//! The older search: tags as texts, each of which some span of a trace must have.
use crate::traceql::model::{Attributes, Trace};
use crate::traceql::value::Value;

/// What Tempo keeps in columns of their own holds a tag's text anywhere in it; every other attribute equals it. A number
/// matches by its digits.
pub fn has(trace: &Trace, key: &str, text: &str) -> bool {
    let root = trace.root.map(|root| &trace.spans[root]);
    match key {
        "root.name" => root.is_some_and(|root| root.name.contains(text)),
        "root.service.name" => root.is_some_and(|root| root.resource.service_name.contains(text)),
        _ => trace.spans.iter().any(|span| match key {
            "name" => span.name.contains(text),
            "service.name" => span.resource.service_name.contains(text),
            "status.code" => span.status.as_str() == text,
            "http.method" | "http.url" => any(&span.attributes, key, |value| value.contains(text)),
            "cluster" | "namespace" | "pod" | "container" | "k8s.cluster.name" | "k8s.namespace.name"
            | "k8s.pod.name" | "k8s.container.name" => {
                any(&span.resource.attributes, key, |value| value.contains(text))
            }
            _ => [&span.attributes, &span.resource.attributes]
                .into_iter()
                .any(|attributes| any(attributes, key, |value| value == text)),
        }),
    }
}

fn any(attributes: &Attributes, key: &str, test: impl Fn(&str) -> bool) -> bool {
    attributes.iter().filter(|(name, _)| name == key).any(|(_, value)| match value {
        Value::Array(elements) => elements.iter().any(|element| test(&element.to_text())),
        value => test(&value.to_text()),
    })
}
