//! `>`, `>>`, `<`, `<<`, `~` and their `!` and `&` forms on the spans of one trace.
use std::collections::HashSet;

use super::ast::{Form, Relation};
use super::model::Trace;

/// The spans that `lhs op rhs` yields. Without a left-hand span nothing is related to one, so `!` keeps all.
///
/// Orphans stand in no relation, as in Tempo: only spans whose parents reach a root are in the tree. The exception
/// is siblings, which need nothing but a parent that is here.
pub fn join(trace: &Trace, relation: Relation, form: Form, lhs: &[usize], rhs: &[usize]) -> Vec<usize> {
    let left: HashSet<usize> = lhs.iter().copied().collect();
    match form {
        Form::Plain => rhs.iter().copied().filter(|&span| related(trace, relation, &left, span)).collect(),
        Form::Not => rhs.iter().copied().filter(|&span| !related(trace, relation, &left, span)).collect(),
        Form::Union => {
            let right: HashSet<usize> = rhs.iter().copied().collect();
            let opposite = opposite(relation);
            let mut both: Vec<usize> =
                rhs.iter().copied().filter(|&span| related(trace, relation, &left, span)).collect();
            both.extend(lhs.iter().copied().filter(|&span| related(trace, opposite, &right, span)));
            both.sort_unstable();
            both.dedup();
            both
        }
    }
}

/// Each span once, in the order of its first coming.
pub fn unique(spans: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut seen = HashSet::new();
    spans.filter(|span| seen.insert(*span)).collect()
}

fn opposite(relation: Relation) -> Relation {
    match relation {
        Relation::Child => Relation::Parent,
        Relation::Parent => Relation::Child,
        Relation::Descendant => Relation::Ancestor,
        Relation::Ancestor => Relation::Descendant,
        Relation::Sibling => Relation::Sibling,
    }
}

/// Whether `span` is the child (descendant, …) of one of `others`.
fn related(trace: &Trace, relation: Relation, others: &HashSet<usize>, span: usize) -> bool {
    let own = trace.nested_set(span);
    if own.left == 0 {
        return false;
    }
    match relation {
        Relation::Child => trace.parent_of(span).is_some_and(|parent| others.contains(&parent)),
        Relation::Descendant => ancestors(trace, span).any(|ancestor| others.contains(&ancestor)),
        Relation::Parent => others.iter().any(|&other| trace.parent_of(other) == Some(span)),
        Relation::Ancestor => others.iter().any(|&other| {
            let below = trace.nested_set(other);
            below.left > own.left && below.left < own.right
        }),
        Relation::Sibling => {
            let parent = trace.parent_of(span);
            parent.is_some() && others.iter().any(|&other| other != span && trace.parent_of(other) == parent)
        }
    }
}

/// From the parent up. Bounded by the number of spans, should the ids form a circle.
fn ancestors(trace: &Trace, span: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(trace.parent_of(span), |&above| trace.parent_of(above)).take(trace.spans.len())
}
