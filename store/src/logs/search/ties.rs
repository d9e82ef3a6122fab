//! The order of terms buckets that are equal in what they are ordered by: their counts, or a metric.
//!
//! Quickwit fills a hash map with the buckets of its splits, sends it to the node that answers, and sorts what that
//! node's map gives by that alone. So equal ones come in the map's order, which is fixed by the hash function. This
//! repeats it, where every bucket is known; where segments cut some off, equal counts stay ordered by key.
//! Without it the order of equal ones would change with the segments that the documents happen to be in.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use rustc_hash::FxBuildHasher;
use serde_json::Value;
use tantivy::aggregation::agg_req::{Aggregation, AggregationVariants, Aggregations};
use tantivy::aggregation::bucket::{OrderTarget, TermsAggregation};

use super::super::doc_mapper::{DocMapper, FieldRef};
use super::super::field_mapping::FieldKind;

/// Buckets of a terms aggregation that does not say how many.
const DEFAULT_SIZE: u32 = 10;

/// A bucket's key as Quickwit hashes it: variant, then value. The variants stand in its order.
#[derive(Debug, Clone, PartialEq)]
#[expect(dead_code, reason = "addresses are not reordered, but take their place among the variants")]
enum Key {
    IpAddr(std::net::Ipv6Addr),
    Bool(bool),
    Str(String),
    F64(f64),
    I64(i64),
    U64(u64),
}

// Keys of buckets are never NaN.
impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::IpAddr(address) => address.hash(state),
            Self::Bool(truth) => truth.hash(state),
            Self::Str(text) => text.hash(state),
            Self::F64(number) => number.to_bits().hash(state),
            Self::I64(number) => number.hash(state),
            Self::U64(number) => number.hash(state),
        }
    }
}

/// The same aggregations, where terms give all buckets that a segment hands over: which of equal ones are cut off is
/// known only when they are in order. Only those at the top that have nothing below them, so that it costs little.
pub(super) fn widened(aggregations: &Aggregations) -> Aggregations {
    let mut widened = aggregations.clone();
    for aggregation in widened.values_mut().filter(|aggregation| aggregation.sub_aggregation.is_empty()) {
        if let AggregationVariants::Terms(terms) = &mut aggregation.agg {
            let size = terms.size.unwrap_or(DEFAULT_SIZE);
            let of_segment = terms.segment_size.unwrap_or(size.saturating_mul(10)).max(size);
            terms.segment_size = Some(of_segment);
            terms.size = Some(of_segment);
        }
    }
    widened
}

/// Cuts the terms at the top to the buckets that were asked for.
pub(super) fn cut(aggregations: &Aggregations, answer: &mut Value) {
    for (name, aggregation) in aggregations {
        let AggregationVariants::Terms(terms) = &aggregation.agg else { continue };
        let Some(Value::Array(buckets)) = answer.get_mut(name).and_then(|result| result.get_mut("buckets")) else {
            continue;
        };
        let size = terms.size.unwrap_or(DEFAULT_SIZE) as usize;
        let beyond = buckets.split_off(size.min(buckets.len()));
        let documents: u64 = beyond.iter().filter_map(|bucket| bucket["doc_count"].as_u64()).sum();
        if let Some(others) = answer[name].get_mut("sum_other_doc_count") {
            *others = (others.as_u64().unwrap_or(0) + documents).into();
        }
    }
}

/// Puts equal buckets in order, in every terms aggregation of an answer.
pub(super) fn reorder(aggregations: &Aggregations, answer: &mut Value, mapper: &DocMapper) {
    for (name, aggregation) in aggregations {
        if let Some(result) = answer.get_mut(name) {
            reorder_one(aggregation, result, mapper);
        }
    }
}

