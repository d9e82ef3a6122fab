//! Quickwit's gRPC `LogsService`.

use std::sync::Arc;

use axum::body::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::SERVICE_NAME;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use tonic::{Request, Response, Status};

use super::INDEX_HEADER;
use super::unary::{Export, ExportServer};
use crate::logs::{DEFAULT_LOGS_INDEX, LogError, LogStore, validate_index_id};
use crate::wal::WalError;

#[derive(Debug)]
pub struct Receiver {
    store: Arc<LogStore>,
}

/// The service, with gzip and a limit on the size of a message.
pub fn service(store: Arc<LogStore>, max_message_bytes: usize) -> ExportServer<Receiver> {
    ExportServer::new(Receiver { store }, max_message_bytes)
}

#[tonic::async_trait]
impl Export for Receiver {
    const SERVICE: &'static str = SERVICE_NAME;
    type Answer = ExportLogsServiceResponse;

    async fn export(&self, request: Request<Bytes>) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let index = match request.metadata().get(INDEX_HEADER) {
            None => DEFAULT_LOGS_INDEX.to_owned(),
            Some(value) => value
                .to_str()
                .map_err(|_| Status::invalid_argument(format!("the metadata `{INDEX_HEADER}` is not text")))?
                .to_owned(),
        };
        validate_index_id(&index).map_err(Status::invalid_argument)?;
        let store = Arc::clone(&self.store);
        let payload = request.into_inner();
        // Waits for the disk and uses a core.
        let outcome = tokio::task::spawn_blocking(move || store.ingest_otlp(&index, &payload))
            .await
            .map_err(|error| internal(&error))?
            .map_err(|error| status(&error))?;
        let partial_success = (outcome.rejected > 0).then(|| ExportLogsPartialSuccess {
            rejected_log_records: i64::try_from(outcome.rejected).unwrap_or(i64::MAX),
            error_message: outcome.error.unwrap_or_default(),
        });
        Ok(Response::new(ExportLogsServiceResponse { partial_success }))
    }
}

fn status(error: &LogError) -> Status {
    match error {
        LogError::IndexNotFound(_) => Status::not_found(error.to_string()),
        // The code that a generated server gives to what it cannot decode.
        LogError::InvalidRequest(_) => Status::internal(error.to_string()),
        LogError::InvalidRecord(_) => Status::invalid_argument(error.to_string()),
        LogError::Busy { .. } => super::retry::later(error.to_string()),
        LogError::Wal(WalError::DiskFull { .. }) => super::retry::later(error.to_string()),
        LogError::Wal(WalError::TooLarge { .. }) => Status::invalid_argument(error.to_string()),
        LogError::Stopping | LogError::Unwritable { .. } => Status::unavailable(error.to_string()),
        // Not INTERNAL, after which an exporter throws its data away.
        LogError::Wal(_) => {
            tracing::error!(%error, "logs could not be taken");
            Status::unavailable("logs could not be stored: see the log of the store")
        }
        error => internal(error),
    }
}

fn internal(cause: &dyn std::fmt::Display) -> Status {
    tracing::error!(error = %cause, "logs could not be taken");
    Status::internal("internal error: see the log of the store")
}
