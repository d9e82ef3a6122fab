//! `>`, `>>`, `<`, `<<`, `~` and their `!` and `&` forms on the spans of one trace.
use std::collections::{HashMap, HashSet};

use super::ast::{Form, Relation};
use super::model::Trace;

/// The spans that `lhs op rhs` yields. Without a left-hand span nothing is related to one, so `!` keeps all.
///
/// Orphans stand in no relation, as in Tempo: only spans whose parents reach a root are in the tree.
pub fn join(trace: &Trace, relation: Relation, form: Form, lhs: &[usize], rhs: &[usize]) -> Vec<usize> {
    let below = related(trace, relation, lhs);
    let keep = |spans: &[usize], related: &HashSet<usize>, wanted: bool| -> Vec<usize> {
        spans.iter().copied().filter(|span| related.contains(span) == wanted).collect()
    };
    match form {
        Form::Plain => keep(rhs, &below, true),
        Form::Not => keep(rhs, &below, false),
        Form::Union => {
            let right = keep(rhs, &below, true);
            let left = keep(lhs, &related(trace, opposite(relation), rhs), true);
            // The lower end comes first, as in Tempo; of siblings the left-hand one.
            match relation {
                Relation::Child | Relation::Descendant => unique(right.into_iter().chain(left)),
                Relation::Parent | Relation::Ancestor | Relation::Sibling => unique(left.into_iter().chain(right)),
            }
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

/// All spans of the tree that are the child (descendant, …) of one of `others`.
fn related(trace: &Trace, relation: Relation, others: &[usize]) -> HashSet<usize> {
    let in_tree = |span: &usize| trace.nested_set(*span).left != 0;
    let others: HashSet<usize> = others.iter().copied().filter(in_tree).collect();
    let all = (0..trace.spans.len()).filter(in_tree);
    match relation {
        Relation::Child => all.filter(|&span| trace.parent_of(span).is_some_and(|up| others.contains(&up))).collect(),
        Relation::Parent => others.iter().filter_map(|&span| trace.parent_of(span)).collect(),
        Relation::Descendant => {
            let mut sets: Vec<_> = others.iter().map(|&span| trace.nested_set(span)).collect();
            sets.sort_unstable_by_key(|set| set.left);
            // Of nested sets only the outermost matter; they do not overlap, so the last that begins before a span decides.
            sets.dedup_by(|inner, outer| inner.right < outer.right);
            all.filter(|&span| {
                let left = trace.nested_set(span).left;
                let behind = sets.partition_point(|set| set.left < left);
                behind > 0 && left < sets[behind - 1].right
            })
            .collect()
        }
        Relation::Ancestor => {
            let mut above = HashSet::new();
            for &span in &others {
                let mut next = trace.parent_of(span);
                // Stops where another one's way up was gone before; also ends circles.
                while let Some(up) = next.filter(|&up| above.insert(up)) {
                    next = trace.parent_of(up);
                }
            }
            above
        }
        Relation::Sibling => {
            let mut by_parent: HashMap<usize, Vec<usize>> = HashMap::new();
            for &span in &others {
                if let Some(parent) = trace.parent_of(span) {
                    by_parent.entry(parent).or_default().push(span);
                }
            }
            let has_other = |span: usize| {
                let parent = trace.parent_of(span)?;
                Some(by_parent.get(&parent)?.iter().any(|&other| other != span))
            };
            all.filter(|&span| has_other(span) == Some(true)).collect()
        }
    }
}
