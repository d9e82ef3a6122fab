//! Fetching a hit's document.

use serde_json::Value;
use tantivy::schema::Value as _;
use tantivy::{Searcher, TantivyDocument};

use super::super::index::LogIndex;
use super::SearchError;
use super::collector::Ranked;
use super::sort::ResolvedKey;

/// A document that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    pub index_id: String,
    /// The document as JSON text.
    pub source: Vec<u8>,
    /// One value per sort field.
    pub sort: Vec<Value>,
}

pub(super) fn fetch(
    index: &LogIndex,
    searcher: &Searcher,
    hit: Ranked,
    keys: &[ResolvedKey],
) -> Result<Hit, SearchError> {
    let document: TantivyDocument = searcher.doc(hit.address)?;
    let source = document.get_first(index.mapper.source).and_then(|value| value.as_bytes().map(<[u8]>::to_vec));
    let uid = index.uid();
    let split = uid.rsplit(':').next().unwrap_or_default();
    Ok(Hit { index_id: index.id(), source: source.unwrap_or_default(), sort: hit.sort_values(keys, split) })
}
