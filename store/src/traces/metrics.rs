//! Metrics queries on stored spans.
//!
//! A query of one filter whose answer and grouping stand in columns is computed from these alone; any other one
//! decodes the traces that may match. What the columns of a segment gave is kept in the cache: dashboards ask again.
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::bitset::Bitset;
use super::block::{self, Block};
use super::column::{self, Cell, Domain, Space, intrinsic};
use super::head::{SCOPE_NAME, SCOPE_VERSION};
use super::tenants::Deadline;
use super::{Reader, TraceError, prefilter};
use crate::traceql::ast::*;
use crate::traceql::eval::{self, Patterns};
use crate::traceql::metrics::{Accumulator, Part, Series};
use crate::traceql::second_stage::second_stage;
use crate::traceql::steps::Steps;
use crate::traceql::value::{Kind, Status};
use crate::traceql::{Value, pipeline};

pub struct MetricsRequest {
    /// Has a metrics stage.
    pub query: Query,
    pub steps: Steps,
    /// At most so many exemplars per series.
    pub max_exemplars: usize,
}

impl Reader {
    /// The series of a metrics query, ordered by their labels; empty when the query has no metrics stage.
    ///
    /// # Errors
    /// [`TraceError::QueryTimeout`], or what reading a segment gives.
    pub fn metrics(&self, request: &MetricsRequest) -> Result<Vec<Series>, TraceError> {
        let Some(stage) = &request.query.metrics else { return Ok(Vec::new()) };
        let patterns = Patterns::of_query(&request.query);
        let deadline = Deadline::new(self.query_timeout());
        let mut accumulator = Accumulator::new(stage, request.steps, request.max_exemplars);
        let (after_ns, until_ns) = request.steps.bounds();
        self.for_each_block(&mut |block| {
            let (start_ns, end_ns) = block.bounds();
            if start_ns > until_ns || end_ns <= after_ns {
                return Ok(());
            }
            let mut run = Run { block, request, stage, patterns: &patterns, accumulator: &mut accumulator };
            if run.count_known()? || run.count_in_columns()? {
                return Ok(());
            }
            run.count_in_spans(deadline)
        })?;
        let seconds = measured(&stage.function).is_some_and(is_duration);
        Ok(second_stage(&request.query.second_stage, accumulator.finish(seconds)))
    }
}

/// The attribute that a function measures.
fn measured(function: &MetricsFn) -> Option<&Attribute> {
    match function {
        MetricsFn::Rate | MetricsFn::CountOverTime | MetricsFn::Compare { .. } => None,
        MetricsFn::Min(attribute)
        | MetricsFn::Max(attribute)
        | MetricsFn::Avg(attribute)
        | MetricsFn::Sum(attribute)
        | MetricsFn::Quantile(attribute, _)
        | MetricsFn::Histogram(attribute) => Some(attribute),
    }
}

fn is_duration(attribute: &Attribute) -> bool {
    matches!(
        attribute,
        Attribute::Intrinsic(Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart)
    )
}

/// A query (`'q`) on one block (`'b`).
struct Run<'q, 'b> {
    block: &'b dyn Block,
    request: &'q MetricsRequest,
    stage: &'q MetricsStage,
    patterns: &'b Patterns,
    accumulator: &'b mut Accumulator<'q>,
}

/// What the columns of a block gave for a question. A key in the cache is only a number, so the question is kept too.
struct Known {
    question: String,
    /// `None` when the columns do not suffice.
    part: Option<Part>,
}

