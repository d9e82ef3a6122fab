//! The service graph: who calls whom, paired from the two ends of each call.
//!
//! A client (or producer) span waits under its own id, a server (or consumer) span under its parent's id; when both
//! are there, the edge is counted. What stays alone for [`EdgeOptions::wait`] becomes an edge to a virtual node when
//! the span says enough (a root server was called by `user`, a client may name its peer), else it is unpaired.
//! A client span of a database is complete by itself. A consumer that only *links* to its producer is not paired.
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::registry::{Histogram, seconds};
use crate::otlp::wire::AttributeValue;
use crate::traces::decode;
use crate::traces::wire::SpanView;

#[derive(Debug, Clone, Copy)]
pub struct EdgeOptions {
    /// How long the first half of an edge waits for the second.
    pub wait: Duration,
    /// Halves that may wait at a time; spans past it are dropped and counted.
    pub max_waiting: usize,
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self { wait: Duration::from_secs(10), max_waiting: 50_000 }
    }
}

/// The label `connection_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Connection {
    /// Both ends were seen; no label.
    Direct,
    Messaging,
    Database,
    Virtual,
}

/// Labels of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EdgeKey {
    pub client: String,
    pub server: String,
    pub connection: Connection,
}

#[derive(Debug)]
pub struct EdgeSeries {
    pub requests: u64,
    pub failed: u64,
    pub client_seconds: Histogram,
    pub server_seconds: Histogram,
}

impl Default for EdgeSeries {
    fn default() -> Self {
        let histogram = Histogram::new(0.1, 8);
        Self { requests: 0, failed: 0, client_seconds: histogram.clone(), server_seconds: histogram }
    }
}

type Key = ([u8; 16], [u8; 8]);

#[derive(Debug, Default)]
pub struct Edges {
    options: EdgeOptions,
    waiting: FxHashMap<Key, Half>,
    /// In the order in which they began to wait. A key that was paired meanwhile is skipped.
    queue: VecDeque<(Instant, Key)>,
    pub series: HashMap<EdgeKey, EdgeSeries>,
    /// Spans whose other end did not come, by the service that was seen.
    pub unpaired: HashMap<String, u64>,
    /// Spans that could not wait, by service.
    pub dropped: HashMap<String, u64>,
}

/// What is known of an edge.
#[derive(Debug, Default)]
struct Half {
    client: Option<(String, f64)>,
    server: Option<(String, f64)>,
    messaging: bool,
    failed: bool,
    /// The server span has no parent.
    root: bool,
    /// Whom the client says it called.
    peer: Option<String>,
}

impl Edges {
    pub fn new(options: EdgeOptions) -> Self {
        Self { options, ..Self::default() }
    }

    pub fn observe(&mut self, service: &str, span: &SpanView<'_>, now: Instant) {
        if !(2..=5).contains(&span.kind) {
            return;
        }
        let trace = decode::id(span.trace_id);
        let failed = span.status == 2;
        let took = (service.to_owned(), seconds(span));
        match span.kind {
            3 | 4 => {
                if let Some(database) = text(span, &["db.namespace", "db.name", "db.system", "db.system.name"])
                    && span.kind == 3
                {
                    let half = Half {
                        server: Some((database.to_owned(), took.1)),
                        client: Some(took),
                        failed,
                        ..Half::default()
                    };
                    self.count(half, Connection::Database);
                    return;
                }
                let peer = text(span, &["peer.service"]).map(str::to_owned);
                self.join((trace, decode::id(span.span_id)), service, now, |half| {
                    half.client = Some(took);
                    half.peer = peer;
                    half.messaging |= span.kind == 4;
                    half.failed |= failed;
                });
            }
            2 | 5 => {
                let parent = decode::id(span.parent_span_id);
                self.join((trace, parent), service, now, |half| {
                    half.server = Some(took);
                    half.root |= parent == [0; 8];
                    half.messaging |= span.kind == 5;
                    half.failed |= failed;
                });
            }
            _ => {}
        }
    }

    fn join(&mut self, key: Key, service: &str, now: Instant, fill: impl FnOnce(&mut Half)) {
        if let Some(half) = self.waiting.get_mut(&key) {
            fill(half);
            if half.client.is_some()
                && half.server.is_some()
                && let Some(half) = self.waiting.remove(&key)
            {
                let connection = if half.messaging { Connection::Messaging } else { Connection::Direct };
                self.count(half, connection);
            }
            return;
        }
        if self.waiting.len() >= self.options.max_waiting {
            *self.dropped.entry(service.to_owned()).or_default() += 1;
            return;
        }
        let mut half = Half::default();
        fill(&mut half);
        self.waiting.insert(key, half);
        self.queue.push_back((now, key));
    }

    /// Gives up on halves that waited long enough.
    pub fn expire(&mut self, now: Instant) {
        while let Some((since, key)) = self.queue.front().copied() {
            if now.duration_since(since) < self.options.wait {
                return;
            }
            self.queue.pop_front();
            let Some(mut half) = self.waiting.remove(&key) else { continue };
            match (&half.client, &half.server, &half.peer) {
                (None, Some(_), _) if half.root => {
                    half.client = Some(("user".to_owned(), 0.0));
                    self.count(half, Connection::Virtual);
                }
                (Some((_, seconds)), None, Some(peer)) => {
                    half.server = Some((peer.clone(), *seconds));
                    self.count(half, Connection::Virtual);
                }
                (Some((service, _)), ..) | (None, Some((service, _)), _) => {
                    *self.unpaired.entry(service.clone()).or_default() += 1;
                }
                (None, None, _) => {}
            }
        }
    }

    fn count(&mut self, half: Half, connection: Connection) {
        let (Some((client, client_s)), Some((server, server_s))) = (half.client, half.server) else { return };
        let series = self.series.entry(EdgeKey { client, server, connection }).or_default();
        series.requests += 1;
        series.failed += u64::from(half.failed);
        series.client_seconds.observe(client_s);
        series.server_seconds.observe(server_s);
    }
}

/// The first of the attributes that the span has as a text.
fn text<'a>(span: &SpanView<'a>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| match span.attributes.iter().find(|attribute| attribute.key == *key)?.value {
        AttributeValue::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    })
}
