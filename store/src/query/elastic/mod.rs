//! Elasticsearch's query DSL, as far as Quickwit takes it.
//!
//! [`dsl`] is the wire form; this gives it its meaning.

mod dsl;

use std::ops::Bound;

use serde_json::Value;

use super::ast::{BoolQuery, FullTextMode, QueryAst};
use super::error::QueryError;
use super::user::{self, Defaults, Operator};
pub use dsl::ElasticQuery;
use dsl::{BoolParams, FieldValue, MatchParams, PatternParams, QueryStringParams, RangeParams, TermParams, ZeroTerms};

/// Turns a query of the DSL into the tree that both languages share.
///
/// `default_fields` are those of a `query_string` that names none.
///
/// # Errors
/// [`QueryError`], for a `query_string` that cannot be read or a value that the DSL does not take.
pub fn convert(query: ElasticQuery, default_fields: &[String]) -> Result<QueryAst, QueryError> {
    Converter { default_fields }.convert(query, 0)
}

/// Deeper queries are refused: reading them is recursive.
const MAX_NESTING: usize = 50;

struct Converter<'a> {
    default_fields: &'a [String],
}

impl Converter<'_> {
    fn convert(&self, query: ElasticQuery, depth: usize) -> Result<QueryAst, QueryError> {
        if depth > MAX_NESTING {
            return Err(QueryError::Other(format!("the query is nested deeper than {MAX_NESTING}")));
        }
        Ok(match query {
            ElasticQuery::MatchAll(params) => boosted(QueryAst::All, params.boost),
            ElasticQuery::MatchNone(_) => QueryAst::None,
            ElasticQuery::QueryString(params) => self.query_string(params)?,
            ElasticQuery::Bool(params) => self.bool(params, depth)?,
            ElasticQuery::Term(FieldValue { field, value }) => {
                let TermParams { value, boost, case_insensitive } = value.0;
                let value = text(&value);
                let term = if case_insensitive {
                    QueryAst::Regex { field, pattern: format!("(?i){}", regex::escape(&value)) }
                } else {
                    QueryAst::Term { field, value }
                };
                boosted(term, boost)
            }
            ElasticQuery::Terms(terms) => boosted(
                QueryAst::TermSet { field: terms.field, values: terms.values.iter().map(text).collect() },
                terms.boost,
            ),
            ElasticQuery::Match(FieldValue { field, value }) => full_text(field, value.0, false),
            ElasticQuery::MatchBoolPrefix(FieldValue { field, value }) => full_text(field, value.0, true),
            ElasticQuery::MatchPhrase(FieldValue { field, value }) => {
                let params = value.0;
                QueryAst::FullText {
                    field,
                    text: params.query,
                    mode: FullTextMode::Phrase { slop: params.slop },
                    lenient: false,
                }
            }
            ElasticQuery::MatchPhrasePrefix(FieldValue { field, value }) => QueryAst::PhrasePrefix {
                field,
                text: value.query,
                max_expansions: value.max_expansions,
                lenient: false,
            },
            ElasticQuery::MultiMatch(params) => {
                let queries = params.fields.iter().map(|field| params.on(field)).collect();
                boosted(QueryAst::any(queries), params.boost)
            }
            ElasticQuery::Range(FieldValue { field, value }) => range(field, value)?,
            ElasticQuery::Exists(params) => QueryAst::Exists { field: params.field },
            ElasticQuery::Regexp(FieldValue { field, value }) => {
                let (pattern, any_case) = value.into_parts();
                QueryAst::Regex { field, pattern: if any_case { format!("(?i){pattern}") } else { pattern } }
            }
            ElasticQuery::Wildcard(FieldValue { field, value }) => {
                let PatternParams { value: pattern, boost, case_insensitive: any_case } = value.0;
                boosted(QueryAst::Wildcard { field, pattern, lenient: true, any_case }, boost)
            }
            ElasticQuery::Prefix(FieldValue { field, value }) => {
                let PatternParams { value: prefix, boost, case_insensitive: any_case } = value.0;
                let escaped = prefix.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?");
                boosted(QueryAst::Wildcard { field, pattern: format!("{escaped}*"), lenient: true, any_case }, boost)
            }
        })
    }

    fn query_string(&self, params: QueryStringParams) -> Result<QueryAst, QueryError> {
        if params.fields.is_some() && params.default_field.is_some() {
            let text = "fields and default_field cannot be both set in `query_string` queries";
            return Err(QueryError::Other(text.to_owned()));
        }
        let own_fields = params.fields.or(params.default_field.map(|field| vec![field]));
        let defaults = Defaults {
            fields: own_fields.as_deref().unwrap_or(self.default_fields),
            operator: params.default_operator.unwrap_or(Operator::Or),
            lenient: params.lenient.unwrap_or(false),
        };
        Ok(boosted(user::parse(&params.query, defaults)?, params.boost))
    }

    fn bool(&self, params: BoolParams, depth: usize) -> Result<QueryAst, QueryError> {
        let all = |queries: Vec<ElasticQuery>| {
            queries.into_iter().map(|query| self.convert(query, depth + 1)).collect::<Result<Vec<_>, _>>()
        };
        let should = all(params.should)?;
        let minimum_should_match = params
            .minimum_should_match
            .map(|minimum| minimum.count(should.len()).map_err(QueryError::Other))
            .transpose()?;
        let query = BoolQuery {
            must: all(params.must)?,
            must_not: all(params.must_not)?,
            should,
            filter: all(params.filter)?,
            minimum_should_match,
        };
        Ok(boosted(query.into(), params.boost))
    }
}

fn boosted(query: QueryAst, boost: Option<f32>) -> QueryAst {
    match boost {
        Some(boost) => QueryAst::Boost(Box::new(query), boost),
        None => query,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn full_text(field: String, params: MatchParams, with_prefix: bool) -> QueryAst {
    let mode = match (params.operator, with_prefix) {
        (Operator::And, false) => FullTextMode::All,
        (Operator::Or, false) => FullTextMode::Any,
        (Operator::And, true) => FullTextMode::AllWithPrefix,
        (Operator::Or, true) => FullTextMode::AnyWithPrefix,
    };
    let text = text(&params.query);
    // Both tokenizers make words of letters and digits; the raw one takes anything that is there.
    if params.zero_terms_query == ZeroTerms::All && !text.contains(char::is_alphanumeric) {
        return QueryAst::All;
    }
    let query = QueryAst::FullText { field, text, mode, lenient: params.lenient };
    boosted(query, params.boost)
}

/// Formats of dates in ranges that mean what RFC 3339 means.
const DATE_FORMATS: [&str; 5] =
    ["strict_date_optional_time", "strict_date_optional_time_nanos", "date_optional_time", "yyyy-MM-dd", "rfc3339"];

fn range(field: String, params: RangeParams) -> Result<QueryAst, QueryError> {
    if let Some(format) = params.format.filter(|format| !DATE_FORMATS.contains(&format.as_str())) {
        return Err(QueryError::DateFormat(format));
    }
    let lower = match (params.gt, params.gte) {
        (Some(value), _) => Bound::Excluded(value),
        (None, Some(value)) => Bound::Included(value),
        (None, None) => Bound::Unbounded,
    };
    let upper = match (params.lt, params.lte) {
        (Some(value), _) => Bound::Excluded(value),
        (None, Some(value)) => Bound::Included(value),
        (None, None) => Bound::Unbounded,
    };
    Ok(boosted(QueryAst::Range { field, lower, upper }, params.boost))
}
