//! What a write-ahead log record holds: one export request, each span encoded once.
//!
//! The same bytes of a span go into the log, into the head and into a segment, so they are made once, at ingest.
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// Spans that share resource and instrumentation scope.
pub struct Group {
    /// An encoded [`ResourceSpans`] without its scopes.
    pub resource: Vec<u8>,
    /// An encoded [`ScopeSpans`] without its spans.
    pub scope: Vec<u8>,
    /// Each span with its encoded form.
    pub spans: Vec<(Span, Vec<u8>)>,
}

/// Takes a request apart, encoding each piece once.
pub fn groups(request: Vec<ResourceSpans>) -> Vec<Group> {
    let mut groups = Vec::new();
    for mut resource_spans in request {
        let scopes = std::mem::take(&mut resource_spans.scope_spans);
        let resource = resource_spans.encode_to_vec();
        for mut scope_spans in scopes {
            let spans = std::mem::take(&mut scope_spans.spans);
            if spans.is_empty() {
                continue;
            }
            groups.push(Group {
                resource: resource.clone(),
                scope: scope_spans.encode_to_vec(),
                spans: spans.into_iter().map(|span| (span.encode_to_vec(), span)).map(|(b, s)| (s, b)).collect(),
            });
        }
    }
    groups
}

/// The record: per group resource, scope, number of spans, spans; each piece behind its length (u32, little endian).
pub fn encode(groups: &[Group]) -> Vec<u8> {
    let size = |bytes: &[u8]| bytes.len() + 4;
    let total: usize = groups
        .iter()
        .map(|group| {
            let spans: usize = group.spans.iter().map(|(_, bytes)| size(bytes)).sum();
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
        for (_, bytes) in &group.spans {
            put(&mut record, bytes);
        }
    }
    record
}

/// Reads a record back; `None` when it is not one of ours.
pub fn decode(mut record: &[u8]) -> Option<Vec<Group>> {
    let mut groups = Vec::new();
    while !record.is_empty() {
        let resource = take(&mut record)?.to_vec();
        let scope = take(&mut record)?.to_vec();
        let count = u32::from_le_bytes(record.split_off(..4)?.try_into().ok()?);
        let mut spans = Vec::with_capacity(count.min(4096) as usize);
        for _ in 0..count {
            let bytes = take(&mut record)?;
            spans.push((Span::decode(bytes).ok()?, bytes.to_vec()));
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
