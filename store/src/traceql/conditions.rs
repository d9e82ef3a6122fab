//! Which attributes a query touches, and what it demands of them.
//!
//! Search results list, beside each span, the attributes that the query named: those that it asked for without a
//! condition, and those that fulfil one of its conditions.
use super::ast::*;
use super::value::Value;

/// An attribute with the tests that the query applies to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub attribute: Attribute,
    /// Comparisons with a literal, as `attribute op literal`.
    pub tests: Vec<(Op, Value)>,
    /// Whether the query also names the attribute without a literal to compare with (`select`, arithmetic, `by`).
    pub bare: bool,
    /// Whether the query compares the attribute with another one: then a missing value is listed as nil.
    pub compared: bool,
}

/// The attributes of a query, in the order in which it names them.
pub fn of_query(query: &Query) -> Vec<Condition> {
    let mut conditions = Vec::new();
    of_pipeline(&query.pipeline, &mut conditions);
    if let Some(stage) = &query.metrics {
        stage.by.iter().for_each(|attribute| bare(attribute, &mut conditions));
        match &stage.function {
            MetricsFn::Min(attribute)
            | MetricsFn::Max(attribute)
            | MetricsFn::Avg(attribute)
            | MetricsFn::Sum(attribute)
            | MetricsFn::Quantile(attribute, _)
            | MetricsFn::Histogram(attribute) => bare(attribute, &mut conditions),
            MetricsFn::Rate | MetricsFn::CountOverTime | MetricsFn::Compare { .. } => {}
        }
    }
    conditions
}

fn of_pipeline(pipeline: &Pipeline, into: &mut Vec<Condition>) {
    for stage in &pipeline.stages {
        match stage {
            Stage::Spansets(expression) => of_spansets(expression, into),
            Stage::Filter(filter) => {
                of_scalar(&filter.lhs, into);
                of_scalar(&filter.rhs, into);
            }
            Stage::GroupBy(expression) => of_field(expression, into),
            Stage::Coalesce => {}
            Stage::Select(attributes) => attributes.iter().for_each(|attribute| bare(attribute, into)),
        }
    }
}

fn of_spansets(expression: &SpansetExpr, into: &mut Vec<Condition>) {
    match expression {
        SpansetExpr::Filter(expression) => of_field(expression, into),
        SpansetExpr::Operation { lhs, rhs, .. } => {
            of_spansets(lhs, into);
            of_spansets(rhs, into);
        }
        SpansetExpr::Pipeline(inner) => of_pipeline(inner, into),
    }
}

fn of_scalar(expression: &ScalarExpr, into: &mut Vec<Condition>) {
    match expression {
        ScalarExpr::Static(_) => {}
        ScalarExpr::Aggregate(aggregate) => {
            if let Some(operand) = &aggregate.operand {
                of_field(operand, into);
            }
        }
        ScalarExpr::Operation { lhs, rhs, .. } => {
            of_scalar(lhs, into);
            of_scalar(rhs, into);
        }
    }
}

fn of_field(expression: &FieldExpr, into: &mut Vec<Condition>) {
    match expression {
        FieldExpr::Static(_) => {}
        // `{ span.flag }` is `{ span.flag = true }`.
        FieldExpr::Attribute(attribute) => bare(attribute, into),
        FieldExpr::Unary { operand, .. } => of_field(operand, into),
        FieldExpr::Binary { op, lhs, rhs } => match (&**lhs, &**rhs) {
            (FieldExpr::Attribute(attribute), FieldExpr::Static(value)) if op.is_boolean() => {
                tested(attribute, *op, value, into);
            }
            (FieldExpr::Static(value), FieldExpr::Attribute(attribute)) if op.is_boolean() => {
                tested(attribute, op.flipped(), value, into);
            }
            (FieldExpr::Attribute(left), FieldExpr::Attribute(right)) if op.is_boolean() => {
                for attribute in [left, right] {
                    bare(attribute, into);
                    entry(attribute, into).compared = true;
                }
            }
            _ => {
                of_field(lhs, into);
                of_field(rhs, into);
            }
        },
    }
}

fn entry<'a>(attribute: &Attribute, into: &'a mut Vec<Condition>) -> &'a mut Condition {
    let at = into.iter().position(|known| known.attribute == *attribute).unwrap_or_else(|| {
        into.push(Condition { attribute: attribute.clone(), tests: Vec::new(), bare: false, compared: false });
        into.len() - 1
    });
    &mut into[at]
}

fn bare(attribute: &Attribute, into: &mut Vec<Condition>) {
    entry(attribute, into).bare = true;
}

fn tested(attribute: &Attribute, op: Op, value: &Value, into: &mut Vec<Condition>) {
    entry(attribute, into).tests.push((op, value.clone()));
}
