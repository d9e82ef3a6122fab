//! What a trace looks like to the evaluator. Made from OTLP by `traces::decode`; knows no wire format.
use std::collections::HashMap;
use std::sync::Arc;

use super::ast::{Attribute, Intrinsic, Scope};
use super::value::{Kind, Status, Value};

/// Attributes in the order in which they were sent.
pub type Attributes = Vec<(String, Value)>;

#[derive(Debug, Clone, Default)]
pub struct Resource {
    pub attributes: Attributes,
    /// `service.name`, empty when there is none: every resource has one for a query.
    pub service_name: String,
}

#[derive(Debug, Clone, Default)]
pub struct Instrumentation {
    pub name: String,
    pub version: String,
    pub attributes: Attributes,
}

#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    /// Nanoseconds after the span's start; negative for a clock that went back.
    pub time_since_start: i64,
    pub attributes: Attributes,
}

#[derive(Debug, Clone)]
pub struct Link {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub attributes: Attributes,
}

#[derive(Debug, Clone)]
pub struct Span {
    pub id: [u8; 8],
    /// All zero for a root.
    pub parent_id: [u8; 8],
    pub name: String,
    pub kind: Kind,
    pub status: Status,
    pub status_message: String,
    pub start_ns: u64,
    pub duration_ns: u64,
    pub attributes: Attributes,
    pub events: Vec<Event>,
    pub links: Vec<Link>,
    pub resource: Arc<Resource>,
    pub instrumentation: Arc<Instrumentation>,
}

impl Span {
    /// Whether it names no parent.
    pub fn is_root(&self) -> bool {
        self.parent_id == [0; 8]
    }
}

/// Place of a span in the tree, numbered depth first from 1. A span whose parents do not reach a root has zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NestedSet {
    pub left: i32,
    pub right: i32,
    /// The parent's `left`; -1 for a root.
    pub parent: i32,
}

/// The spans of one trace that are stored together.
#[derive(Debug, Clone)]
pub struct Trace {
    pub id: [u8; 16],
    pub spans: Vec<Span>,
    pub start_ns: u64,
    pub end_ns: u64,
    /// Index of the earliest span without a parent.
    pub root: Option<usize>,
    nested: Vec<NestedSet>,
    by_id: HashMap<[u8; 8], usize>,
}

impl Trace {
    /// Keeps the order of the spans and numbers the tree.
    pub fn new(id: [u8; 16], spans: Vec<Span>) -> Self {
        let start_ns = spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
        let end_ns = spans.iter().map(|span| span.start_ns.saturating_add(span.duration_ns)).max().unwrap_or(0);
        let roots = (0..spans.len()).filter(|&index| spans[index].is_root());
        let root = roots.min_by_key(|&index| spans[index].start_ns);
        let mut by_id: HashMap<[u8; 8], usize> = HashMap::with_capacity(spans.len());
        for (index, span) in spans.iter().enumerate() {
            // Zipkin's way of one id for client and server: the server is the parent of what follows.
            by_id
                .entry(span.id)
                .and_modify(|known| {
                    if span.kind == Kind::Server {
                        *known = index;
                    }
                })
                .or_insert(index);
        }
        let nested = number_tree(&spans, &by_id);
        Self { id, spans, start_ns, end_ns, root, nested, by_id }
    }

    /// Longest of the trace: from the first start to the last end.
    pub fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    pub fn nested_set(&self, span: usize) -> NestedSet {
        self.nested[span]
    }

    /// Index of a span's parent, if it is here.
    pub fn parent_of(&self, span: usize) -> Option<usize> {
        let parent = *self.by_id.get(&self.spans[span].parent_id)?;
        (parent != span && !self.spans[span].is_root()).then_some(parent)
    }

    /// The values that an attribute has on a span: none, one, or several (arrays, events, links).
    pub fn values(&self, span: usize, attribute: &Attribute, visit: &mut dyn FnMut(&Value)) {
        match attribute {
            Attribute::Intrinsic(intrinsic) => self.intrinsic(span, *intrinsic, visit),
            Attribute::Named { scope, name, .. } => self.named(span, *scope, name, visit),
        }
    }

    fn named(&self, index: usize, scope: Scope, name: &str, visit: &mut dyn FnMut(&Value)) {
        let span = &self.spans[index];
        match scope {
            Scope::Span => find(&span.attributes, name, visit),
            Scope::Resource if name == "service.name" => visit(&Value::Str(span.resource.service_name.clone())),
            Scope::Resource => find(&span.resource.attributes, name, visit),
            Scope::Instrumentation => find(&span.instrumentation.attributes, name, visit),
            Scope::Event => span.events.iter().for_each(|event| find(&event.attributes, name, visit)),
            Scope::Link => span.links.iter().for_each(|link| find(&link.attributes, name, visit)),
            Scope::Any => {
                let mut found = false;
                find(&span.attributes, name, &mut |value| {
                    found = true;
                    visit(value);
                });
                if !found {
                    self.named(index, Scope::Resource, name, visit);
                }
            }
        }
    }

