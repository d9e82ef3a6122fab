//! The store as a whole: what is acknowledged stays, once, and is found.
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::metrics::MetricsRequest;
use super::search::{Filter, Found, SearchRequest};
use super::tags::Window;
use super::*;
use crate::traceql;
use crate::traceql::parser::parse_attribute;
use crate::traceql::steps::Steps;

const NOW_S: u64 = 4_000_000_000;

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span(trace: u8, id: u8, parent: u8, name: &str, start_s: u64) -> Span {
    let long = |id: u8| if id == 0 { Vec::new() } else { vec![id; 8] };
    Span {
        trace_id: vec![trace; 16],
        span_id: long(id),
        parent_span_id: long(parent),
        name: name.to_owned(),
        start_time_unix_nano: start_s * 1_000_000_000,
        end_time_unix_nano: start_s * 1_000_000_000 + 5_000_000,
        ..Span::default()
    }
}

fn request(service: &str, spans: Vec<Span>) -> Vec<ResourceSpans> {
    let resource = Some(Resource { attributes: vec![text("service.name", service)], ..Resource::default() });
    vec![ResourceSpans {
        resource,
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }]
}

fn open(dir: &tempfile::TempDir) -> Arc<TraceStore> {
    Arc::new(
        TraceStore::open(StoreOptions { retention: None, ..StoreOptions::new(dir.path()) }).expect("the store opens"),
    )
}

fn search(store: &Arc<TraceStore>, query: &str) -> Vec<Found> {
    let request = SearchRequest {
        filter: Filter::TraceQl(traceql::compile(query).expect("a valid query")),
        start_ns: 0,
        end_ns: u64::MAX,
        limit: 100,
        spans_per_set: 100,
    };
    store.reader().search(&request).expect("the search runs")
}

fn span_count(store: &Arc<TraceStore>, trace: u8) -> usize {
    let wire = store.reader().trace(&[trace; 16]).expect("the trace can be read");
    wire.iter().flat_map(|group| &group.scope_spans).map(|scope| scope.spans.len()).sum()
}

#[test]
fn a_span_is_found_at_once_and_after_a_restart_without_close() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    store.ingest(request("a", vec![span(1, 1, 0, "root", NOW_S)])).expect("taken");
    assert_eq!(search(&store, r#"{ name = "root" && resource.service.name = "a" }"#).len(), 1);
    // No close: as after kill -9.
    drop(store);
    let store = open(&dir);
    assert_eq!(span_count(&store, 1), 1);
    assert_eq!(search(&store, "{}").len(), 1);
}

#[test]
fn nothing_is_doubled_when_the_log_still_holds_what_a_segment_has() {
    let dir = tempfile::tempdir().expect("a directory");
    for round in 0..3 {
        let store = open(&dir);
        store.ingest(request("a", vec![span(1, round + 1, 0, "s", NOW_S)])).expect("taken");
        // The log's file is kept until it is full, so its records stand beside the segment.
        store.flush().expect("written");
        drop(store);
    }
    let store = open(&dir);
    assert_eq!(span_count(&store, 1), 3);
    assert_eq!(store.stats().stored_spans, 3);
}

#[test]
fn head_and_segment_give_the_same_answers() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let mut child = span(1, 2, 1, "child", NOW_S + 1);
    child.attributes = vec![text("db.system", "postgresql"), text("k", "v")];
    store.ingest(request("a", vec![span(1, 1, 0, "root", NOW_S)])).expect("taken");
    store.ingest(request("b", vec![child, span(2, 3, 0, "other", NOW_S + 9)])).expect("taken");
    let queries = [
        r#"{ name = "root" } > { span.k = "v" }"#,
        r#"{ .service.name =~ "b|c" }"#,
        "{ duration > 4ms } | count() > 1",
        "{ trace:duration > 1s }",
        r#"{ rootName = "root" && span.k != nil }"#,
        r#"{ !(name = "root") } | by(resource.service.name)"#,
        "{ status = unset && kind != server }",
        r#"{ span.k < "w" } || { name = "other" }"#,
    ];
    let ask = |store: &Arc<TraceStore>| -> Vec<String> {
        queries.iter().map(|query| format!("{:?}", search(store, query))).collect()
    };
    let in_memory = ask(&store);
    store.flush().expect("written");
    assert_eq!(ask(&store), in_memory);
    assert!(in_memory.iter().all(|answer| answer != "[]"), "{in_memory:#?}");
    drop(store);
    assert_eq!(ask(&open(&dir)), in_memory);
}

