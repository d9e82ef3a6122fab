//! The one place where server spans are opened: a middleware around every traced route.
//!
//! Per request it continues the caller's trace and baggage, opens the span `{METHOD} {route}`, turns a panic into an
//! answer, puts a failure on the span and in the log (once each), measures the duration, and tells the caller the
//! trace by `traceresponse`.
//!
//! Why not the layer of `opentelemetry-instrumentation-tower`: what its extractors return goes to the span *and* to
//! the metric, so an unknown tenant could not be kept off the metric alone; it leaves `url.scheme` empty, and it takes
//! any method a caller invents into the span's name.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry_http::HeaderExtractor;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{baggage, describe_exception, record_exception};
use crate::error::{Failure, panicked};
use crate::faults::{Fault, Faults};

/// Stands in the telemetry for every path that no route matches, so that callers cannot make up names.
const FALLBACK_ROUTE: &str = "/*";

/// Seconds; the boundaries that the semantic conventions advise.
const DURATION_BOUNDS_S: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The `error.type`, on span and metric, of a request whose caller did not wait for the answer.
const HUNG_UP: &str = "client_closed_request";

static TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// What the middleware works with; cheap to clone.
#[derive(Clone)]
pub struct ServerTelemetry {
    propagator: Arc<TextMapCompositePropagator>,
    duration: Histogram<f64>,
    faults: Faults,
}

impl ServerTelemetry {
    pub(super) fn new(propagator: TextMapCompositePropagator, meter: &Meter, faults: Faults) -> Self {
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_description("Duration of HTTP server requests.")
            .with_unit("s")
            .with_boundaries(DURATION_BOUNDS_S.to_vec())
            .build();
        Self { propagator: Arc::new(propagator), duration, faults }
    }
}

/// The middleware; see the module.
pub async fn serve(State(telemetry): State<ServerTelemetry>, request: Request, next: Next) -> Response {
    let parent = telemetry.propagator.extract(&HeaderExtractor(request.headers()));
    let mut measurement = Measurement::start(&telemetry, &request, baggage::metric_tenant(&parent));
    let span = measurement.span.clone();
    let statusless = telemetry.faults.on_for(Fault::ErrorStatusMissing, &parent).await;
    if let Err(error) = span.set_parent(parent) {
        tracing::error!(%error, "the caller's trace is not continued");
    }

    let served = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    span.in_scope(|| {
        let mut response = served.unwrap_or_else(|payload| panicked(payload.as_ref()).into_response());
        let failure = response.extensions_mut().remove::<Failure>();
        let status = response.status();
        span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        let error_type = note(&span, status, failure, statusless);
        measurement.finish(status, error_type);
        response.headers_mut().extend(trace_response(&span));
        response
    })
}

/// Measures one request from its arrival to its answer, or to the moment when the caller hangs up.
struct Measurement<'a> {
    telemetry: &'a ServerTelemetry,
    span: Span,
    started: Instant,
    method: &'static str,
    route: String,
    tenant: Option<&'static str>,
    /// What came of it; `None` until it is answered.
    outcome: Option<(StatusCode, Option<&'static str>)>,
}

impl<'a> Measurement<'a> {
    fn start(telemetry: &'a ServerTelemetry, request: &Request, tenant: Option<&'static str>) -> Self {
        let started = Instant::now();
        let method = known_method(request.method());
        let matched = request.extensions().get::<MatchedPath>();
        let route = matched.map_or(FALLBACK_ROUTE, MatchedPath::as_str).to_owned();
        let span = open(request, method, &route);
        Self { telemetry, span, started, method, route, tenant, outcome: None }
    }

    fn finish(&mut self, status: StatusCode, error_type: Option<&'static str>) {
        self.outcome = Some((status, error_type));
    }
}

impl Drop for Measurement<'_> {
    fn drop(&mut self) {
        let mut attributes = vec![
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("http.route", self.route.clone()),
            KeyValue::new("url.scheme", "http"),
        ];
        attributes.extend(self.tenant.map(|tenant| KeyValue::new("tenant.id", tenant)));
        let error_type = match self.outcome {
            Some((status, error_type)) => {
                attributes.push(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
                error_type
            }
            None => {
                self.span.set_attribute("error.type", HUNG_UP);
                Some(HUNG_UP)
            }
        };
        attributes.extend(error_type.map(|error_type| KeyValue::new("error.type", error_type)));
        self.telemetry.duration.record(self.started.elapsed().as_secs_f64(), &attributes);
    }
}

