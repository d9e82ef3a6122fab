//! Query strings, with Tempo's (that is, Go's) texts for what is wrong in them.
use axum::extract::{FromRequestParts, Query};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;

use super::error::ApiError;
use crate::traceql::value::{format_duration, parse_duration};

/// The parameters of a request, in order. Of one that is given twice the first counts; an empty one counts as absent.
pub struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        pairs.map(|Query(pairs)| Self(pairs)).map_err(|error| ApiError::bad_request(error.body_text()))
    }
}

impl Params {
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name)?;
        Some(&*found.1).filter(|value| !value.is_empty())
    }

    /// A number of seconds that fits 32 bits.
    pub fn seconds_u32(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.get(name).map(|text| parse_uint(text, u32::MAX.into()).map_err(|why| invalid(name, &why))).transpose()
    }

    pub fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.seconds_u32(name)
    }

    pub fn seconds_i64(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    let reason = if is_integer(text) { "value out of range" } else { "invalid syntax" };
                    invalid(name, &format!("strconv.ParseInt: parsing {text:?}: {reason}"))
                })
            })
            .transpose()
    }

    pub fn duration_ns(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|text| {
                parse_duration(text, false).ok_or_else(|| invalid(name, &format!("time: invalid duration {text:?}")))
            })
            .transpose()
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_uint(text: &str, max: u64) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let error = |reason: &str| format!("strconv.ParseUint: parsing {text:?}: {reason}");
    if !digits {
        return Err(error("invalid syntax"));
    }
    text.parse().ok().filter(|number| *number <= max).ok_or_else(|| error("value out of range"))
}

fn invalid(name: &str, why: &str) -> ApiError {
    ApiError::bad_request(format!("invalid {name}: {why}"))
}

/// Refuses a window that is not one; seconds.
pub fn check_order(start: i64, end: i64) -> Result<(), ApiError> {
    if start < end {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("http parameter start must be before end. received start={start} end={end}")))
}

/// Refuses a window that is longer than searches may be; seconds.
pub fn check_length(start: i64, end: i64, max_s: i64) -> Result<(), ApiError> {
    if end - start <= max_s {
        return Ok(());
    }
    let max = format_duration(max_s * 1_000_000_000);
    Err(ApiError::bad_request(format!(
        "range specified by start and end exceeds {max}. received start={start} end={end}"
    )))
}

/// The encodings of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Json,
    Protobuf,
    /// The short JSON that Tempo makes for language models.
    Llm,
}

impl Encoding {
    /// Protobuf anywhere in `Accept` wins, then JSON, then the short form; JSON when nothing is known.
    pub fn of(headers: &HeaderMap) -> Self {
        let accepts = |kind: &str| {
            headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(kind)))
        };
        if accepts("application/protobuf") {
            Self::Protobuf
        } else if !accepts("application/json") && accepts("application/vnd.grafana.llm") {
            Self::Llm
        } else {
            Self::Json
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/protobuf",
            Self::Llm => "application/vnd.grafana.llm+json",
        }
    }
}
