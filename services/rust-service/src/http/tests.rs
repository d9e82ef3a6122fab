//! The routes, asked without a socket and without PostgreSQL: what answers from memory answers, the rest is 503.

use std::time::Duration;

use axum::body::Body;
use opentelemetry::Value;
use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::{SpanKind, Status};
use serde_json::json;

use super::*;
use crate::capture::{Answer, CALLER_SPAN, CALLER_TRACE, Capture, attribute, field};
use crate::config::Config;
use crate::faults::{Fault, Faults};
use crate::flagfile::FlagFile;
use crate::search::Entry;

const BAGGAGE: &str = "tenant.id=acme,test.id=t-1,session.id=s-1,secret=hunter2";

/// A service whose PostgreSQL is at `database` (host:port).
fn service(capture: &Capture, database: &str) -> Router {
    faulty(capture, database, Faults::default())
}

fn faulty(capture: &Capture, database: &str, faults: Faults) -> Router {
    // A refused connection is an answer, however long a busy machine takes for it.
    routes(capture, database, faults, Duration::from_secs(60))
}

fn routes(capture: &Capture, database: &str, faults: Faults, timeout: Duration) -> Router {
    let config = Config::from_lookup(|name| match name {
        "DATABASE_URL" => Some(format!("postgresql://someone:hunter2@{database}/tracewright")),
        "DEPENDENCY_TIMEOUT_MS" => Some(timeout.as_millis().to_string()),
        _ => None,
    });
    let config = config.expect("valid settings");
    let entry = |id: &str, title: &str, related: &[&str]| Entry {
        id: id.into(),
        title: title.into(),
        body: format!("What people should know about {title}."),
        related: related.iter().map(|id| (*id).to_owned()).collect(),
    };
    router(AppState {
        index: Arc::new(Index::build([entry("baggage", "Baggage", &["span"]), entry("span", "Spans", &[])])),
        knowledge: Knowledge::new(&config),
        latency_scale: 0.0,
        telemetry: capture.telemetry.server(faults.clone()),
        faults,
    })
}

/// Port 1 of the own machine: nothing listens there.
const NO_DATABASE: &str = "127.0.0.1:1";

async fn ask(capture: &Capture, uri: &str) -> Answer {
    capture.ask(&service(capture, NO_DATABASE), "GET", uri, BAGGAGE).await
}

fn text(value: &str) -> Option<Value> {
    Some(Value::from(value.to_owned()))
}

#[tokio::test]
async fn search_answers_in_the_fleets_shape() {
    let capture = Capture::new();
    let answer = ask(&capture, "/search?q=what+is+baggage%3F&limit=1").await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(body["query"], "what is baggage?");
    let [result] = &body["results"].as_array().expect("results")[..] else { panic!("{body}") };
    assert_eq!(result["id"], "baggage");
    assert_eq!(result["title"], "Baggage");
    assert_eq!(result["related"], json!(["span"]));
    assert!(result["score"].as_f64() > Some(0.0));
    assert!(result["snippet"].as_str().is_some_and(|snippet| snippet.contains("Baggage")));
}

#[tokio::test]
async fn the_callers_trace_goes_on() {
    let capture = Capture::new();
    let answer = ask(&capture, "/search?q=baggage").await;
    assert_eq!(capture.span_names(), ["search index", "GET /search"]);
    let (server, index) = (capture.span("GET /search"), capture.span("search index"));

    assert_eq!(server.span_context.trace_id().to_string(), CALLER_TRACE);
    assert_eq!(server.parent_span_id.to_string(), CALLER_SPAN);
    assert_eq!(server.span_kind, SpanKind::Server);
    assert_eq!(index.parent_span_id, server.span_context.span_id());
    assert_eq!(index.span_context.trace_id(), server.span_context.trace_id());
    assert_eq!(index.span_kind, SpanKind::Internal);
    assert!(index.end_time <= server.end_time);
    let expected = format!("00-{CALLER_TRACE}-{}-01", server.span_context.span_id());
    assert_eq!(answer.header("traceresponse"), expected);
}

#[tokio::test]
async fn baggage_survives_on_every_span_and_log_and_only_what_is_allowed() {
    let capture = Capture::new();
    ask(&capture, "/search?q=baggage").await;
    ask(&capture, "/data").await;
    ask(&capture, "/error").await;
    assert_eq!(capture.spans().len(), 5, "{:?}", capture.span_names());
    for span in capture.spans() {
        assert_eq!(attribute(&span, "tenant.id"), text("acme").as_ref(), "{}", span.name);
        assert_eq!(attribute(&span, "test.id"), text("t-1").as_ref(), "{}", span.name);
        assert_eq!(attribute(&span, "session.id"), text("s-1").as_ref(), "{}", span.name);
    }
    assert_eq!(capture.logs().len(), 3);
    for log in capture.logs() {
        assert_eq!(field(&log, "tenant.id"), Some(&AnyValue::from("acme")));
        assert_eq!(field(&log, "test.id"), Some(&AnyValue::from("t-1")));
        assert_eq!(field(&log, "session.id"), Some(&AnyValue::from("s-1")));
    }
    let everything = format!("{:?} {:?} {:?}", capture.spans(), capture.logs(), capture.lines());
    assert!(!everything.contains("hunter2"));
}

