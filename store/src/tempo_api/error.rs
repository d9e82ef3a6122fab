//! Errors as Tempo sends them: a status and plain text.
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::traceql::QueryError;
use crate::traces::TraceError;

#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    pub fn text(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::text(StatusCode::BAD_REQUEST, message)
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
        (self.status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.message).into_response()
    }
}
