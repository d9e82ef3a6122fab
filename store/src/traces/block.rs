//! What search, tags and metrics need to know of a set of stored spans, be it the head or a segment on disk.
use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan};
use prost::Message;

use super::TraceError;
use super::bitset::Bitset;
use super::cache::Cache;
use super::column::{Cell, Domain, Space, Tag};
use super::{decode, record};
use crate::traceql::Value;
use crate::traceql::ast::{Attribute, Op};
use crate::traceql::eval::{self, Patterns};
use crate::traceql::model::Trace;

/// A trace's row in the table of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceEntry {
    pub id: [u8; 16],
    pub start_ns: u64,
    pub end_ns: u64,
}

/// A span as it is stored.
#[derive(Debug, Clone)]
pub struct StoredSpan {
    pub resource: u32,
    pub scope: u32,
    /// An encoded OTLP span.
    pub bytes: Vec<u8>,
}

/// `attribute op literal`, to be tested on cells.
pub struct CellTest<'a> {
    pub op: Op,
    pub literal: &'a Value,
    pub attribute: &'a Attribute,
    pub patterns: &'a Patterns,
}

impl CellTest<'_> {
    /// Whether a string, in the role of a cell, fulfils the test.
    pub fn on_text(&self, text: &str) -> bool {
        eval::fulfils(self.op, &Value::Str(text.to_owned()), self.literal, self.attribute, self.patterns)
    }
}

/// Which strings of a dictionary fulfil a test.
pub enum StringMatch {
    Nothing,
    One(u64),
    Set(Bitset),
}

