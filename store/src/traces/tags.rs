//! Which attributes there are, and which values they have.
use std::collections::BTreeSet;

use super::bitset::Bitset;
use super::block::{self, Block};
use super::column::{self, Cell, Domain, Space, intrinsic};
use super::head::{SCOPE_NAME, SCOPE_VERSION};
use super::{Reader, TraceError, prefilter};
use crate::traceql::ast::{Attribute, FieldExpr, Intrinsic, Op, Scope};
use crate::traceql::eval::{self, Patterns};
use crate::traceql::{Query, Value};

/// Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub start_ns: u64,
    pub end_ns: u64,
}

/// The kind of a tag value, as the API names it. Ordered, so that answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueKind {
    String,
    Int,
    Float,
    Bool,
}

impl ValueKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
        }
    }
}

/// Values of one answer together hold no more text than this; the rest is left out, as in Tempo.
const MAX_VALUE_BYTES: usize = 5 << 20;

pub type Values = BTreeSet<(ValueKind, String)>;

impl Reader {
    /// The names of the attributes of a scope on spans that fulfil all conditions.
    ///
    /// # Errors
    /// What reading a segment gives.
    pub fn tag_names(
        &self,
        space: Space,
        conditions: &[FieldExpr],
        window: Window,
    ) -> Result<BTreeSet<String>, TraceError> {
        let mut names = BTreeSet::new();
        let filter = Filter::new(conditions);
        self.for_each_block(&mut |block| {
            if !overlaps(block, window) {
                return Ok(());
            }
            let Some(filter) = &filter else {
                names.extend(block.keys(space).into_iter().filter(|key| !key.starts_with('#')));
                return Ok(());
            };
            let rows = filter.rows(block)?;
            if rows.is_empty() {
                return Ok(());
            }
            let rows = to_domain(block, rows, space.domain())?;
            for key in block.keys(space).into_iter().filter(|key| !key.starts_with('#')) {
                if names.contains(&key) {
                    continue;
                }
                let mut found = false;
                block.cells(space, &key, &mut |row, _| found |= rows.contains(row as usize))?;
                if found {
                    names.insert(key);
                }
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// The values of an attribute on spans that fulfil all conditions. Empty for those whose values say nothing (ids,
    /// durations).
    ///
    /// # Errors
    /// What reading a segment gives.
    pub fn tag_values(
        &self,
        attribute: &Attribute,
        conditions: &[FieldExpr],
        window: Window,
    ) -> Result<Values, TraceError> {
        let filter = Filter::new(conditions);
        let mut collected = Collected::default();
        self.for_each_block(&mut |block| {
            if !overlaps(block, window) {
                return Ok(());
            }
            let rows = filter.as_ref().map(|filter| filter.rows(block)).transpose()?;
            if rows.as_ref().is_some_and(Bitset::is_empty) {
                return Ok(());
            }
            for (space, key) in columns(attribute) {
                let domain_rows = rows.clone().map(|rows| to_domain(block, rows, space.domain())).transpose()?;
                block.cells(space, key, &mut |row, cell| {
                    if domain_rows.as_ref().is_none_or(|rows| rows.contains(row as usize)) {
                        collected.add(cell);
                    }
                })?;
            }
            if let Attribute::Intrinsic(root @ (Intrinsic::RootName | Intrinsic::RootServiceName)) = attribute {
                collected.add_roots(block, *root, rows.as_ref())?;
            }
            Ok(())
        })?;
        Ok(collected.values)
    }
}

fn overlaps(block: &dyn Block, window: Window) -> bool {
    let (start_ns, end_ns) = block.bounds();
    start_ns <= window.end_ns && end_ns >= window.start_ns
}

/// Where the values of an attribute are.
fn columns(attribute: &Attribute) -> Vec<(Space, &str)> {
    match attribute {
        Attribute::Named { scope: Scope::Any, name, .. } => vec![(Space::Span, name), (Space::Resource, name)],
        Attribute::Named { scope, name, .. } => Space::of(*scope).map(|space| (space, &**name)).into_iter().collect(),
        Attribute::Intrinsic(Intrinsic::InstrumentationName) => vec![(Space::Instrumentation, SCOPE_NAME)],
        Attribute::Intrinsic(Intrinsic::InstrumentationVersion) => vec![(Space::Instrumentation, SCOPE_VERSION)],
        Attribute::Intrinsic(found @ (Intrinsic::Name | Intrinsic::StatusMessage | Intrinsic::EventName)) => {
            column::of_intrinsic(*found).map(|key| (Space::Intrinsic, key)).into_iter().collect()
        }
        Attribute::Intrinsic(_) => Vec::new(),
    }
}

/// The conditions of a request as one expression.
struct Filter {
    expression: FieldExpr,
    patterns: Patterns,
}

impl Filter {
    fn new(conditions: &[FieldExpr]) -> Option<Self> {
        let expression = conditions.iter().cloned().reduce(|lhs, rhs| FieldExpr::Binary {
            op: Op::And,
            lhs: Box::new(lhs),
            rhs: Box::new(rhs),
        })?;
        let patterns = Patterns::of_query(&Query::from_filter(expression.clone()));
        Some(Self { expression, patterns })
    }

    /// The rows that fulfil the conditions.
    fn rows(&self, block: &dyn Block) -> Result<Bitset, TraceError> {
        let selected = prefilter::select(block, &self.expression, &self.patterns)?;
        if selected.exact || selected.rows.is_empty() {
            return Ok(selected.rows);
        }
        // What the columns cannot tell is asked of the spans themselves, trace by trace.
        let entries = block.entries()?;
        let trace_of = block.trace_of_rows()?;
        let mut by_trace: std::collections::BTreeMap<u32, Vec<usize>> = Default::default();
        for (row, trace) in trace_of.iter().enumerate() {
            by_trace.entry(*trace).or_default().push(row);
        }
        let mut rows = Bitset::none(block.len(Domain::Span));
        for (number, of_trace) in by_trace {
            if !of_trace.iter().any(|row| selected.rows.contains(*row)) {
                continue;
            }
            let trace = block::load_trace(block, number, entries[number as usize].id)?;
            for (index, row) in of_trace.into_iter().enumerate() {
                if eval::matches(&self.expression, &trace, index, &self.patterns) {
                    rows.insert(row);
                }
            }
        }
        Ok(rows)
    }
}

/// The resources or scopes of a set of spans.
fn to_domain(block: &dyn Block, rows: Bitset, domain: Domain) -> Result<Bitset, TraceError> {
    let key = match domain {
        Domain::Span => return Ok(rows),
        Domain::Resource => intrinsic::RESOURCE,
        Domain::Instrumentation => intrinsic::SCOPE,
    };
    let mut numbers = Bitset::none(block.len(domain));
    block.cells(Space::Intrinsic, key, &mut |row, cell| {
        if let Cell::Int(number) = cell
            && rows.contains(row as usize)
        {
            numbers.insert(number as usize);
        }
    })?;
    Ok(numbers)
}

#[derive(Default)]
struct Collected {
    values: Values,
    bytes: usize,
}

impl Collected {
    fn add(&mut self, cell: Cell<'_>) {
        let (kind, text) = match cell {
            Cell::Str(text) => (ValueKind::String, text.to_owned()),
            Cell::Int(number) => (ValueKind::Int, number.to_string()),
            Cell::Float(number) => (ValueKind::Float, Value::Float(number).to_text()),
            Cell::Bool(flag) => (ValueKind::Bool, flag.to_string()),
            Cell::Opaque => return,
        };
        let size = text.len();
        if self.bytes + size <= MAX_VALUE_BYTES && self.values.insert((kind, text)) {
            self.bytes += size;
        }
    }

    /// Root names and services; an empty text for a trace whose root is not here.
    fn add_roots(&mut self, block: &dyn Block, root: Intrinsic, rows: Option<&Bitset>) -> Result<(), TraceError> {
        let roots = block.roots()?;
        let mut wanted: Bitset = Bitset::none(block.trace_count());
        match rows {
            None => wanted = Bitset::all(block.trace_count()),
            Some(rows) => {
                let trace_of = block.trace_of_rows()?;
                rows.iter().for_each(|row| wanted.insert(trace_of[row] as usize));
            }
        }
        let mut root_rows = Bitset::none(block.len(Domain::Span));
        for trace in wanted.iter() {
            match roots[trace] {
                u32::MAX => self.add(Cell::Str("")),
                row => root_rows.insert(row as usize),
            }
        }
        let (space, key) = match root {
            Intrinsic::RootName => (Space::Intrinsic, intrinsic::NAME),
            _ => (Space::Resource, "service.name"),
        };
        let rows = to_domain(block, root_rows, space.domain())?;
        block.cells(space, key, &mut |row, cell| {
            if rows.contains(row as usize) {
                self.add(cell);
            }
        })?;
        Ok(())
    }
}
