//! Which spans of a block can fulfil a filter, from its columns alone.
//!
//! The answer may hold too many rows, never too few; `exact` says that it holds no others. What no column can
//! tell (arithmetic, tree positions) keeps every row.
use super::TraceError;
use super::bitset::Bitset;
use super::block::{Block, CellTest};
use super::column::{self, Cell, Domain, Space, intrinsic};
use super::head::{SCOPE_NAME, SCOPE_VERSION};
use crate::traceql::Value;
use crate::traceql::ast::*;
use crate::traceql::eval::Patterns;

/// Rows that may match.
pub struct Selection {
    pub rows: Bitset,
    pub exact: bool,
}

impl Selection {
    fn everything(block: &dyn Block) -> Self {
        Self { rows: Bitset::all(block.len(Domain::Span)), exact: false }
    }
}

/// The traces of a block that a pipeline may keep, as a set of trace numbers.
pub fn traces(block: &dyn Block, pipeline: &Pipeline, patterns: &Patterns) -> Result<Bitset, TraceError> {
    let mut keep = Bitset::all(block.trace_count());
    for stage in &pipeline.stages {
        if let Stage::Spansets(expression) = stage {
            keep = keep.and(&spansets(block, expression, patterns)?);
        }
    }
    Ok(keep)
}

fn spansets(block: &dyn Block, expression: &SpansetExpr, patterns: &Patterns) -> Result<Bitset, TraceError> {
    match expression {
        SpansetExpr::Filter(FieldExpr::Static(Value::Bool(true))) => Ok(Bitset::all(block.trace_count())),
        SpansetExpr::Filter(filter) => {
            let rows = select(block, filter, patterns)?.rows;
            if rows.is_empty() {
                return Ok(Bitset::none(block.trace_count()));
            }
            let trace_of = block.trace_of_rows()?;
            let mut traces = Bitset::none(block.trace_count());
            rows.iter().for_each(|row| traces.insert(trace_of[row] as usize));
            Ok(traces)
        }
        SpansetExpr::Pipeline(inner) => traces(block, inner, patterns),
        SpansetExpr::Operation { op, lhs, rhs } => {
            let right = spansets(block, rhs, patterns)?;
            Ok(match op {
                // A trace without a left-hand span keeps all its right-hand ones.
                SpansetOp::Structural(_, Form::Not) => right,
                SpansetOp::Or => spansets(block, lhs, patterns)?.or(&right),
                SpansetOp::And | SpansetOp::Structural(..) => spansets(block, lhs, patterns)?.and(&right),
            })
        }
    }
}

/// The rows that may fulfil a filter.
pub fn select(block: &dyn Block, filter: &FieldExpr, patterns: &Patterns) -> Result<Selection, TraceError> {
    let len = block.len(Domain::Span);
    Ok(match filter {
        FieldExpr::Static(Value::Bool(true)) => Selection { rows: Bitset::all(len), exact: true },
        FieldExpr::Static(_) => Selection { rows: Bitset::none(len), exact: true },
        FieldExpr::Attribute(attribute) => test(block, attribute, Op::Eq, &Value::Bool(true), patterns)?,
        FieldExpr::Unary { op: Op::Not, operand } => {
            if let FieldExpr::Attribute(attribute) = &**operand {
                return test(block, attribute, Op::Eq, &Value::Bool(false), patterns);
            }
            let inner = select(block, operand, patterns)?;
            if inner.exact { Selection { rows: inner.rows.not(), exact: true } } else { Selection::everything(block) }
        }
        FieldExpr::Unary { .. } => Selection::everything(block),
        FieldExpr::Binary { op: Op::And, lhs, rhs } => {
            let left = select(block, lhs, patterns)?;
            if left.rows.is_empty() {
                return Ok(Selection { rows: left.rows, exact: true });
            }
            let right = select(block, rhs, patterns)?;
            Selection { rows: left.rows.and(&right.rows), exact: left.exact && right.exact }
        }
        FieldExpr::Binary { op: Op::Or, lhs, rhs } => {
            let (left, right) = (select(block, lhs, patterns)?, select(block, rhs, patterns)?);
            Selection { rows: left.rows.or(&right.rows), exact: left.exact && right.exact }
        }
        FieldExpr::Binary { op, lhs, rhs } => match (&**lhs, &**rhs) {
            (FieldExpr::Attribute(attribute), FieldExpr::Static(value)) => {
                test(block, attribute, *op, value, patterns)?
            }
            (FieldExpr::Static(value), FieldExpr::Attribute(attribute)) => {
                let turned = test(block, attribute, op.flipped(), value, patterns)?;
                // Only true with both readings: see the evaluator.
                if *op == op.flipped() {
                    turned
                } else {
                    let unturned = test(block, attribute, *op, value, patterns)?;
                    Selection { rows: turned.rows.and(&unturned.rows), exact: turned.exact && unturned.exact }
                }
            }
            _ => Selection::everything(block),
        },
    })
}

