//! The wire form of the query DSL. Unknown keys are refused, with serde's words, which are Quickwit's too.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::query::ast::{FullTextMode, QueryAst};
use crate::query::user::Operator;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElasticQuery {
    QueryString(QueryStringParams),
    Bool(BoolParams),
    Term(FieldValue<ValueOrParams<TermParams>>),
    Terms(TermsParams),
    MatchAll(BoostOnly),
    MatchNone(BoostOnly),
    Match(FieldValue<ValueOrParams<MatchParams>>),
    MatchBoolPrefix(FieldValue<ValueOrParams<MatchParams>>),
    MatchPhrase(FieldValue<ValueOrParams<MatchPhraseParams>>),
    MatchPhrasePrefix(FieldValue<MatchPhrasePrefixQueryParams>),
    MultiMatch(MultiMatchParams),
    Range(FieldValue<RangeParams>),
    Exists(ExistsParams),
    Regexp(FieldValue<RegexForm>),
    Wildcard(FieldValue<ValueOrParams<PatternParams>>),
    Prefix(FieldValue<ValueOrParams<PatternParams>>),
}

/// `{"field": …}`: exactly one field.
#[derive(Debug, Clone)]
pub struct FieldValue<T> {
    pub field: String,
    pub value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FieldValue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneField<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneField<T> {
            type Value = FieldValue<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map with a single field")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let Some(field) = map.next_key::<String>()? else {
                    return Err(A::Error::custom("expected a single field, got none"));
                };
                let value = map.next_value()?;
                match map.next_key::<String>()? {
                    None => Ok(FieldValue { field, value }),
                    Some(other) => {
                        Err(A::Error::custom(format!("expected a single field, got `{field}` and `{other}`")))
                    }
                }
            }
        }
        deserializer.deserialize_map(OneField(PhantomData))
    }
}

/// A value, an array of them, or null. Goes by way of JSON so that an error names the faulty key.
fn one_or_many<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let values = match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::Array(values) => values,
        value => vec![value],
    };
    values.into_iter().map(|value| serde_json::from_value(value).map_err(D::Error::custom)).collect()
}

