//! What a write-ahead log record holds: one export request, cut into its spans.
//!
//! The bytes of a span are the sender's own, from the log over the head to a segment: nothing is encoded on the way.
use std::borrow::Cow;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;

use super::wire::{self, SpanView};
use crate::otlp::wire::{split, take_field};

/// Spans that share resource and instrumentation scope; pieces of a request or of a record.
pub struct Group<'a> {
    /// An encoded [`ResourceSpans`] without its scopes.
    pub resource: Cow<'a, [u8]>,
    /// An encoded [`ScopeSpans`] without its spans.
    pub scope: Cow<'a, [u8]>,
    pub spans: Vec<SpanView<'a>>,
}

/// Takes an encoded `ExportTraceServiceRequest` apart. `None` when it is none, or not written in the usual way:
/// decode it then, and try [`encoded`].
pub fn groups(request: &[u8]) -> Option<Vec<Group<'_>>> {
    let mut groups = Vec::new();
    let mut rest = request;
    while !rest.is_empty() {
        let (1, field, _) = take_field(&mut rest)? else { return None };
        let (resource, scopes) = split(field.bytes()?, 2)?;
        ResourceSpans::decode(&resource[..]).ok()?;
        for scope in scopes {
            let (scope, spans) = split(scope, 2)?;
            ScopeSpans::decode(&scope[..]).ok()?;
            if spans.is_empty() {
                continue;
            }
            let spans = spans.into_iter().map(wire::span).collect::<Option<_>>()?;
            groups.push(Group { resource: resource.clone(), scope, spans });
        }
    }
    Some(groups)
}

/// A request as [`groups`] reads it.
pub fn encoded(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// The record: per group resource, scope, number of spans, spans; each piece behind its length (u32, little endian).
pub fn encode(groups: &[Group<'_>]) -> Vec<u8> {
    let size = |bytes: &[u8]| bytes.len() + 4;
    let total: usize = groups
        .iter()
        .map(|group| {
            let spans: usize = group.spans.iter().map(|span| size(span.bytes)).sum();
            size(&group.resource) + size(&group.scope) + 4 + spans
        })
        .sum();
    let mut record = Vec::with_capacity(total);
    let put = |record: &mut Vec<u8>, bytes: &[u8]| {
        record.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        record.extend_from_slice(bytes);
    };
    for group in groups {
        put(&mut record, &group.resource);
        put(&mut record, &group.scope);
        record.extend_from_slice(&(group.spans.len() as u32).to_le_bytes());
        for span in &group.spans {
            put(&mut record, span.bytes);
        }
    }
    record
}

/// Reads a record back; `None` when it is not one of ours.
pub fn decode(mut record: &[u8]) -> Option<Vec<Group<'_>>> {
    let mut groups = Vec::new();
    while !record.is_empty() {
        let resource = Cow::Borrowed(take(&mut record)?);
        let scope = Cow::Borrowed(take(&mut record)?);
        let count = u32::from_le_bytes(record.split_off(..4)?.try_into().ok()?);
        let mut spans = Vec::with_capacity(count.min(4096) as usize);
        for _ in 0..count {
            spans.push(wire::span(take(&mut record)?)?);
        }
        groups.push(Group { resource, scope, spans });
    }
    Some(groups)
}

/// Takes one piece behind its length off the front.
pub fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(bytes.split_off(..4)?.try_into().ok()?) as usize;
    bytes.split_off(..length)
}

/// Puts the pieces of a group together again.
pub fn resource_spans(resource: &[u8], scopes: Vec<ScopeSpans>) -> ResourceSpans {
    // Both were encoded by us; damage is caught by the checksums of log and segment.
    let mut message = ResourceSpans::decode(resource).unwrap_or_default();
    message.scope_spans = scopes;
    message
}
