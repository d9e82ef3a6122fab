//! The newest spans, in memory and indexed, until they are written to a segment.
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use rustc_hash::{FxHashMap, FxHashSet};

use super::TraceError;
use super::bitset::Bitset;
use super::block::{Block, CellTest, StoredSpan, StringMatch, TraceEntry, scan_cells};
use super::column::{Cell, ColumnBuilder, Domain, Space, Tag, intrinsic};
use super::decode;
use super::record::Group;
use super::wire::SpanView;
use crate::otlp::wire::Attribute;
use crate::traceql::Value;
use crate::traceql::ast::Op;

/// Columns of a space by key.
pub type Columns = FxHashMap<Box<str>, ColumnBuilder>;

#[derive(Debug, Default)]
pub struct Head {
    pub traces: Vec<HeadTrace>,
    by_id: FxHashMap<[u8; 16], u32>,
    /// Trace, id and kind of every span.
    seen: FxHashSet<SpanKey>,
    /// Per row: trace, resource, scope, and where its bytes are.
    pub rows: Vec<Row>,
    pub blob: Vec<u8>,
    pub resources: Interned,
    pub scopes: Interned,
    /// By number of the space.
    pub columns: [Columns; Space::ALL.len()],
    start_ns: u64,
    end_ns: u64,
    column_bytes: usize,
}

type SpanKey = ([u8; 16], [u8; 8], i32);

#[derive(Debug)]
pub struct HeadTrace {
    pub id: [u8; 16],
    pub rows: Vec<u32>,
    pub start_ns: u64,
    pub end_ns: u64,
    /// Start and row of the earliest span without a parent.
    pub root: Option<(u64, u32)>,
}

#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub trace: u32,
    pub resource: u32,
    pub scope: u32,
    pub offset: usize,
    pub len: usize,
}

/// Distinct byte strings, numbered.
#[derive(Debug, Default)]
pub struct Interned {
    numbers: FxHashMap<Arc<Vec<u8>>, u32>,
    pub items: Vec<Arc<Vec<u8>>>,
}

impl Interned {
    /// The number of `bytes`, and whether they are new.
    fn number(&mut self, bytes: &[u8]) -> (u32, bool) {
        // The map's key is the vector itself, so the lookup needs one; requests share few resources, so this is rare.
        let item = Arc::new(bytes.to_vec());
        if let Some(number) = self.numbers.get(&item) {
            return (*number, false);
        }
        let number = self.items.len() as u32;
        self.numbers.insert(Arc::clone(&item), number);
        self.items.push(item);
        (number, true)
    }
}

impl Head {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rough number of bytes in memory.
    pub fn bytes(&self) -> usize {
        self.blob.len()
            + self.rows.len() * (size_of::<Row>() + size_of::<SpanKey>())
            + self.column_bytes
            + self.traces.len() * 120
    }