fn reorder_one(aggregation: &Aggregation, result: &mut Value, mapper: &DocMapper) {
    if let AggregationVariants::Terms(terms) = &aggregation.agg {
        let complete = result.get("sum_other_doc_count").and_then(Value::as_u64) == Some(0);
        if let (true, Some(Value::Array(buckets))) = (complete, result.get_mut("buckets")) {
            reorder_buckets(terms, buckets, mapper);
        }
    }
    let each: Vec<&mut Value> = match result.get_mut("buckets") {
        Some(Value::Array(buckets)) => buckets.iter_mut().collect(),
        Some(Value::Object(buckets)) => buckets.values_mut().collect(),
        _ => return,
    };
    for bucket in each {
        reorder(&aggregation.sub_aggregation, bucket, mapper);
    }
}

fn reorder_buckets(terms: &TermsAggregation, buckets: &mut [Value], mapper: &DocMapper) {
    let target = terms.order.as_ref().map_or(&OrderTarget::Count, |order| &order.target);
    let Some(ranks) = buckets.iter().map(|bucket| rank_of(bucket, target)).collect::<Option<Vec<Value>>>() else {
        return;
    };
    let is_u64 = matches!(
        mapper.find(&terms.field),
        Some((FieldRef::Mapped(mapped), _)) if matches!(mapped.mapping.kind, FieldKind::U64 { .. })
    );
    let Some(mut keys) = buckets.iter().map(|bucket| key_of(bucket, is_u64)).collect::<Option<Vec<Key>>>() else {
        return;
    };
    keys.sort_by(order_of_collection);
    // Once where the split is searched, once where the answer is put together; once more between the two when a path
    // has text and numbers, whose columns are counted apart.
    let mixed = keys.iter().any(|key| matches!(key, Key::Str(_))) && keys.iter().any(|key| !matches!(key, Key::Str(_)));
    let passes = if mixed { 3 } else { 2 };
    let places = (0..passes).fold(keys, |keys, _| map_order(&keys));
    let place = |bucket: &Value| {
        key_of(bucket, is_u64).and_then(|key| places.iter().position(|other| *other == key)).unwrap_or(usize::MAX)
    };
    let mut start = 0;
    while start < buckets.len() {
        let tied = ranks[start..].iter().take_while(|rank| **rank == ranks[start]).count();
        buckets[start..start + tied].sort_by_key(place);
        start += tied;
    }
}

/// What a bucket is ordered by; `None` where no two buckets are equal, or where it does not stand in the answer.
fn rank_of(bucket: &Value, target: &OrderTarget) -> Option<Value> {
    match target {
        OrderTarget::Key => None,
        OrderTarget::Count => bucket.get("doc_count").cloned(),
        OrderTarget::SubAggregation(path) => match bucket.get(path) {
            Some(metric) => metric.get("value").cloned(),
            None => {
                // One of several values: `latency.avg`, `latency.99`.
                let (name, part) = path.split_once('.')?;
                let metric = bucket.get(name)?;
                metric.get(part).or_else(|| metric.get("values")?.get(part)).cloned()
            }
        },
    }
}

fn map_order(keys: &[Key]) -> Vec<Key> {
    let mut map: HashMap<Key, (), FxBuildHasher> = HashMap::default();
    for key in keys {
        map.insert(key.clone(), ());
    }
    map.into_keys().collect()
}

/// Text before numbers, each in its own order: how the columns of a segment are read.
fn order_of_collection(one: &Key, other: &Key) -> std::cmp::Ordering {
    match (one, other) {
        (Key::Str(one), Key::Str(other)) => one.cmp(other),
        (Key::Str(_), _) => std::cmp::Ordering::Less,
        (_, Key::Str(_)) => std::cmp::Ordering::Greater,
        (one, other) => number(one).total_cmp(&number(other)),
    }
}

fn number(key: &Key) -> f64 {
    match key {
        Key::F64(number) => *number,
        Key::I64(number) => *number as f64,
        Key::U64(number) => *number as f64,
        Key::Bool(truth) => f64::from(u8::from(*truth)),
        Key::Str(_) | Key::IpAddr(_) => 0.0,
    }
}

