//! Tempo's HTTP API on the stored traces.
//!
//! | path | file |
//! | --- | --- |
//! | `/api/traces/{id}`, `/api/v2/traces/{id}` | [`by_id`] |
//! | `/api/search` | [`search`] |
//! | `/api/search/tags`, `/api/search/tag/{tag}/values` and their `v2` | [`tags`] |
//! | `/api/metrics/query`, `/api/metrics/query_range` | [`metrics`] |
//! | `/ready`, `/api/echo`, `/api/status/buildinfo`, `/metrics` | [`status`] |
//!
//! [`params`] reads query strings with Tempo's texts for what is wrong; [`otlp_json`] and [`proto`] write answers.
//! Errors are plain text ([`error`]). Disk and CPU work runs on the blocking threads, a bounded number at a time.
mod by_id;
mod compress;
mod error;
mod llm;
mod metrics;
pub mod otlp_json;
mod params;
pub mod proto;
mod search;
mod shared_ids;
mod status;
mod tags;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{any, get};
use tokio::sync::Semaphore;

use crate::traces::{Reader, TENANT_HEADER, TenantError, Tenants};
use error::ApiError;

/// Queries that run at a time; more wait for their turn.
const MAX_QUERIES: usize = 8;

/// What the handlers share.
#[derive(Clone)]
pub struct ApiState {
    tenants: Tenants,
    queries: Arc<Semaphore>,
    /// More lines for `/metrics`, in Prometheus' text format.
    extra_metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl ApiState {
    /// Runs a query of a tenant on a blocking thread.
    async fn run<T: Send + 'static>(
        &self,
        reader: Reader,
        query: impl FnOnce(&Reader) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = Arc::clone(&self.queries).acquire_owned().await.map_err(|_| ApiError::stopping())?;
        let outcome = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            query(&reader)
        });
        outcome.await.map_err(|error| {
            tracing::error!(%error, "a query panicked");
            ApiError::text(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
        })?
    }
}

/// The tenant of a request is found before anything else is looked at, as in Tempo.
impl FromRequestParts<ApiState> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let header = parts.headers.get(TENANT_HEADER).and_then(|value| value.to_str().ok());
        state.tenants.for_reading(header).map_err(|error| match error {
            TenantError::Missing => ApiError::no_tenant(),
            TenantError::Store(error) => error.into(),
            error => ApiError::bad_request(error.to_string()),
        })
    }
}

/// All routes. What asks for data takes any method, as in Tempo, and reads the query string alone. `extra_metrics` is
/// called for each `GET /metrics`.
pub fn router(tenants: impl Into<Tenants>, extra_metrics: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let tenants = tenants.into();
    let state =
        ApiState { tenants, queries: Arc::new(Semaphore::new(MAX_QUERIES)), extra_metrics: Arc::new(extra_metrics) };
    Router::new()
        .route("/ready", get(status::ready))
        .route("/api/echo", get(status::echo))
        .route("/api/status/buildinfo", get(status::build_info))
        .route("/status/version", get(status::version))
        .route("/metrics", get(status::metrics))
        .route("/api/traces/{id}", any(by_id::v1))
        .route("/api/v2/traces/{id}", any(by_id::v2))
        .route("/api/search", any(search::search))
        .route("/api/search/tags", any(tags::names_v1))
        .route("/api/v2/search/tags", any(tags::names_v2))
        .route("/api/search/tag/{tag}/values", any(tags::values_v1))
        .route("/api/v2/search/tag/{tag}/values", any(tags::values_v2))
        .route("/api/metrics/query_range", any(metrics::query_range))
        .route("/api/metrics/query", any(metrics::query))
        .fallback(status::not_found)
        .layer(axum::middleware::from_fn(compress::gzip))
        .with_state(state)
}
