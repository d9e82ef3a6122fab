//! The API over a store, without a socket. What the answers hold is checked against recordings in `tests/`.
use std::io::Read;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use tower::ServiceExt;

use super::router;
use crate::traces::{StoreOptions, TraceStore};

struct Api {
    router: Router,
    _dir: tempfile::TempDir,
}

fn api(spans: u64) -> Api {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(TraceStore::open(StoreOptions::new(dir.path())).expect("opens"));
    let spans = (1..=spans).map(|id| Span {
        trace_id: vec![1; 16],
        span_id: id.to_be_bytes().to_vec(),
        name: "work".to_owned(),
        start_time_unix_nano: 1_000_000_000 * id,
        end_time_unix_nano: 1_000_000_000 * id + 1,
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    store.ingest(vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }]).expect("taken");
    Api { router: router(store, String::new), _dir: dir }
}

impl Api {
    async fn get(&self, uri: &str, header: (&str, &str)) -> (StatusCode, bool, Vec<u8>) {
        let request = Request::builder().uri(uri).header(header.0, header.1).body(Body::empty()).expect("well formed");
        let response = self.router.clone().oneshot(request).await.expect("a router does not fail");
        let packed = response.headers().contains_key("content-encoding");
        let status = response.status();
        (status, packed, response.into_body().collect().await.expect("in memory").to_bytes().to_vec())
    }
}

const TRACE: &str = "/api/v2/traces/01010101010101010101010101010101";

#[tokio::test]
async fn a_long_answer_is_packed_when_the_client_takes_it() {
    let api = api(50);
    let (_, packed, plain) = api.get(TRACE, ("accept-encoding", "identity, gzip;q=0")).await;
    assert!(!packed);
    let (_, packed, body) = api.get(TRACE, ("accept-encoding", "br, gzip")).await;
    assert!(packed);
    let mut unpacked = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut unpacked).expect("is gzip");
    assert_eq!(unpacked, plain);
}

#[tokio::test]
async fn the_metrics_page_counts_what_is_stored() {
    let (status, _, body) = api(3).get("/metrics", ("accept", "*/*")).await;
    let text = String::from_utf8(body).expect("text");
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("tracewright_store_traces_stored_spans 3"), "{text}");
    assert!(text.contains("traces_spanmetrics_calls_total{span_name=\"work\""), "{text}");
}

#[tokio::test]
async fn a_tag_name_may_be_encoded_twice() {
    let api = api(1);
    let (status, _, _) = api.get("/api/v2/search/tag/resource%252Eservice%252Ename/values", ("accept", "*/*")).await;
    assert_eq!(status, StatusCode::OK);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_parameter_makes_it_panic(name in "(q|tags|limit|spss|start|end|since|step|minDuration|scope|exemplars)", value in ".{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let api = api(2);
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for path in ["/api/search", "/api/metrics/query_range", "/api/metrics/query", "/api/v2/search/tags", "/api/v2/search/tag/name/values"] {
            let uri = format!("{path}?{name}={encoded}");
            let (status, ..) = runtime.block_on(api.get(&uri, ("accept", "*/*")));
            prop_assert!(status.as_u16() < 500 || status == StatusCode::NOT_IMPLEMENTED, "{uri}: {status}");
        }
    }
}
