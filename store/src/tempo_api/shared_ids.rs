//! Zipkin's way of one id for the client's and the server's span of a call, told apart for whoever draws the tree.
//!
//! As in Tempo: the server's span gets an id that nobody has, the client's span becomes its parent, and what named the shared id as
//! its parent hangs below the server. Only answers by id are changed; what is stored, searched and found stays as it was sent.
use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

/// Gives the spans of one trace ids of their own.
pub fn separate(trace: &mut [ResourceSpans]) {
    let of_kind = |trace: &[ResourceSpans], kind: SpanKind| -> HashSet<Vec<u8>> {
        spans(trace).filter(|span| span.kind == kind as i32).map(|span| span.span_id.clone()).collect()
    };
    let clients = of_kind(trace, SpanKind::Client);
    if of_kind(trace, SpanKind::Server).is_disjoint(&clients) {
        return;
    }
    let taken: HashSet<Vec<u8>> = spans(trace).map(|span| span.span_id.clone()).collect();
    let mut free = (1_u64..).map(|number| number.to_be_bytes().to_vec()).filter(|id| !taken.contains(id));
    let mut replaced: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    for span in spans_mut(trace).filter(|span| span.kind == SpanKind::Server as i32) {
        if clients.contains(&span.span_id)
            && let Some(id) = free.next()
        {
            span.parent_span_id = std::mem::replace(&mut span.span_id, id.clone());
            replaced.insert(span.parent_span_id.clone(), id);
        }
    }
    for span in spans_mut(trace) {
        if let Some(server) = replaced.get(&span.parent_span_id).filter(|server| **server != span.span_id) {
            span.parent_span_id.clone_from(server);
        }
    }
}

fn spans(trace: &[ResourceSpans]) -> impl Iterator<Item = &Span> {
    trace.iter().flat_map(|group| &group.scope_spans).flat_map(|scoped| &scoped.spans)
}

fn spans_mut(trace: &mut [ResourceSpans]) -> impl Iterator<Item = &mut Span> {
    trace.iter_mut().flat_map(|group| &mut group.scope_spans).flat_map(|scoped| &mut scoped.spans)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::ScopeSpans;

    use super::*;

    fn trace(list: &[(u64, u64, SpanKind)]) -> Vec<ResourceSpans> {
        let spans = list.iter().map(|(id, parent, kind)| Span {
            span_id: id.to_be_bytes().to_vec(),
            parent_span_id: if *parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
            kind: *kind as i32,
            ..Span::default()
        });
        let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
        vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }]
    }

    fn ids(trace: &[ResourceSpans]) -> Vec<(u64, u64)> {
        let number = |id: &[u8]| id.try_into().map_or(0, u64::from_be_bytes);
        spans(trace).map(|span| (number(&span.span_id), number(&span.parent_span_id))).collect()
    }

    #[test]
    fn a_server_that_shares_its_clients_id_becomes_its_child_and_keeps_its_own_children() {
        // root 1 -> client 7 = server 7 -> leaf 9
        let mut shared = trace(&[
            (1, 0, SpanKind::Server),
            (7, 1, SpanKind::Client),
            (7, 1, SpanKind::Server),
            (9, 7, SpanKind::Internal),
        ]);
        separate(&mut shared);
        assert_eq!(ids(&shared), [(1, 0), (7, 1), (2, 7), (9, 2)]);
    }

    #[test]
    fn other_spans_that_share_an_id_stay_as_they_are() {
        let list = [(1, 0, SpanKind::Server), (1, 0, SpanKind::Server), (2, 1, SpanKind::Client)];
        let mut doubled = trace(&list);
        separate(&mut doubled);
        assert_eq!(ids(&doubled), [(1, 0), (1, 0), (2, 1)]);
    }
}
