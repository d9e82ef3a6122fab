//! Errors of the Elasticsearch-compatible API.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::logs_api::{ApiError, error::ask_to_retry};

/// `{"status": …, "error": {"reason": …}}`. A body that cannot be read is a plain [`ApiError`] instead, as in Quickwit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElasticError {
    Reason { status: StatusCode, reason: String },
    Plain(ApiError),
}

impl ElasticError {
    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::Reason { status: StatusCode::BAD_REQUEST, reason: reason.into() }
    }

    /// The error as one of the answers of `_msearch`.
    pub fn as_answer(&self) -> Value {
        let (status, reason) = match self {
            Self::Reason { status, reason } => (status, reason),
            Self::Plain(error) => (&error.status, &error.message),
        };
        json!({
            "status": status.as_u16(),
            "error": {"caused_by": null, "reason": reason, "stack_trace": null, "type": null},
        })
    }
}

impl From<ApiError> for ElasticError {
    fn from(error: ApiError) -> Self {
        Self::Reason { status: error.status, reason: error.message }
    }
}

impl IntoResponse for ElasticError {
    fn into_response(self) -> Response {
        match self {
            Self::Plain(error) => error.into_response(),
            Self::Reason { status, .. } => {
                let mut response = (status, Json(self.as_answer())).into_response();
                ask_to_retry(&mut response);
                response
            }
        }
    }
}
