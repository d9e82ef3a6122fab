//! Quickwit's HTTP API on logs: the route table, and what all routes share.
//!
//! A handler parses its request, calls the log store off the async threads, and shapes the answer. Quickwit's own routes
//! live in files of their own here; its Elasticsearch-compatible routes in [`elastic`].

mod elastic;
mod error;
mod index_patterns;
mod indexes;
mod ingest;
mod metrics;
mod node;
mod query_string;
mod search;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{any, get, post, put};
use tokio::sync::Semaphore;

use crate::logs::LogStore;
use crate::logs::search::{SearchAnswer, SearchError, SearchRequest};
pub use error::ApiError;
pub use metrics::render as render_metrics;

/// Bodies of searches, as in Quickwit.
const MAX_SEARCH_BODY_BYTES: usize = 1 << 20;
/// Bodies of ingest requests, as in Quickwit.
const MAX_INGEST_BODY_BYTES: usize = 10 << 20;

/// How a node calls itself; Quickwit's environment variables set it.
#[derive(Debug, Clone)]
pub struct NodeNames {
    pub cluster_id: String,
    pub node_id: String,
    /// `host:port` of the REST API.
    pub rest_address: String,
}

#[derive(Debug, Clone)]
pub struct ApiOptions {
    pub names: NodeNames,
    /// Largest OTLP body after decompression.
    pub max_otlp_body_bytes: usize,
    /// A search that takes longer is given up.
    pub search_timeout: Duration,
    /// Searches that run at the same time; more wait for their turn.
    pub max_concurrent_searches: usize,
}

/// What every handler gets.
#[derive(Debug, Clone)]
pub struct ApiState {
    pub store: Arc<LogStore>,
    pub options: Arc<ApiOptions>,
    searches: Arc<Semaphore>,
    scrolls: Arc<elastic::Scrolls>,
}

/// Every route of Quickwit's API that the store answers.
pub fn router(store: Arc<LogStore>, options: ApiOptions) -> Router {
    let searches = Arc::new(Semaphore::new(options.max_concurrent_searches));
    let state = ApiState { store, options: Arc::new(options), searches, scrolls: Arc::default() };
    let search = Router::new()
        .route("/{index}/search", get(search::get).post(search::post))
        .layer(DefaultBodyLimit::max(MAX_SEARCH_BODY_BYTES));
    let ingest = Router::new()
        .route("/{index}/ingest", post(ingest::ingest))
        .layer(DefaultBodyLimit::max(MAX_INGEST_BODY_BYTES));
    let otlp = Router::new()
        .route("/otlp/v1/logs", any(ingest::otlp))
        .route("/otlp/v1/logs/", any(ingest::otlp))
        .route("/{index}/otlp/v1/logs", any(ingest::otlp_into))
        .route("/{index}/otlp/v1/logs/", any(ingest::otlp_into))
        .layer(DefaultBodyLimit::max(state.options.max_otlp_body_bytes));
    let api = Router::new()
        .route("/version", get(node::version))
        .route("/cluster", get(node::cluster))
        .route("/indexes", get(indexes::list).post(indexes::create))
        .route("/indexes/{index}", get(indexes::get).put(indexes::update).delete(indexes::delete))
        .route("/indexes/{index}/clear", put(indexes::clear))
        .route("/indexes/{index}/describe", get(indexes::describe))
        .route("/indexes/{index}/splits", get(indexes::splits))
        .route("/indexes/{index}/sources/{source}", get(indexes::source))
        .merge(search)
        .merge(ingest)
        .merge(otlp)
        .nest("/_elastic", elastic::router());
    Router::new()
        .route("/", get(node::root))
        .route("/health/livez", get(node::healthy))
        .route("/health/readyz", get(node::healthy))
        .route("/metrics", get(metrics::metrics))
        .nest("/api/v1", api)
        .fallback(|| async { ApiError::new(StatusCode::NOT_FOUND, "Route not found") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "HTTP method not allowed")
        })
        .with_state(state)
}

impl ApiState {
    /// Runs a search over the indexes that `patterns` name, off the async threads.
    pub(self) async fn search(
        &self,
        patterns: &[String],
        ignore_missing: bool,
        request: impl FnOnce(&[Arc<crate::logs::LogIndex>]) -> Result<SearchRequest, SearchError> + Send + 'static,
    ) -> Result<SearchAnswer, ApiError> {
        let indexes = index_patterns::resolve(&self.store, patterns, ignore_missing)?;
        let permit = Arc::clone(&self.searches).acquire_owned().await.map_err(|_| ApiError::stopping())?;
        let work = tokio::task::spawn_blocking(move || {
            // Held until the search ends, also when nobody waits for it any more.
            let _permit = permit;
            let request = request(&indexes)?;
            crate::logs::search::search(&indexes, &request)
        });
        let timeout = self.options.search_timeout;
        match tokio::time::timeout(timeout, work).await {
            Ok(Ok(outcome)) => outcome.map_err(ApiError::from),
            Ok(Err(panic)) => Err(ApiError::internal(&panic)),
            Err(_) => Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the search took longer than {} s and was given up", timeout.as_secs()),
            )),
        }
    }

    /// Runs blocking work of the store off the async threads.
    pub(self) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LogStore) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || work(&store)).await.map_err(|panic| ApiError::internal(&panic))?
    }
}
