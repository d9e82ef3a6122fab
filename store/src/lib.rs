//! The embedded store: one process that takes OTLP and answers as Tempo and Quickwit do.
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
