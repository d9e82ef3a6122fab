//! Pairing, and what is printed.
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use prost::Message as _;

use super::edges::{Connection, EdgeKey, EdgeOptions, Edges};
use crate::traces::wire;

const CLIENT: i32 = 3;
const SERVER: i32 = 2;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

fn span(kind: i32, id: u8, parent: u8) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        kind,
        end_time_unix_nano: 250_000_000,
        ..Span::default()
    }
}

fn with(mut span: Span, key: &str, value: &str) -> Span {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    span.attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
    span
}

fn observe(edges: &mut Edges, service: &str, span: &Span, now: Instant) {
    let bytes = span.encode_to_vec();
    edges.observe(service, &wire::span(&bytes).expect("our own encoding"), now);
}

fn requests(edges: &Edges, client: &str, server: &str, connection: Connection) -> Option<(u64, u64)> {
    let key = EdgeKey { client: client.to_owned(), server: server.to_owned(), connection };
    edges.series.get(&key).map(|series| (series.requests, series.failed))
}

#[test]
fn client_and_server_pair_in_either_order() {
    let mut edges = Edges::new(EdgeOptions::default());
    let now = Instant::now();
    observe(&mut edges, "web", &span(CLIENT, 1, 9), now);
    observe(&mut edges, "api", &span(SERVER, 2, 1), now);
    let failed = Span { status: Some(Status { code: 2, ..Status::default() }), ..span(SERVER, 4, 3) };
    observe(&mut edges, "api", &failed, now);
    observe(&mut edges, "web", &span(CLIENT, 3, 9), now);
    assert_eq!(requests(&edges, "web", "api", Connection::Direct), Some((2, 1)));
}

#[test]
fn producer_and_consumer_pair_by_parent_and_not_by_link() {
    let mut edges = Edges::new(EdgeOptions::default());
    let now = Instant::now();
    observe(&mut edges, "web", &span(PRODUCER, 1, 9), now);
    observe(&mut edges, "worker", &span(CONSUMER, 2, 1), now);
    observe(&mut edges, "web", &span(PRODUCER, 3, 9), now);
    observe(&mut edges, "worker", &span(CONSUMER, 4, 0), now);
    edges.expire(now + Duration::from_secs(11));
    assert_eq!(requests(&edges, "web", "worker", Connection::Messaging), Some((1, 0)));
    assert_eq!(requests(&edges, "user", "worker", Connection::Virtual), Some((1, 0)));
    assert_eq!(edges.unpaired.get("web"), Some(&1));
}

#[test]
fn a_database_call_is_an_edge_by_itself() {
    let mut edges = Edges::new(EdgeOptions::default());
    observe(&mut edges, "api", &with(span(CLIENT, 1, 9), "db.system.name", "postgresql"), Instant::now());
    assert_eq!(requests(&edges, "api", "postgresql", Connection::Database), Some((1, 0)));
}

#[test]
fn what_stays_alone_becomes_a_virtual_edge_or_is_unpaired() {
    let mut edges = Edges::new(EdgeOptions::default());
    let now = Instant::now();
    observe(&mut edges, "web", &span(SERVER, 1, 0), now);
    observe(&mut edges, "web", &with(span(CLIENT, 2, 1), "peer.service", "mail"), now);
    observe(&mut edges, "web", &span(SERVER, 3, 77), now);
    edges.expire(now + Duration::from_secs(9));
    assert!(edges.series.is_empty());
    edges.expire(now + Duration::from_secs(10));
    assert_eq!(requests(&edges, "user", "web", Connection::Virtual), Some((1, 0)));
    assert_eq!(requests(&edges, "web", "mail", Connection::Virtual), Some((1, 0)));
    assert_eq!(edges.unpaired.get("web"), Some(&1));
}

#[test]
fn spans_that_cannot_wait_are_counted_as_dropped() {
    let mut edges = Edges::new(EdgeOptions { max_waiting: 1, ..EdgeOptions::default() });
    let now = Instant::now();
    observe(&mut edges, "web", &span(CLIENT, 1, 9), now);
    observe(&mut edges, "web", &span(CLIENT, 2, 9), now);
    assert_eq!(edges.dropped.get("web"), Some(&1));
}