    /// Adds the spans of a request. One that came with an earlier request is left out: it is an exporter's retry. Equal
    /// spans of one request stay, as in Tempo.
    pub fn apply(&mut self, groups: &[Group<'_>]) {
        let mut fresh = Vec::new();
        for group in groups {
            let (resource, new) = self.resources.number(&group.resource);
            if new {
                self.index_resource(resource, &group.resource);
            }
            let (scope, new) = self.scopes.number(&group.scope);
            if new {
                self.index_scope(scope, &group.scope);
            }
            for span in &group.spans {
                let key = (decode::id(span.trace_id), decode::id(span.span_id), span.kind);
                if !self.seen.contains(&key) {
                    fresh.push(key);
                    self.apply_span(resource, scope, span);
                }
            }
        }
        self.seen.extend(fresh);
    }

    fn apply_span(&mut self, resource: u32, scope: u32, span: &SpanView<'_>) {
        let row = self.rows.len() as u32;
        let start_ns = span.start_ns;
        let end_ns = span.end_ns.max(start_ns);
        let id = decode::id(span.trace_id);
        let trace = *self.by_id.entry(id).or_insert_with(|| {
            self.traces.push(HeadTrace { id, rows: Vec::new(), start_ns, end_ns, root: None });
            self.traces.len() as u32 - 1
        });
        let entry = &mut self.traces[trace as usize];
        entry.rows.push(row);
        entry.start_ns = entry.start_ns.min(start_ns);
        entry.end_ns = entry.end_ns.max(end_ns);
        if decode::id::<8>(span.parent_span_id) == [0; 8] && entry.root.is_none_or(|(start, _)| start_ns < start) {
            entry.root = Some((start_ns, row));
        }
        if row == 0 {
            (self.start_ns, self.end_ns) = (start_ns, end_ns);
        }
        self.start_ns = self.start_ns.min(start_ns);
        self.end_ns = self.end_ns.max(end_ns);
        self.rows.push(Row { trace, resource, scope, offset: self.blob.len(), len: span.bytes.len() });
        self.blob.extend_from_slice(span.bytes);
        self.index_span(row, span);
    }

    fn index_span(&mut self, row: u32, span: &SpanView<'_>) {
        let duration = span.end_ns.saturating_sub(span.start_ns);
        for (key, cell) in [
            (intrinsic::NAME, Cell::Str(span.name)),
            (intrinsic::STATUS, Cell::Int(decode::status(span.status) as i64)),
            (intrinsic::STATUS_MESSAGE, Cell::Str(span.status_message)),
            (intrinsic::KIND, Cell::Int(decode::kind(span.kind) as i64)),
            (intrinsic::START, Cell::Int(span.start_ns as i64)),
            (intrinsic::DURATION, Cell::Int(duration as i64)),
        ] {
            self.push(Space::Intrinsic, key, row, cell);
        }
        self.push_attributes(Space::Span, row, &span.attributes);
        for event in &span.events {
            let after = event.time_ns.wrapping_sub(span.start_ns) as i64;
            self.push(Space::Intrinsic, intrinsic::EVENT_NAME, row, Cell::Str(event.name));
            self.push(Space::Intrinsic, intrinsic::EVENT_TIME, row, Cell::Int(after));
            self.push_attributes(Space::Event, row, &event.attributes);
        }
        for link in &span.links {
            let (trace, span) = (decode::id::<16>(link.trace_id), decode::id::<8>(link.span_id));
            self.push(Space::Intrinsic, intrinsic::LINK_TRACE, row, Cell::Str(&hex::encode(trace)));
            self.push(Space::Intrinsic, intrinsic::LINK_SPAN, row, Cell::Str(&hex::encode(span)));
            self.push_attributes(Space::Link, row, &link.attributes);
        }
    }

    fn index_resource(&mut self, number: u32, bytes: &[u8]) {
        let resource = ResourceSpans::decode(bytes).unwrap_or_default().resource.unwrap_or_default();
        self.push_pairs(Space::Resource, number, &resource.attributes);
        if decode::service_name(&resource.attributes).is_empty() {
            // A query may ask for the spans without a service.
            self.push(Space::Resource, "service.name", number, Cell::Str(""));
        }
    }

    fn index_scope(&mut self, number: u32, bytes: &[u8]) {
        let scope = ScopeSpans::decode(bytes).unwrap_or_default().scope.unwrap_or_default();
        self.push(Space::Instrumentation, SCOPE_NAME, number, Cell::Str(&scope.name));
        self.push(Space::Instrumentation, SCOPE_VERSION, number, Cell::Str(&scope.version));
        self.push_pairs(Space::Instrumentation, number, &scope.attributes);
    }

    fn push_pairs(&mut self, space: Space, row: u32, pairs: &[KeyValue]) {
        let attributes: Vec<Attribute<'_>> = pairs.iter().map(Attribute::from).collect();
        self.push_attributes(space, row, &attributes);
    }

    fn push_attributes(&mut self, space: Space, row: u32, attributes: &[Attribute<'_>]) {
        for attribute in attributes {
            let column = column_mut(&mut self.columns, space, attribute.key);
            let before = column.rows.len();
            column.push_wire(row, &attribute.value);
            self.column_bytes += (column.rows.len() - before) * 24;
        }
    }

    fn push(&mut self, space: Space, key: &str, row: u32, cell: Cell<'_>) {
        column_mut(&mut self.columns, space, key).push(row, cell);
        self.column_bytes += 16;
    }

    fn column(&self, space: Space, key: &str) -> Option<&ColumnBuilder> {
        self.columns[space as usize].get(key)
    }
}

/// Keys that no attribute can have in a query stand for the scope's own name and version.
pub const SCOPE_NAME: &str = "#name";
pub const SCOPE_VERSION: &str = "#version";

fn column_mut<'a>(columns: &'a mut [Columns; Space::ALL.len()], space: Space, key: &str) -> &'a mut ColumnBuilder {
    let columns = &mut columns[space as usize];
    if !columns.contains_key(key) {
        columns.insert(key.into(), ColumnBuilder::default());
    }
    columns.get_mut(key).expect("was inserted above")
}