#[tokio::test]
async fn server_spans_have_the_stable_attributes_with_their_types() {
    let capture = Capture::new();
    ask(&capture, "/search?q=baggage").await;
    let span = capture.span("GET /search");
    for (key, value) in [
        ("http.request.method", Value::from("GET")),
        ("http.route", Value::from("/search")),
        ("http.response.status_code", Value::from(200)),
        ("url.path", Value::from("/search")),
        ("url.scheme", Value::from("http")),
        ("server.address", Value::from("rust-service")),
        ("server.port", Value::from(8003)),
    ] {
        assert_eq!(attribute(&span, key), Some(&value), "{key}");
    }
    assert_eq!(attribute(&span, "url.query"), None, "it holds what a person asked");
    assert_eq!(span.status, Status::Unset);
    let index = capture.span("search index");
    assert_eq!(attribute(&index, "search.limit"), Some(&Value::from(3)));
    assert_eq!(attribute(&index, "search.matched"), Some(&Value::from(1)));
}

#[tokio::test]
async fn a_request_without_a_trace_starts_one() {
    let capture = Capture::new();
    let request = Request::get("/search?q=baggage").body(Body::empty()).expect("a valid request");
    let answer = capture.send(&service(&capture, NO_DATABASE), request).await;
    let span = capture.span("GET /search");
    assert_eq!(span.parent_span_id.to_string(), "0000000000000000");
    assert!(answer.header("traceresponse").contains(&span.span_context.trace_id().to_string()));
    assert_eq!(attribute(&span, "tenant.id"), None);
    let attributes = &capture.durations()[0].1;
    assert!(!attributes.iter().any(|pair| pair.starts_with("tenant.id")), "{attributes:?}");
}

#[tokio::test]
async fn logs_carry_the_ids_of_the_server_span_on_both_ways_once() {
    let capture = Capture::new();
    ask(&capture, "/search?q=baggage").await;
    let span = capture.span("GET /search");
    let [log] = &capture.logs()[..] else { panic!("one record expected, got {:?}", capture.logs()) };
    let trace = log.trace_context().expect("a trace");
    assert_eq!(trace.trace_id, span.span_context.trace_id());
    assert_eq!(trace.span_id, span.span_context.span_id());
    assert_eq!(log.body(), Some(&AnyValue::from("search finished")));
    let time = log.timestamp().expect("a timestamp");
    assert!(span.start_time <= time && time <= span.end_time);

    let [line] = &capture.lines()[..] else { panic!("one line expected, got {:?}", capture.lines()) };
    assert_eq!(line["message"], "search finished");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["trace_id"], CALLER_TRACE);
    assert_eq!(line["span_id"], span.span_context.span_id().to_string());
    assert_eq!(line["tenant.id"], "acme");
    assert_eq!(line["search.results"], 1);
    assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')));
}

#[tokio::test]
async fn a_deliberate_error_is_recorded_once_where_it_happened() {
    let capture = Capture::new();
    let answer = ask(&capture, "/error").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["trace_id"], CALLER_TRACE);
    assert!(!answer.text.contains("on purpose"), "causes are never sent: {}", answer.text);

    let span = capture.span("GET /error");
    assert_eq!(span.status, Status::error("this error is raised on purpose by GET /error"));
    assert_eq!(attribute(&span, "error.type"), text("rust_service::DeliberateFailure").as_ref());
    let [event] = &span.events[..] else { panic!("one event expected: {:?}", span.events) };
    assert_eq!(event.name, "exception");
    let fields: Vec<_> = event.attributes.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(fields, ["exception.type", "exception.message"]);

    let [log] = &capture.logs()[..] else { panic!("one record expected: {:?}", capture.logs()) };
    assert_eq!(log.severity_number(), Some(Severity::Error));
    assert_eq!(log.trace_context().map(|trace| trace.span_id), Some(span.span_context.span_id()));
    assert_eq!(field(log, "exception.type"), Some(&AnyValue::from("rust_service::DeliberateFailure")));
}