fn test(
    block: &dyn Block,
    attribute: &Attribute,
    op: Op,
    literal: &Value,
    patterns: &Patterns,
) -> Result<Selection, TraceError> {
    let probe = Probe { block, test: CellTest { op, literal, attribute, patterns } };
    let rows = match attribute {
        Attribute::Named { scope: Scope::Any, name, .. } => {
            if *literal == Value::Nil {
                return Ok(Selection::everything(block));
            }
            // The span's value hides the resource's; the union is exact only where the span has none.
            let own = probe.column(Space::Span, name)?;
            let shared = probe.column(Space::Resource, name)?;
            let hidden = probe.present(Space::Span, name)?.not();
            own.or(&shared.and(&hidden))
        }
        Attribute::Named { scope, name, .. } => {
            let space = Space::of(*scope).expect("`Any` is handled above");
            if *literal == Value::Nil {
                let present = probe.present(space, name)?;
                if op == Op::Eq { present.not() } else { present }
            } else {
                probe.column(space, name)?
            }
        }
        // A span has these or not; every other intrinsic it has.
        Attribute::Intrinsic(
            Intrinsic::EventName
            | Intrinsic::EventTimeSinceStart
            | Intrinsic::LinkTraceId
            | Intrinsic::LinkSpanId
            | Intrinsic::ChildCount,
        ) if *literal == Value::Nil => return Ok(Selection::everything(block)),
        Attribute::Intrinsic(_) if *literal == Value::Nil => Bitset::all(block.len(Domain::Span)),
        Attribute::Intrinsic(Intrinsic::InstrumentationName) => probe.column(Space::Instrumentation, SCOPE_NAME)?,
        Attribute::Intrinsic(Intrinsic::InstrumentationVersion) => {
            probe.column(Space::Instrumentation, SCOPE_VERSION)?
        }
        // Every other comparison may hold for a trace whose root is not here: the evaluator knows.
        Attribute::Intrinsic(Intrinsic::RootName) if is_present_text(op, literal) => {
            let rows = probe.column(Space::Intrinsic, intrinsic::NAME)?;
            probe.traces_with_root_in(&rows)?
        }
        Attribute::Intrinsic(Intrinsic::RootServiceName) if is_present_text(op, literal) => {
            let rows = probe.column(Space::Resource, "service.name")?;
            probe.traces_with_root_in(&rows)?
        }
        Attribute::Intrinsic(Intrinsic::TraceDuration) => match (literal, op) {
            (Value::Duration(limit) | Value::Int(limit), _) => probe.traces_by_duration(*limit)?,
            _ => return Ok(Selection::everything(block)),
        },
        Attribute::Intrinsic(Intrinsic::TraceId) if op == Op::Eq => match literal {
            Value::Str(id) => probe.one_trace(id)?,
            _ => Bitset::none(block.len(Domain::Span)),
        },
        Attribute::Intrinsic(found @ (Intrinsic::Status | Intrinsic::Kind)) => {
            let number = match literal {
                Value::Status(status) => *status as i64,
                Value::Kind(kind) => *kind as i64,
                _ => return Ok(Selection::everything(block)),
            };
            let literal = Value::Int(number);
            let probe = Probe { block, test: CellTest { op, literal: &literal, attribute, patterns } };
            probe.column(Space::Intrinsic, column::of_intrinsic(*found).expect("both have a column"))?
        }
        Attribute::Intrinsic(other) => match (column::of_intrinsic(*other), literal) {
            // A float against a duration would need a scan of its own; let the evaluator decide.
            (Some(_), Value::Float(_)) | (None, _) => return Ok(Selection::everything(block)),
            (Some(key), _) => probe.column(Space::Intrinsic, key)?,
        },
    };
    Ok(Selection { rows, exact: true })
}

