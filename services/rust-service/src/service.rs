//! The life of the service: start in order, serve until told to stop, finish, flush.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use opentelemetry_otlp::ExporterBuildError;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::faults::Faults;
use crate::flagfile::{self, FlagFile};
use crate::http::{AppState, router};
use crate::knowledge::{self, Knowledge};
use crate::search::Index;
use crate::telemetry::{Telemetry, chain};

/// How long requests that are under way may take after the stop signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the service did not start, or ended by itself.
#[derive(Debug)]
pub enum Error {
    Telemetry(ExporterBuildError),
    Flags(flagfile::Error),
    Listen(SocketAddr, io::Error),
    Knowledge(knowledge::Error),
    Serve(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Telemetry(_) => f.write_str("OTEL_EXPORTER_OTLP_ENDPOINT: set up the exporters"),
            Self::Flags(_) => f.write_str("FLAGS_FILE"),
            Self::Listen(address, _) => write!(f, "HOST, PORT: listen on {address}"),
            Self::Knowledge(_) => f.write_str("DATABASE_URL: load the knowledge table"),
            Self::Serve(_) => f.write_str("serve"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Telemetry(error) => Some(error),
            Self::Flags(error) => Some(error),
            Self::Listen(_, error) | Self::Serve(error) => Some(error),
            Self::Knowledge(error) => Some(error),
        }
    }
}

/// Runs until `shutdown` completes, then finishes the requests under way and flushes all signals.
///
/// Sets the process-wide `tracing` subscriber. Needs a Tokio runtime with several threads.
///
/// # Errors
/// What kept it from starting. Telemetry that could not be flushed is told on standard error and is no failure.
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    let telemetry = Telemetry::start(&config.telemetry).map_err(Error::Telemetry)?;
    tracing::subscriber::set_global_default(telemetry.subscriber(io::stdout()))
        .expect("run is called once in a process");
    let result = serve(&config, &telemetry, shutdown).await;
    if let Err(error) = &result {
        tracing::error!("exception.message" = chain(error), "service failed");
    }
    // The export threads need the runtime's workers to send: waiting for them must not block one.
    let flushed = tokio::task::spawn_blocking(move || telemetry.shutdown()).await;
    match flushed {
        Ok(Ok(())) => {}
        Ok(Err(lost)) => eprintln!("rust-service: telemetry was not flushed: {lost}"),
        Err(error) => eprintln!("rust-service: telemetry was not flushed: {error}"),
    }
    result
}

async fn serve(
    config: &Config,
    telemetry: &Telemetry,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let flags = config.flags_file.as_deref().map(FlagFile::open).transpose().map_err(Error::Flags)?;
    let faults = match &flags {
        Some(flags) => Faults::new(flags.clone()).await,
        None => Faults::default(),
    };
    let address = SocketAddr::new(config.host, config.port);
    let listener = TcpListener::bind(address).await.map_err(|error| Error::Listen(address, error))?;
    let bound = listener.local_addr().map_err(|error| Error::Listen(address, error))?;
    let knowledge = Knowledge::new(config);
    let index = Index::build(knowledge.load().await.map_err(Error::Knowledge)?);
    for (entry, missing) in index.dangling() {
        tracing::warn!(entry, missing, "a knowledge entry is related to one that does not exist");
    }
    tracing::info!(entries = index.len(), "knowledge loaded");

    let state = AppState {
        index: Arc::new(index),
        knowledge,
        latency_scale: config.latency_scale,
        telemetry: telemetry.server(faults.clone()),
        faults,
    };
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, router(state)).with_graceful_shutdown(async move {
        shutdown.await;
        tracing::info!("stopping");
        stopping.send_replace(true);
    });
    tracing::info!(server.address = %bound.ip(), server.port = bound.port(), "listening");
    let overdue = async {
        // An error means that the server has ended and taken the sender along: there is nothing to wait for.
        if stopped.wait_for(|stopped| *stopped).await.is_ok() {
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let watching = async {
        match &flags {
            Some(flags) => flags.watch().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        never = watching => match never {},
        result = server => result.map_err(Error::Serve)?,
        () = overdue => tracing::warn!("requests under way were cut off"),
    }
    tracing::info!("stopped");
    Ok(())
}
