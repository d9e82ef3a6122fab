//! TraceQL: the query language of Tempo's search and metrics endpoints.
//!
//! Pure code without I/O. A query goes through these stations, one file each:
//!
//! | file | does |
//! | --- | --- |
//! | [`lexer`] | text to tokens with their line and column |
//! | [`parser`] | tokens to the tree of [`ast`]; every error names its place |
//! | [`validate`] | types: what Tempo refuses although it parses |
//! | [`display`] | a tree back to text, as error messages and result labels show it |
//! | [`conditions`] | which attributes a query touches, and with which literal |
//! | [`eval`] | `{ … }` on one span |
//! | [`pipeline`] | `\|`, `by`, `coalesce`, aggregates on one trace |
//! | [`structural`] | `>>`, `<`, `~` and their kin |
//! | [`metrics`] | `rate`, `quantile_over_time` and their kin over many traces |
//!
//! [`model`] is what a trace looks like to the evaluator; [`value`] what an attribute holds.
pub mod ast;
pub mod conditions;
pub mod display;
pub mod eval;
mod keywords;
pub mod lenient;
pub mod lexer;
pub mod metrics;
pub mod model;
pub mod parser;
pub mod pipeline;
pub mod second_stage;
pub mod steps;
pub mod structural;
#[cfg(test)]
mod tests;
pub mod validate;
pub mod value;

pub use ast::Query;
pub use parser::parse;
pub use value::Value;

/// Why a text is not a query that we can run. The texts are Tempo's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text does not follow the grammar; columns count characters from 1.
    #[error("parse error at line {line}, col {col}: {message}")]
    Syntax { line: usize, col: usize, message: String },
    /// There is no text at all, hence no place.
    #[error("parse error : syntax error: unexpected $end")]
    Empty,
    /// The text parses, but its types do not fit or it asks for something unsupported.
    #[error("{0}")]
    Invalid(String),
}

/// Parses and checks a query.
///
/// # Errors
/// [`QueryError`] with the place of a syntax error, or the expression whose types do not fit.
///
/// ```
/// let query = tracewright_store::traceql::compile("{ status = error } | count() > 2")?;
/// assert!(query.metrics.is_none());
/// # Ok::<(), tracewright_store::traceql::QueryError>(())
/// ```
pub fn compile(text: &str) -> Result<Query, QueryError> {
    let query = parse(text)?;
    validate::check(&query)?;
    Ok(query)
}
