//! Errors as Quickwit's REST API sends them: a status and `{"message": "…"}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::logs::LogError;
use crate::logs::search::SearchError;
use crate::query::QueryError;
use crate::wal::WalError;

/// Seconds after which a sender that was refused should come back.
const RETRY_AFTER_SECONDS: &str = "1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
}

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store is stopping")
    }

    /// For what is our fault: the cause is logged, not sent.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error: see the log of the store")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({"message": self.message}))).into_response();
        ask_to_retry(&mut response);
        response
    }
}

/// Says when to come again, in an answer that means "not now".
pub(super) fn ask_to_retry(response: &mut Response) {
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Internal(cause) => Self::internal(&cause),
            // Quickwit's status; its text hides the reason behind "internal error".
            SearchError::Unsupported(what) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, what),
            error => Self::bad_request(error.to_string()),
        }
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        let status = match &error {
            LogError::IndexNotFound(_) => StatusCode::NOT_FOUND,
            LogError::IndexExists(_) => {
                return Self::bad_request(format!("metastore error `{error}`"));
            }
            LogError::InvalidConfig(_) | LogError::InvalidRequest(_) | LogError::InvalidRecord(_) => {
                StatusCode::BAD_REQUEST
            }
            // A full disk too: after 507 an OTLP exporter throws its data away, after 429 it keeps them and comes back.
            LogError::Busy { .. } | LogError::Wal(WalError::DiskFull { .. }) => StatusCode::TOO_MANY_REQUESTS,
            LogError::Wal(WalError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            LogError::Stopping | LogError::Unwritable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            // Not 500: after that an OTLP exporter throws its data away too.
            LogError::Wal(_) => {
                tracing::error!(%error, "logs could not be taken");
                let text = "logs could not be stored: see the log of the store";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
            }
            LogError::Io { .. } | LogError::Tantivy { .. } => return Self::internal(&error),
        };
        Self::new(status, error.to_string())
    }
}
