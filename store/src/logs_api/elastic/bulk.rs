//! `_bulk`: documents in Elasticsearch's line format, `create` and `index` only.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ElasticError;
use crate::logs::{LogError, LogStore};
use crate::logs_api::query_string::{Params, RawBody};
use crate::logs_api::{ApiError, ApiState};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkParams {
    refresh: Refresh,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refresh {
    #[default]
    False,
    #[serde(alias = "")]
    True,
    WaitFor,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Create(Meta),
    Index(Meta),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "_index")]
    index: Option<String>,
    #[serde(rename = "_id")]
    id: Option<String>,
}

/// One document of the request.
struct Item<'a> {
    index: String,
    id: Option<String>,
    line: &'a [u8],
    error: Option<ItemError>,
}

enum ItemError {
    NoIndex,
    Document(String),
    /// The whole part of the request for this index, after other parts were taken.
    Refused(StatusCode, String),
}

pub async fn bulk(
    state: State<ApiState>,
    params: Params<BulkParams>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ElasticError> {
    take(state.0, None, params.0, body).await
}

pub async fn bulk_into(
    state: State<ApiState>,
    Path(index): Path<String>,
    params: Params<BulkParams>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ElasticError> {
    take(state.0, Some(index), params.0, body).await
}

async fn take(
    state: ApiState,
    default_index: Option<String>,
    params: BulkParams,
    body: Bytes,
) -> Result<Json<Value>, ElasticError> {
    let started = Instant::now();
    let answer = state
        .blocking(move |store| {
            let mut items = parse(&body, default_index.as_deref())?;
            ingest(store, &mut items, params.refresh != Refresh::False)?;
            let errors = items.iter().any(|item| item.error.is_some());
            let items: Vec<Value> = items.iter().map(Item::answer).collect();
            Ok(json!({"took": started.elapsed().as_millis() as u64, "errors": errors, "items": items}))
        })
        .await?;
    Ok(Json(answer))
}

fn parse<'a>(body: &'a [u8], default_index: Option<&str>) -> Result<Vec<Item<'a>>, ApiError> {
    let mut lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut items = Vec::new();
    while let Some(line) = lines.next() {
        let malformed = |error: String| {
            ApiError::bad_request(format!("Malformed action/metadata line [{}]. Details: `{error}`", items.len() * 2))
        };
        let action: Action = serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        let (Action::Create(meta) | Action::Index(meta)) = action;
        let index = meta.index.or_else(|| default_index.map(str::to_owned));
        let index = index.ok_or_else(|| malformed("missing `_index`".to_owned()))?;
        let line = lines
            .next()
            .ok_or_else(|| ApiError::bad_request("associated source data with the action/metadata line is missing"))?;
        items.push(Item { index, id: meta.id, line, error: None });
    }
    Ok(items)
}

/// Takes the documents index by index, in their order.
///
/// # Errors
/// What refused the first part. Later parts are refused in their items: what was taken must not be sent again.
fn ingest(store: &LogStore, items: &mut [Item<'_>], refresh: bool) -> Result<(), ApiError> {
    let mut by_index: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, item) in items.iter().enumerate() {
        by_index.entry(item.index.clone()).or_default().push(number);
    }
    let mut some_taken = false;
    for (index, numbers) in by_index {
        let mut payload = Vec::new();
        for number in &numbers {
            payload.extend_from_slice(items[*number].line);
            payload.push(b'\n');
        }
        let mut outcomes = Vec::with_capacity(numbers.len());
        match store.ingest_ndjson(&index, &payload, |outcome| outcomes.push(outcome)) {
            Ok(outcome) => {
                for (number, outcome) in numbers.into_iter().zip(outcomes) {
                    items[number].error = outcome.err().map(ItemError::Document);
                }
                some_taken |= outcome.accepted > 0;
                if refresh && outcome.accepted > 0 {
                    store.index(&index)?.flush();
                }
            }
            Err(LogError::IndexNotFound(_)) => {
                for number in numbers {
                    items[number].error = Some(ItemError::NoIndex);
                }
            }
            Err(error) if some_taken => {
                let ApiError { status, message } = error.into();
                for number in numbers {
                    items[number].error = Some(ItemError::Refused(status, message.clone()));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl Item<'_> {
    fn answer(&self) -> Value {
        let index = &self.index;
        let (status, error) = match &self.error {
            None => (201, Value::Null),
            Some(ItemError::NoIndex) => (
                404,
                json!({
                    "index": index, "type": "index_not_found_exception", "reason": format!("no such index [{index}]"),
                }),
            ),
            Some(ItemError::Document(reason)) => {
                (400, json!({"index": index, "type": "document_parsing_exception", "reason": reason}))
            }
            // Elasticsearch's clients send such items again.
            Some(ItemError::Refused(status, reason)) => {
                (status.as_u16(), json!({"index": index, "type": "es_rejected_execution_exception", "reason": reason}))
            }
        };
        // The id is said back and not kept: hits have none.
        json!({"index": {"_index": index, "_id": self.id, "status": status, "error": error}})
    }
}
