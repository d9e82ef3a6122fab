//! What the node says of itself in Elasticsearch's words.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ElasticError;
use crate::logs::LogError;
use crate::logs_api::query_string::Params;
use crate::logs_api::{ApiError, ApiState, index_patterns};

pub async fn info(State(state): State<ApiState>) -> Json<Value> {
    let names = &state.options.names;
    Json(json!({
        "name": names.node_id,
        "cluster_name": names.cluster_id,
        "cluster_uuid": names.cluster_id,
        "tagline": "You Know, for Search",
        "version": {
            "distribution": "quickwit",
            "number": "7.17.0",
            "build_hash": "cc420c34d686a75f412b7cd450564c5c99ad6f21",
            "build_date": "",
            "build_snapshot": false,
            "lucene_version": "8.11.1",
            "minimum_wire_compatibility_version": "6.8.0",
            "minimum_index_compatibility_version": "6.0.0-beta1",
        },
    }))
}

pub async fn aliases() -> Json<Value> {
    Json(json!({}))
}

pub async fn health() -> Json<Value> {
    Json(json!({"status": "green"}))
}

pub async fn nodes(State(state): State<ApiState>) -> Json<Value> {
    let names = &state.options.names;
    let node = json!({"roles": ["data", "ingest"], "http": {"publish_address": names.rest_address}});
    Json(json!({"nodes": {names.node_id.as_str(): node}}))
}

/// Behind the `?` of a deletion. Those with an underscore are taken and without effect.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeleteParams {
    ignore_unavailable: Option<bool>,
    #[serde(rename = "allow_no_indices")]
    _allow_no_indices: Option<bool>,
    #[serde(rename = "expand_wildcards")]
    _expand_wildcards: Option<String>,
    #[serde(rename = "master_timeout")]
    _master_timeout: Option<String>,
    #[serde(rename = "timeout")]
    _timeout: Option<String>,
}

/// `DELETE {index}`, one or many.
pub async fn delete_index(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<DeleteParams>,
) -> Result<Json<Value>, ElasticError> {
    let patterns = index_patterns::parse(&index)?;
    let ignore_missing = params.ignore_unavailable.unwrap_or(false);
    let deleted = state
        .blocking(move |store| {
            for index in index_patterns::resolve(store, &patterns, ignore_missing)? {
                match store.delete_index(&index.id()) {
                    Ok(()) | Err(LogError::IndexNotFound(_)) => {}
                    Err(error) => return Err(ApiError::from(error)),
                }
            }
            Ok(())
        })
        .await;
    deleted?;
    Ok(Json(json!({"acknowledged": true})))
}
