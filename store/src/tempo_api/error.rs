//! Errors as Tempo sends them: a status and plain text.
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::traceql::QueryError;
use crate::traces::TraceError;

#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: String,
    /// Set where Tempo answers by Go's `http.Error`.
    no_sniff: bool,
}

impl ApiError {
    pub fn text(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), no_sniff: false }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::text(StatusCode::BAD_REQUEST, message)
    }

    /// A request that names no tenant where it must.
    pub fn no_tenant() -> Self {
        Self { no_sniff: true, ..Self::text(StatusCode::UNAUTHORIZED, "no org id\n") }
    }

    pub fn stopping() -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, "the store is stopping")
    }

    /// A query that search refuses; the metrics endpoints send the bare text instead.
    pub fn invalid_search(error: &QueryError) -> Self {
        Self::bad_request(format!("invalid TraceQL query: {error}"))
    }
}

impl From<TraceError> for ApiError {
    fn from(error: TraceError) -> Self {
        match error {
            TraceError::QueryTimeout { .. } => Self::text(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            error => {
                // Paths and causes are for the log, not for the client.
                tracing::error!(%error, "a query failed");
                Self::text(StatusCode::INTERNAL_SERVER_ERROR, "cannot read the stored traces")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.message).into_response();
        if self.no_sniff {
            response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        response
    }
}