impl Block for Head {
    fn len(&self, domain: Domain) -> usize {
        match domain {
            Domain::Span => self.rows.len(),
            Domain::Resource => self.resources.items.len(),
            Domain::Instrumentation => self.scopes.items.len(),
        }
    }

    fn trace_count(&self) -> usize {
        self.traces.len()
    }

    fn bounds(&self) -> (u64, u64) {
        (self.start_ns, self.end_ns)
    }

    fn scan(&self, space: Space, key: &str, test: &CellTest<'_>) -> Result<Option<Bitset>, TraceError> {
        let Some(column) = self.column(space, key) else { return Ok(None) };
        let strings = match (test.literal, test.op) {
            (Value::Str(text), Op::Eq) => {
                column.dictionary.find(text).map_or(StringMatch::Nothing, |number| StringMatch::One(number.into()))
            }
            (Value::Str(_), _) => {
                let mut set = Bitset::none(column.dictionary.strings.len());
                for (number, text) in column.dictionary.strings.iter().enumerate() {
                    if test.on_text(text) {
                        set.insert(number);
                    }
                }
                StringMatch::Set(set)
            }
            _ => StringMatch::Nothing,
        };
        let mut rows = Bitset::none(self.len(space.domain()));
        let cells =
            column.rows.iter().zip(&column.tags).zip(&column.bits).map(|((row, tag), bits)| (*row, *tag, *bits));
        scan_cells(cells, test, &strings, &mut rows);
        Ok(Some(rows))
    }

    fn cells(&self, space: Space, key: &str, visit: &mut dyn FnMut(u32, Cell<'_>)) -> Result<bool, TraceError> {
        if space == Space::Intrinsic && (key == intrinsic::RESOURCE || key == intrinsic::SCOPE) {
            for (number, row) in self.rows.iter().enumerate() {
                let value = if key == intrinsic::RESOURCE { row.resource } else { row.scope };
                visit(number as u32, Cell::Int(value.into()));
            }
            return Ok(true);
        }
        let Some(column) = self.column(space, key) else { return Ok(false) };
        for ((row, tag), bits) in column.rows.iter().zip(&column.tags).zip(&column.bits) {
            visit(
                *row,
                match tag {
                    Tag::Str => Cell::Str(&column.dictionary.strings[*bits as usize]),
                    Tag::Int => Cell::Int(*bits as i64),
                    Tag::Float => Cell::Float(f64::from_bits(*bits)),
                    Tag::Bool => Cell::Bool(*bits != 0),
                    Tag::Opaque => Cell::Opaque,
                },
            );
        }
        Ok(true)
    }

    fn keys(&self, space: Space) -> Vec<String> {
        self.columns[space as usize].keys().map(|key| key.to_string()).collect()
    }

    fn entries(&self) -> Result<Arc<Vec<TraceEntry>>, TraceError> {
        let entries =
            self.traces.iter().map(|trace| TraceEntry { id: trace.id, start_ns: trace.start_ns, end_ns: trace.end_ns });
        Ok(Arc::new(entries.collect()))
    }

    fn trace_of_rows(&self) -> Result<Arc<Vec<u32>>, TraceError> {
        Ok(Arc::new(self.rows.iter().map(|row| row.trace).collect()))
    }

    fn roots(&self) -> Result<Arc<Vec<u32>>, TraceError> {
        Ok(Arc::new(self.traces.iter().map(|trace| trace.root.map_or(u32::MAX, |(_, row)| row)).collect()))
    }

    fn find(&self, id: &[u8; 16]) -> Result<Option<u32>, TraceError> {
        Ok(self.by_id.get(id).copied())
    }

    fn spans(&self, trace: u32) -> Result<Vec<StoredSpan>, TraceError> {
        let trace = &self.traces[trace as usize];
        let spans = trace.rows.iter().map(|&row| {
            let row = self.rows[row as usize];
            let bytes = self.blob[row.offset..row.offset + row.len].to_vec();
            StoredSpan { resource: row.resource, scope: row.scope, bytes }
        });
        Ok(spans.collect())
    }

    fn resource(&self, number: u32) -> Result<Arc<Vec<u8>>, TraceError> {
        Ok(Arc::clone(&self.resources.items[number as usize]))
    }

    fn scope(&self, number: u32) -> Result<Arc<Vec<u8>>, TraceError> {
        Ok(Arc::clone(&self.scopes.items[number as usize]))
    }
}
