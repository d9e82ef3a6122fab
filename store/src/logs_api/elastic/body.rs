//! The body of a search, and what it comes to with the parameters behind the `?`.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tantivy::aggregation::agg_req::Aggregations;

use super::params::SearchParams;
use super::source_filter::SourceFilter;
use crate::logs::LogIndex;
use crate::logs::search::{DateUnit, Order, SearchError, SearchRequest, SortBy, SortField};
use crate::logs_api::ApiError;
use crate::logs_api::search::{list, parse_aggregations};
use crate::query::ast::BoolQuery;
use crate::query::elastic::{ElasticQuery, convert};
use crate::query::user::{self, Defaults, Operator};
use crate::query::{QueryAst, QueryError};

/// Hits when the body does not say.
const DEFAULT_SIZE: u64 = 10;
/// Most hits, and the largest offset, of one search.
const MAX_SIZE: u64 = 10_000;

/// The order of the fields is that of Quickwit's error text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchBody {
    pub from: Option<u64>,
    pub size: Option<u64>,
    pub query: Option<ElasticQuery>,
    #[serde(deserialize_with = "sort_fields")]
    pub sort: Option<Vec<SortField>>,
    aggregations: Option<Value>,
    aggs: Option<Value>,
    /// Counting is exact whatever it says.
    #[serde(rename = "track_total_hits")]
    _track_total_hits: Option<Value>,
    /// Taken and without effect, as in Quickwit, like the others with an underscore.
    #[serde(rename = "stored_fields")]
    _stored_fields: Option<Value>,
    pub search_after: Option<Vec<Value>>,
    #[serde(rename = "_source")]
    _source: Option<Value>,
    #[serde(rename = "docvalue_fields")]
    _docvalue_fields: Option<Value>,
    #[serde(rename = "script_fields")]
    _script_fields: Option<Value>,
    #[serde(rename = "highlight")]
    _highlight: Option<Value>,
    #[serde(rename = "version")]
    _version: Option<Value>,
}

/// A search that was checked as far as that goes without an index.
#[derive(Debug, Clone)]
pub struct Prepared {
    query: Asked,
    pub sort: Vec<SortField>,
    pub search_after: Option<Vec<Value>>,
    pub offset: usize,
    pub max_hits: usize,
    aggregations: Option<Aggregations>,
    extra_filters: Vec<String>,
    pub source_filter: SourceFilter,
}

#[derive(Debug, Clone)]
enum Asked {
    Everything,
    Dsl(Box<ElasticQuery>),
    Text { query: String, operator: Operator, field: Option<String>, lenient: bool },
}

impl Prepared {
    /// # Errors
    /// What of the search is out of range or cannot be read.
    pub fn new(body: SearchBody, params: &SearchParams) -> Result<Self, ApiError> {
        let aggregations = body.aggs.as_ref().or(body.aggregations.as_ref());
        let aggregations = aggregations.filter(|value| !value.is_null()).map(parse_aggregations).transpose()?;
        let query = match (&params.q, body.query) {
            (Some(query), _) => Asked::Text {
                query: query.clone(),
                operator: match params.default_operator.as_deref().map(str::to_ascii_lowercase).as_deref() {
                    None | Some("or") => Operator::Or,
                    Some("and") => Operator::And,
                    Some(other) => return Err(ApiError::bad_request(format!("unknown operator `{other}`"))),
                },
                field: params.df.clone(),
                lenient: params.lenient.unwrap_or(false),
            },
            (None, Some(query)) => Asked::Dsl(Box::new(query)),
            (None, None) => Asked::Everything,
        };
        let sort = match (&params.sort, body.sort) {
            (Some(list), _) => list.split(',').map(sort_parameter).collect::<Result<_, _>>()?,
            (None, sort) => sort.unwrap_or_default(),
        };
        Ok(Self {
            query,
            sort,
            search_after: body.search_after.filter(|values| !values.is_empty()),
            offset: limited("from", params.from.or(body.from).unwrap_or(0))?,
            max_hits: limited("size", params.size.or(body.size).unwrap_or(DEFAULT_SIZE))?,
            aggregations,
            extra_filters: list(params.extra_filters.as_deref().unwrap_or_default()),
            source_filter: SourceFilter::new(params.source_includes.as_deref(), params.source_excludes.as_deref()),
        })
    }

