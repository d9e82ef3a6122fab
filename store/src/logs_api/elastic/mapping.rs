//! `{index}/_mapping`: an index's fields in Elasticsearch's words, those of its index file and what its documents hold.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};
use tantivy::schema::Type;

use super::ElasticError;
use crate::logs::fields::of_segment;
use crate::logs::{FieldKind, FieldMapping, LogIndex};
use crate::logs_api::{ApiError, ApiState, index_patterns};

pub async fn mapping(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ElasticError> {
    let patterns = index_patterns::parse(&index)?;
    let answer = state
        .blocking(move |store| {
            let mut mappings = Map::new();
            for index in index_patterns::resolve(store, &patterns, false)? {
                let mut fields = properties(&index.metadata().config.doc_mapping.field_mappings);
                add_found(&mut fields, &index).map_err(|error| ApiError::internal(&error))?;
                mappings.insert(index.id(), json!({"mappings": {"properties": fields}}));
            }
            Ok(Value::Object(mappings))
        })
        .await?;
    Ok(Json(answer))
}

/// Adds what the documents hold beside the mapped fields: the paths in JSON fields, under their whole names. Of several
/// types of a path the first in Quickwit's order counts.
fn add_found(properties: &mut Map<String, Value>, index: &LogIndex) -> tantivy::Result<()> {
    let mut found: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for segment in index.searcher().segment_readers() {
        for field in of_segment(segment)? {
            let name = field.name_in_documents();
            let at = FOUND_TYPES.iter().position(|(kind, _)| *kind == field.value_type);
            if let (Some(at), false, None) = (at, name.starts_with('_'), properties.get(name)) {
                let known = found.entry(name.to_owned()).or_insert((at, FOUND_TYPES[at].1));
                *known = (*known).min((at, FOUND_TYPES[at].1));
            }
        }
    }
    properties.extend(found.into_iter().map(|(name, (_, kind))| (name, json!({"type": kind}))));
    Ok(())
}

const FOUND_TYPES: [(Type, &str); 8] = [
    (Type::Str, "keyword"),
    (Type::U64, "long"),
    (Type::I64, "long"),
    (Type::F64, "double"),
    (Type::Bool, "boolean"),
    (Type::Date, "date"),
    (Type::Bytes, "binary"),
    (Type::IpAddr, "ip"),
];

fn properties(fields: &[FieldMapping]) -> Map<String, Value> {
    fields.iter().map(|field| (field.name.clone(), property(field))).collect()
}

fn property(field: &FieldMapping) -> Value {
    let kind = match &field.kind {
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