#[tokio::test]
async fn a_database_that_is_down_is_a_503_recorded_on_its_own_span() {
    let capture = Capture::new();
    let answer = ask(&capture, "/data").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["detail"], "PostgreSQL does not answer");

    let (server, query) = (capture.span("GET /data"), capture.span("SELECT knowledge"));
    assert_eq!(query.parent_span_id, server.span_context.span_id());
    assert_eq!(query.span_kind, SpanKind::Client);
    for (key, value) in [
        ("db.system.name", "postgresql"),
        ("db.namespace", "tracewright"),
        ("db.collection.name", "knowledge"),
        ("db.operation.name", "SELECT"),
        ("db.query.summary", "SELECT knowledge"),
        ("server.address", "127.0.0.1"),
        ("error.type", "deadpool_postgres::PoolError"),
    ] {
        assert_eq!(attribute(&query, key), text(value).as_ref(), "{key}");
    }
    assert_eq!(attribute(&query, "server.port"), Some(&Value::from(1)));
    assert_eq!(query.events.len(), 1);
    assert!(matches!(query.status, Status::Error { .. }));
    assert_eq!(server.events.len(), 0, "the exception is on the query's span");
    assert!(matches!(server.status, Status::Error { .. }));
    assert_eq!(attribute(&server, "error.type"), text("deadpool_postgres::PoolError").as_ref());
    assert_eq!(capture.logs().len(), 1);
    assert_eq!(capture.logs()[0].severity_number(), Some(Severity::Error));
}

