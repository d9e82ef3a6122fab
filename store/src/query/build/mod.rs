//! From the tree of a query to tantivy's query for one index. Here types matter.

mod range;
mod terms;
mod text;

use tantivy::query::{AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, ExistsQuery, Occur, Query};
use tantivy::schema::{Field, FieldType, TextFieldIndexing};
use tantivy::tokenizer::TokenizerManager;

use super::ast::{BoolQuery, QueryAst};
use super::error::QueryError;
use crate::logs::{DYNAMIC_FIELD, DocMapper, FieldRef, MappedField};

type Built = Result<Box<dyn Query>, QueryError>;

/// Makes the tantivy query.
///
/// # Errors
/// [`QueryError`]: an unknown field, a value of the wrong type, or a kind of query that the field is not indexed for.
pub fn build(ast: &QueryAst, mapper: &DocMapper, tokenizers: &TokenizerManager) -> Built {
    Builder { mapper, tokenizers }.build(ast)
}

struct Builder<'a> {
    mapper: &'a DocMapper,
    tokenizers: &'a TokenizerManager,
}

/// A field as a query names it.
struct Target<'a> {
    field: Field,
    kind: Kind<'a>,
    indexed: bool,
    fast: bool,
    /// The name by which tantivy finds the field's columns.
    column_name: String,
}

enum Kind<'a> {
    Text(Option<&'a TextFieldIndexing>),
    Json { path: &'a str, indexing: Option<&'a TextFieldIndexing>, expand_dots: bool },
    Typed(&'a MappedField),
}

impl Builder<'_> {
    fn build(&self, ast: &QueryAst) -> Built {
        match ast {
            QueryAst::All => Ok(Box::new(AllQuery)),
            QueryAst::None => Ok(Box::new(EmptyQuery)),
            QueryAst::Bool(query) => self.bool(query),
            QueryAst::Boost(inner, boost) => Ok(Box::new(BoostQuery::new(self.build(inner)?, *boost))),
            QueryAst::Term { field, value } => self.term(field, value),
            QueryAst::TermSet { field, values } => self.term_set(field, values),
            QueryAst::FullText { field, text, mode, lenient } => {
                lenient_or(*lenient, self.full_text(field, text, *mode, *lenient))
            }
            QueryAst::PhrasePrefix { field, text, max_expansions, lenient } => {
                lenient_or(*lenient, self.phrase_prefix(field, text, *max_expansions))
            }
            QueryAst::Wildcard { field, pattern, lenient, any_case } => {
                match self.wildcard(field, pattern, *any_case) {
                    Err(QueryError::UnknownField(_)) if *lenient => Ok(Box::new(EmptyQuery)),
                    built => built,
                }
            }
            QueryAst::Regex { field, pattern } => self.regex(field, pattern, "Regex"),
            QueryAst::Range { field, lower, upper } => self.range(field, lower, upper),
            QueryAst::Exists { field } => self.exists(field),
        }
    }

    fn target<'a>(&'a self, name: &'a str) -> Result<Target<'a>, QueryError> {
        let (field_ref, path) = self.mapper.find(name).ok_or_else(|| QueryError::UnknownField(name.to_owned()))?;
        let field = field_ref.field();
        let field_type = self.mapper.schema.get_field_entry(field).field_type();
        let kind = match (field_type, field_ref) {
            (FieldType::Str(options), _) => Kind::Text(options.get_indexing_options()),
            (FieldType::JsonObject(options), _) => Kind::Json {
                path,
                indexing: options.get_text_indexing_options(),
                expand_dots: options.is_expand_dots_enabled(),
            },
            (_, FieldRef::Mapped(mapped)) => Kind::Typed(mapped),
            (_, FieldRef::Dynamic(_)) => unreachable!("the dynamic field is a JSON field"),
        };
        let column_name = match field_ref {
            FieldRef::Mapped(_) => name.to_owned(),
            FieldRef::Dynamic(_) => format!("{DYNAMIC_FIELD}.{name}"),
        };
        Ok(Target { field, kind, indexed: field_type.is_indexed(), fast: field_type.is_fast(), column_name })
    }

    fn bool(&self, query: &BoolQuery) -> Built {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for (occur, queries) in
            [(Occur::Must, &query.must), (Occur::Should, &query.should), (Occur::MustNot, &query.must_not)]
        {
            for clause in queries {
                clauses.push((occur, self.build(clause)?));
            }
        }
        for clause in &query.filter {
            let built = self.build(clause)?;
            // These score every document alike; bare, they cost nothing where they hold for a whole segment.
            let constant = matches!(clause, QueryAst::Range { .. } | QueryAst::Exists { .. } | QueryAst::All);
            let built = if constant { built } else { Box::new(ConstScoreQuery::new(built, 0.0)) };
            clauses.push((Occur::Must, built));
        }
        if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
            // Nothing is asked for: everything but what is excluded.
            clauses.push((Occur::Must, Box::new(AllQuery)));
        }
        Ok(match query.minimum_should_match {
            Some(count) => Box::new(BooleanQuery::with_minimum_required_clauses(clauses, count)),
            None => Box::new(BooleanQuery::new(clauses)),
        })
    }

    fn exists(&self, name: &str) -> Built {
        let target = self.target(name)?;
        if !target.fast {
            // Only columns know which documents have a value.
            return Ok(Box::new(EmptyQuery));
        }
        Ok(Box::new(ExistsQuery::new(target.column_name, true)))
    }
}

fn lenient_or(lenient: bool, built: Built) -> Built {
    match built {
        Err(_) if lenient => Ok(Box::new(EmptyQuery)),
        built => built,
    }
}
