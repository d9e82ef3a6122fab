//! Wiring: opens both stores, serves every port, and stops in order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::config::Config;
use crate::logs::{LogError, LogOptions, LogStore};
use crate::logs_api::{ApiOptions, NodeNames};
use crate::traces::{StoreOptions, Tenants, TraceError, TraceStore};
use crate::{logs_api, otlp, tempo_api};

/// Quickwit's limit on a gRPC message is lower than the store's on a request.
const MAX_QUICKWIT_GRPC_BYTES: usize = 20 << 20;
/// Between two looks at what is too old or too much.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(10);
/// Requests that are still running when the store stops get this long.
const GRACE: Duration = Duration::from_secs(3);
/// Searches that run at the same time, per core.
const SEARCHES_PER_CORE: usize = 2;

/// Sockets that are bound already, so that a taken port is found before anything else is done.
#[derive(Debug)]
pub struct Listeners {
    pub tempo: TcpListener,
    pub tempo_otlp_grpc: TcpListener,
    pub tempo_otlp_http: TcpListener,
    pub quickwit: TcpListener,
    pub quickwit_grpc: TcpListener,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("cannot listen on {address} ({flag}): {source}")]
    Bind {
        flag: &'static str,
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("logs: {0}")]
    Logs(#[from] LogError),
    #[error("traces: {0}")]
    Traces(#[from] TraceError),
    #[error("a server stopped by itself: {0}")]
    Server(String),
}

impl Listeners {
    /// # Errors
    /// [`RunError::Bind`] with the flag that moves the port.
    pub async fn bind(config: &Config) -> Result<Self, RunError> {
        let bind = async |flag, address| {
            TcpListener::bind(address).await.map_err(|source| RunError::Bind { flag, address, source })
        };
        Ok(Self {
            tempo: bind("--tempo-listen", config.tempo_listen).await?,
            tempo_otlp_grpc: bind("--tempo-otlp-grpc-listen", config.tempo_otlp_grpc_listen).await?,
            tempo_otlp_http: bind("--tempo-otlp-http-listen", config.tempo_otlp_http_listen).await?,
            quickwit: bind("--quickwit-listen", config.quickwit_listen).await?,
            quickwit_grpc: bind("--quickwit-grpc-listen", config.quickwit_grpc_listen).await?,
        })
    }
}

/// Opens the stores, serves until `shutdown` is done, then finishes what runs and commits everything.
///
/// # Errors
/// [`RunError`]: what cannot be opened, or a server that failed.
pub async fn run(config: Config, listeners: Listeners, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let (logs, traces) = open(&config).await?;
    let (stop, stopped) = watch::channel(false);
    let mut servers = serve(&config, listeners, &logs, &traces, &stopped);
    let maintenance = tokio::spawn(maintain(Arc::clone(&logs)));
    tracing::info!("ready");
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        Some(ended) = servers.join_next() => Err(RunError::Server(match ended {
            Ok(Ok(())) => "no reason given".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic.to_string(),
        })),
    };
    tracing::info!("stopping");
    maintenance.abort();
    // Cannot fail usefully: without receivers every server has ended.
    let _ = stop.send(true);
    let _ = tokio::time::timeout(GRACE, async { while servers.join_next().await.is_some() {} }).await;
    servers.abort_all();
    let close = tokio::task::spawn_blocking(move || {
        logs.stop();
        traces.close()
    });
    match close.await {
        Ok(closed) => closed?,
        Err(panic) => return Err(RunError::Server(panic.to_string())),
    }
    tracing::info!("stopped");
    outcome
}

/// Reads the disk, off the async threads; both at the same time.
async fn open(config: &Config) -> Result<(Arc<LogStore>, Tenants), RunError> {
    let retention = config.retention.0;
    let log_options = LogOptions {
        dir: config.data_dir.join("logs"),
        sync: config.sync.into(),
        retention,
        max_disk_bytes: config.max_disk,
        max_waiting_bytes: config.max_waiting as usize,
    };
    let trace_options = StoreOptions {
        sync: config.sync.into(),
        retention,
        max_bytes: config.max_disk,
        query_timeout: Duration::from_secs(config.search_timeout),
        ..StoreOptions::new(config.data_dir.join(if config.multitenancy { "tenants" } else { "traces" }))
    };
    let logs = tokio::task::spawn_blocking(move || LogStore::open(log_options));
    let multitenancy = config.multitenancy;
    let traces = tokio::task::spawn_blocking(move || {
        if multitenancy {
            return Tenants::open_many(trace_options);
        }
        TraceStore::open(trace_options).map(|store| Tenants::from(Arc::new(store)))
    });
    let panicked = |panic: tokio::task::JoinError| RunError::Server(panic.to_string());
    Ok((logs.await.map_err(panicked)??, traces.await.map_err(panicked)??))
}

type ServerOutcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn serve(
    config: &Config,
    listeners: Listeners,
    logs: &Arc<LogStore>,
    traces: &Tenants,
    stopped: &watch::Receiver<bool>,
) -> JoinSet<ServerOutcome> {
    let max_request = config.max_request as usize;
    let rest_address = listeners.quickwit.local_addr().map_or_else(|_| String::new(), |address| address.to_string());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let api_options = ApiOptions {
        names: NodeNames { cluster_id: config.cluster_id.clone(), node_id: config.node_id.clone(), rest_address },
        max_otlp_body_bytes: max_request,
        search_timeout: Duration::from_secs(config.search_timeout),
        max_concurrent_searches: cores * SEARCHES_PER_CORE,
    };
    let mut servers = JoinSet::new();
    let mut http = |listener, router| servers.spawn(serve_http(listener, router, stopped.clone()));
    http(listeners.quickwit, logs_api::router(Arc::clone(logs), api_options));
    let logs_for_metrics = Arc::clone(logs);
    let logs_metrics = move || logs_api::render_metrics(&logs_for_metrics);
    http(listeners.tempo, tempo_api::router(traces.clone(), logs_metrics));
    http(listeners.tempo_otlp_http, otlp::traces::router(traces.clone(), max_request));
    let logs_service = otlp::logs::service(Arc::clone(logs), max_request.min(MAX_QUICKWIT_GRPC_BYTES));
    let traces_service = otlp::traces::service(traces.clone(), max_request);
    let logs_server = Server::builder().add_service(logs_service);
    let traces_server = Server::builder().add_service(traces_service);
    for (listener, server) in [(listeners.quickwit_grpc, logs_server), (listeners.tempo_otlp_grpc, traces_server)] {
        let stopped = until_stopped(stopped.clone());
        servers.spawn(async move {
            // An answer is several small writes; without this the last waits for the caller's delayed acknowledgement (40 ms).
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            server.serve_with_incoming_shutdown(incoming, stopped).await.map_err(Into::into)
        });
    }
    servers
}

async fn serve_http(listener: TcpListener, router: Router, stopped: watch::Receiver<bool>) -> ServerOutcome {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection answers with the system's delay");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(until_stopped(stopped)).await.map_err(Into::into)
}

async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn maintain(logs: Arc<LogStore>) {
    let mut ticks = tokio::time::interval(MAINTENANCE_INTERVAL);
    loop {
        ticks.tick().await;
        let logs = Arc::clone(&logs);
        // Deleting waits for a commit and reads the disk.
        if let Err(error) = tokio::task::spawn_blocking(move || logs.maintain()).await {
            tracing::error!(%error, "maintenance of the logs failed");
        }
    }
}
