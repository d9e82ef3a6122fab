//! What can go wrong with the log store.

use std::path::PathBuf;

use crate::wal::WalError;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("index `{0}` not found")]
    IndexNotFound(String),
    #[error("index `{0}` already exist(s)")]
    IndexExists(String),
    #[error("invalid config: {0}")]
    InvalidConfig(String),
    #[error("invalid OTLP request: {0}")]
    InvalidRequest(String),
    #[error("{0}")]
    InvalidRecord(#[from] super::otlp_doc::RecordError),
    /// Too much waits for indexing. Nothing was taken; the sender should come back after a second.
    #[error("too many logs wait to be indexed ({waiting_bytes} bytes), try again in a second")]
    Busy { waiting_bytes: usize },
    /// A commit failed. Nothing was taken; it goes on by itself when the disk can be written again.
    #[error("index `{index_id}` cannot be written, see the log of the store; try again in a second")]
    Unwritable { index_id: String },
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("cannot use {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("index `{index_id}`: {source}")]
    Tantivy {
        index_id: String,
        #[source]
        source: tantivy::TantivyError,
    },
    #[error("the store is stopping")]
    Stopping,
}
