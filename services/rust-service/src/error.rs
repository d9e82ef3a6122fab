//! Everything that a request can fail with, and the one mapping to `application/problem+json`.
//!
//! ```text
//! Error
//! ├── Invalid           422  a field is missing or wrong; each is named
//! ├── NotFound          404  no such path
//! ├── MethodNotAllowed  405
//! ├── BodyTooLarge      413
//! ├── Database          503 when PostgreSQL is down or hangs, 500 when it refuses the query
//! ├── Deliberate        500  what GET /error is for
//! └── Panicked          500  a handler panicked
//! ```
//!
//! The caller gets a stable title and detail. The cause travels as [`Failure`] beside the response to the middleware
//! that opened the server span, which alone records and logs it.

use std::any::Any;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use serde::Serialize;

use crate::knowledge;
use crate::telemetry::chain;

#[derive(Debug)]
pub enum Error {
    Invalid(Vec<FieldError>),
    NotFound,
    MethodNotAllowed,
    BodyTooLarge,
    Database(knowledge::Error),
    Deliberate(DeliberateFailure),
    Panicked(String),
}

/// What is wrong with one field of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    pub field: &'static str,
    pub message: String,
}

/// Raised by `GET /error`, so that people can see what an error looks like in all three signals.
#[derive(Debug)]
pub struct DeliberateFailure;

impl std::fmt::Display for DeliberateFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this error is raised on purpose by GET /error")
    }
}

impl std::error::Error for DeliberateFailure {}

/// The cause behind a problem, for the server span and the log; never for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The caller's fault (4xx).
    Refused { reason: String },
    /// Ours (5xx).
    Failed {
        /// `exception.type` and `error.type`: stable, and few.
        error_type: &'static str,
        message: String,
        /// True when a child span has the exception event already.
        recorded_on_child: bool,
    },
}

/// The error for a panic's payload.
pub fn panicked(payload: &(dyn Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    Error::Panicked(text.unwrap_or_else(|| "panic without a message".into()))
}

impl From<knowledge::Error> for Error {
    fn from(error: knowledge::Error) -> Self {
        Self::Database(error)
    }
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Database(error) if error.is_unavailable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) | Self::Deliberate(_) | Self::Panicked(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the caller may read.
    fn detail(&self) -> String {
        match self {
            Self::Invalid(errors) => {
                let fields: Vec<&str> = errors.iter().map(|error| error.field).collect();
                format!("invalid: {}", fields.join(", "))
            }
            Self::NotFound => "there is nothing at this path".into(),
            Self::MethodNotAllowed => "this path does not take this method".into(),
            Self::BodyTooLarge => "the body is larger than 64 KiB".into(),
            Self::Database(error) if error.is_unavailable() => "PostgreSQL does not answer".into(),
            Self::Database(_) | Self::Deliberate(_) | Self::Panicked(_) => {
                "the request failed; its trace has the cause".into()
            }
        }
    }

    fn failure(&self) -> Failure {
        let (error_type, message, recorded_on_child) = match self {
            Self::Invalid(_) | Self::NotFound | Self::MethodNotAllowed | Self::BodyTooLarge => {
                return Failure::Refused { reason: self.detail() };
            }
            Self::Database(error) => (error.type_name(), chain(error), true),
            Self::Deliberate(error) => ("rust_service::DeliberateFailure", chain(error), false),
            Self::Panicked(message) => ("panic", message.clone(), false),
        };
        Failure::Failed { error_type, message, recorded_on_child }
    }
}

/// RFC 9457, with our two extensions.
#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// Absent where the request is not traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, detail, failure) = (self.status(), self.detail(), self.failure());
        let trace_id = Context::map_current(|context| {
            context.has_active_span().then(|| context.span().span_context().trace_id().to_string())
        });
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            trace_id,
            errors: if let Self::Invalid(errors) = self { errors } else { Vec::new() },
        };
        let mut response = (status, Json(problem)).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response.extensions_mut().insert(failure);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_its_message_however_it_was_raised() {
        for (payload, expected) in [
            (Box::new("literal") as Box<dyn Any + Send>, "literal"),
            (Box::new("formatted".to_owned()), "formatted"),
            (Box::new(42), "panic without a message"),
        ] {
            let Error::Panicked(message) = panicked(payload.as_ref()) else { panic!("no panic") };
            assert_eq!(message, expected);
        }
    }
}
