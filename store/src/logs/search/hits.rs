//! Fetching a hit's document, and the parts of it that matched.

use serde_json::{Map, Value};
use tantivy::query::Query;
use tantivy::schema::Value as _;
use tantivy::snippet::SnippetGenerator;
use tantivy::{Searcher, TantivyDocument};

use super::super::doc_mapper::FieldRef;
use super::super::field_mapping::FieldKind;
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
    /// HTML with the matching words in `<b>`, per snippet field.
    pub snippets: Map<String, Value>,
}

/// Makes snippets of the fields that were asked for.
pub(super) struct Snippets(Vec<(String, SnippetGenerator)>);

impl Snippets {
    /// # Errors
    /// A field that is not stored text.
    pub(super) fn new(
        names: &[String],
        index: &LogIndex,
        searcher: &Searcher,
        query: &dyn Query,
    ) -> Result<Self, SearchError> {
        let generator = |name: &String| {
            let invalid = |text: String| SearchError::InvalidArgument(text);
            let Some((FieldRef::Mapped(mapped), "")) = index.mapper.find(name) else {
                return Err(invalid(format!("The field does not exist: '{name}'")));
            };
            if !matches!(mapped.mapping.kind, FieldKind::Text { .. }) || !mapped.mapping.stored {
                return Err(invalid(format!("the snippet field `{name}` must be of type `Str` and stored")));
            }
            Ok((name.clone(), SnippetGenerator::create(searcher, query, mapped.field)?))
        };
        names.iter().map(generator).collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, source: &[u8]) -> Map<String, Value> {
        if self.0.is_empty() {
            return Map::new();
        }
        let document: Value = serde_json::from_slice(source).unwrap_or_default();
        let snippets = self.0.iter().map(|(name, generator)| {
            let text = name.split('.').try_fold(&document, |value, key| value.get(key)).and_then(Value::as_str);
            let html = text.map(|text| generator.snippet(text).to_html()).filter(|html| !html.is_empty());
            (name.clone(), html.into_iter().collect())
        });
        snippets.collect()
    }
}

pub(super) fn fetch(
    index: &LogIndex,
    searcher: &Searcher,
    hit: Ranked,
    keys: &[ResolvedKey],
    snippets: &Snippets,
) -> Result<Hit, SearchError> {
    let document: TantivyDocument = searcher.doc(hit.address)?;
    let source = document.get_first(index.mapper.source);
    // Bytes are what older segments have.
    let source = source.and_then(|value| value.as_str().map(str::as_bytes).or(value.as_bytes()).map(<[u8]>::to_vec));
    let uid = index.uid();
    let split = uid.rsplit(':').next().unwrap_or_default();
    let source = source.unwrap_or_default();
    Ok(Hit { index_id: index.id(), snippets: snippets.of(&source), source, sort: hit.sort_values(keys, split) })
}
