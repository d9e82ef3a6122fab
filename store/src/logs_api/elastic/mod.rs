//! Quickwit's Elasticsearch-compatible API, under `/api/v1/_elastic`.

mod body;
mod bulk;
mod cat;
mod cluster;
mod error;
mod field_caps;
mod mapping;
mod msearch;
mod params;
mod scroll;
mod search;
mod source_filter;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::{ApiState, MAX_INGEST_BODY_BYTES, MAX_SEARCH_BODY_BYTES};
pub use error::ElasticError;
pub use scroll::Scrolls;

pub fn router() -> Router<ApiState> {
    let bulk = Router::new()
        .route("/_bulk", post(bulk::bulk))
        .route("/{index}/_bulk", post(bulk::bulk_into))
        .layer(DefaultBodyLimit::max(MAX_INGEST_BODY_BYTES));
    Router::new()
        .route("/", get(cluster::info))
        .route("/_search", get(search::no_index).post(search::no_index))
        .route("/_search/scroll", get(scroll::next).post(scroll::next))
        .route("/_msearch", post(msearch::msearch))
        .route("/_field_caps", get(field_caps::all).post(field_caps::all))
        .route("/_aliases", get(cluster::aliases))
        .route("/_cluster/health", get(cluster::health))
        .route("/_nodes/http", get(cluster::nodes))
        .route("/_stats", get(cat::stats_all))
        .route("/_cat/indices", get(cat::indices_all))
        .route("/_cat/indices/{index}", get(cat::indices))
        .route("/_resolve/index/{index}", get(cat::resolve))
        .route("/{index}", axum::routing::delete(cluster::delete_index))
        .route("/{index}/_search", get(search::search).post(search::search))
        .route("/{index}/_count", get(search::count).post(search::count))
        .route("/{index}/_field_caps", get(field_caps::of_index).post(field_caps::of_index))
        .route("/{index}/_mapping", get(mapping::mapping))
        .route("/{index}/_mappings", get(mapping::mapping))
        .route("/{index}/_stats", get(cat::stats))
        .route("/{index}/_search_shards", get(cat::shards))
        .layer(DefaultBodyLimit::max(MAX_SEARCH_BODY_BYTES))
        .merge(bulk)
}