#[test]
fn fragments_of_a_trace_come_together_by_id_and_in_search() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    store.ingest(request("b", vec![span(1, 2, 1, "child", NOW_S + 1)])).expect("taken");
    store.flush().expect("written");
    store.ingest(request("a", vec![span(1, 1, 0, "root", NOW_S)])).expect("taken");
    // A retry of the first export, after the cut.
    store.ingest(request("b", vec![span(1, 2, 1, "child", NOW_S + 1)])).expect("taken");
    assert_eq!(span_count(&store, 1), 2);
    let found = search(&store, "{}");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].root_name.as_deref(), Some("root"));
}

#[test]
fn a_retry_is_stored_once_and_replayed_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    for _ in 0..2 {
        store.ingest(request("a", vec![span(1, 1, 0, "root", NOW_S)])).expect("taken");
    }
    assert_eq!(store.stats().stored_spans, 1);
    drop(store);
    assert_eq!(open(&dir).stats().stored_spans, 1);
}

#[test]
fn search_is_newest_first_across_segments_and_stops_at_the_limit() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    // Out of order: the newest traces come first.
    for trace in (1..=9).rev() {
        store.ingest(request("a", vec![span(trace, 1, 0, "s", NOW_S + u64::from(trace))])).expect("taken");
        store.flush().expect("written");
    }
    let request = SearchRequest {
        filter: Filter::TraceQl(traceql::compile("{}").expect("valid")),
        start_ns: 0,
        end_ns: u64::MAX,
        limit: 3,
        spans_per_set: 3,
    };
    let found = store.reader().search(&request).expect("runs");
    assert_eq!(found.iter().map(|trace| trace.id[0]).collect::<Vec<_>>(), [9, 8, 7]);
}

#[test]
fn a_request_with_a_bad_id_is_refused_as_a_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let refused = store.ingest(request("a", vec![span(1, 1, 0, "good", NOW_S), span(1, 0, 0, "bad", NOW_S)]));
    assert_eq!(refused.expect_err("refused").to_string(), "span ids must be 64 bit and not all zero, received 0 bits");
    assert_eq!(span_count(&store, 1), 0);
}

#[test]
fn old_segments_go_by_age_and_the_oldest_by_size() {
    let dir = tempfile::tempdir().expect("a directory");
    let day = Duration::from_secs(24 * 3600);
    let options = StoreOptions { retention: Some(day), ..StoreOptions::new(dir.path()) };
    let store = Arc::new(TraceStore::open(options.clone()).expect("opens"));
    store.ingest(request("a", vec![span(1, 1, 0, "old", 1_000)])).expect("taken");
    store.flush().expect("written");
    store.ingest(request("a", vec![span(2, 1, 0, "new", NOW_S)])).expect("taken");
    store.flush().expect("written");
    store.retain().expect("removed");
    assert_eq!((span_count(&store, 1), span_count(&store, 2)), (0, 1));
    drop(store);
    let store = Arc::new(TraceStore::open(StoreOptions { max_bytes: Some(1), ..options }).expect("opens"));
    assert_eq!(span_count(&store, 2), 1);
    store.retain().expect("removed");
    assert_eq!(store.stats().segments, 0);
}

