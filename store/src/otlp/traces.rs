//! Tempo's OTLP receivers for traces: gRPC `TraceService` and `POST /v1/traces`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::SERVICE_NAME;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use tonic::{Code, Status};

use super::encoding::{self, EncodingError};
use super::export_errors;
use super::unary::{Export, ExportServer};
use crate::traces::{IngestError, TENANT_HEADER, TenantError, Tenants, TraceStore, record};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
/// A disk that cannot be written takes a while to be seen to.
const STORAGE_RETRY_SECONDS: u64 = 5;

#[derive(Clone)]
pub struct Receiver {
    tenants: Tenants,
    max_body_bytes: usize,
}

/// The gRPC service, with gzip and a limit on the size of a message.
pub fn service(tenants: impl Into<Tenants>, max_body_bytes: usize) -> ExportServer<Receiver> {
    ExportServer::new(Receiver { tenants: tenants.into(), max_body_bytes }, max_body_bytes)
}

/// The HTTP receiver: protobuf or JSON, answered in kind.
pub fn router(tenants: impl Into<Tenants>, max_body_bytes: usize) -> Router {
    Router::new()
        .route("/v1/traces", post(export).fallback(method_not_allowed))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .with_state(Receiver { tenants: tenants.into(), max_body_bytes })
}

