//! What can go wrong with stored traces.
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::wal::WalError;

/// Opening, reading and writing.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("cannot use {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("no space left on the disk of {}", path.display())]
    DiskFull { path: PathBuf },
    #[error("{} is not a whole segment of traces: move it away to start without its spans", path.display())]
    DamagedFile { path: PathBuf },
    #[error("{0} cannot be decoded")]
    Damaged(&'static str),
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("the query took longer than {} s; narrow it by time or by an attribute", limit.as_secs())]
    QueryTimeout { limit: Duration },
}

impl TraceError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path: path.to_owned() }
            }
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

/// Why spans were not taken. Nothing of the request is stored then.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The request is at fault; sending it again is useless.
    #[error("{0}")]
    Invalid(String),
    /// The disk is slower than the senders, or full: send again after `retry_after`.
    #[error("{reason}")]
    Busy { reason: String, retry_after: Duration },
    /// The log is broken; the store must be restarted.
    #[error(transparent)]
    Storage(#[from] TraceError),
}