fn key_of(bucket: &Value, is_u64: bool) -> Option<Key> {
    let key = &bucket["key"];
    let as_string = bucket.get("key_as_string").and_then(Value::as_str);
    match (key, as_string) {
        (Value::Number(_), Some("true")) => Some(Key::Bool(true)),
        (Value::Number(_), Some("false")) => Some(Key::Bool(false)),
        (Value::Number(_), Some(_)) => None,
        (Value::String(text), _) => Some(Key::Str(text.clone())),
        (Value::Number(number), None) if is_u64 => number.as_u64().map(Key::U64),
        (Value::Number(number), None) => match number.as_i64() {
            Some(number) => Some(Key::I64(number)),
            None => number.as_f64().map(Key::F64),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logs::IndexConfig;

    fn strings(keys: &[&str]) -> Vec<Key> {
        keys.iter().map(|key| Key::Str((*key).to_owned())).collect()
    }

    fn ordered(terms: serde_json::Value, buckets: &[Value]) -> Vec<String> {
        let config =
            IndexConfig::from_yaml(include_str!("../builtin/otel-logs-v0_9.yaml")).expect("a valid index file");
        let terms = serde_json::from_value(terms).expect("a terms aggregation");
        let mut buckets = buckets.to_vec();
        reorder_buckets(&terms, &mut buckets, &DocMapper::new(&config).expect("a valid mapping"));
        buckets.iter().map(|bucket| bucket["key"].as_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn equal_metrics_come_in_the_recorded_order_whatever_the_segments() {
        let bucket = |key: &str, value: f64| json!({"key": key, "doc_count": 1, "1": {"value": value, "avg": value}});
        let [first, last] = [bucket("rust-service", 151.75), bucket("go-service", 148.75)];
        let [one, other] = [bucket("frontend", 150.25), bucket("python-service", 150.25)];
        let recorded = ["rust-service", "frontend", "python-service", "go-service"];
        for path in ["1", "1.avg"] {
            let terms = json!({"field": "service_name", "order": {path: "desc"}});
            for middle in [[&one, &other], [&other, &one]] {
                let buckets = [&first, middle[0], middle[1], &last].map(Value::clone);
                assert_eq!(ordered(terms.clone(), &buckets), recorded, "{path}");
            }
        }
        // Keys are never equal; what is not in the answer says nothing.
        for order in [json!({"_key": "asc"}), json!({"other": "desc"})] {
            let terms = json!({"field": "service_name", "order": order});
            assert_eq!(ordered(terms, &[other.clone(), one.clone()]), ["python-service", "frontend"]);
        }
    }

    #[test]
    fn equal_counts_are_cut_off_after_they_are_in_order() {
        let request = |terms: Value| -> Aggregations {
            serde_json::from_value(json!({"t": {"terms": terms}})).expect("a terms aggregation")
        };
        let aggregations = request(json!({"field": "severity_text", "size": 2}));
        assert_eq!(widened(&aggregations), request(json!({"field": "severity_text", "size": 20, "segment_size": 20})));
        let bucket = |key: &str, count: u64| json!({"key": key, "doc_count": count});
        let buckets = [bucket("INFO", 129), bucket("WARN", 20), bucket("ERROR", 20), bucket("error", 1)];
        let mut answer = json!({"t": {"buckets": buckets, "sum_other_doc_count": 3}});
        cut(&aggregations, &mut answer);
        assert_eq!(answer, json!({"t": {"buckets": buckets[..2], "sum_other_doc_count": 24}}));
        // As many as there are, none, and with something below: nothing is asked for beyond.
        let mut answer = json!({"t": {"buckets": buckets, "sum_other_doc_count": 0}});
        cut(&request(json!({"field": "severity_text"})), &mut answer);
        assert_eq!(answer["t"]["buckets"], json!(buckets));
        let below: Aggregations =
            serde_json::from_value(json!({"t": {"terms": {"field": "a"}, "aggs": {"m": {"max": {"field": "b"}}}}}))
                .expect("a terms aggregation");
        assert_eq!(widened(&below), below);
    }

    #[test]
    fn equal_counts_come_in_the_recorded_order() {
        let sorted = strings(&["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN", "error"]);
        let recorded = strings(&["INFO", "FATAL", "DEBUG", "TRACE", "WARN", "ERROR", "error"]);
        assert_eq!(map_order(&map_order(&sorted)), recorded);
    }
}
