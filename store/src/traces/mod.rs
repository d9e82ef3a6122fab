//! Traces on disk: taken as OTLP, found by id, by TraceQL and by tag.
//!
//! A span's way: [`record`] finds it in the request → the write-ahead log (now it may be acknowledged) → [`head`],
//! searchable at once → after [`StoreOptions::head_max_age`] or when the head is full, a [`segment`] on disk, and the log
//! gives its space back.
//!
//! *Head and segments are searched alike* through [`block::Block`]: [`prefilter`] finds in the columns the traces that
//! may match, only those are decoded and evaluated ([`search`]), newest first.
//!
//! *As in Tempo*, the unit of evaluation is what lies together: spans of a trace that come more than a head's age
//! apart are separate fragments for structural operators and root names until compaction joins them. By id they are one.
mod bitset;
pub mod block;
mod cache;
pub mod column;
pub mod decode;
mod error;
mod head;
mod legacy_tags;
mod maintain;
mod manifest;
pub mod metrics;
mod prefilter;
pub mod record;
pub mod search;
mod segment;
mod store;
pub mod tags;
mod tenants;
#[cfg(test)]
mod tests;
pub mod wire;

pub use error::{IngestError, TraceError};
pub use store::{IngestOutcome, StoreOptions, StoreStats, TraceStore};
pub use tenants::{Reader, TENANT_HEADER, TenantError, Tenants};
