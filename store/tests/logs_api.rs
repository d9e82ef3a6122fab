//! Requests of which there is no recording, through Quickwit's whole API: what must be answered, and what must be refused without
//! harm.
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracewright_store::logs::{LogOptions, LogStore};
use tracewright_store::logs_api::{ApiOptions, NodeNames, router};
use tracewright_store::wal::SyncPolicy;

struct Api {
    store: Arc<LogStore>,
    router: Router,
    _dir: tempfile::TempDir,
}

/// Ten records, one a second: numbers 0 to 9, every third an error.
fn api() -> Api {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = LogStore::open(LogOptions {
        dir: dir.path().to_owned(),
        sync: SyncPolicy::Always,
        retention: None,
        max_disk_bytes: None,
        max_waiting_bytes: 8 << 20,
    })
    .expect("an empty store opens");
    let lines = (0..10_u64).map(|n| {
        let time = (1_768_471_200 + n) * 1_000_000_000;
        json!({
            "timestamp_nanos": time, "observed_timestamp_nanos": time, "service_name": "shop", "trace_flags": 0,
            "severity_number": n, "severity_text": if n % 3 == 0 { "ERROR" } else { "INFO" },
            "body": {"message": format!("line {n}")}, "attributes": {"n": n, "name": format!("n{n}")},
        })
        .to_string()
    });
    let lines: Vec<String> = lines.collect();
    let outcome = store.ingest_ndjson("otel-logs-v0_9", lines.join("\n").as_bytes(), |_| ()).expect("is taken");
    assert_eq!(outcome.accepted, 10);
    store.flush();
    let names = NodeNames {
        cluster_id: "test".to_owned(),
        node_id: "test".to_owned(),
        rest_address: "127.0.0.1:7280".to_owned(),
    };
    let options = ApiOptions {
        names,
        max_otlp_body_bytes: 1 << 20,
        search_timeout: Duration::from_secs(30),
        max_concurrent_searches: 2,
    };
    Api { router: router(Arc::clone(&store), options), store, _dir: dir }
}

