//! The embedded store: one process that takes OTLP and answers as Grafana Tempo (traces) and Quickwit (logs) do.
//!
//! *Useful for* tests, development and small machines without Docker. *Not useful for* more than one machine: it is not
//! distributed and does not try.
//!
//! Acknowledged means on disk: an export is answered when its data is in a write-ahead log ([`wal`]) that a restart replays, each
//! record once. `ARCHITECTURE.md` beside this crate says where to find what; formats on disk are listed there too.
//!
//! ```
//! use tracewright_store::logs::{LogOptions, LogStore};
//! use tracewright_store::wal::SyncPolicy;
//!
//! let dir = tempfile::tempdir()?;
//! let logs = LogStore::open(LogOptions {
//!     dir: dir.path().to_owned(),
//!     sync: SyncPolicy::Always,
//!     retention: None,
//!     max_disk_bytes: None,
//!     max_waiting_bytes: 32 << 20,
//! })?;
//! let line = br#"{"timestamp_nanos": 1768471200000000000, "observed_timestamp_nanos": 1768471200000000000,
//!     "service_name": "shop", "severity_number": 9, "trace_flags": 0, "body": {"message": "hello"}}"#;
//! let line: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'\n').collect();
//! let outcome = logs.ingest_ndjson("otel-logs-v0_9", &line, |_| ())?;
//! assert_eq!(outcome.accepted, 1);
//! logs.flush();
//! assert_eq!(logs.index("otel-logs-v0_9")?.stats().documents, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
pub mod config;
pub mod logs;
pub mod logs_api;
pub mod otlp;
pub mod query;
pub mod server;
pub mod service_graph;
pub mod tempo_api;
pub mod traceql;
pub mod traces;
mod ulid;
pub mod wal;