impl Receiver {
    /// Returns when the spans are on disk. `open` gives the request in protobuf.
    async fn take(
        &self,
        tenant: Option<String>,
        open: impl FnOnce() -> Result<Bytes, Refusal> + Send + 'static,
    ) -> Result<(), Refusal> {
        let tenants = self.tenants.clone();
        // Waits for the disk and uses a core.
        let store = move || store(&open()?, || Ok(tenants.for_writing(tenant.as_deref())?));
        match tokio::task::spawn_blocking(store).await {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// Stores a request in protobuf.
fn store(request: &[u8], to: impl FnOnce() -> Result<Arc<TraceStore>, Refusal>) -> Result<(), Refusal> {
    if let Some(groups) = record::groups(request) {
        to()?.ingest_groups(&groups)?;
        return Ok(());
    }
    let decoded = ExportTraceServiceRequest::decode(request);
    let decoded =
        decoded.map_err(|error| Refusal::Undecodable(export_errors::protobuf(request, &error.to_string())))?;
    to()?.ingest(decoded.resource_spans)?;
    Ok(())
}

/// Why an export was not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{1}")]
    Body(StatusCode, String),
    #[error("{0}")]
    Undecodable(String),
    #[error(transparent)]
    Tenant(#[from] TenantError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

#[tonic::async_trait]
impl Export for Receiver {
    const SERVICE: &'static str = SERVICE_NAME;
    type Answer = ExportTraceServiceResponse;

    async fn export(
        &self,
        request: tonic::Request<Bytes>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        let tenant = request.metadata().get(TENANT_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = request.into_inner();
        match self.take(tenant, move || Ok(body)).await {
            Ok(()) => Ok(tonic::Response::new(ExportTraceServiceResponse { partial_success: None })),
            // The code that a generated server gives to what it cannot decode.
            Err(Refusal::Undecodable(text) | Refusal::Body(_, text)) => Err(Status::internal(text)),
            Err(Refusal::Tenant(TenantError::Missing)) => Err(Status::unavailable(TenantError::Missing.to_string())),
            Err(Refusal::Ingest(IngestError::Invalid(text))) => Err(Status::invalid_argument(text)),
            Err(Refusal::Ingest(IngestError::Busy { reason, .. })) => Err(super::retry::later(reason)),
            Err(Refusal::Ingest(IngestError::Storage(error)) | Refusal::Tenant(TenantError::Store(error))) => {
                tracing::error!(%error, "spans could not be taken");
                Err(Status::unavailable("spans could not be stored: see the log of the store"))
            }
            Err(Refusal::Tenant(error)) => Err(Status::invalid_argument(error.to_string())),
        }
    }
}

async fn export(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let content_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let encoding = text(header::CONTENT_ENCODING).to_owned();
    if content_type != PROTOBUF && content_type != JSON {
        let text = format!("415 unsupported media type, supported: [{JSON}, {PROTOBUF}]");
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, [(header::CONTENT_TYPE, "text/plain")], text).into_response();
    }
    let max_bytes = receiver.max_body_bytes;
    let is_json = content_type == JSON;
    let fail = |status, message| fail(status, message, is_json);
    let tenant = Some(text(HeaderName::from_static(TENANT_HEADER)).to_owned());
    match receiver.take(tenant, move || open(body, &encoding, max_bytes, is_json)).await {
        Ok(()) if is_json => ([(header::CONTENT_TYPE, JSON)], "{\"partialSuccess\":{}}").into_response(),
        // An empty message.
        Ok(()) => ([(header::CONTENT_TYPE, PROTOBUF)], Bytes::new()).into_response(),
        Err(Refusal::Body(status, text)) => fail(status, text),
        Err(Refusal::Undecodable(text)) => fail(StatusCode::BAD_REQUEST, text),
        // Tempo's answer; 401 would be the better one, but then a collector drops the spans instead of keeping them.
        Err(Refusal::Tenant(TenantError::Missing)) => {
            fail(StatusCode::SERVICE_UNAVAILABLE, TenantError::Missing.to_string())
        }
        Err(Refusal::Ingest(IngestError::Invalid(text))) => fail(StatusCode::BAD_REQUEST, text),
        Err(Refusal::Ingest(IngestError::Busy { reason, retry_after })) => {
            let mut response = fail(StatusCode::TOO_MANY_REQUESTS, reason);
            let seconds = retry_after.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Err(Refusal::Ingest(IngestError::Storage(error)) | Refusal::Tenant(TenantError::Store(error))) => {
            tracing::error!(%error, "spans could not be taken");
            let text = "spans could not be stored: see the log of the store".to_owned();
            let mut response = fail(StatusCode::SERVICE_UNAVAILABLE, text);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(STORAGE_RETRY_SECONDS));
            response
        }
        Err(Refusal::Tenant(error)) => fail(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

/// A body as protobuf.
fn open(body: Bytes, encoding: &str, max_bytes: usize, is_json: bool) -> Result<Bytes, Refusal> {
    let plain = encoding::decompress(body, encoding, max_bytes).map_err(|error| {
        let status = match error {
            EncodingError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            EncodingError::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            EncodingError::Damaged => StatusCode::BAD_REQUEST,
        };
        Refusal::Body(status, error.to_string())
    })?;
    if !is_json {
        return Ok(plain);
    }
    if let Some(message) = export_errors::bad_id(&plain) {
        return Err(Refusal::Undecodable(message));
    }
    let request: ExportTraceServiceRequest = serde_json::from_slice(&plain)
        .map_err(|error| Refusal::Undecodable(export_errors::json(&plain, &error.to_string())))?;
    Ok(request.encode_to_vec().into())
}

/// OTLP's way: a `google.rpc.Status` in the encoding of the request.
fn fail(status: StatusCode, message: String, is_json: bool) -> Response {
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::InvalidArgument,
    };
    let error = RpcStatus { code: code as i32, message };
    if is_json {
        let body = serde_json::json!({"code": error.code, "message": error.message}).to_string();
        return (status, [(header::CONTENT_TYPE, JSON)], body).into_response();
    }
    (status, [(header::CONTENT_TYPE, PROTOBUF)], error.encode_to_vec()).into_response()
}

/// `google.rpc.Status` without details.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

async fn not_found() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (StatusCode::NOT_FOUND, kind, "404 page not found\n").into_response()
}

async fn method_not_allowed() -> Response {
    let text = "405 method not allowed, supported: [POST]";
    (StatusCode::METHOD_NOT_ALLOWED, [(header::CONTENT_TYPE, "text/plain")], text).into_response()
}