#[tokio::test]
async fn a_database_that_hangs_is_a_503_within_the_limit() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let database = silent.local_addr().expect("an address").to_string();
    let capture = Capture::new();
    let service = routes(&capture, &database, Faults::default(), Duration::from_millis(150));
    for path in ["/data", "/"] {
        // Without the limit there would be no answer at all.
        let answer = tokio::time::timeout(Duration::from_secs(60), capture.ask(&service, "GET", path, BAGGAGE)).await;
        assert_eq!(answer.expect(path).status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    let query = capture.span("SELECT knowledge");
    assert_eq!(attribute(&query, "error.type"), text("tokio::time::error::Elapsed").as_ref());
}

#[tokio::test]
async fn health_and_metrics_leave_no_trace() {
    let capture = Capture::new();
    let health = ask(&capture, "/").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    let body = health.json();
    assert_eq!((&body["service"], &body["status"]), (&json!("rust-service"), &json!("unavailable")));
    assert_eq!(body["checks"], json!({"postgres": "unavailable"}));
    let metrics = ask(&capture, "/metrics").await;
    assert_eq!(metrics.header("content-type"), process_metrics::CONTENT_TYPE);
    assert!(metrics.text.contains("\ntokio_workers "), "{}", metrics.text);
    assert!(!metrics.text.contains("http_"), "requests are counted by OTLP alone");
    for answer in [health, metrics] {
        assert_eq!(answer.header("traceresponse"), "");
    }
    assert_eq!(capture.span_names(), Vec::<String>::new());
    assert_eq!(capture.lines(), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn refusals_are_problems_and_no_errors_of_the_server() {
    for (method, uri, status, span) in [
        ("GET", "/no/such/path", 404, "GET /*"),
        ("BREW", "/no/such/path", 404, "HTTP /*"),
        ("POST", "/search?q=x", 405, "POST /search"),
        ("GET", "/search", 422, "GET /search"),
        ("GET", "/search?q=x&limit=21", 422, "GET /search"),
    ] {
        let capture = Capture::new();
        let answer = capture.ask(&service(&capture, NO_DATABASE), method, uri, BAGGAGE).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {uri}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["status"], status);
        assert_eq!(answer.json()["trace_id"], CALLER_TRACE);
        let server = capture.span(span);
        assert_eq!(server.status, Status::Unset, "{method} {uri}");
        assert_eq!(attribute(&server, "error.type"), None);
        let original = (method == "BREW").then(|| Value::from("BREW"));
        assert_eq!(attribute(&server, "http.request.method_original"), original.as_ref());
        assert_eq!(server.events.len(), 0);
        assert_eq!(capture.logs().len(), 1);
        assert_eq!(capture.logs()[0].severity_number(), Some(Severity::Info));
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones_on_untraced_paths_too() {
    let capture = Capture::new();
    for path in ["/data", "/", "/metrics"] {
        let answer = capture.ask(&service(&capture, NO_DATABASE), "DELETE", path, BAGGAGE).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.header("allow"), "GET,HEAD");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_search_is_named() {
    let long = format!("/search?q={}&limit=0", "x".repeat(MAX_QUERY_CHARS + 1));
    for (uri, fields) in [
        ("/search", vec!["q"]),
        ("/search?q=%20%20", vec!["q"]),
        ("/search?q=a&q=b", vec!["q"]),
        ("/search?q=a&limit=0", vec!["limit"]),
        ("/search?q=a&limit=ten", vec!["limit"]),
        ("/search?limit=-1", vec!["q", "limit"]),
        (long.as_str(), vec!["q", "limit"]),
    ] {
        let answer = ask(&Capture::new(), uri).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{uri}");
        let body = answer.json();
        let named: Vec<_> = body["errors"].as_array().expect("errors").iter().map(|error| &error["field"]).collect();
        assert_eq!(named, fields, "{uri}");
    }
    let longest = format!("/search?q={}&limit=20&other=1", "é".repeat(MAX_QUERY_CHARS));
    assert_eq!(ask(&Capture::new(), &longest).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_unread() {
    let capture = Capture::new();
    for (length, status) in [(MAX_BODY_BYTES, StatusCode::OK), (MAX_BODY_BYTES + 1, StatusCode::PAYLOAD_TOO_LARGE)] {
        let request = Request::get("/search?q=x").header("content-length", length).body(Body::empty());
        let answer = capture.send(&service(&capture, NO_DATABASE), request.expect("a valid request")).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn durations_are_counted_by_route_status_and_known_tenant() {
    let capture = Capture::new();
    let service = service(&capture, NO_DATABASE);
    for baggage in ["tenant.id=acme", "tenant.id=acme", "tenant.id=initech", ""] {
        capture.ask(&service, "GET", "/search?q=x", baggage).await;
    }
    capture.ask(&service, "GET", "/error", "tenant.id=globex").await;
    capture.ask(&service, "GET", "/made/up", "tenant.id=globex").await;
    let common = |route: &str, status: u16| {
        vec![
            "http.request.method=GET".to_owned(),
            format!("http.response.status_code={status}"),
            format!("http.route={route}"),
        ]
    };
    let point = |count: u64, mut attributes: Vec<String>, more: &[&str]| {
        attributes.extend(more.iter().map(|pair| (*pair).to_owned()));
        attributes.push("url.scheme=http".into());
        attributes.sort();
        (count, attributes)
    };
    let mut expected = [
        point(2, common("/search", 200), &["tenant.id=acme"]),
        point(1, common("/search", 200), &["tenant.id=unknown"]),
        point(1, common("/search", 200), &[]),
        point(1, common("/error", 500), &["tenant.id=globex", "error.type=rust_service::DeliberateFailure"]),
        point(1, common("/*", 404), &["tenant.id=globex"]),
    ];
    expected.sort();
    let mut durations = capture.durations();
    durations.sort();
    assert_eq!(durations, expected);
}

/// One fault, on for the test `broken` alone.
async fn only(fault: Fault) -> Faults {
    let path = std::env::temp_dir().join(format!("rust-service-faults-{}-{}.json", std::process::id(), fault.flag()));
    let flag = json!({
        "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
        "targeting": {"if": [{"in": [{"var": "test"}, ["broken"]]}, "on", "off"]},
    });
    std::fs::write(&path, json!({"flags": {fault.flag(): flag}}).to_string()).expect("written");
    let flags = FlagFile::open(&path).expect("a good file");
    std::fs::remove_file(path).expect("removed");
    Faults::new(flags).await
}

#[tokio::test]
async fn an_error_has_no_status_for_whom_the_fault_is_on() {
    for (test, status) in
        [("broken", Status::Unset), ("whole", Status::error("this error is raised on purpose by GET /error"))]
    {
        let capture = Capture::new();
        let routes = faulty(&capture, NO_DATABASE, only(Fault::ErrorStatusMissing).await);
        capture.ask(&routes, "GET", "/error", &format!("test.id={test}")).await;
        let span = capture.span("GET /error");
        assert_eq!(span.status, status, "{test}");
        assert_eq!(span.events.len(), 1, "{test}");
        assert!(attribute(&span, "error.type").is_some(), "{test}");
    }
}

#[tokio::test]
async fn the_search_is_in_the_name_of_its_span_for_whom_the_fault_is_on() {
    for (test, name) in [("broken", "search index for baggage"), ("whole", "search index")] {
        let capture = Capture::new();
        let routes = faulty(&capture, NO_DATABASE, only(Fault::UnboundedSpanName).await);
        capture.ask(&routes, "GET", "/search?q=baggage", &format!("test.id={test}")).await;
        assert_eq!(capture.span_names(), [name, "GET /search"], "{test}");
    }
}

#[tokio::test]
async fn the_query_is_an_internal_span_for_whom_the_fault_is_on() {
    for (test, kind) in [("broken", SpanKind::Internal), ("whole", SpanKind::Client)] {
        let capture = Capture::new();
        let routes = faulty(&capture, NO_DATABASE, only(Fault::WrongSpanKind).await);
        capture.ask(&routes, "GET", "/data", &format!("test.id={test}")).await;
        assert_eq!(capture.span("SELECT knowledge").span_kind, kind, "{test}");
    }
}
