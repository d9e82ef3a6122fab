//! `filter` aggregations: one bucket of what also matches a query. Quickwit crashes on them.
//!
//! The query is Elasticsearch's DSL, or a text in Quickwit's query language. It is built for each index by itself, as the main
//! query is, because fields have other types in other indexes.

use serde::{Serialize, Serializer};
use serde_json::Value;
use tantivy::aggregation::agg_req::{AggregationVariants, Aggregations};
use tantivy::aggregation::bucket::{FilterAggregation, QueryBuilder};
use tantivy::query::Query;
use tantivy::schema::Schema;
use tantivy::tokenizer::TokenizerManager;

use super::super::index::LogIndex;
use super::SearchError;
use crate::query::elastic::{ElasticQuery, convert};
use crate::query::user::{self, Defaults, Operator};
use crate::query::{QueryAst, build};

/// Before a query of the DSL, which tantivy's form of the request carries as text.
const DSL_MARK: &str = "\0dsl:";

/// Writes every `filter` of an aggregation request as the text that [`bind`] understands.
pub fn carry(aggregations: &mut Value) {
    let Value::Object(aggregations) = aggregations else { return };
    for aggregation in aggregations.values_mut() {
        if let Some(query @ Value::Object(_)) = aggregation.get_mut("filter") {
            *query = Value::String(format!("{DSL_MARK}{query}"));
        }
        for key in ["aggs", "aggregations"] {
            if let Some(below) = aggregation.get_mut(key) {
                carry(below);
            }
        }
    }
}

/// The request with its filters built for an index.
///
/// # Errors
/// [`SearchError`]: what is wrong with a filter's query.
pub(super) fn bind(mut aggregations: Aggregations, index: &LogIndex) -> Result<Aggregations, SearchError> {
    for aggregation in aggregations.values_mut() {
        if let AggregationVariants::Filter(filter) = &mut aggregation.agg {
            let query = build(&parse(filter, index)?, &index.mapper, index.tantivy().tokenizers())?;
            *filter = FilterAggregation::new_with_builder(Box::new(Built(query)));
        }
        let below = std::mem::take(&mut aggregation.sub_aggregation);
        aggregation.sub_aggregation = bind(below, index)?;
    }
    Ok(aggregations)
}

fn parse(filter: &FilterAggregation, index: &LogIndex) -> Result<QueryAst, SearchError> {
    // What it serializes to is the only way to its text.
    let text =
        serde_json::to_value(filter).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let fields = &index.mapper.default_search_fields;
    Ok(match text.strip_prefix(DSL_MARK) {
        Some(dsl) => {
            let query: ElasticQuery = serde_json::from_str(dsl)
                .map_err(|error| SearchError::Aggregation(format!("invalid filter aggregation: {error}")))?;
            convert(query, fields)?
        }
        None => user::parse(&text, Defaults { fields, operator: Operator::And, lenient: false })?,
    })
}

/// A query that was built before.
#[derive(Debug)]
struct Built(Box<dyn Query>);

impl Serialize for Built {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str("a built query")
    }
}

impl QueryBuilder for Built {
    fn build_query(&self, _: &Schema, _: &TokenizerManager) -> tantivy::Result<Box<dyn Query>> {
        Ok(self.0.box_clone())
    }

    fn box_clone(&self) -> Box<dyn QueryBuilder> {
        Box::new(Self(self.0.box_clone()))
    }

    fn typetag_name(&self) -> &'static str {
        "built"
    }

    fn typetag_deserialize(&self) {}
}