impl Run<'_, '_> {
    /// Counts a block that never changes and lies within the window, from what is known of it or from its columns. False
    /// when it is not such a block, or the columns do not suffice; nothing is counted then.
    fn count_known(&mut self) -> Result<bool, TraceError> {
        let steps = self.request.steps;
        let (start_ns, end_ns) = self.block.bounds();
        let (after_ns, until_ns) = steps.bounds();
        let is_whole = after_ns < start_ns && end_ns <= until_ns && steps.are_aligned();
        let Some((cache, number)) = self.block.cache().filter(|_| is_whole) else { return Ok(false) };
        let (query, exemplars) = (self.request, self.request.max_exemplars);
        let question = format!("{:?} {:?} {} {exemplars}", query.query.pipeline, self.stage, steps.step_ns);
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        let known = cache.get((number, hasher.finish()), || {
            let own_steps = Steps::covering(start_ns, end_ns, steps.step_ns);
            let mut own = Accumulator::new(self.stage, own_steps, exemplars);
            let is_enough = Run { accumulator: &mut own, ..*self }.count_in_columns()?;
            let part = is_enough.then(|| own.into_part());
            let bytes = question.len() + part.as_ref().map_or(0, Part::bytes);
            Ok::<_, TraceError>((Known { question: question.clone(), part }, bytes))
        })?;
        match &known.part {
            Some(part) if known.question == question => {
                self.accumulator.add_part(part);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// False when the columns do not suffice; nothing is counted then.
    fn count_in_columns(&mut self) -> Result<bool, TraceError> {
        let [Stage::Spansets(SpansetExpr::Filter(filter))] = &self.request.query.pipeline.stages[..] else {
            return Ok(false);
        };
        let selected = prefilter::select(self.block, filter, self.patterns)?;
        if !selected.exact {
            return Ok(false);
        }
        if selected.rows.is_empty() {
            return Ok(true);
        }
        let mut labels = Vec::new();
        for attribute in &self.stage.by {
            let Some(column) = label_column(self.block, attribute, &selected.rows)? else { return Ok(false) };
            labels.push(column);
        }
        let numbers = match measured(&self.stage.function) {
            None => None,
            Some(attribute) => match number_column(self.block, attribute)? {
                Some(numbers) => Some(numbers),
                None => return Ok(false),
            },
        };
        let seconds = measured(&self.stage.function).is_some_and(is_duration);
        let starts = number_bits(self.block, intrinsic::START)?;
        let trace_of = self.block.trace_of_rows()?;
        let entries = self.block.entries()?;
        // The labels of a row are one number: the groups of a block are few, and a table is faster than a map.
        let size = labels.iter().fold(1, |size: usize, column| size.saturating_mul(column.values.len()));
        let mut places = Places::new(size);
        for row in selected.rows.iter() {
            let key = labels.iter().fold(0, |key: usize, column| {
                key.wrapping_mul(column.values.len()).wrapping_add(column.rows[row] as usize)
            });
            let place = match places.get(key) {
                Some(place) => place,
                None => {
                    let values: Vec<Value> =
                        labels.iter().map(|column| column.values[column.rows[row] as usize].clone()).collect();
                    let place = self.accumulator.group(&values);
                    places.insert(key, place);
                    place
                }
            };
            let value = numbers.as_ref().map(|numbers| numbers[row]).filter(|number| !number.is_nan());
            let id = || entries[trace_of[row] as usize].id;
            self.accumulator.add(place, id, starts[row], value, seconds);
        }
        Ok(true)
    }

    fn count_in_spans(&mut self, deadline: Deadline) -> Result<(), TraceError> {
        let candidates = prefilter::traces(self.block, &self.request.query.pipeline, self.patterns)?;
        let entries = self.block.entries()?;
        let (after_ns, until_ns) = self.request.steps.bounds();
        let seconds = measured(&self.stage.function).is_some_and(is_duration);
        for number in candidates.iter() {
            let entry = entries[number];
            if entry.start_ns > until_ns || entry.end_ns <= after_ns {
                continue;
            }
            deadline.check()?;
            let trace = block::load_trace(self.block, number as u32, entry.id)?;
            for set in pipeline::run(&self.request.query.pipeline, &trace, self.patterns) {
                for span in set.spans {
                    let value_of = |attribute: &Attribute| {
                        eval::evaluate(&FieldExpr::Attribute(attribute.clone()), &trace, span, self.patterns)
                    };
                    let labels: Vec<Value> = self.stage.by.iter().map(value_of).collect();
                    let value = measured(&self.stage.function).and_then(|attribute| value_of(attribute).as_number());
                    let place = self.accumulator.group(&labels);
                    self.accumulator.add(place, || entry.id, trace.spans[span].start_ns, value, seconds);
                }
            }
        }
        Ok(())
    }
}

/// The groups that were met, by the number of their labels.
enum Places {
    Table(Vec<u32>),
    /// Where there could be too many groups for a table.
    Map(HashMap<usize, usize>),
}

impl Places {
    fn new(size: usize) -> Self {
        if size <= 1 << 16 { Self::Table(vec![u32::MAX; size]) } else { Self::Map(HashMap::new()) }
    }

    fn get(&self, key: usize) -> Option<usize> {
        match self {
            Self::Table(table) => Some(table[key] as usize).filter(|place| *place != u32::MAX as usize),
            Self::Map(map) => map.get(&key).copied(),
        }
    }

    fn insert(&mut self, key: usize, place: usize) {
        match self {
            Self::Table(table) => table[key] = place as u32,
            Self::Map(map) => {
                map.insert(key, place);
            }
        }
    }
}

/// The value of an attribute per row, as numbers of a list whose first entry is nil.
struct Labels {
    rows: Vec<u32>,
    values: Vec<Value>,
}

/// Where the values of an attribute are, if in one column.
fn place(attribute: &Attribute) -> Option<(Space, &str)> {
    match attribute {
        Attribute::Named { scope, name, .. } => Space::of(*scope).map(|space| (space, &**name)),
        Attribute::Intrinsic(Intrinsic::InstrumentationName) => Some((Space::Instrumentation, SCOPE_NAME)),
        Attribute::Intrinsic(Intrinsic::InstrumentationVersion) => Some((Space::Instrumentation, SCOPE_VERSION)),
        Attribute::Intrinsic(found) => column::of_intrinsic(*found).map(|key| (Space::Intrinsic, key)),
    }
}

/// Of span attributes only the `wanted` rows are filled in.
fn label_column(block: &dyn Block, attribute: &Attribute, wanted: &Bitset) -> Result<Option<Labels>, TraceError> {
    let Some((space, key)) = place(attribute) else { return Ok(None) };
    let domain = space.domain();
    let mut rows = vec![0u32; block.len(domain)];
    let mut values = vec![Value::Nil];
    let mut texts: HashMap<String, u32> = HashMap::new();
    let mut numbers: HashMap<(u8, u64), u32> = HashMap::new();
    block.cells(space, key, &mut |row, cell| {
        let slot = &mut rows[row as usize];
        // Of several values the first counts.
        if *slot != 0 || (domain == Domain::Span && !wanted.contains(row as usize)) {
            return;
        }
        *slot = match cell {
            Cell::Str(text) => match texts.get(text) {
                Some(number) => *number,
                None => {
                    values.push(Value::Str(text.to_owned()));
                    texts.insert(text.to_owned(), values.len() as u32 - 1);
                    values.len() as u32 - 1
                }
            },
            Cell::Opaque => 0,
            Cell::Int(_) | Cell::Float(_) | Cell::Bool(_) => {
                let (key, value) = match cell {
                    Cell::Int(number) => ((0, number as u64), of_number(attribute, number)),
                    Cell::Float(number) => ((1, number.to_bits()), Value::Float(number)),
                    Cell::Bool(flag) => ((2, flag.into()), Value::Bool(flag)),
                    Cell::Str(_) | Cell::Opaque => return,
                };
                *numbers.entry(key).or_insert_with(|| {
                    values.push(value);
                    values.len() as u32 - 1
                })
            }
        };
    })?;
    let rows = match domain {
        Domain::Span => rows,
        Domain::Resource => through(block, intrinsic::RESOURCE, &rows)?,
        Domain::Instrumentation => through(block, intrinsic::SCOPE, &rows)?,
    };
    Ok(Some(Labels { rows, values }))
}

/// What a number in an intrinsic's column means.
fn of_number(attribute: &Attribute, number: i64) -> Value {
    match attribute {
        Attribute::Intrinsic(Intrinsic::Status) => Value::Status(match number {
            0 => Status::Error,
            1 => Status::Ok,
            _ => Status::Unset,
        }),
        Attribute::Intrinsic(Intrinsic::Kind) => {
            let kind = usize::try_from(number).ok().and_then(|number| Kind::ALL.get(number));
            Value::Kind(kind.copied().unwrap_or(Kind::Unspecified))
        }
        Attribute::Intrinsic(_) => Value::Duration(number),
        Attribute::Named { .. } => Value::Int(number),
    }
}

fn through<T: Copy + Default>(block: &dyn Block, key: &str, values: &[T]) -> Result<Vec<T>, TraceError> {
    if let Some(numbers) = block.dense_numbers(key)? {
        return Ok(numbers.into_iter().map(|number| values[number as usize]).collect());
    }
    let mut rows = vec![T::default(); block.len(Domain::Span)];
    block.cells(Space::Intrinsic, key, &mut |row, cell| {
        if let Cell::Int(number) = cell {
            rows[row as usize] = values[number as usize];
        }
    })?;
    Ok(rows)
}

/// The number of an attribute per row; NaN where there is none.
fn number_column(block: &dyn Block, attribute: &Attribute) -> Result<Option<Vec<f64>>, TraceError> {
    let Some((space, key)) = place(attribute).filter(|(space, _)| space.domain() == Domain::Span) else {
        return Ok(None);
    };
    let mut rows = vec![f64::NAN; block.len(Domain::Span)];
    block.cells(space, key, &mut |row, cell| {
        let slot = &mut rows[row as usize];
        if slot.is_nan() {
            match cell {
                Cell::Int(number) => *slot = number as f64,
                Cell::Float(number) => *slot = number,
                Cell::Str(_) | Cell::Bool(_) | Cell::Opaque => {}
            }
        }
    })?;
    Ok(Some(rows))
}

fn number_bits(block: &dyn Block, key: &str) -> Result<Vec<u64>, TraceError> {
    if let Some(numbers) = block.dense_numbers(key)? {
        return Ok(numbers);
    }
    let mut rows = vec![0; block.len(Domain::Span)];
    block.cells(Space::Intrinsic, key, &mut |row, cell| {
        if let Cell::Int(number) = cell {
            rows[row as usize] = number as u64;
        }
    })?;
    Ok(rows)
}
