//! `_field_caps`: which fields there are, of which types, and what can be done with them.
//!
//! JSON fields are listed path by path, as they occur in documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tantivy::schema::Type;

use super::ElasticError;
use crate::logs::fields::{FieldUse, of_segment};
use crate::logs::{DYNAMIC_FIELD, LogIndex, SEQ_FIELD, SOURCE_FIELD};
use crate::logs_api::query_string::{Params, RawBody};
use crate::logs_api::{ApiError, ApiState, index_patterns};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldCapsParams {
    fields: Option<String>,
    /// Seconds; indexes without documents in the window are left out.
    start_timestamp: Option<i64>,
    end_timestamp: Option<i64>,
    ignore_unavailable: Option<bool>,
    #[serde(rename = "allow_no_indices")]
    _allow_no_indices: Option<bool>,
    #[serde(rename = "expand_wildcards")]
    _expand_wildcards: Option<String>,
}

/// The `index_filter` is taken and without effect, as on Quickwit for a filter that matches.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FieldCapsBody {
    fields: Option<Value>,
    #[serde(rename = "index_filter")]
    _index_filter: Option<Value>,
    #[serde(rename = "runtime_mappings")]
    _runtime_mappings: Option<Value>,
}

/// What can be done with a field of one type; true when any index can.
#[derive(Debug, Clone, Copy, Default)]
struct Caps {
    searchable: bool,
    aggregatable: bool,
}

pub async fn all(
    state: State<ApiState>,
    params: Params<FieldCapsParams>,
    body: RawBody,
) -> Result<Json<Value>, ElasticError> {
    of_index(state, Path("*".to_owned()), params, body).await
}

pub async fn of_index(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<FieldCapsParams>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ElasticError> {
    let patterns = index_patterns::parse(&index)?;
    let body: FieldCapsBody = if body.trim_ascii().is_empty() {
        FieldCapsBody::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| ElasticError::Plain(ApiError::bad_request(error.to_string())))?
    };
    let wanted = wanted_fields(params.fields.as_deref(), body.fields.as_ref());
    let answer = state
        .blocking(move |store| {
            let indexes = index_patterns::resolve(store, &patterns, params.ignore_unavailable.unwrap_or(false))?;
            let indexes: Vec<_> = indexes.into_iter().filter(|index| in_window(index, &params)).collect();
            collect(&indexes, &wanted).map_err(|error| ApiError::internal(&error))
        })
        .await?;
    Ok(Json(answer))
}

fn wanted_fields(parameter: Option<&str>, body: Option<&Value>) -> Vec<String> {
    let from_body = match body {
        Some(Value::String(list)) => list.split(',').map(str::to_owned).collect(),
        Some(Value::Array(names)) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let from_parameter = parameter.map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>());
    from_parameter.unwrap_or(from_body)
}

/// An index without documents, or with none in the window, has no fields.
fn in_window(index: &LogIndex, params: &FieldCapsParams) -> bool {
    let nanos = |seconds: i64| seconds.saturating_mul(1_000_000_000);
    index.searcher().num_docs() > 0
        && index.time_range().is_none_or(|(min, max)| {
            params.start_timestamp.is_none_or(|start| max >= nanos(start))
                && params.end_timestamp.is_none_or(|end| min < nanos(end))
        })
}

fn collect(indexes: &[Arc<LogIndex>], wanted: &[String]) -> tantivy::Result<Value> {
    let mut fields: BTreeMap<String, BTreeMap<&'static str, Caps>> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for index in indexes {
        names.insert(index.id());
        for segment in index.searcher().segment_readers() {
            for field in of_segment(segment)? {
                let name = field.name_in_documents();
                if matches!(name, SOURCE_FIELD | SEQ_FIELD | DYNAMIC_FIELD) {
                    continue;
                }
                if !wanted.is_empty() && !wanted.iter().any(|pattern| index_patterns::matches(pattern, name)) {
                    continue;
                }
                for type_name in type_names(field.value_type) {
                    let caps = fields.entry(name.to_owned()).or_default().entry(type_name).or_default();
                    caps.searchable |= field.use_for == FieldUse::Search;
                    caps.aggregatable |= field.use_for == FieldUse::Aggregation;
                }
            }
        }
    }
    let fields: Map<String, Value> = fields
        .into_iter()
        .map(|(name, types)| {
            let types: Map<String, Value> = types
                .into_iter()
                .map(|(type_name, caps)| {
                    let entry = json!({
                        "metadata_field": false, "searchable": caps.searchable, "aggregatable": caps.aggregatable,
                        "type": type_name,
                    });
                    (type_name.to_owned(), entry)
                })
                .collect();
            (name, Value::Object(types))
        })
        .collect();
    Ok(json!({"indices": names, "fields": fields}))
}

fn type_names(field_type: Type) -> &'static [&'static str] {
    match field_type {
        Type::Str => &["keyword", "text"],
        Type::U64 | Type::I64 => &["long"],
        Type::F64 => &["double"],
        Type::Bool => &["boolean"],
        Type::Date => &["date_nanos"],
        Type::Bytes => &["binary"],
        Type::IpAddr => &["ip"],
        Type::Json | Type::Facet | Type::Custom => &[],
    }
}