/// Whether the comparison is with a text that a missing value cannot equal.
fn is_present_text(op: Op, literal: &Value) -> bool {
    op == Op::Eq && matches!(literal, Value::Str(text) if !text.is_empty())
}

struct Probe<'a> {
    block: &'a dyn Block,
    test: CellTest<'a>,
}

impl Probe<'_> {
    /// Span rows of which a cell of the column fulfils the test.
    fn column(&self, space: Space, key: &str) -> Result<Bitset, TraceError> {
        match self.block.scan(space, key, &self.test)? {
            Some(rows) => self.to_spans(space.domain(), rows),
            None => Ok(Bitset::none(self.block.len(Domain::Span))),
        }
    }

    /// Span rows that have a visible value in the column.
    fn present(&self, space: Space, key: &str) -> Result<Bitset, TraceError> {
        let mut rows = Bitset::none(self.block.len(space.domain()));
        self.block.cells(space, key, &mut |row, cell| {
            if !matches!(cell, Cell::Opaque) {
                rows.insert(row as usize);
            }
        })?;
        self.to_spans(space.domain(), rows)
    }

    fn to_spans(&self, domain: Domain, rows: Bitset) -> Result<Bitset, TraceError> {
        let key = match domain {
            Domain::Span => return Ok(rows),
            Domain::Resource => intrinsic::RESOURCE,
            Domain::Instrumentation => intrinsic::SCOPE,
        };
        let mut spans = Bitset::none(self.block.len(Domain::Span));
        if rows.is_empty() {
            return Ok(spans);
        }
        self.block.cells(Space::Intrinsic, key, &mut |row, cell| {
            if let Cell::Int(number) = cell
                && rows.contains(number as usize)
            {
                spans.insert(row as usize);
            }
        })?;
        Ok(spans)
    }

    fn traces_with_root_in(&self, rows: &Bitset) -> Result<Bitset, TraceError> {
        let roots = self.block.roots()?;
        self.spans_of_traces(|trace| rows.contains(roots[trace] as usize))
    }

    fn traces_by_duration(&self, limit: i64) -> Result<Bitset, TraceError> {
        let entries = self.block.entries()?;
        let op = self.test.op;
        self.spans_of_traces(|trace| {
            let duration = entries[trace].end_ns.saturating_sub(entries[trace].start_ns) as i64;
            match op {
                Op::Eq => duration == limit,
                Op::Neq => duration != limit,
                Op::Lt => duration < limit,
                Op::Lte => duration <= limit,
                Op::Gt => duration > limit,
                Op::Gte => duration >= limit,
                _ => false,
            }
        })
    }

    fn one_trace(&self, id: &str) -> Result<Bitset, TraceError> {
        let mut bytes = [0; 16];
        let found = match hex::decode_to_slice(format!("{:0>32}", id.to_ascii_lowercase()), &mut bytes) {
            Ok(()) => self.block.find(&bytes)?,
            Err(_) => None,
        };
        match found {
            Some(number) => self.spans_of_traces(|trace| trace == number as usize),
            None => Ok(Bitset::none(self.block.len(Domain::Span))),
        }
    }

    fn spans_of_traces(&self, keep: impl Fn(usize) -> bool) -> Result<Bitset, TraceError> {
        let mut wanted = Bitset::none(self.block.trace_count());
        (0..self.block.trace_count()).filter(|&trace| keep(trace)).for_each(|trace| wanted.insert(trace));
        let trace_of = self.block.trace_of_rows()?;
        let mut rows = Bitset::none(self.block.len(Domain::Span));
        for (row, trace) in trace_of.iter().enumerate() {
            if wanted.contains(*trace as usize) {
                rows.insert(row);
            }
        }
        Ok(rows)
    }
}
