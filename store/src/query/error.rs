//! Why a query cannot be answered. The texts are Quickwit's where it has one.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("failed to parse query: `{0}`")]
    Syntax(String),
    #[error("invalid query: field does not exist: `{0}`")]
    UnknownField(String),
    #[error("invalid query: query is incompatible with schema. {0})")]
    Incompatible(String),
    #[error("invalid query: expected a `{expected}` search value for field `{field}`, got `{value}`")]
    Value { expected: &'static str, field: String, value: String },
    #[error("invalid query: expected `{expected}` boundary for field `{field}`")]
    Boundary { expected: &'static str, field: String },
    #[error("invalid query: Json field text `{0}` is not indexed")]
    JsonNotIndexed(String),
    #[error("query requires a default search field and none was supplied")]
    NoDefaultField,
    #[error("failed to parse range query date format. unsupported format `{0}`")]
    DateFormat(String),
    #[error("invalid query: {0}")]
    Other(String),
}