    fn intrinsic(&self, index: usize, intrinsic: Intrinsic, visit: &mut dyn FnMut(&Value)) {
        let span = &self.spans[index];
        let value = match intrinsic {
            Intrinsic::Duration => Value::Duration(clamp(span.duration_ns)),
            Intrinsic::Name => Value::Str(span.name.clone()),
            Intrinsic::Status => Value::Status(span.status),
            Intrinsic::StatusMessage => Value::Str(span.status_message.clone()),
            Intrinsic::Kind => Value::Kind(span.kind),
            // The blocks that Tempo writes do not hold it.
            Intrinsic::ChildCount => return,
            Intrinsic::Parent => Value::Nil,
            Intrinsic::SpanId => Value::Str(hex::encode(span.id)),
            Intrinsic::ParentId if span.is_root() => Value::Str(String::new()),
            Intrinsic::ParentId => Value::Str(hex::encode(span.parent_id)),
            Intrinsic::TraceId => Value::Str(short_hex(&self.id)),
            Intrinsic::TraceDuration => Value::Duration(clamp(self.duration_ns())),
            // Empty when the root is not here, as Tempo stores it.
            Intrinsic::RootName => Value::Str(self.root.map_or_else(String::new, |root| self.spans[root].name.clone())),
            Intrinsic::RootServiceName => {
                Value::Str(self.root.map_or_else(String::new, |root| self.spans[root].resource.service_name.clone()))
            }
            Intrinsic::NestedSetLeft => Value::Int(self.nested[index].left.into()),
            Intrinsic::NestedSetRight => Value::Int(self.nested[index].right.into()),
            Intrinsic::NestedSetParent => Value::Int(self.nested[index].parent.into()),
            Intrinsic::InstrumentationName => Value::Str(span.instrumentation.name.clone()),
            Intrinsic::InstrumentationVersion => Value::Str(span.instrumentation.version.clone()),
            Intrinsic::EventName => {
                span.events.iter().for_each(|event| visit(&Value::Str(event.name.clone())));
                return;
            }
            Intrinsic::EventTimeSinceStart => {
                span.events.iter().for_each(|event| visit(&Value::Duration(event.time_since_start)));
                return;
            }
            Intrinsic::LinkTraceId => {
                span.links.iter().for_each(|link| visit(&Value::Str(hex::encode(link.trace_id))));
                return;
            }
            Intrinsic::LinkSpanId => {
                span.links.iter().for_each(|link| visit(&Value::Str(hex::encode(link.span_id))));
                return;
            }
        };
        visit(&value);
    }
}

fn clamp(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

fn find(attributes: &Attributes, name: &str, visit: &mut dyn FnMut(&Value)) {
    if let Some((_, value)) = attributes.iter().find(|(key, _)| key == name) {
        visit(value);
    }
}

/// A trace id as Tempo's search shows it: hex without leading zeros.
pub fn short_hex(id: &[u8; 16]) -> String {
    let text = hex::encode(id);
    let stripped = text.trim_start_matches('0');
    if stripped.is_empty() { "0".to_owned() } else { stripped.to_owned() }
}

/// Numbers the spans depth first. Iterative: a trace may be one long chain.
fn number_tree(spans: &[Span], by_id: &HashMap<[u8; 8], usize>) -> Vec<NestedSet> {
    let mut nested = vec![NestedSet::default(); spans.len()];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    for (index, span) in spans.iter().enumerate() {
        match by_id.get(&span.parent_id) {
            Some(&parent) if parent != index && !span.is_root() => children[parent].push(index),
            _ => {}
        }
    }
    let mut next = 1;
    for root in (0..spans.len()).filter(|&index| spans[index].is_root()) {
        nested[root] = NestedSet { left: next, right: 0, parent: -1 };
        next += 1;
        let mut stack = vec![(root, 0)];
        while let Some((span, child)) = stack.pop() {
            match children[span].get(child) {
                Some(&below) => {
                    stack.push((span, child + 1));
                    if nested[below].left == 0 {
                        nested[below] = NestedSet { left: next, right: 0, parent: nested[span].left };
                        next += 1;
                        stack.push((below, 0));
                    }
                }
                None => {
                    nested[span].right = next;
                    next += 1;
                }
            }
        }
    }
    nested
}
