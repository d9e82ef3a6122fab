//! What can be used of a half-typed query.
//!
//! Autocompletion sends a query that the user is still writing. The conditions of its first `{ … }` that are
//! complete and joined by `&&` narrow the answer. The rest is ignored, and so is what names an attribute without its
//! scope; where there is an `||`, everything is. All as in Tempo: a list that is too long helps, one that lacks what is
//! meant does not.
use super::ast::{Attribute, FieldExpr, Op, Scope, SpansetExpr, Stage};
use super::compile;

/// The conditions that all must hold; empty when nothing is usable.
pub fn conditions(text: &str) -> Vec<FieldExpr> {
    if let Ok(query) = compile(text) {
        let [Stage::Spansets(SpansetExpr::Filter(filter)), ..] = &query.pipeline.stages[..] else {
            return Vec::new();
        };
        let mut parts = Vec::new();
        if !has_or(filter) {
            conjuncts(filter, &mut parts);
        }
        return parts;
    }
    let body = text.trim().trim_start_matches('{').trim_end_matches('}');
    let parts = split_at_and(body);
    if parts.iter().any(|part| part.contains("||")) {
        return Vec::new();
    }
    parts
        .into_iter()
        .filter_map(|part| match compile(&format!("{{{part}}}")).ok()?.pipeline.stages.pop()? {
            Stage::Spansets(SpansetExpr::Filter(filter))
                if !matches!(filter, FieldExpr::Static(_)) && !names_unscoped(&filter) =>
            {
                Some(filter)
            }
            _ => None,
        })
        .collect()
}

fn conjuncts(expression: &FieldExpr, into: &mut Vec<FieldExpr>) {
    match expression {
        FieldExpr::Binary { op: Op::And, lhs, rhs } => {
            conjuncts(lhs, into);
            conjuncts(rhs, into);
        }
        FieldExpr::Static(_) => {}
        other if names_unscoped(other) => {}
        other => into.push(other.clone()),
    }
}

/// With `||` anywhere, Tempo narrows nothing.
fn has_or(expression: &FieldExpr) -> bool {
    match expression {
        FieldExpr::Static(_) | FieldExpr::Attribute(_) => false,
        FieldExpr::Unary { operand, .. } => has_or(operand),
        FieldExpr::Binary { op, lhs, rhs } => *op == Op::Or || has_or(lhs) || has_or(rhs),
    }
}

fn names_unscoped(expression: &FieldExpr) -> bool {
    match expression {
        FieldExpr::Static(_) => false,
        FieldExpr::Attribute(attribute) => matches!(attribute, Attribute::Named { scope: Scope::Any, .. }),
        FieldExpr::Unary { operand, .. } => names_unscoped(operand),
        FieldExpr::Binary { lhs, rhs, .. } => names_unscoped(lhs) || names_unscoped(rhs),
    }
}

/// Cuts at `&&` outside of strings.
fn split_at_and(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match quote {
            Some(open) if next == open => quote = None,
            None if next == '"' || next == '`' => quote = Some(next),
            None if next == '&' && chars.peek() == Some(&'&') => {
                chars.next();
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(next);
        }
    }
    parts
}
