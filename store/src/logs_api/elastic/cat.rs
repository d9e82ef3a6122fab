//! Lists and sizes of indexes: `_cat/indices`, `_resolve/index`, `_stats`, `_search_shards`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ElasticError;
use crate::logs::IndexStats;
use crate::logs_api::query_string::Params;
use crate::logs_api::{ApiState, index_patterns};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatParams {
    format: Option<String>,
    /// Columns to show, comma separated.
    h: Option<String>,
    health: Option<Health>,
    v: Option<bool>,
    s: Option<String>,
    bytes: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Green,
    Yellow,
    Red,
}

impl CatParams {
    /// Refuses what would change the answer and does not.
    fn check(&self) -> Result<(), ElasticError> {
        match self.format.as_deref() {
            None => return Err(ElasticError::bad_request("Only format=json is supported.")),
            Some(format) if !format.eq_ignore_ascii_case("json") => {
                return Err(ElasticError::bad_request(format!(
                    "Format {format} is not supported. Only format=json is supported."
                )));
            }
            Some(_) => {}
        }
        // They are ordered by name anyway.
        let is_sorted_otherwise = self.s.as_deref().is_some_and(|order| !matches!(order, "index" | "index:asc"));
        for (name, is_given) in [("bytes", self.bytes.is_some()), ("v", self.v.is_some()), ("s", is_sorted_otherwise)] {
            if is_given {
                return Err(ElasticError::bad_request(format!("Parameter {name:?} is not supported.")));
            }
        }
        Ok(())
    }
}

pub async fn indices_all(state: State<ApiState>, params: Params<CatParams>) -> Result<Json<Value>, ElasticError> {
    indices(state, Path("*".to_owned()), params).await
}

pub async fn indices(
    State(state): State<ApiState>,
    Path(index): Path<String>,
    Params(params): Params<CatParams>,
) -> Result<Json<Value>, ElasticError> {
    params.check()?;
    let columns: Option<Vec<String>> =
        params.h.map(|list| list.split(',').map(|name| name.trim().to_owned()).collect());
    let rows: Vec<Map<String, Value>> = stats_of(&state, &index)
        .await?
        .into_iter()
        .filter(|_| params.health.is_none_or(|health| health == Health::Green))
        .map(|(id, uid, stats)| row(&id, &uid, &stats))
        .collect();
    let Some(columns) = columns else { return Ok(Json(json!(rows))) };
    let known = row("", "", &IndexStats::default());
    if let Some(unknown) = columns.iter().find(|column| !known.contains_key(*column)) {
        return Err(ElasticError::bad_request(format!("unknown field `{unknown}` in `h`")));
    }
    let rows: Vec<Map<String, Value>> =
        rows.into_iter().map(|row| row.into_iter().filter(|(name, _)| columns.contains(name)).collect()).collect();
    Ok(Json(json!(rows)))
}

fn row(id: &str, uid: &str, stats: &IndexStats) -> Map<String, Value> {
    let row = json!({
        "index": id,
        "uuid": uid,
        "health": "green",
        "status": "open",
        "pri": "1",
        "rep": "1",
        "docs.count": stats.documents.to_string(),
        "docs.deleted": "0",
        "store.size": human_size(stats.disk_bytes),
        "pri.store.size": human_size(stats.disk_bytes),
        "dataset.size": human_size(stats.source_bytes),
    });
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
}

/// `155.6kb`, in steps of 1024.
fn human_size(bytes: u64) -> String {
    let units = ["b", "kb", "mb", "gb", "tb"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}b") } else { format!("{size:.1}{}", units[unit]) }
}

/// Id, unique id and sizes of the indexes that a list names.
async fn stats_of(state: &ApiState, list: &str) -> Result<Vec<(String, String, IndexStats)>, ElasticError> {
    let patterns = index_patterns::parse(list)?;
    let stats = state
        .blocking(move |store| {
            let indexes = index_patterns::resolve(store, &patterns, false)?;
            Ok(indexes.iter().map(|index| (index.id(), index.uid(), index.stats())).collect())
        })
        .await?;
    Ok(stats)
}

pub async fn resolve(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ElasticError> {
    let patterns = index_patterns::parse(&index)?;
    let indexes = index_patterns::resolve(&state.store, &patterns, false)?;
    let indexes: Vec<Value> = indexes.iter().map(|index| json!({"name": index.id(), "attributes": ["open"]})).collect();
    Ok(Json(json!({"indices": indexes, "aliases": [], "data_streams": []})))
}

pub async fn stats_all(state: State<ApiState>) -> Result<Json<Value>, ElasticError> {
    stats(state, Path("*".to_owned())).await
}

pub async fn stats(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ElasticError> {
    let stats = stats_of(&state, &index).await?;
    // An index that holds data is one split.
    let shape = |documents: u64, disk_bytes: u64, splits: usize| {
        json!({
            "primaries": {"store": {"size_in_bytes": disk_bytes}, "docs": {"count": documents}},
            "total": {"segments": {"count": splits}, "docs": {"count": documents}},
        })
    };
    let sum = |value: fn(&IndexStats) -> u64| stats.iter().map(|(_, _, stats)| value(stats)).sum();
    let splits = stats.iter().filter(|(_, _, stats)| stats.documents > 0).count();
    let all = shape(sum(|stats| stats.documents), sum(|stats| stats.disk_bytes), splits);
    let indexes: Map<String, Value> = stats
        .iter()
        .map(|(id, _, stats)| (id.clone(), shape(stats.documents, stats.disk_bytes, usize::from(stats.documents > 0))))
        .collect();
    Ok(Json(json!({"_all": all, "indices": indexes})))
}

pub async fn shards(State(state): State<ApiState>, Path(index): Path<String>) -> Result<Json<Value>, ElasticError> {
    let patterns = index_patterns::parse(&index)?;
    let indexes = index_patterns::resolve(&state.store, &patterns, false)?;
    let node = &state.options.names.node_id;
    let shards: Vec<Value> =
        indexes.iter().map(|index| json!([{"index": index.id(), "node": node, "primary": true, "shard": 0}])).collect();
    Ok(Json(json!({"shards": shards})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_list_and_does_not_is_refused() {
        let checked = |parameters: Value| serde_json::from_value::<CatParams>(parameters).map(|params| params.check());
        for parameters in [
            json!({"format": "json"}),
            json!({"format": "JSON", "health": "red", "h": "index"}),
            json!({"format": "json", "s": "index:asc"}),
        ] {
            assert!(checked(parameters.clone()).expect("is read").is_ok(), "{parameters}");
        }
        for parameters in [
            json!({}),
            json!({"format": "text"}),
            json!({"format": "json", "v": true}),
            json!({"format": "json", "bytes": "b"}),
            json!({"format": "json", "s": "index:desc"}),
        ] {
            assert!(checked(parameters.clone()).expect("is read").is_err(), "{parameters}");
        }
        assert!(checked(json!({"format": "json", "health": "fine"})).is_err());
    }
}
