//! The tree of a query, free of any index: fields are names, values are as the asker wrote them.

use std::ops::Bound;

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum QueryAst {
    All,
    None,
    Bool(BoolQuery),
    /// One exact term; for text, the whole token as it is indexed.
    Term {
        field: String,
        value: String,
    },
    /// Any of the terms of a field.
    TermSet {
        field: String,
        values: Vec<String>,
    },
    /// Text that goes through the field's tokenizer.
    FullText {
        field: String,
        text: String,
        mode: FullTextMode,
        lenient: bool,
    },
    /// A phrase whose last word is a prefix.
    PhrasePrefix {
        field: String,
        text: String,
        max_expansions: u32,
        lenient: bool,
    },
    /// `*` and `?` in a token; a backslash takes their meaning.
    Wildcard {
        field: String,
        pattern: String,
        /// An unknown field has no tokens, instead of being an error.
        lenient: bool,
        any_case: bool,
    },
    /// A regular expression that a whole token matches.
    Regex {
        field: String,
        pattern: String,
    },
    Range {
        field: String,
        lower: Bound<Value>,
        upper: Bound<Value>,
    },
    Exists {
        field: String,
    },
    Boost(Box<QueryAst>, f32),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoolQuery {
    pub must: Vec<QueryAst>,
    pub must_not: Vec<QueryAst>,
    pub should: Vec<QueryAst>,
    /// Like `must`, without a say in the score.
    pub filter: Vec<QueryAst>,
    pub minimum_should_match: Option<usize>,
}

/// How several tokens of one text belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullTextMode {
    All,
    Any,
    /// Side by side, at most `slop` positions off.
    Phrase {
        slop: u32,
    },
    /// A phrase where the field has positions, else all of them.
    PhraseOrAll,
    /// All, the last as a prefix.
    AllWithPrefix,
    /// Any, the last as a prefix.
    AnyWithPrefix,
}

impl From<BoolQuery> for QueryAst {
    fn from(query: BoolQuery) -> Self {
        Self::Bool(query)
    }
}

impl QueryAst {
    pub fn any(queries: Vec<QueryAst>) -> Self {
        match <[QueryAst; 1]>::try_from(queries) {
            Ok([query]) => query,
            Err(should) => BoolQuery { should, ..BoolQuery::default() }.into(),
        }
    }

    pub fn all_of(queries: Vec<QueryAst>) -> Self {
        match <[QueryAst; 1]>::try_from(queries) {
            Ok([query]) => query,
            Err(must) => BoolQuery { must, ..BoolQuery::default() }.into(),
        }
    }
}
