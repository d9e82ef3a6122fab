//! `{index}/_mapping`: an index's fields in Elasticsearch's words.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::ElasticError;
use crate::logs::{FieldKind, FieldMapping};
use crate::logs_api::{ApiState, index_patterns};

pub async fn mapping(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ElasticError> {
    let patterns = index_patterns::parse(&index)?;
    let indexes = index_patterns::resolve(&state.store, &patterns, false)?;
    let mappings: Map<String, Value> = indexes
        .iter()
        .map(|index| {
            let fields = index.metadata().config.doc_mapping.field_mappings;
            (index.id(), json!({"mappings": {"properties": properties(&fields)}}))
        })
        .collect();
    Ok(Json(Value::Object(mappings)))
}

fn properties(fields: &[FieldMapping]) -> Map<String, Value> {
    fields.iter().map(|field| (field.name.clone(), property(field))).collect()
}

fn property(field: &FieldMapping) -> Value {
    let kind = match &field.kind {
        FieldKind::Text { indexing } if indexing.tokenizer == "raw" => "keyword",
        FieldKind::Text { .. } => "text",
        FieldKind::U64 { .. } | FieldKind::I64 { .. } => "long",
        FieldKind::F64 { .. } => "double",
        FieldKind::Bool => "boolean",
        FieldKind::Ip => "ip",
        FieldKind::Datetime { .. } => "date",
        FieldKind::Bytes { .. } => "binary",
        FieldKind::Json { .. } => "object",
        FieldKind::Object { field_mappings } => {
            return json!({"type": "object", "properties": properties(field_mappings)});
        }
    };
    json!({"type": kind})
}