impl<'de> Deserialize<'de> for Operator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.to_ascii_lowercase().as_str() {
            "and" => Ok(Self::And),
            "or" => Ok(Self::Or),
            _ => Err(D::Error::custom(format!("unknown variant `{text}`, expected `AND` or `OR`"))),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryStringParams {
    pub query: String,
    pub fields: Option<Vec<String>>,
    pub default_field: Option<String>,
    pub default_operator: Option<Operator>,
    pub boost: Option<f32>,
    pub lenient: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoolParams {
    #[serde(deserialize_with = "one_or_many")]
    pub must: Vec<ElasticQuery>,
    #[serde(deserialize_with = "one_or_many")]
    pub must_not: Vec<ElasticQuery>,
    #[serde(deserialize_with = "one_or_many")]
    pub should: Vec<ElasticQuery>,
    #[serde(deserialize_with = "one_or_many")]
    pub filter: Vec<ElasticQuery>,
    pub boost: Option<f32>,
    pub minimum_should_match: Option<MinimumShouldMatch>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum MinimumShouldMatch {
    Count(i64),
    Text(String),
}

impl MinimumShouldMatch {
    /// How many of `total` clauses must match: `2`, `-1` (all but one), `50%`, `-25%`.
    pub(super) fn count(&self, total: usize) -> Result<usize, String> {
        let total = i64::try_from(total).map_err(|error| error.to_string())?;
        let count = match self {
            Self::Count(count) => *count,
            Self::Text(text) => {
                let invalid = |_| format!("unsupported `minimum_should_match`: `{text}`");
                match text.strip_suffix('%') {
                    Some(percent) => total * percent.trim().parse::<i64>().map_err(invalid)? / 100,
                    None => text.trim().parse().map_err(invalid)?,
                }
            }
        };
        let count = if count < 0 { total + count } else { count };
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoostOnly {
    pub boost: Option<f32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExistsParams {
    pub field: String,
}

/// What stands for a value alone or, as an object, for the value with options. Unlike `#[serde(untagged)]` it names an
/// option that does not exist.
#[derive(Debug, Clone)]
pub struct ValueOrParams<P>(pub P);

impl<'de, P: DeserializeOwned + From<Value>> Deserialize<'de> for ValueOrParams<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            params @ Value::Object(_) => serde_json::from_value(params).map(Self).map_err(D::Error::custom),
            Value::Null | Value::Array(_) => Err(D::Error::custom("expected a value, or an object with one")),
            value => Ok(Self(value.into())),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermParams {
    pub value: Value,
    pub boost: Option<f32>,
    #[serde(default)]
    pub case_insensitive: bool,
}

impl From<Value> for TermParams {
    fn from(value: Value) -> Self {
        Self { value, boost: None, case_insensitive: false }
    }
}

/// `{"field": [values], "boost": 2}`.
#[derive(Debug, Clone)]
pub struct TermsParams {
    pub field: String,
    pub values: Vec<Value>,
    pub boost: Option<f32>,
}

impl<'de> Deserialize<'de> for TermsParams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut map = serde_json::Map::deserialize(deserializer)?;
        let boost = map.remove("boost").and_then(|boost| boost.as_f64()).map(|boost| boost as f32);
        let mut fields = map.into_iter();
        match (fields.next(), fields.next()) {
            (Some((field, Value::Array(values))), None) => Ok(Self { field, values, boost }),
            (Some((field, value @ (Value::String(_) | Value::Number(_)))), None) => {
                Ok(Self { field, values: vec![value], boost })
            }
            _ => Err(D::Error::custom("invalid terms query: expected a single field with an array of values")),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchParams {
    pub query: Value,
    #[serde(default = "or")]
    pub operator: Operator,
    #[serde(default)]
    pub zero_terms_query: ZeroTerms,
    #[serde(default)]
    pub boost: Option<f32>,
    #[serde(default)]
    pub lenient: bool,
}

/// What a text without a word finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZeroTerms {
    #[default]
    None,
    All,
}

fn or() -> Operator {
    Operator::Or
}

impl From<Value> for MatchParams {
    fn from(query: Value) -> Self {
        Self { query, operator: Operator::Or, zero_terms_query: ZeroTerms::None, boost: None, lenient: false }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchPhraseParams {
    pub query: String,
    #[serde(default)]
    pub slop: u32,
    #[serde(default, rename = "zero_terms_query")]
    _zero_terms_query: Option<String>,
}

impl From<Value> for MatchPhraseParams {
    fn from(query: Value) -> Self {
        Self { query: super::text(&query), slop: 0, _zero_terms_query: None }
    }
}

/// Only the object form: Quickwit refuses a bare text here, and names the type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchPhrasePrefixQueryParams {
    pub query: String,
    #[serde(default = "max_expansions")]
    pub max_expansions: u32,
    #[serde(default, rename = "slop")]
    _slop: u32,
    #[serde(default, rename = "zero_terms_query")]
    _zero_terms_query: Option<String>,
}

fn max_expansions() -> u32 {
    50
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiMatchParams {
    query: Value,
    #[serde(deserialize_with = "one_or_many")]
    pub fields: Vec<String>,
    #[serde(default, rename = "type")]
    match_type: MultiMatchType,
    #[serde(default = "or")]
    operator: Operator,
    #[serde(default)]
    slop: u32,
    #[serde(default)]
    pub boost: Option<f32>,
    #[serde(default)]
    lenient: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MultiMatchType {
    #[default]
    #[serde(alias = "best_fields", alias = "cross_fields")]
    MostFields,
    Phrase,
    PhrasePrefix,
    BoolPrefix,
}

impl MultiMatchParams {
    /// The same question put to one field.
    pub(super) fn on(&self, field: &str) -> QueryAst {
        let (field, text) = (field.to_owned(), super::text(&self.query));
        let mode = match (self.match_type, self.operator) {
            (MultiMatchType::PhrasePrefix, _) => {
                return QueryAst::PhrasePrefix { field, text, max_expansions: max_expansions(), lenient: self.lenient };
            }
            (MultiMatchType::Phrase, _) => FullTextMode::Phrase { slop: self.slop },
            (MultiMatchType::MostFields, Operator::And) => FullTextMode::All,
            (MultiMatchType::MostFields, Operator::Or) => FullTextMode::Any,
            (MultiMatchType::BoolPrefix, Operator::And) => FullTextMode::AllWithPrefix,
            (MultiMatchType::BoolPrefix, Operator::Or) => FullTextMode::AnyWithPrefix,
        };
        QueryAst::FullText { field, text, mode, lenient: self.lenient }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RangeParams {
    pub gt: Option<Value>,
    pub gte: Option<Value>,
    pub lt: Option<Value>,
    pub lte: Option<Value>,
    pub boost: Option<f32>,
    pub format: Option<String>,
}

/// A prefix, or a pattern with `*` and `?`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternParams {
    pub value: String,
    pub boost: Option<f32>,
    #[serde(default)]
    pub case_insensitive: bool,
}

impl From<Value> for PatternParams {
    fn from(value: Value) -> Self {
        Self { value: super::text(&value), boost: None, case_insensitive: false }
    }
}

/// A regular expression, alone or with options; unknown ones (`flags`) are passed over, as in Quickwit.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum RegexForm {
    Params {
        value: String,
        #[serde(default)]
        case_insensitive: bool,
    },
    Text(String),
}

impl RegexForm {
    /// The expression, and whether case is ignored.
    pub(super) fn into_parts(self) -> (String, bool) {
        match self {
            Self::Params { value, case_insensitive } => (value, case_insensitive),
            Self::Text(value) => (value, false),
        }
    }
}
