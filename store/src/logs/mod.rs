//! Logs: indexes described by Quickwit's index files, kept by tantivy, fed through one write-ahead log.
//!
//! The way of a batch: [`LogStore::ingest_otlp`] maps it to documents, appends the request to the log (on disk when that
//! returns), and hands the documents to the index's own thread, which commits them a fraction of a second later.
//! Every commit says up to which log number it reaches, so a restart replays exactly what is missing.

pub mod dates;
mod doc_mapper;
mod error;
mod field_mapping;
pub mod fields;
mod index;
mod index_config;
mod intake;
mod merging;
mod otlp_direct;
mod otlp_doc;
mod record;
mod recovery;
mod retention;
pub mod search;
mod store;
#[cfg(test)]
mod tests;
pub mod tokenizers;
mod waiting;
mod writer;

pub use doc_mapper::{
    DYNAMIC_FIELD, DocError, DocMapper, FieldRef, MappedField, SEQ_FIELD, SOURCE_FIELD, date_precision, to_ipv6,
};
pub use error::LogError;
pub use field_mapping::{BytesFormat, FieldKind, FieldMapping, Precision, Record};
pub use index::{IndexStats, LogIndex};
pub use index_config::{IndexConfig, Mode, Retention, validate_index_id, validate_index_pattern};
pub use store::{IngestOutcome, LogOptions, LogStore};

/// The index of a sender that names none.
pub const DEFAULT_LOGS_INDEX: &str = "otel-logs-v0_9";