impl Api {
    async fn send(&self, method: &str, path: &str, content_type: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("a router always answers");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn search(&self, query: &str) -> (u16, Value) {
        let body = json!({"query": query, "max_hits": 0}).to_string();
        self.send("POST", "/api/v1/otel-logs-v0_9/search", "application/json", &body).await
    }

    async fn aggregate(&self, aggregation: Value) -> (u16, Value) {
        let body = json!({"size": 0, "aggs": {"a": aggregation}}).to_string();
        let path = "/api/v1/_elastic/otel-logs-v0_9/_search";
        let (status, mut answer) = self.send("POST", path, "application/json", &body).await;
        let shown = if status == 200 { answer["aggregations"]["a"].take() } else { answer["error"]["reason"].take() };
        (status, shown)
    }
}

/// Found by fuzzing: tantivy panics when the ends of a range on a JSON path have different types.
#[tokio::test]
async fn a_range_from_a_number_to_a_text_compares_texts() {
    let api = api();
    for (query, hits) in [
        ("attributes.n:[2 TO 5]", 4),
        ("attributes.n:[2 TO 5.5]", 4),
        ("attributes.n:[2 TO five]", 0),
        ("attributes.name:[1 TO n2]", 3),
        ("attributes.name:[2026-01-15T10:00:00Z TO n2]", 3),
    ] {
        let (status, answer) = api.search(query).await;
        assert_eq!((status, answer["num_hits"].as_u64()), (200, Some(hits)), "{query}: {answer}");
    }
}

#[tokio::test]
async fn a_filter_aggregation_counts_what_also_matches() {
    let api = api();
    for filter in [
        json!({"term": {"severity_text": "ERROR"}}),
        json!({"bool": {"must_not": {"term": {"severity_text": "INFO"}}}}),
        json!({"query_string": {"query": "severity_text:ERROR"}}),
        json!("severity_text:ERROR"),
    ] {
        let below = json!({"filter": filter, "aggs": {"most": {"max": {"field": "severity_number"}}}});
        let (status, answer) = api.aggregate(below).await;
        assert_eq!((status, &answer), (200, &json!({"doc_count": 4, "most": {"value": 9.0}})), "{filter}");
    }
    let within = json!({"terms": {"field": "service_name"}, "aggs": {"errors": {"filter": {"term": {"severity_text": "ERROR"}}}}});
    let (_, answer) = api.aggregate(within).await;
    assert_eq!(answer["buckets"][0]["errors"], json!({"doc_count": 4}));
    for (wrong, part) in [
        (json!({"term": {"nope": "x"}}), "field does not exist"),
        (json!({"nope": {}}), "unknown variant `nope`"),
        (json!({}), "invalid filter aggregation"),
    ] {
        let (status, reason) = api.aggregate(json!({"filter": wrong})).await;
        assert!(status == 400 && reason.as_str().is_some_and(|reason| reason.contains(part)), "{wrong}: {reason}");
    }
}

#[tokio::test]
async fn an_aggregation_that_would_fill_the_memory_or_cannot_be_computed_is_refused() {
    let api = api();
    let forever = json!({"min": 0, "max": 1e300});
    for (aggregation, part) in [
        (json!({"histogram": {"field": "severity_number", "interval": 1e-300}}), "bucket limit was exceeded"),
        (json!({"histogram": {"field": "attributes.n", "interval": 1e-9}}), "bucket limit was exceeded"),
        (json!({"histogram": {"field": "severity_number", "interval": 1, "extended_bounds": forever}}), "bucket limit"),
        (
            json!({"date_histogram": {"field": "timestamp_nanos", "fixed_interval": "1ms", "extended_bounds": forever}}),
            "bucket limit",
        ),
        (
            json!({"terms": {"field": "service_name"}, "aggs": {"h": {"histogram": {"field": "severity_number", "interval": 1e-9}}}}),
            "bucket limit was exceeded",
        ),
        (json!({"range": {"field": "severity_number", "ranges": []}}), "at least one range"),
    ] {
        let (status, reason) = api.aggregate(aggregation.clone()).await;
        assert!(
            status == 400 && reason.as_str().is_some_and(|reason| reason.contains(part)),
            "{aggregation}: {reason}"
        );
    }
}

/// The column holds 0 to 9, but the query leaves 3 to 4: 8,193 buckets of 1/8192, not 73,729.
#[tokio::test]
async fn a_fine_histogram_of_a_short_time_is_answered() {
    let api = api();
    let body = json!({
        "size": 0, "query": {"range": {"severity_number": {"gte": 3, "lte": 4}}},
        "aggs": {"a": {"histogram": {"field": "severity_number", "interval": 0.0001220703125}}},
    });
    let (status, answer) =
        api.send("POST", "/api/v1/_elastic/otel-logs-v0_9/_search", "application/json", &body.to_string()).await;
    assert_eq!((status, answer["aggregations"]["a"]["buckets"].as_array().map(Vec::len)), (200, Some(8_193)));
}

#[tokio::test]
async fn what_the_server_lacks_is_told_as_quickwit_does_with_the_reason() {
    let api = api();
    let day = json!({"date_histogram": {"field": "timestamp_nanos", "calendar_interval": "day"}});
    let (status, reason) = api.aggregate(day).await;
    assert!(status == 500 && reason.as_str().is_some_and(|reason| reason.contains("calendar_interval")), "{reason}");
}

#[tokio::test]
async fn a_field_to_sort_by_may_begin_with_any_letter() {
    let api = api();
    let (status, answer) = api.send("GET", "/api/v1/otel-logs-v0_9/search?query=*&sort_by=%C3%A9", "", "").await;
    assert_eq!(status, 400, "{answer}");
}

/// Found by fuzzing: tantivy panics when a path in a JSON field holds the byte that ends paths.
#[tokio::test]
async fn a_field_whose_name_holds_a_nul_is_unknown() {
    let api = api();
    for query in ["query=x&search_field=body.%00", "query=body.%00:x", "query=*&sort_by=attributes.%00"] {
        let (status, answer) = api.send("GET", &format!("/api/v1/otel-logs-v0_9/search?{query}"), "", "").await;
        assert_eq!(status, 400, "{query}: {answer}");
    }
    let doc = json!({"timestamp_nanos": 1_768_471_200_000_000_000_u64, "attributes": {"a\0b": {"\0": "kept"}}});
    let outcome = api.store.ingest_ndjson("otel-logs-v0_9", doc.to_string().as_bytes(), |_| ()).expect("is taken");
    assert_eq!((outcome.accepted, outcome.rejected), (1, 0));
    api.store.flush();
    let (status, answer) = api.search("*").await;
    assert_eq!((status, answer["num_hits"].as_u64()), (200, Some(11)));
}

#[tokio::test]
async fn an_empty_text_finds_everything_only_when_asked_to() {
    let api = api();
    for (zero_terms, hits) in [("none", 0), ("all", 10)] {
        let query = json!({"query": {"match": {"body.message": {"query": "...", "zero_terms_query": zero_terms}}}});
        let path = "/api/v1/_elastic/otel-logs-v0_9/_count";
        let (status, answer) = api.send("POST", path, "application/json", &query.to_string()).await;
        assert_eq!((status, answer["count"].as_u64()), (200, Some(hits)), "{zero_terms}");
    }
}

#[tokio::test]
async fn an_index_file_may_be_toml() {
    let api = api();
    let file = r#"
        version = "0.9"
        index_id = "from-toml"
        [doc_mapping]
        field_mappings = [{ name = "message", type = "text", record = "position" }]
        [search_settings]
        default_search_fields = ["message"]
    "#;
    let (status, answer) = api.send("POST", "/api/v1/indexes", "application/toml", file).await;
    assert_eq!((status, answer["index_config"]["index_id"].as_str()), (200, Some("from-toml")), "{answer}");
    api.store.ingest_ndjson("from-toml", br#"{"message": "hello toml"}"#, |_| ()).expect("is taken");
    api.store.flush();
    let (_, answer) = api.send("GET", "/api/v1/from-toml/search?query=%22hello%20toml%22", "", "").await;
    assert_eq!(answer["num_hits"], 1);
    let (status, answer) = api.send("POST", "/api/v1/indexes", "application/toml", "index_id = ").await;
    assert!(status == 400 && answer["message"].as_str().is_some_and(|text| text.contains("line 1")), "{answer}");
}

#[tokio::test]
async fn parameters_cut_documents_down_and_add_conditions() {
    let api = api();
    let index = "/api/v1/_elastic/otel-logs-v0_9";
    let only_text = json!({"severity_text": "ERROR"});
    let filters = "_source_includes=severity_text&extra_filters=severity_text:ERROR,attributes.n:3";
    let (_, answer) = api.send("POST", &format!("{index}/_search?{filters}"), "application/json", "{}").await;
    assert_eq!((&answer["hits"]["total"]["value"], &answer["hits"]["hits"][0]["_source"]), (&json!(1), &only_text));
    let searches = "{\"index\": \"otel-logs-v0_9\"}\n{\"size\": 1}\n";
    let path = format!("/api/v1/_elastic/_msearch?{filters}");
    let (_, answer) = api.send("POST", &path, "application/x-ndjson", searches).await;
    let found = &answer["responses"][0]["hits"];
    assert_eq!((&found["total"]["value"], &found["hits"][0]["_source"]), (&json!(1), &only_text));
    let without = format!("{index}/_search?_source_excludes=attributes,body&size=1&pretty=true");
    let (_, answer) = api.send("GET", &without, "application/json", "").await;
    let source = &answer["hits"]["hits"][0]["_source"];
    assert!(source.get("attributes").is_none() && source.get("severity_text").is_some(), "{source}");
    for unknown in ["search_type=x", "nope=1"] {
        let (status, _) = api.send("GET", &format!("{index}/_search?{unknown}"), "application/json", "").await;
        assert_eq!(status, 400, "{unknown}");
    }
}

#[tokio::test]
async fn a_search_of_several_with_a_malformed_index_fails_the_whole_request() {
    let api = api();
    let searches = "{\"index\": [\"bad$\"]}\n{}\n";
    let (status, answer) = api.send("POST", "/api/v1/_elastic/_msearch", "application/x-ndjson", searches).await;
    let reason = answer["error"]["reason"].as_str().unwrap_or_default();
    assert!(status == 400 && reason.contains("contains an invalid index"), "{status} {answer}");
}

#[tokio::test]
async fn deleting_an_index_that_is_not_there_may_be_ignored() {
    let api = api();
    let path = "/api/v1/_elastic/no-such-index";
    let (status, _) = api.send("DELETE", path, "application/json", "").await;
    assert_eq!(status, 404);
    let (status, answer) = api.send("DELETE", &format!("{path}?ignore_unavailable=true"), "application/json", "").await;
    assert_eq!((status, answer), (200, json!({"acknowledged": true})));
}

#[tokio::test]
async fn a_mapping_has_the_fields_of_the_index_file_and_the_paths_in_documents() {
    let api = api();
    let (status, answer) = api.send("GET", "/api/v1/_elastic/otel-logs-v0_9/_mapping", "application/json", "").await;
    assert_eq!(status, 200);
    let properties = &answer["otel-logs-v0_9"]["mappings"]["properties"];
    for (field, kind) in [
        ("service_name", "text"),
        ("timestamp_nanos", "date"),
        ("trace_id", "binary"),
        ("attributes", "object"),
        ("attributes.n", "long"),
        ("attributes.name", "keyword"),
        ("body.message", "keyword"),
    ] {
        assert_eq!(properties[field], json!({"type": kind}), "{field}");
    }
    let own = properties.as_object().expect("an object").keys().filter(|name| name.starts_with('_'));
    assert_eq!(own.count(), 0, "{properties}");
}

#[tokio::test]
async fn statistics_count_documents_and_splits() {
    let api = api();
    let (_, answer) = api.send("GET", "/api/v1/_elastic/otel-*/_stats", "application/json", "").await;
    let size = answer["_all"]["primaries"]["store"]["size_in_bytes"].as_u64().expect("bytes");
    let shape = |size: u64, documents: u64, splits: u64| {
        json!({
            "primaries": {"store": {"size_in_bytes": size}, "docs": {"count": documents}},
            "total": {"segments": {"count": splits}, "docs": {"count": documents}},
        })
    };
    let indexes = json!({"otel-logs-v0_9": shape(size, 10, 1), "otel-traces-v0_9": shape(0, 0, 0)});
    assert_eq!(answer, json!({"_all": shape(size, 10, 1), "indices": indexes}));
}
