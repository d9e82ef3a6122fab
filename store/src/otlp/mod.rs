//! OTLP in, on the ports and paths of the real programs: Tempo's own gRPC and HTTP receivers ([`traces`]) and Quickwit's
//! gRPC service ([`logs`]; its HTTP path is part of Quickwit's API, see `logs_api::ingest`).
//!
//! Every receiver answers only when the data is as safe as `--sync` says.

pub mod encoding;
mod export_errors;
pub mod logs;
mod retry;
pub mod traces;
pub mod unary;
pub mod wire;

/// Names the index that logs go to, as an HTTP header or gRPC metadata.
pub const INDEX_HEADER: &str = "qw-otel-logs-index";
