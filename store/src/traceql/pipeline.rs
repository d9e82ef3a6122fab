//! A query's pipeline on one trace: spansets in, spansets out.
use std::collections::HashMap;

use super::ast::*;
use super::eval::{self, Patterns};
use super::model::Trace;
use super::structural;
use super::value::Value;

/// Spans of one trace that belong together, as indices into it, with what the pipeline computed about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spanset {
    pub spans: Vec<usize>,
    /// `by(…)` and aggregates, under their text.
    pub attributes: Vec<(String, Value)>,
}

/// The spansets of a trace that a pipeline keeps; empty when the trace does not match.
pub fn run(pipeline: &Pipeline, trace: &Trace, patterns: &Patterns) -> Vec<Spanset> {
    let everything = Spanset { spans: (0..trace.spans.len()).collect(), attributes: Vec::new() };
    stages(pipeline, vec![everything], trace, patterns)
}

fn stages(pipeline: &Pipeline, mut sets: Vec<Spanset>, trace: &Trace, patterns: &Patterns) -> Vec<Spanset> {
    for stage in &pipeline.stages {
        sets = match stage {
            Stage::Spansets(expression) => sets
                .into_iter()
                .map(|set| Spanset { spans: select(expression, &set.spans, trace, patterns), ..set })
                .filter(|set| !set.spans.is_empty())
                .collect(),
            Stage::Filter(filter) => sets.into_iter().filter_map(|set| keep(filter, set, trace, patterns)).collect(),
            Stage::GroupBy(expression) => {
                sets.into_iter().flat_map(|set| group(expression, set, trace, patterns)).collect()
            }
            Stage::Coalesce => coalesce(sets),
            Stage::Select(_) => sets,
        };
        if sets.is_empty() {
            break;
        }
    }
    sets
}

fn select(expression: &SpansetExpr, spans: &[usize], trace: &Trace, patterns: &Patterns) -> Vec<usize> {
    match expression {
        SpansetExpr::Filter(filter) => {
            spans.iter().copied().filter(|&span| eval::matches(filter, trace, span, patterns)).collect()
        }
        SpansetExpr::Pipeline(inner) => {
            let input = vec![Spanset { spans: spans.to_vec(), attributes: Vec::new() }];
            let sets = stages(inner, input, trace, patterns);
            merged(sets.iter().flat_map(|set| set.spans.iter().copied()).collect())
        }
        SpansetExpr::Operation { op, lhs, rhs } => {
            let left = select(lhs, spans, trace, patterns);
            let right = select(rhs, spans, trace, patterns);
            match op {
                SpansetOp::And if left.is_empty() || right.is_empty() => Vec::new(),
                // The right-hand spans come first, as in Tempo.
                SpansetOp::And | SpansetOp::Or => structural::unique(right.into_iter().chain(left)),
                SpansetOp::Structural(relation, form) => structural::join(trace, *relation, *form, &left, &right),
            }
        }
    }
}

fn merged(mut spans: Vec<usize>) -> Vec<usize> {
    spans.sort_unstable();
    spans.dedup();
    spans
}

fn keep(filter: &ScalarFilter, mut set: Spanset, trace: &Trace, patterns: &Patterns) -> Option<Spanset> {
    let ScalarExpr::Aggregate(call) = &filter.lhs else { return None };
    let ScalarExpr::Static(limit) = &filter.rhs else { return None };
    let value = aggregate(call, &set, trace, patterns);
    let (left, right) = (value.as_number()?, limit.as_number()?);
    let holds = match filter.op {
        Op::Eq => left == right,
        Op::Neq => left != right,
        Op::Lt => left < right,
        Op::Lte => left <= right,
        Op::Gt => left > right,
        _ => left >= right,
    };
    set.attributes.push((call.to_string(), value));
    holds.then_some(set)
}

fn aggregate(call: &Aggregate, set: &Spanset, trace: &Trace, patterns: &Patterns) -> Value {
    let Some(operand) = &call.operand else { return Value::Int(set.spans.len() as i64) };
    let values: Vec<Value> = set
        .spans
        .iter()
        .map(|&span| eval::evaluate(operand, trace, span, patterns))
        .filter(|value| value.as_number().is_some())
        .collect();
    let numbers = || values.iter().filter_map(Value::as_number);
    let Some(first) = values.first() else { return Value::Nil };
    let result = match call.function {
        AggregateFn::Max => numbers().fold(f64::NEG_INFINITY, f64::max),
        AggregateFn::Min => numbers().fold(f64::INFINITY, f64::min),
        AggregateFn::Avg => numbers().sum::<f64>() / values.len() as f64,
        AggregateFn::Sum | AggregateFn::Count => numbers().sum(),
    };
    match first {
        Value::Duration(_) => Value::Duration(result as i64),
        Value::Int(_) if call.function != AggregateFn::Avg => Value::Int(result as i64),
        _ => Value::Float(result),
    }
}

fn group(expression: &FieldExpr, set: Spanset, trace: &Trace, patterns: &Patterns) -> Vec<Spanset> {
    let label = format!("by({expression})");
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Spanset> = Vec::new();
    for span in set.spans {
        let value = eval::evaluate(expression, trace, span, patterns);
        let place = *places.entry(value.group_key()).or_insert_with(|| {
            let mut attributes = set.attributes.clone();
            attributes.push((label.clone(), value));
            groups.push(Spanset { spans: Vec::new(), attributes });
            groups.len() - 1
        });
        groups[place].spans.push(span);
    }
    groups
}

fn coalesce(sets: Vec<Spanset>) -> Vec<Spanset> {
    let spans = merged(sets.into_iter().flat_map(|set| set.spans).collect());
    vec![Spanset { spans, attributes: Vec::new() }]
}
