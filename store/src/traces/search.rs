//! Search: the newest traces that match, with the spans that do.
use std::collections::BTreeMap;

use super::bitset::Bitset;
use super::block::{self, Block};
use super::tenants::Deadline;
use super::{Reader, TraceError, legacy_tags, prefilter};
use crate::traceql::Value;
use crate::traceql::ast::{Attribute, Intrinsic, Op, Pipeline, Query};
use crate::traceql::conditions::{self, Condition};
use crate::traceql::eval::{self, Patterns};
use crate::traceql::model::Trace;
use crate::traceql::pipeline::{self, Spanset};
use crate::traceql::value::Status;

/// What to look for. Times are nanoseconds since 1970, both inclusive.
pub struct SearchRequest {
    pub filter: Filter,
    pub start_ns: u64,
    pub end_ns: u64,
    /// At most this many traces.
    pub limit: usize,
    /// At most this many spans per spanset.
    pub spans_per_set: usize,
}

pub enum Filter {
    TraceQl(Query),
    /// The older parameters: every tag stands somewhere in the trace, and the trace lasts that long.
    Tags {
        tags: Vec<(String, String)>,
        min_duration_ns: Option<u64>,
        max_duration_ns: Option<u64>,
    },
}

/// A trace that matches.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: [u8; 16],
    /// `None` while the root is not here or names no service.
    pub root_service: Option<String>,
    pub root_name: Option<String>,
    pub start_ns: u64,
    pub duration_ns: u64,
    /// Empty for a search by tags.
    pub sets: Vec<FoundSet>,
    pub services: BTreeMap<String, ServiceStats>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceStats {
    pub spans: u32,
    pub errors: u32,
}

#[derive(Debug, Clone)]
pub struct FoundSet {
    pub spans: Vec<FoundSpan>,
    /// All spans of the set, also those past the limit.
    pub matched: usize,
    pub attributes: Vec<(String, Value)>,
}

#[derive(Debug, Clone)]
pub struct FoundSpan {
    pub id: [u8; 8],
    /// Only when the query names it.
    pub name: Option<String>,
    pub start_ns: u64,
    pub duration_ns: u64,
    pub attributes: Vec<(String, Value)>,
}

impl Reader {
    /// The newest traces that match, newest first; equal starts in the order of their ids.
    ///
    /// # Errors
    /// [`TraceError::QueryTimeout`], or what reading a segment gives.
    pub fn search(&self, request: &SearchRequest) -> Result<Vec<Found>, TraceError> {
        let plan = Plan::new(request);
        let deadline = Deadline::new(self.query_timeout());
        let mut found: Vec<Found> = Vec::new();
        self.for_each_block(&mut |block| {
            let (start_ns, end_ns) = block.bounds();
            if start_ns > request.end_ns || end_ns < request.start_ns {
                return Ok(());
            }
            // A block that ends before the oldest result that still counts cannot add a newer one.
            let floor = if found.len() >= request.limit { found[request.limit - 1].start_ns } else { 0 };
            if end_ns < floor {
                return Ok(());
            }
            search_block(block, &plan, floor, deadline, &mut found)?;
            found = combine(std::mem::take(&mut found));
            found.truncate(request.limit);
            Ok(())
        })?;
        Ok(found)
    }
}

struct Plan<'a> {
    request: &'a SearchRequest,
    patterns: Patterns,
    conditions: Vec<Condition>,
}

impl<'a> Plan<'a> {
    fn new(request: &'a SearchRequest) -> Self {
        let (patterns, conditions) = match &request.filter {
            Filter::TraceQl(query) => (Patterns::of_query(query), conditions::of_query(query)),
            Filter::Tags { .. } => Default::default(),
        };
        Self { request, patterns, conditions }
    }
}

fn search_block(
    block: &dyn Block,
    plan: &Plan<'_>,
    floor: u64,
    deadline: Deadline,
    found: &mut Vec<Found>,
) -> Result<(), TraceError> {
    let candidates = match &plan.request.filter {
        Filter::TraceQl(query) => prefilter::traces(block, &query.pipeline, &plan.patterns)?,
        Filter::Tags { .. } => Bitset::all(block.trace_count()),
    };
    if candidates.is_empty() {
        return Ok(());
    }
    let entries = block.entries()?;
    let mut order: Vec<u32> = candidates
        .iter()
        .filter(|&trace| {
            let entry = &entries[trace];
            entry.start_ns <= plan.request.end_ns && entry.end_ns >= plan.request.start_ns && entry.start_ns >= floor
        })
        .map(|trace| trace as u32)
        .collect();
    order.sort_unstable_by_key(|trace| (std::cmp::Reverse(entries[*trace as usize].start_ns), *trace));
    let mut matches = 0;
    for number in order {
        if matches >= plan.request.limit {
            break;
        }
        deadline.check()?;
        let trace = block::load_trace(block, number, entries[number as usize].id)?;
        if let Some(result) = evaluate(&trace, plan) {
            matches += 1;
            found.push(result);
        }
    }
    Ok(())
}

