//! Quickwit's query language. The grammar is tantivy's; this gives its tree Quickwit's meaning.

use std::ops::Bound;

use serde_json::Value;
use tantivy::query_grammar::{
    Delimiter, Occur, UserInputAst, UserInputBound, UserInputLeaf, UserInputLiteral, parse_query,
};

use super::ast::{BoolQuery, FullTextMode, QueryAst};
use super::error::QueryError;

/// Quickwit's bound on the terms that a phrase's last word may stand for.
const MAX_EXPANSIONS: u32 = 50;

/// Deeper queries are refused: reading them is recursive.
const MAX_NESTING: usize = 50;

/// What a query leaves open.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// The fields of words without a field.
    pub fields: &'a [String],
    /// What joins words without an operator.
    pub operator: Operator,
    /// Values that do not fit their field's type find nothing instead of being an error.
    pub lenient: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    And,
    Or,
}

/// Reads a query. Nothing but blanks asks for everything.
///
/// # Errors
/// [`QueryError::Syntax`], [`QueryError::NoDefaultField`].
pub fn parse(query: &str, defaults: Defaults<'_>) -> Result<QueryAst, QueryError> {
    if query.trim().is_empty() {
        return Ok(QueryAst::All);
    }
    let syntax = || QueryError::Syntax(query.to_owned());
    if nesting(query) > MAX_NESTING {
        return Err(syntax());
    }
    let ast = parse_query(query).map_err(|_| syntax())?;
    convert(ast, defaults)
}

/// An upper bound of how deep the parentheses go.
fn nesting(query: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in query.bytes() {
        match byte {
            b'(' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn convert(ast: UserInputAst, defaults: Defaults<'_>) -> Result<QueryAst, QueryError> {
    match ast {
        UserInputAst::Clause(clauses) => {
            let mut query = BoolQuery::default();
            for (occur, clause) in clauses {
                let default = match defaults.operator {
                    Operator::And => Occur::Must,
                    Operator::Or => Occur::Should,
                };
                let clause = convert(clause, defaults)?;
                match occur.unwrap_or(default) {
                    Occur::Must => query.must.push(clause),
                    Occur::Should => query.should.push(clause),
                    Occur::MustNot => query.must_not.push(clause),
                }
            }
            Ok(query.into())
        }
        UserInputAst::Boost(inner, boost) => {
            Ok(QueryAst::Boost(Box::new(convert(*inner, defaults)?), boost.into_inner() as f32))
        }
        UserInputAst::Leaf(leaf) => convert_leaf(*leaf, defaults),
    }
}

fn convert_leaf(leaf: UserInputLeaf, defaults: Defaults<'_>) -> Result<QueryAst, QueryError> {
    match leaf {
        UserInputLeaf::All => Ok(QueryAst::All),
        UserInputLeaf::Exists { field } => Ok(QueryAst::Exists { field }),
        UserInputLeaf::Literal(literal) => {
            let field = literal.field_name.clone();
            over_fields(field, defaults, |field| convert_literal(field, &literal, defaults.lenient))
        }
        UserInputLeaf::Range { field, lower, upper } => over_fields(field, defaults, |field| QueryAst::Range {
            field,
            lower: convert_bound(&lower),
            upper: convert_bound(&upper),
        }),
        UserInputLeaf::Set { field, elements } => {
            over_fields(field, defaults, |field| QueryAst::TermSet { field, values: elements.clone() })
        }
        UserInputLeaf::Regex { field, pattern } => {
            over_fields(field, defaults, |field| QueryAst::Regex { field, pattern: pattern.clone() })
        }
    }
}

/// The field that is named, or any of the default fields.
fn over_fields(
    field: Option<String>,
    defaults: Defaults<'_>,
    query: impl Fn(String) -> QueryAst,
) -> Result<QueryAst, QueryError> {
    match field {
        Some(field) => Ok(query(field)),
        None if defaults.fields.is_empty() => Err(QueryError::NoDefaultField),
        None => Ok(QueryAst::any(defaults.fields.iter().cloned().map(query).collect())),
    }
}

fn convert_literal(field: String, literal: &UserInputLiteral, lenient: bool) -> QueryAst {
    let text = literal.phrase.clone();
    if literal.prefix {
        return QueryAst::PhrasePrefix { field, text, max_expansions: MAX_EXPANSIONS, lenient };
    }
    let mode = match literal.delimiter {
        Delimiter::DoubleQuotes => FullTextMode::Phrase { slop: literal.slop },
        Delimiter::SingleQuotes => FullTextMode::All,
        Delimiter::None if has_wildcard(&text) => {
            return QueryAst::Wildcard { field, pattern: text, lenient, any_case: false };
        }
        Delimiter::None => FullTextMode::PhraseOrAll,
    };
    QueryAst::FullText { field, text, mode, lenient }
}

fn has_wildcard(text: &str) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let wildcard = !escaped && matches!(c, '*' | '?');
        escaped = !escaped && c == '\\';
        wildcard
    })
}

fn convert_bound(bound: &UserInputBound) -> Bound<Value> {
    match bound {
        UserInputBound::Inclusive(text) => Bound::Included(Value::String(text.clone())),
        UserInputBound::Exclusive(text) => Bound::Excluded(Value::String(text.clone())),
        UserInputBound::Unbounded => Bound::Unbounded,
    }
}
