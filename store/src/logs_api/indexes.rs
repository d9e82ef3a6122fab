//! `/indexes`: making, showing, changing and deleting indexes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::query_string::{Params, RawBody};
use super::{ApiError, ApiState, index_patterns};
use crate::logs::{IndexConfig, IndexStats, LogError, LogIndex};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    index_id_patterns: Option<String>,
}

pub async fn list(
    State(state): State<ApiState>,
    Params(params): Params<ListParams>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let patterns = index_patterns::parse(params.index_id_patterns.as_deref().unwrap_or("*"))?;
    let indexes = index_patterns::resolve(&state.store, &patterns, true)?;
    Ok(Json(indexes.iter().map(|index| metadata(index)).collect()))
}

pub async fn get(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(metadata(&*state.store.index(&index)?)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreateParams {
    overwrite: bool,
}

pub async fn create(
    State(state): State<ApiState>,
    Params(params): Params<CreateParams>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    let config = parse_config(&headers, &body)?;
    state
        .blocking(move |store| {
            if params.overwrite {
                match store.delete_index(&config.index_id) {
                    Ok(()) | Err(LogError::IndexNotFound(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(Json(metadata(&*store.create_index(config)?)))
        })
        .await
}

pub async fn update(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    let config = parse_config(&headers, &body)?;
    if config.index_id != index {
        return Err(ApiError::bad_request(format!(
            "the index ID of the body (`{}`) is not that of the path (`{index}`)",
            config.index_id
        )));
    }
    state
        .blocking(move |store| {
            store.update_index(&index, config)?;
            Ok(Json(metadata(&*store.index(&index)?)))
        })
        .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeleteParams {
    dry_run: bool,
}

/// Answers with the files that go; the store has none to name.
pub async fn delete(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<DeleteParams>,
) -> Result<Json<[Value; 0]>, ApiError> {
    state
        .blocking(move |store| {
            let outcome = if params.dry_run { store.index(&index).map(drop) } else { store.delete_index(&index) };
            match outcome {
                Ok(()) => Ok(Json([])),
                Err(error @ LogError::IndexNotFound(_)) => {
                    Err(ApiError::new(StatusCode::NOT_FOUND, format!("metastore error `{error}`")))
                }
                Err(error) => Err(error.into()),
            }
        })
        .await
}

pub async fn clear(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ApiError> {
    state
        .blocking(move |store| {
            store.index(&index)?.clear()?;
            Ok(Json(Value::Null))
        })
        .await
}

pub async fn describe(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ApiError> {
    state
        .blocking(move |store| {
            let index = store.index(&index)?;
            let IndexStats { documents, source_bytes, disk_bytes, time_range, .. } = index.stats();
            let config = index.metadata().config;
            let seconds = |nanos: i64| nanos.div_euclid(1_000_000_000);
            Ok(Json(json!({
                "index_id": config.index_id,
                "index_uri": config.index_uri,
                "num_published_splits": u64::from(documents > 0),
                "size_published_splits": disk_bytes,
                "num_published_docs": documents,
                "size_published_docs_uncompressed": source_bytes,
                "timestamp_field_name": config.doc_mapping.timestamp_field,
                "min_timestamp": time_range.map(|(min, _)| seconds(min)),
                "max_timestamp": time_range.map(|(_, max)| seconds(max)),
            })))
        })
        .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitParams {
    offset: Option<usize>,
    limit: Option<usize>,
    split_states: Option<String>,
    start_timestamp: Option<i64>,
    end_timestamp: Option<i64>,
    end_create_timestamp: Option<i64>,
}

/// An index with documents is one split here.
pub async fn splits(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<SplitParams>,
) -> Result<Json<Value>, ApiError> {
    let options = std::sync::Arc::clone(&state.options);
    state
        .blocking(move |store| {
            let index = store.index(&index)?;
            let IndexStats { documents, source_bytes, disk_bytes, time_range, .. } = index.stats();
            let metadata = index.metadata();
            let seconds = |nanos: i64| nanos.div_euclid(1_000_000_000);
            let range = time_range.map(|(min, max)| (seconds(min), seconds(max)));
            let wanted = documents > 0
                && params.offset.unwrap_or(0) == 0
                && params.limit != Some(0)
                && params.split_states.is_none_or(|states| states.split(',').any(|state| state == "Published"))
                && params.start_timestamp.is_none_or(|start| range.is_none_or(|(_, max)| max >= start))
                && params.end_timestamp.is_none_or(|end| range.is_none_or(|(min, _)| min < end))
                && params.end_create_timestamp.is_none_or(|end| metadata.create_timestamp < end);
            let split = json!({
                "split_state": "Published",
                "update_timestamp": metadata.create_timestamp,
                "publish_timestamp": metadata.create_timestamp,
                "version": "0.9",
                "split_id": metadata.index_uid.rsplit(':').next(),
                "index_uid": metadata.index_uid,
                "partition_id": 0,
                "source_id": "_ingest-source",
                "node_id": options.names.node_id,
                "num_docs": documents,
                "uncompressed_docs_size_in_bytes": source_bytes,
                "time_range": range.map(|(start, end)| json!({"start": start, "end": end})),
                "create_timestamp": metadata.create_timestamp,
                "maturity": {"type": "immature", "maturation_period_millis": 172_800_000},
                "tags": [],
                "footer_offsets": {"start": 0, "end": disk_bytes},
                "delete_opstamp": 0,
                "num_merge_ops": 0,
                "doc_mapping_uid": metadata.config.doc_mapping.doc_mapping_uid,
            });
            let splits: Vec<Value> = wanted.then_some(split).into_iter().collect();
            Ok(Json(json!({"offset": params.offset.unwrap_or(0), "size": splits.len(), "splits": splits})))
        })
        .await
}

pub async fn source(
    State(state): State<ApiState>,
    Path((index, source)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    state.store.index(&index)?;
    let found = sources().into_iter().find(|candidate| candidate["source_id"] == source.as_str());
    found.map(Json).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, format!("source `{source}` not found")))
}

fn parse_config(headers: &HeaderMap, body: &[u8]) -> Result<IndexConfig, ApiError> {
    let invalid = |error: String| ApiError::bad_request(format!("invalid config: {error}"));
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = std::str::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
    match content_type.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" => {
            let value = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
            IndexConfig::from_value(value).map_err(invalid)
        }
        "application/yaml" | "application/x-yaml" | "text/yaml" => IndexConfig::from_yaml(text).map_err(invalid),
        "application/toml" => IndexConfig::from_toml(text).map_err(invalid),
        other => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "content-type `{other}` is not supported: send application/yaml, application/json or application/toml"
            ),
        )),
    }
}

/// Quickwit's three sources; data comes in without any being configured.
fn sources() -> [Value; 3] {
    [("_ingest-cli-source", "ingest-cli"), ("_ingest-api-source", "ingest-api"), ("_ingest-source", "ingest")].map(
        |(id, kind)| {
            json!({
                "version": "0.9", "source_id": id, "num_pipelines": 1, "enabled": true, "source_type": kind,
                "input_format": "json",
            })
        },
    )
}

pub fn metadata(index: &LogIndex) -> Value {
    let metadata = index.metadata();
    json!({
        "version": "0.9",
        "index_uid": metadata.index_uid,
        "index_config": metadata.config,
        "checkpoint": {"_ingest-api-source": {}, "_ingest-cli-source": {}, "_ingest-source": {}},
        "create_timestamp": metadata.create_timestamp,
        "sources": sources(),
    })
}
