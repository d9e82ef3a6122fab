//! `{ … }` on one span.
//!
//! Rules that are easy to miss: a missing attribute is nil, and only `= nil` and another missing attribute equal
//! it; an attribute compared with a literal of another type is false whatever the operator; an array fulfils a
//! comparison when one of its elements does; regular expressions must match the whole text.
use std::cmp::Ordering;
use std::collections::HashMap;

use regex::Regex;

use super::ast::*;
use super::model::Trace;
use super::value::Value;

/// A pattern that must match a whole text; `None` when it is no regular expression.
pub fn anchored(pattern: &str) -> Option<Regex> {
    // By itself too: `a)|(b` is none, and would be one inside the brackets.
    Regex::new(pattern).ok()?;
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// The compiled regular expressions of a query. Make one per query, not per span.
#[derive(Debug, Default)]
pub struct Patterns(HashMap<String, Regex>);

impl Patterns {
    /// Compiles every pattern of a query.
    pub fn of_query(query: &Query) -> Self {
        let mut patterns = Self::default();
        for condition in super::conditions::of_query(query) {
            for (op, value) in &condition.tests {
                patterns.add(*op, value);
            }
        }
        if let Some(MetricsStage { function: MetricsFn::Compare { selection, .. }, .. }) = &query.metrics {
            patterns.of_field(selection);
        }
        patterns
    }

    fn of_field(&mut self, expression: &FieldExpr) {
        match expression {
            FieldExpr::Static(_) | FieldExpr::Attribute(_) => {}
            FieldExpr::Unary { operand, .. } => self.of_field(operand),
            FieldExpr::Binary { op, lhs, rhs } => {
                if let FieldExpr::Static(value) = &**rhs {
                    self.add(*op, value);
                }
                self.of_field(lhs);
                self.of_field(rhs);
            }
        }
    }

    fn add(&mut self, op: Op, value: &Value) {
        if let (Op::Regex | Op::NotRegex, Value::Str(pattern)) = (op, value)
            && let Some(regex) = anchored(pattern)
        {
            self.0.insert(pattern.clone(), regex);
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        match self.0.get(pattern) {
            Some(regex) => regex.is_match(text),
            // A pattern that is itself an attribute: rare enough to compile on the spot.
            None => anchored(pattern).is_some_and(|regex| regex.is_match(text)),
        }
    }
}

/// Whether a span fulfils a filter.
pub fn matches(expression: &FieldExpr, trace: &Trace, span: usize, patterns: &Patterns) -> bool {
    match expression {
        FieldExpr::Static(value) => *value == Value::Bool(true),
        FieldExpr::Attribute(attribute) => any_value(trace, span, attribute, &mut |value| *value == Value::Bool(true)),
        // What is missing or no boolean has no opposite.
        FieldExpr::Unary { op: Op::Not, operand } => match &**operand {
            FieldExpr::Attribute(attribute) => {
                any_value(trace, span, attribute, &mut |value| *value == Value::Bool(false))
            }
            condition => !matches(condition, trace, span, patterns),
        },
        FieldExpr::Unary { .. } => false,
        FieldExpr::Binary { op: Op::And, lhs, rhs } => {
            matches(lhs, trace, span, patterns) && matches(rhs, trace, span, patterns)
        }
        FieldExpr::Binary { op: Op::Or, lhs, rhs } => {
            matches(lhs, trace, span, patterns) || matches(rhs, trace, span, patterns)
        }
        FieldExpr::Binary { op, lhs, rhs } => compare_fields(*op, lhs, rhs, trace, span, patterns),
    }
}

fn compare_fields(op: Op, lhs: &FieldExpr, rhs: &FieldExpr, trace: &Trace, span: usize, patterns: &Patterns) -> bool {
    match (lhs, rhs) {
        (FieldExpr::Attribute(attribute), FieldExpr::Static(value)) => {
            test(op, trace, span, attribute, value, patterns)
        }
        (FieldExpr::Static(value), FieldExpr::Attribute(attribute)) => {
            // Tempo looks such a comparison up as it stands and then checks it turned round. Both must hold, so
            // `3 < span.x` finds nothing.
            test(op.flipped(), trace, span, attribute, value, patterns)
                && (op == op.flipped() || test(op, trace, span, attribute, value, patterns))
        }
        _ => {
            let left = evaluate(lhs, trace, span, patterns);
            let right = evaluate(rhs, trace, span, patterns);
            compare_any(op, &left, &right, patterns)
        }
    }
}

fn test(op: Op, trace: &Trace, span: usize, attribute: &Attribute, literal: &Value, patterns: &Patterns) -> bool {
    if *literal == Value::Nil {
        let present = any_value(trace, span, attribute, &mut |value| *value != Value::Nil);
        return if op == Op::Eq { !present } else { present };
    }
    let mut fulfilled = false;
    trace.values(span, attribute, &mut |value| {
        for_each_element(value, &mut |element| fulfilled |= fulfils(op, element, literal, attribute, patterns));
    });
    fulfilled
}

/// Calls `visit` for each element of an array, or once for anything else.
pub fn for_each_element(value: &Value, visit: &mut dyn FnMut(&Value)) {
    match value {
        Value::Array(elements) => elements.iter().for_each(visit),
        scalar => visit(scalar),
    }
}

/// Whether one value of an attribute fulfils `op literal`.
pub fn fulfils(op: Op, value: &Value, literal: &Value, attribute: &Attribute, patterns: &Patterns) -> bool {
    let durations = matches!(attribute, Attribute::Intrinsic(_));
    if !durations && std::mem::discriminant(value) != std::mem::discriminant(literal) {
        // A number that stands for a duration is written as one: `span.wait > 5ms` finds an int of nanoseconds.
        if !matches!((value, literal), (Value::Int(_), Value::Duration(_))) {
            return false;
        }
    }
    if let (Attribute::Intrinsic(Intrinsic::TraceId), Value::Str(id), Op::Eq | Op::Neq) = (attribute, literal, op) {
        let equal = *value == Value::Str(id.trim_start_matches('0').to_ascii_lowercase());
        return equal == (op == Op::Eq);
    }
    compare(op, value, literal, patterns)
}

fn any_value(trace: &Trace, span: usize, attribute: &Attribute, test: &mut dyn FnMut(&Value) -> bool) -> bool {
    let mut found = false;
    trace.values(span, attribute, &mut |value| found |= test(value));
    found
}

fn compare_any(op: Op, left: &Value, right: &Value, patterns: &Patterns) -> bool {
    let mut fulfilled = false;
    for_each_element(left, &mut |left| {
        for_each_element(right, &mut |right| fulfilled |= compare(op, left, right, patterns));
    });
    fulfilled
}

fn compare(op: Op, left: &Value, right: &Value, patterns: &Patterns) -> bool {
    match op {
        Op::Eq => left.equals(right),
        Op::Neq => left.is_comparable_with(right) && !left.equals(right),
        Op::Lt => left.order(right) == Some(Ordering::Less),
        Op::Lte => left.order(right).is_some_and(Ordering::is_le),
        Op::Gt => left.order(right) == Some(Ordering::Greater),
        Op::Gte => left.order(right).is_some_and(Ordering::is_ge),
        Op::Regex | Op::NotRegex => match (left, right) {
            (Value::Str(text), Value::Str(pattern)) => patterns.matches(pattern, text) == (op == Op::Regex),
            _ => false,
        },
        _ => false,
    }
}

/// The value of an expression on a span; nil when something in it is missing or not a number where it must be.
pub fn evaluate(expression: &FieldExpr, trace: &Trace, span: usize, patterns: &Patterns) -> Value {
    match expression {
        FieldExpr::Static(value) => value.clone(),
        FieldExpr::Attribute(attribute) => {
            let mut first = Value::Nil;
            trace.values(span, attribute, &mut |value| {
                if first == Value::Nil {
                    first = value.clone();
                }
            });
            first
        }
        FieldExpr::Unary { op: Op::Sub, operand } => match evaluate(operand, trace, span, patterns) {
            Value::Int(number) => Value::Int(number.wrapping_neg()),
            Value::Float(number) => Value::Float(-number),
            Value::Duration(nanos) => Value::Duration(nanos.wrapping_neg()),
            _ => Value::Nil,
        },
        FieldExpr::Binary { op, lhs, rhs } if !op.is_boolean() => {
            let left = evaluate(lhs, trace, span, patterns);
            let right = evaluate(rhs, trace, span, patterns);
            arithmetic(*op, &left, &right)
        }
        boolean => Value::Bool(matches(boolean, trace, span, patterns)),
    }
}

/// Ints stay ints (division truncates), a duration with a number stays a duration. What has no result (a division by
/// zero, a text) is nil, which compares as false.
fn arithmetic(op: Op, left: &Value, right: &Value) -> Value {
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        return match op {
            Op::Add => a.checked_add(*b),
            Op::Sub => a.checked_sub(*b),
            Op::Mul => a.checked_mul(*b),
            Op::Div => a.checked_div(*b),
            Op::Mod => a.checked_rem(*b),
            // Of two ints, Tempo takes the right one to the power of the left one.
            _ => u32::try_from(*a).ok().map(|exponent| b.wrapping_pow(exponent)),
        }
        .map_or(Value::Nil, Value::Int);
    }
    let (Some(a), Some(b)) = (left.as_number(), right.as_number()) else { return Value::Nil };
    if matches!(op, Op::Div | Op::Mod) && b == 0.0 {
        return Value::Nil;
    }
    let result = match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div => a / b,
        Op::Mod => a % b,
        _ => a.powf(b),
    };
    let duration = matches!(left, Value::Duration(_)) || matches!(right, Value::Duration(_));
    if duration { Value::Duration(result as i64) } else { Value::Float(result) }
}
