//! Data in over HTTP: OTLP on Quickwit's paths, and `/{index}/ingest`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::query_string::{Params, RawBody};
use super::{ApiError, ApiState};
use crate::logs::{DEFAULT_LOGS_INDEX, validate_index_id};
use crate::otlp::{INDEX_HEADER, encoding};

pub async fn otlp(
    State(state): State<ApiState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    take_otlp(state, None, &headers, body).await
}

pub async fn otlp_into(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    take_otlp(state, Some(index), &headers, body).await
}

async fn take_otlp(
    state: ApiState,
    index: Option<String>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    match text(header::CONTENT_TYPE) {
        None => return Err(ApiError::bad_request("Missing request header \"content-type\"")),
        Some(value) if value.eq_ignore_ascii_case("application/x-protobuf") => {}
        Some(_) => return Err(ApiError::bad_request("Invalid request header \"content-type\"")),
    }
    let index = index.or_else(|| headers.get(INDEX_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned));
    let index = index.unwrap_or_else(|| DEFAULT_LOGS_INDEX.to_owned());
    validate_index_id(&index).map_err(ApiError::bad_request)?;
    let encoding = text(header::CONTENT_ENCODING).unwrap_or_default().to_owned();
    let max_bytes = state.options.max_otlp_body_bytes;
    let outcome = state
        .blocking(move |store| {
            let payload = encoding::decompress(body, &encoding, max_bytes)?;
            Ok(store.ingest_otlp(&index, &payload)?)
        })
        .await?;
    Ok(Json(json!({"partial_success": {
        "rejected_log_records": outcome.rejected,
        "error_message": outcome.error.unwrap_or_default(),
    }})))
}

impl From<encoding::EncodingError> for ApiError {
    fn from(error: encoding::EncodingError) -> Self {
        let status = match error {
            encoding::EncodingError::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            encoding::EncodingError::Damaged => StatusCode::BAD_REQUEST,
            encoding::EncodingError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Self::new(status, error.to_string())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestParams {
    commit: Commit,
    detailed_response: bool,
}

/// When the answer comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Commit {
    /// When the documents are safe.
    #[default]
    Auto,
    /// When they can be found. A commit is never far, so it is made at once, as for `force`.
    WaitFor,
    Force,
}

pub async fn ingest(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<IngestParams>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    state
        .blocking(move |store| {
            let mut failures = Vec::new();
            let mut lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            let outcome = store.ingest_ndjson(&index, &body, |outcome| {
                let line = lines.next().unwrap_or_default();
                if let Err(message) = outcome {
                    failures.push(json!({
                        "document": String::from_utf8_lossy(line), "message": message, "reason": "json_parsing",
                    }));
                }
            })?;
            if params.commit != Commit::Auto && outcome.accepted > 0 {
                store.index(&index)?.flush();
            }
            let mut answer = json!({
                "num_docs_for_processing": outcome.accepted + outcome.rejected,
                "num_ingested_docs": outcome.accepted,
                "num_rejected_docs": outcome.rejected,
            });
            if params.detailed_response {
                answer["parse_failures"] = Value::Array(failures);
            }
            Ok(Json(answer))
        })
        .await
}