/// A set of stored spans with an index. Rows are spans, numbered from 0; traces are numbered apart.
pub trait Block {
    /// Number of rows of a domain.
    fn len(&self, domain: Domain) -> usize;
    fn trace_count(&self) -> usize;
    /// First start and last end of all spans.
    fn bounds(&self) -> (u64, u64);
    /// The rows of the column's domain of which one cell fulfils the test; `None` when there is no such column.
    fn scan(&self, space: Space, key: &str, test: &CellTest<'_>) -> Result<Option<Bitset>, TraceError>;
    /// Calls `visit` for each cell of a column; false when there is no such column.
    fn cells(&self, space: Space, key: &str, visit: &mut dyn FnMut(u32, Cell<'_>)) -> Result<bool, TraceError>;
    /// The numbers of an intrinsic column in the order of the rows, where every row has exactly one. `None` where the
    /// block does not know that without looking at each cell.
    fn dense_numbers(&self, _key: &str) -> Result<Option<Vec<u64>>, TraceError> {
        Ok(None)
    }
    /// For a block that never changes: where to keep what was computed from it, and under which number.
    fn cache(&self) -> Option<(&Cache, u64)> {
        None
    }
    /// The keys of a space.
    fn keys(&self, space: Space) -> Vec<String>;
    /// The table of traces.
    fn entries(&self) -> Result<Arc<Vec<TraceEntry>>, TraceError>;
    /// The trace of each row.
    fn trace_of_rows(&self) -> Result<Arc<Vec<u32>>, TraceError>;
    /// The row of each trace's root; `u32::MAX` for none.
    fn roots(&self) -> Result<Arc<Vec<u32>>, TraceError>;
    fn find(&self, id: &[u8; 16]) -> Result<Option<u32>, TraceError>;
    fn spans(&self, trace: u32) -> Result<Vec<StoredSpan>, TraceError>;
    /// An encoded `ResourceSpans` without scopes.
    fn resource(&self, number: u32) -> Result<Arc<Vec<u8>>, TraceError>;
    /// An encoded `ScopeSpans` without spans.
    fn scope(&self, number: u32) -> Result<Arc<Vec<u8>>, TraceError>;
}

/// Adds to `out` the rows whose cell fulfils the test.
pub fn scan_cells(
    cells: impl Iterator<Item = (u32, Tag, u64)>,
    test: &CellTest<'_>,
    strings: &StringMatch,
    out: &mut Bitset,
) {
    match (test.literal, test.op) {
        (Value::Str(_), _) => match strings {
            StringMatch::Nothing => {}
            StringMatch::One(number) => cells
                .filter(|(_, tag, bits)| *tag == Tag::Str && bits == number)
                .for_each(|(row, ..)| out.insert(row as usize)),
            StringMatch::Set(set) => cells
                .filter(|(_, tag, bits)| *tag == Tag::Str && set.contains(*bits as usize))
                .for_each(|(row, ..)| out.insert(row as usize)),
        },
        (Value::Int(literal) | Value::Duration(literal), op) => {
            let literal = *literal;
            let test: fn(i64, i64) -> bool = match op {
                Op::Eq => |a, b| a == b,
                Op::Neq => |a, b| a != b,
                Op::Lt => |a, b| a < b,
                Op::Lte => |a, b| a <= b,
                Op::Gt => |a, b| a > b,
                Op::Gte => |a, b| a >= b,
                _ => |_, _| false,
            };
            cells
                .filter(|(_, tag, bits)| *tag == Tag::Int && test(*bits as i64, literal))
                .for_each(|(row, ..)| out.insert(row as usize));
        }
        _ => cells
            .filter(|(_, tag, bits)| cell_fulfils(*tag, *bits, test))
            .for_each(|(row, ..)| out.insert(row as usize)),
    }
}

fn cell_fulfils(tag: Tag, bits: u64, test: &CellTest<'_>) -> bool {
    let value = match tag {
        Tag::Int => Value::Int(bits as i64),
        Tag::Float => Value::Float(f64::from_bits(bits)),
        Tag::Bool => Value::Bool(bits != 0),
        Tag::Str | Tag::Opaque => return false,
    };
    eval::fulfils(test.op, &value, test.literal, test.attribute, test.patterns)
}

/// Reads a trace of a block for the evaluator.
pub fn load_trace(block: &dyn Block, number: u32, id: [u8; 16]) -> Result<Trace, TraceError> {
    let mut resources = std::collections::HashMap::new();
    let mut scopes = std::collections::HashMap::new();
    let mut spans = Vec::new();
    for stored in block.spans(number)? {
        let resource = match resources.get(&stored.resource) {
            Some(known) => Arc::clone(known),
            None => {
                let wire = ResourceSpans::decode(&block.resource(stored.resource)?[..]).unwrap_or_default();
                let resource = Arc::new(decode::resource(&wire));
                resources.insert(stored.resource, Arc::clone(&resource));
                resource
            }
        };
        let scope = match scopes.get(&stored.scope) {
            Some(known) => Arc::clone(known),
            None => {
                let wire = ScopeSpans::decode(&block.scope(stored.scope)?[..]).unwrap_or_default();
                let scope = Arc::new(decode::instrumentation(&wire));
                scopes.insert(stored.scope, Arc::clone(&scope));
                scope
            }
        };
        let wire = WireSpan::decode(&stored.bytes[..]).map_err(|_| TraceError::Damaged("a span"))?;
        spans.push(decode::span(wire, resource, scope));
    }
    Ok(Trace::new(id, spans))
}

/// Reads a trace of a block as OTLP, one `ResourceSpans` per resource and one `ScopeSpans` per scope in it.
pub fn load_wire(block: &dyn Block, number: u32) -> Result<Vec<ResourceSpans>, TraceError> {
    let mut groups: Numbered<Numbered<Vec<WireSpan>>> = Vec::new();
    for stored in block.spans(number)? {
        let span = WireSpan::decode(&stored.bytes[..]).map_err(|_| TraceError::Damaged("a span"))?;
        let scopes = place(&mut groups, stored.resource);
        place(scopes, stored.scope).push(span);
    }
    let mut wire = Vec::with_capacity(groups.len());
    for (resource, scopes) in groups {
        let mut scope_spans = Vec::with_capacity(scopes.len());
        for (scope, spans) in scopes {
            let mut message = ScopeSpans::decode(&block.scope(scope)?[..]).unwrap_or_default();
            message.spans = spans;
            scope_spans.push(message);
        }
        wire.push(record::resource_spans(&block.resource(resource)?, scope_spans));
    }
    Ok(wire)
}

/// Few enough to be searched one by one.
type Numbered<T> = Vec<(u32, T)>;

fn place<T: Default>(list: &mut Numbered<T>, number: u32) -> &mut T {
    let at = list.iter().position(|(known, _)| *known == number).unwrap_or_else(|| {
        list.push((number, T::default()));
        list.len() - 1
    });
    &mut list[at].1
}