    /// # Errors
    /// A query that cannot be read.
    pub fn request(&self, indexes: &[Arc<LogIndex>]) -> Result<SearchRequest, SearchError> {
        let index_fields = indexes.first().map(|index| index.mapper.default_search_fields.as_slice());
        Ok(SearchRequest {
            query: self.query_ast(index_fields.unwrap_or_default())?,
            start_timestamp: None,
            end_timestamp: None,
            sort: self.sort.clone(),
            search_after: self.search_after.clone(),
            offset: self.offset,
            max_hits: self.max_hits,
            aggregations: self.aggregations.clone(),
            snippet_fields: Vec::new(),
        })
    }

    fn query_ast(&self, default_fields: &[String]) -> Result<QueryAst, QueryError> {
        let asked = self.asked_ast(default_fields)?;
        if self.extra_filters.is_empty() {
            return Ok(asked);
        }
        let defaults = Defaults { fields: default_fields, operator: Operator::Or, lenient: false };
        let filter = self.extra_filters.iter().map(|query| user::parse(query, defaults)).collect::<Result<_, _>>()?;
        Ok(BoolQuery { must: vec![asked], filter, ..BoolQuery::default() }.into())
    }

    fn asked_ast(&self, default_fields: &[String]) -> Result<QueryAst, QueryError> {
        match &self.query {
            Asked::Everything => Ok(QueryAst::All),
            Asked::Dsl(query) => convert((**query).clone(), default_fields),
            Asked::Text { query, operator, field, lenient } => {
                let own = field.clone().map(|field| [field]);
                let fields = own.as_ref().map_or(default_fields, |own| own.as_slice());
                user::parse(query, Defaults { fields, operator: *operator, lenient: *lenient })
            }
        }
    }
}

fn limited(name: &str, value: u64) -> Result<usize, ApiError> {
    if value > MAX_SIZE {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("Invalid argument: max value for {name} is 10_000, but got {value}"),
        ));
    }
    Ok(value as usize)
}

/// `field`, `field:asc`, `field:desc`.
fn sort_parameter(text: &str) -> Result<SortField, ApiError> {
    let (name, order) = match text.split_once(':') {
        None => (text, default_order(text)),
        Some((name, "asc")) => (name, Order::Ascending),
        Some((name, "desc")) => (name, Order::Descending),
        Some((_, other)) => return Err(ApiError::bad_request(format!("invalid sort order `{other}`"))),
    };
    Ok(sort_field(name, order, DateUnit::Milliseconds))
}

fn sort_field(name: &str, order: Order, date_unit: DateUnit) -> SortField {
    let by = match name {
        "_doc" | "_shard_doc" => SortBy::Doc,
        "_score" => SortBy::Score,
        name => SortBy::Field(name.to_owned()),
    };
    SortField { by, order, date_unit }
}

fn default_order(name: &str) -> Order {
    if name == "_score" { Order::Descending } else { Order::Ascending }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OrderForm {
    Asc,
    Desc,
}

impl From<OrderForm> for Order {
    fn from(form: OrderForm) -> Self {
        match form {
            OrderForm::Asc => Self::Ascending,
            OrderForm::Desc => Self::Descending,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SortParams {
    #[serde(default)]
    order: Option<OrderForm>,
    #[serde(default)]
    format: Option<DateFormatForm>,
    #[serde(default, rename = "unmapped_type")]
    _unmapped_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DateFormatForm {
    EpochNanosInt,
}

/// `"field"`, `{"field": "asc"}`, `{"field": {"order": …, "format": …}}`, or a list of these.
fn sort_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<SortField>>, D::Error> {
    let items = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::Array(items) => items,
        item => vec![item],
    };
    let mut fields = Vec::new();
    for item in items {
        match item {
            Value::String(name) => fields.push(sort_field(&name, default_order(&name), DateUnit::Milliseconds)),
            Value::Object(entries) => {
                for (name, value) in entries {
                    let params: SortParams = if value.is_string() {
                        let order = serde_json::from_value(value).map_err(D::Error::custom)?;
                        SortParams { order: Some(order), format: None, _unmapped_type: None }
                    } else {
                        serde_json::from_value(value).map_err(D::Error::custom)?
                    };
                    let order = params.order.map_or_else(|| default_order(&name), Order::from);
                    let unit = params.format.map_or(DateUnit::Milliseconds, |_| DateUnit::Nanoseconds);
                    fields.push(sort_field(&name, order, unit));
                }
            }
            other => return Err(D::Error::custom(format!("invalid sort: {other}"))),
        }
    }
    Ok(Some(fields))
}
