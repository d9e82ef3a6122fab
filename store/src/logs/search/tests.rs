//! What is taken from memory, or found without looking at every hit, is what a plain look at everything gives.

use serde_json::{Value, json};

use super::super::dates;
use super::super::field_mapping::DateFormat;
use super::*;
use crate::logs::{IndexConfig, LogOptions, LogStore};
use crate::wal::SyncPolicy;

/// More than a segment needs to be remembered, and than hits are gathered before they are looked at.
const DOCUMENTS: i64 = 9_000;
/// 2026-01-15T10:00:00Z
const BASE_SECONDS: i64 = 1_768_471_200;

fn open(dir: &std::path::Path) -> (Arc<LogStore>, Arc<LogIndex>) {
    let options = LogOptions {
        dir: dir.to_owned(),
        sync: SyncPolicy::Always,
        retention: None,
        max_disk_bytes: None,
        max_waiting_bytes: 8 << 20,
    };
    let store = LogStore::open(options).expect("the store opens");
    let text = "{version: 0.9, index_id: mine, doc_mapping: {timestamp_field: ts, field_mappings: [\
                {name: ts, type: datetime, fast: true}, {name: n, type: i64, fast: true}, \
                {name: level, type: text, tokenizer: raw, fast: true}]}}";
    let index = store
        .index("mine")
        .or_else(|_| store.create_index(IndexConfig::from_yaml(text).expect("a valid index file")))
        .expect("is there or made");
    (store, index)
}

/// One document a second, in an order of arrival that is not at all that of their times.
fn scattered(at: i64) -> i64 {
    at * 7_919 % DOCUMENTS
}

/// In an order of arrival that is nearly that of their times, but the newest comes first and the oldest last.
fn nearly_in_order(at: i64) -> i64 {
    match at {
        0 => DOCUMENTS - 1,
        at if at == DOCUMENTS - 1 => 0,
        // By hundreds, changed about within each.
        at if at <= DOCUMENTS - 100 => (at - 1) / 100 * 100 + (at - 1) * 37 % 100 + 1,
        at => at,
    }
}

/// Takes the documents in, each at the time that `n` says.
fn fill(store: &LogStore, n: fn(i64) -> i64) {
    let lines = (0..DOCUMENTS).map(|at| {
        let n = n(at);
        let time = dates::format(tantivy::DateTime::from_timestamp_secs(BASE_SECONDS + n), DateFormat::Rfc3339);
        let level = if n % 2 == 0 { "INFO" } else { "ERROR" };
        format!("{}\n", json!({"ts": time, "n": n, "level": level}))
    });
    store.ingest_ndjson("mine", lines.collect::<String>().as_bytes(), |_| ()).expect("is taken");
    store.flush();
}

fn request(window: (i64, i64), aggregations: Option<Value>) -> SearchRequest {
    SearchRequest {
        query: QueryAst::All,
        start_timestamp: Some(BASE_SECONDS + window.0),
        end_timestamp: Some(BASE_SECONDS + window.1),
        sort: Vec::new(),
        search_after: None,
        offset: 0,
        max_hits: 0,
        aggregations: aggregations.map(|value| serde_json::from_value(value).expect("a valid aggregation")),
        snippet_fields: Vec::new(),
    }
}

fn aggregated(index: &Arc<LogIndex>, window: (i64, i64)) -> (u64, Value) {
    let over_time = json!({"date_histogram": {"field": "ts", "fixed_interval": "600s"},
        "aggs": {"p": {"percentiles": {"field": "n", "percents": [50, 95]}}}});
    let request = request(window, Some(json!({"l": {"terms": {"field": "level"}, "aggs": {"t": over_time}}})));
    let answer = search(std::slice::from_ref(index), &request).expect("is answered");
    (answer.num_hits, answer.aggregations.expect("was asked for"))
}

#[test]
fn an_aggregation_is_the_same_when_its_parts_are_known() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (store, index) = open(dir.path());
    fill(&store, scattered);
    let whole = (0, DOCUMENTS);
    let first = aggregated(&index, whole);
    assert_eq!(first.0, DOCUMENTS as u64);
    assert_eq!(index.known_parts.answers(), 1, "buckets by a text with sketches of percentiles can be kept");
    // Another window that holds for all, one that does not, and the first one again.
    assert_eq!(aggregated(&index, (-60, DOCUMENTS + 60)), first);
    let part = aggregated(&index, (1_000, 2_000));
    assert_eq!(part.0, 1_000);
    assert_eq!(aggregated(&index, (1_000, 2_000)), part);
    assert_eq!(aggregated(&index, whole), first);
    // Deleting changes the segment without making a new one.
    let below = QueryAst::Range { field: "n".to_owned(), lower: Bound::Unbounded, upper: Bound::Excluded(json!(100)) };
    let query = build(&below, &index.mapper, index.tantivy().tokenizers()).expect("a query");
    index.delete(query).expect("is done");
    let after = aggregated(&index, whole);
    assert_eq!(after.0, DOCUMENTS as u64 - 100);
    store.stop();
    drop((store, index));
    let (_store, index) = open(dir.path());
    assert_eq!(aggregated(&index, whole), after, "a new start knows nothing");
}

fn best_are_those_of_sorting_all(n: fn(i64) -> i64) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (store, index) = open(dir.path());
    fill(&store, n);
    let every = (QueryAst::All, 1);
    let error = QueryAst::Term { field: "level".to_owned(), value: "ERROR".to_owned() };
    for (query, step) in [every, (error, 2)] {
        let ascending: Vec<i64> = (step - 1..DOCUMENTS).step_by(step as usize).collect();
        let descending: Vec<i64> = ascending.iter().rev().copied().collect();
        for (order, expected) in [(Order::Descending, &descending), (Order::Ascending, &ascending)] {
            for by in ["ts", "n"] {
                let by = SortBy::Field(by.to_owned());
                let mut request = request((0, DOCUMENTS), None);
                request.query = query.clone();
                request.sort = vec![SortField { by, order, date_unit: DateUnit::Nanoseconds }];
                request.max_hits = 50;
                let mut found = Vec::new();
                // Page by page, each after the last hit of the one before.
                for _ in 0..3 {
                    let answer = search(std::slice::from_ref(&index), &request).expect("is answered");
                    assert_eq!(answer.num_hits, expected.len() as u64);
                    request.search_after = answer.hits.last().map(|hit| hit.sort.clone());
                    found.extend(answer.hits.iter().map(|hit| {
                        let source: Value = serde_json::from_slice(&hit.source).expect("JSON");
                        source["n"].as_i64().expect("a number")
                    }));
                }
                assert_eq!(found, expected[..150]);
            }
        }
    }
}

#[test]
fn the_best_hits_of_many_are_those_that_sorting_all_would_give() {
    best_are_those_of_sorting_all(scattered);
}

#[test]
fn the_best_hits_are_found_where_most_stretches_are_left_out() {
    best_are_those_of_sorting_all(nearly_in_order);
}

#[test]
fn zones_of_segments_that_are_gone_are_given_up() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (store, index) = open(dir.path());
    for _ in 0..2 {
        fill(&store, scattered);
        let mut request = request((0, DOCUMENTS), None);
        let by = SortBy::Field("ts".to_owned());
        request.sort = vec![SortField { by, order: Order::Descending, date_unit: DateUnit::Nanoseconds }];
        request.max_hits = 1;
        search(std::slice::from_ref(&index), &request).expect("is answered");
        assert_eq!(index.known_zones.segments(), index.searcher().segment_readers().len());
        index.clear().expect("is cleared");
    }
}