/// The query string is left out: it holds what a person asked.
fn open(request: &Request, method: &'static str, route: &str) -> Span {
    let headers = request.headers();
    let (address, port) = host(headers);
    // The conventions want "HTTP" where the method is none of the known ones.
    let verb = if method == OTHER_METHOD { "HTTP" } else { method };
    tracing::info_span!(
        "http server",
        otel.name = format!("{verb} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.request.method_original = (method == OTHER_METHOD).then(|| request.method().as_str()),
        http.route = route,
        url.path = request.uri().path(),
        url.scheme = "http",
        server.address = address,
        server.port = port,
        user_agent.original = text(headers, header::USER_AGENT),
    )
}

/// Puts a failure on the span and in the log. Returns the `error.type`, which a refused request does not have.
fn note(span: &Span, status: StatusCode, failure: Option<Failure>, statusless: bool) -> Option<&'static str> {
    let status_code = i64::from(status.as_u16());
    match failure? {
        Failure::Refused { reason } => {
            tracing::info!(http.response.status_code = status_code, reason, "request refused");
            None
        }
        Failure::Failed { error_type, message, recorded_on_child } => {
            if recorded_on_child {
                span.set_status(Status::error(message.clone()));
                span.set_attribute("error.type", error_type);
            } else if statusless {
                describe_exception(span, error_type, &message);
            } else {
                record_exception(span, error_type, &message);
            }
            tracing::error!(
                http.response.status_code = status_code,
                "exception.type" = error_type,
                "exception.message" = message,
                "request failed"
            );
            Some(error_type)
        }
    }
}

/// `traceresponse: 00-<trace id>-<server span id>-<flags>`, as W3C drafts it.
fn trace_response(span: &Span) -> Option<(HeaderName, HeaderValue)> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    let value = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
    Some((TRACERESPONSE.clone(), HeaderValue::try_from(value).ok()?)).filter(|_| span.is_valid())
}

const OTHER_METHOD: &str = "_OTHER";

fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER_METHOD)
}

/// The address and port that the caller used, from the `Host` header; an IPv6 address without its brackets.
fn host(headers: &HeaderMap) -> (Option<&str>, Option<i64>) {
    let Some(authority) = text(headers, header::HOST).and_then(|host| host.parse::<axum::http::uri::Authority>().ok())
    else {
        return (None, None);
    };
    let port = authority.port_u16();
    let host = text(headers, header::HOST).map(|host| {
        let end = if port.is_some() { host.rfind(':').unwrap_or(host.len()) } else { host.len() };
        host[..end].trim_start_matches('[').trim_end_matches(']')
    });
    (host, port.map(i64::from))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Capture, attribute};
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use opentelemetry::Value;
    use std::future::pending;
    use std::time::Duration;

    #[tokio::test]
    async fn a_panic_becomes_a_500_with_its_message_on_the_span_alone() {
        async fn handler() -> &'static str {
            panic!("the index is gone")
        }
        let capture = Capture::new();
        let routes = Router::new().route("/panic", get(handler));
        let routes = routes.layer(from_fn_with_state(capture.telemetry.server(Faults::default()), serve));
        let answer = capture.ask(&routes, "GET", "/panic", "tenant.id=acme").await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(!answer.text.contains("index"), "causes are never sent: {}", answer.text);

        let span = capture.span("GET /panic");
        assert_eq!(attribute(&span, "error.type"), Some(&Value::from("panic")));
        let messages: Vec<_> = span.events.iter().map(|event| event.attributes[1].value.to_string()).collect();
        assert_eq!(messages, ["the index is gone"]);
        assert_eq!(answer.json()["trace_id"], span.span_context.trace_id().to_string());
        assert_eq!(capture.logs().len(), 1);
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_is_counted() {
        let capture = Capture::new();
        let routes = Router::new().route("/slow", get(pending::<()>));
        let routes = routes.layer(from_fn_with_state(capture.telemetry.server(Faults::default()), serve));
        let request = capture.ask(&routes, "GET", "/slow", "");
        let gone = tokio::time::timeout(Duration::from_millis(20), request).await;
        assert!(gone.is_err());
        assert_eq!(attribute(&capture.span("GET /slow"), "error.type"), Some(&Value::from(HUNG_UP)));
        let (count, attributes) = &capture.durations()[0];
        assert_eq!(*count, 1);
        assert!(attributes.contains(&format!("error.type={HUNG_UP}")), "{attributes:?}");
    }

    #[test]
    fn the_host_header_is_split_into_address_and_port() {
        for (value, expected) in [
            ("localhost:8003", (Some("localhost"), Some(8003))),
            ("rust-service", (Some("rust-service"), None)),
            ("[::1]:8003", (Some("::1"), Some(8003))),
            ("[::1]", (Some("::1"), None)),
            ("not a host", (None, None)),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(value))]);
            assert_eq!(host(&headers), expected, "{value}");
        }
        assert_eq!(host(&HeaderMap::new()), (None, None));
    }

    #[test]
    fn methods_are_bounded() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"BREW").expect("a token")), "_OTHER");
    }
}
