//! What the node says of itself: health, version, where the UI would be.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::ApiState;

/// The version of Quickwit whose answers the store gives.
pub const QUICKWIT_VERSION: &str = "0.9.0";

pub async fn healthy() -> Json<bool> {
    Json(true)
}

pub async fn root() -> impl IntoResponse {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/ui/search")])
}

/// Says Quickwit's version, for clients that look at it, and the store's own beside it.
pub async fn version() -> Json<Value> {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Json(json!({
        "build": {
            "build_date": "",
            "build_profile": if cfg!(debug_assertions) { "debug" } else { "release" },
            "build_target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            "cargo_pkg_version": QUICKWIT_VERSION,
            "commit_date": "2026-07-25T17:48:09Z",
            "commit_hash": "cc420c34d686a75f412b7cd450564c5c99ad6f21",
            "commit_short_hash": "cc420c3",
            "commit_tags": ["v0.9.0"],
            "version": "v0.9.0",
        },
        "runtime": {
            "num_cpus": cpus, "num_threads_blocking": cpus, "num_threads_non_blocking": cpus,
            "tracewright_store": env!("CARGO_PKG_VERSION"),
        },
    }))
}

pub async fn cluster(State(state): State<ApiState>) -> Json<Value> {
    let names = &state.options.names;
    Json(json!({"cluster_id": names.cluster_id, "self_node_id": names.node_id}))
}