fn evaluate(trace: &Trace, plan: &Plan<'_>) -> Option<Found> {
    let sets = match &plan.request.filter {
        Filter::TraceQl(Query { pipeline: Pipeline { stages }, .. }) if stages.is_empty() => Vec::new(),
        Filter::TraceQl(query) => {
            let sets = pipeline::run(&query.pipeline, trace, &plan.patterns);
            if sets.is_empty() {
                return None;
            }
            sets.into_iter().map(|set| describe(set, trace, plan)).collect()
        }
        Filter::Tags { tags, min_duration_ns, max_duration_ns } => {
            let duration = trace.duration_ns();
            let fits = min_duration_ns.is_none_or(|min| duration >= min)
                && max_duration_ns.is_none_or(|max| duration <= max)
                && tags.iter().all(|(key, text)| legacy_tags::has(trace, key, text));
            if !fits {
                return None;
            }
            Vec::new()
        }
    };
    let root = trace.root.map(|root| &trace.spans[root]);
    let mut services: BTreeMap<String, ServiceStats> = BTreeMap::new();
    for span in &trace.spans {
        let stats = services.entry(span.resource.service_name.clone()).or_default();
        stats.spans += 1;
        stats.errors += u32::from(span.status == Status::Error);
    }
    Some(Found {
        id: trace.id,
        root_service: root.map(|root| root.resource.service_name.clone()).filter(|name| !name.is_empty()),
        root_name: root.map(|root| root.name.clone()),
        start_ns: trace.start_ns,
        duration_ns: trace.duration_ns(),
        sets,
        services,
    })
}

fn describe(set: Spanset, trace: &Trace, plan: &Plan<'_>) -> FoundSet {
    let spans = set.spans.iter().take(plan.request.spans_per_set).map(|&index| {
        let span = &trace.spans[index];
        let mut attributes = Vec::new();
        for condition in &plan.conditions {
            list_attribute(condition, trace, index, plan, &mut attributes);
        }
        // The name has a field of its own, filled under the same rule as the attributes.
        let at = attributes.iter().position(|(label, _)| label == NAME_LABEL);
        let name = at.map(|at| attributes.remove(at).1.to_text());
        FoundSpan { id: span.id, name, start_ns: span.start_ns, duration_ns: span.duration_ns, attributes }
    });
    FoundSet { spans: spans.collect(), matched: set.spans.len(), attributes: set.attributes }
}

/// Stands for the intrinsic `name` among the attributes; no attribute can have it.
const NAME_LABEL: &str = "\0name";

/// Adds an attribute of the query to a span's list: the values that fulfil one of the query's comparisons with it.
fn list_attribute(condition: &Condition, trace: &Trace, span: usize, plan: &Plan<'_>, into: &mut Vec<(String, Value)>) {
    let label = match &condition.attribute {
        Attribute::Named { name, .. } => name.clone(),
        // These say nothing about the single span, or are fields of their own.
        Attribute::Intrinsic(
            Intrinsic::Duration
            | Intrinsic::TraceDuration
            | Intrinsic::TraceId
            | Intrinsic::RootName
            | Intrinsic::RootServiceName
            | Intrinsic::SpanId
            | Intrinsic::ChildCount,
        ) => return,
        Attribute::Intrinsic(Intrinsic::Name) => NAME_LABEL.to_owned(),
        Attribute::Intrinsic(intrinsic) => intrinsic.to_string(),
    };
    if into.iter().any(|(known, _)| *known == label) {
        return;
    }
    let mut values = Vec::new();
    let mut whole = None;
    trace.values(span, &condition.attribute, &mut |value| {
        if condition.bare && whole.is_none() {
            whole = Some(value.clone());
        }
        eval::for_each_element(value, &mut |element| {
            let wanted = condition.tests.iter().any(|(op, literal)| match literal {
                Value::Nil => *op == Op::Neq,
                literal => eval::fulfils(*op, element, literal, &condition.attribute, &plan.patterns),
            });
            if wanted {
                values.push(element.clone());
            }
        });
    });
    let value = match (whole, values.len()) {
        (Some(value), _) => value,
        (None, 0) => {
            let asks_for_nil = condition.tests.iter().any(|(op, value)| *op == Op::Eq && *value == Value::Nil);
            match condition.attribute {
                _ if asks_for_nil || condition.compared => Value::Nil,
                // Asked for and not there, these are empty texts.
                Attribute::Intrinsic(Intrinsic::EventName | Intrinsic::LinkTraceId | Intrinsic::LinkSpanId)
                    if condition.bare =>
                {
                    Value::Str(String::new())
                }
                _ => return,
            }
        }
        (None, 1) => values.remove(0),
        (None, _) if matches!(condition.attribute, Attribute::Intrinsic(_)) => values.remove(0),
        (None, _) => Value::Array(values),
    };
    into.push((label, value));
}

/// Joins fragments of one trace, then orders newest first.
fn combine(found: Vec<Found>) -> Vec<Found> {
    let mut by_id: BTreeMap<[u8; 16], Found> = BTreeMap::new();
    for fragment in found {
        match by_id.entry(fragment.id) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(fragment);
            }
            std::collections::btree_map::Entry::Occupied(mut slot) => join(slot.get_mut(), fragment),
        }
    }
    let mut found: Vec<Found> = by_id.into_values().collect();
    found.sort_by_key(|trace| std::cmp::Reverse(trace.start_ns));
    found
}

fn join(whole: &mut Found, fragment: Found) {
    if whole.root_name.is_none() {
        whole.root_name = fragment.root_name;
        whole.root_service = fragment.root_service;
    }
    whole.start_ns = whole.start_ns.min(fragment.start_ns);
    whole.duration_ns = whole.duration_ns.max(fragment.duration_ns);
    for (service, stats) in fragment.services {
        let known = whole.services.entry(service).or_default();
        known.spans += stats.spans;
        known.errors += stats.errors;
    }
    for set in fragment.sets {
        match whole.sets.iter_mut().find(|known| known.attributes == set.attributes) {
            // As in Tempo, the fragment with more matches speaks for the trace.
            Some(known) if set.matched > known.matched => *known = set,
            Some(_) => {}
            None => whole.sets.push(set),
        }
    }
}