#[test]
fn metrics_are_the_same_from_the_head_from_segments_and_from_what_is_known_of_segments() {
    let dirs = [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
    let [in_head, in_segments] = dirs.each_ref().map(open);
    for n in 0..60u8 {
        let service = if n % 3 == 0 { "a" } else { "b" };
        let mut one = span(n + 1, 1, 0, "work", NOW_S + u64::from(n));
        one.start_time_unix_nano += u64::from(n % 7) * 100_000_000;
        one.end_time_unix_nano += 900_000_000 + u64::from(n) * 1_000_000;
        for store in [&in_head, &in_segments] {
            store.ingest(request(service, vec![one.clone()])).expect("taken");
        }
        if n % 15 == 14 {
            in_segments.flush().expect("written");
        }
    }
    let second = 1_000_000_000;
    let ask = |store: &Arc<TraceStore>, query: &str, steps: Steps| {
        let query = traceql::compile(query).expect("a valid query");
        let series = store.reader().metrics(&MetricsRequest { query, steps, max_exemplars: 4 }).expect("is answered");
        let round = |(step, value): (usize, f64)| (step, (value * 1e6).round());
        // Which spans are the exemplars depends on the order of the blocks; how many there are does not.
        let exemplars: usize = series.iter().map(|one| one.exemplars.len()).sum();
        let shape = |one: crate::traceql::metrics::Series| {
            (format!("{:?}", one.labels), one.samples.into_iter().map(round).collect::<Vec<_>>())
        };
        (series.into_iter().map(shape).collect::<Vec<_>>(), exemplars)
    };
    for query in [
        "{} | rate() by(resource.service.name)",
        r#"{ resource.service.name = "a" } | count_over_time()"#,
        "{} | avg_over_time(duration) by(resource.service.name)",
        "{} | min_over_time(duration)",
        "{} | max_over_time(duration)",
        "{} | quantile_over_time(duration, .5, .9)",
        "{} | histogram_over_time(duration)",
    ] {
        // The last windows move on over what is known by then.
        for (start, end, step) in
            [(0, 70, 10), (0, 70, 7), (20, 50, 10), (13, 61, 5), (0, 70, 10), (10, 80, 10), (0, 45, 10)]
        {
            let (start_ns, end_ns) = ((NOW_S + start) * second, (NOW_S + end) * second);
            for steps in [Steps::aligned(start_ns, end_ns, step * second), Steps::single(start_ns, end_ns)] {
                let expected = ask(&in_head, query, steps);
                assert!(!expected.0.is_empty(), "{query}");
                assert_eq!(ask(&in_segments, query, steps), expected, "{query} {start} {end} {step}");
            }
        }
    }
}

#[test]
fn compaction_joins_small_segments_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    for round in 1..=30 {
        store
            .ingest(request("a", vec![span(1, round, round - 1, "s", NOW_S), span(round + 1, 1, 0, "t", NOW_S)]))
            .expect("taken");
        store.flush().expect("written");
    }
    let before = format!("{:?}", search(&store, r#"{ name = "t" }"#));
    // Together, as with the worker, which may begin at any moment: each finds the files that it has chosen.
    std::thread::scope(|scope| {
        let joins: Vec<_> = (0..4).map(|_| scope.spawn(|| store.compact())).collect();
        for join in joins {
            join.join().expect("no panic").expect("joined");
        }
    });
    assert!(store.stats().segments < 30);
    assert_eq!(span_count(&store, 1), 30);
    assert_eq!(format!("{:?}", search(&store, r#"{ name = "t" }"#)), before);
    drop(store);
    assert_eq!(span_count(&open(&dir), 1), 30);
}

#[test]
fn tag_values_follow_the_conditions_of_the_query() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    store.ingest(request("a", vec![span(1, 1, 0, "x", NOW_S)])).expect("taken");
    store.ingest(request("b", vec![span(2, 1, 0, "y", NOW_S)])).expect("taken");
    let window = Window { start_ns: 0, end_ns: u64::MAX };
    let conditions = traceql::lenient::conditions(r#"{ resource.service.name = "b" && span.z = }"#);
    let name = parse_attribute("name").expect("an attribute");
    let values = store.reader().tag_values(&name, &conditions, window).expect("runs");
    assert_eq!(values.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["y"]);
}

#[test]
fn a_damaged_segment_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    store.ingest(request("a", vec![span(1, 1, 0, "x", NOW_S)])).expect("taken");
    store.flush().expect("written");
    drop(store);
    let path = std::fs::read_dir(dir.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "traces"))
        .expect("a segment");
    std::fs::write(&path, b"junk that is no segment at all").expect("written");
    let refused = TraceStore::open(StoreOptions::new(dir.path())).err().expect("refused").to_string();
    assert!(refused.contains(path.to_str().expect("a path")), "{refused}");
}

#[test]
fn the_head_and_a_segment_agree_on_comparisons_that_stand_the_wrong_way_round_and_with_nil() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    store.ingest(request("a", vec![span(1, 1, 0, "root", NOW_S)])).expect("taken");
    for place in ["head", "segment"] {
        for (query, found) in [
            ("{ 1ms < duration }", 0),
            ("{ 5ms <= duration }", 1),
            ("{ 5ms = duration }", 1),
            ("{ !span.x }", 0),
            ("{ kind != nil && duration > 1ms }", 1),
            ("{ event:name != nil }", 0),
            ("{ childCount = 0 }", 0),
        ] {
            assert_eq!(search(&store, query).len(), found, "{query} in the {place}");
        }
        store.flush().expect("written");
    }
}

#[test]
fn the_older_search_finds_names_and_services_by_a_part_and_attributes_by_the_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let attributes = vec![text("http.method", "GET"), text("team", "cart"), text("status", "open")];
    let root = Span { attributes, ..span(1, 1, 0, "settle batch", NOW_S) };
    store.ingest(request("shop-service", vec![root, span(1, 2, 1, "persist", NOW_S)])).expect("taken");
    for (tags, found) in [
        (vec![("name", "settle")], 1),
        (vec![("name", "persist"), ("service.name", "shop")], 1),
        (vec![("root.name", "batch")], 1),
        (vec![("root.name", "persist")], 0),
        (vec![("root.service.name", "shop-")], 1),
        (vec![("service.name", "Shop")], 0),
        (vec![("http.method", "GE")], 1),
        (vec![("team", "car")], 0),
        (vec![("team", "cart")], 1),
        (vec![("status", "open")], 1),
        (vec![("status", "unset")], 0),
        (vec![("status.code", "unset")], 1),
        (vec![("status.code", "error")], 0),
    ] {
        let owned = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let filter = Filter::Tags { tags: owned, min_duration_ns: None, max_duration_ns: None };
        let request = SearchRequest { filter, start_ns: 0, end_ns: u64::MAX, limit: 100, spans_per_set: 3 };
        assert_eq!(store.reader().search(&request).expect("the search runs").len(), found, "{tags:?}");
    }
}

#[test]
fn a_flipped_byte_in_a_segment_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    for trace in 1..=20 {
        store.ingest(request("a", vec![span(trace, 1, 0, &format!("n{trace}"), NOW_S)])).expect("taken");
    }
    store.flush().expect("written");
    drop(store);
    let path = std::fs::read_dir(dir.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "traces"))
        .expect("a segment");
    let whole = std::fs::read(&path).expect("read");
    for at in (8..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, damaged).expect("written");
        let Ok(store) = TraceStore::open(StoreOptions { retention: None, ..StoreOptions::new(dir.path()) }) else {
            continue;
        };
        let reader = Arc::new(store).reader();
        let all = SearchRequest {
            filter: Filter::TraceQl(
                traceql::compile(r#"{ name =~ "n.*" && resource.service.name = "a" }"#).expect("valid"),
            ),
            start_ns: 0,
            end_ns: u64::MAX,
            limit: 100,
            spans_per_set: 1,
        };
        let _ = reader.search(&all);
        let _ = reader.trace(&[7; 16]);
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_in_a_log_record_make_it_panic(bytes in proptest::collection::vec(0u8.., 0..200)) {
        let _ = record::decode(&bytes);
    }

    #[test]
    fn a_record_comes_back_as_it_went_in(names in proptest::collection::vec(".{0,20}", 1..6)) {
        let spans = names.iter().zip(1..).map(|(name, id)| span(9, id, id - 1, name, NOW_S)).collect();
        let request = record::encoded(request("a", spans));
        let groups = record::groups(&request).expect("our own encoding");
        let record = record::encode(&groups);
        let again = record::decode(&record).expect("our own record");
        let spans = |groups: &[record::Group<'_>]| -> Vec<Vec<u8>> {
            groups.iter().flat_map(|group| group.spans.iter().map(|span| span.bytes.to_vec())).collect()
        };
        proptest::prop_assert_eq!(spans(&again), spans(&groups));
        proptest::prop_assert_eq!(&again[0].resource, &groups[0].resource);
    }
}
