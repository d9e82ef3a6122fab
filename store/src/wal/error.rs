//! What can go wrong with the write-ahead log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Cloneable, because one failed write is the outcome of every caller that took part in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WalError {
    #[error("no space left on the disk of {}", path.display())]
    DiskFull { path: PathBuf },
    #[error("cannot use {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("{} is damaged at byte {offset}: move the file away to start without its records", path.display())]
    Corrupt { path: PathBuf, offset: u64 },
    #[error("a record of {payload_bytes} bytes is over the limit of {max_bytes}")]
    TooLarge { payload_bytes: usize, max_bytes: usize },
}

impl WalError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path: path.to_owned() }
            }
            _ => Self::Io { path: path.to_owned(), source: Arc::new(source) },
        }
    }
}
