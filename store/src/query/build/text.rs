//! Queries on text: tokens, phrases, prefixes, wildcards, regular expressions.

use tantivy::Term;
use tantivy::json_utils::convert_to_fast_value_and_append_to_json_term;
use tantivy::query::{BooleanQuery, EmptyQuery, Occur, PhrasePrefixQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::{IndexRecordOption, TextFieldIndexing};
use tantivy::tokenizer::TokenStream as _;

use super::terms::{exact, term_query, text_term, typed_term, value_name};
use super::{Builder, Built, Kind, Target};
use crate::logs::{FieldKind, tokenizers};
use crate::query::ast::FullTextMode;
use crate::query::automaton::RegexTermsQuery;
use crate::query::error::QueryError;

impl Builder<'_> {
    /// The tokens of a text, as terms of the field or of the JSON path, with their positions.
    fn tokens(&self, target: &Target<'_>, indexing: &TextFieldIndexing, text: &str) -> Vec<(usize, Term)> {
        let Some(mut analyzer) = self.tokenizers.get(indexing.tokenizer()) else { return Vec::new() };
        let mut stream = analyzer.token_stream(text);
        let mut terms = Vec::new();
        stream.process(&mut |token| terms.push((token.position, text_term(target, &token.text))));
        terms
    }

    pub(super) fn full_text(&self, name: &str, text: &str, mode: FullTextMode, lenient: bool) -> Built {
        let target = self.target(name)?;
        match &target.kind {
            Kind::Text(None) => Err(QueryError::Incompatible(format!("field {name} is not full-text searchable"))),
            Kind::Text(Some(indexing)) => {
                let terms = self.tokens(&target, indexing, text);
                tokens_query(terms, indexing, mode)
            }
            Kind::Json { path, indexing, expand_dots } => {
                let Some(indexing) = indexing else {
                    return Err(QueryError::JsonNotIndexed((*path).to_owned()));
                };
                let path_term = Term::from_field_json_path(target.field, path, *expand_dots);
                let as_text = tokens_query(self.tokens(&target, indexing, text), indexing, mode)?;
                let typed = convert_to_fast_value_and_append_to_json_term(&path_term, text, true);
                Ok(match typed {
                    None => as_text,
                    Some(term) => Box::new(BooleanQuery::union(vec![
                        as_text,
                        Box::new(TermQuery::new(term, IndexRecordOption::Basic)),
                    ])),
                })
            }
            Kind::Typed(mapped) => match typed_term(mapped, text) {
                Some(term) => exact(&target, mapped, term),
                None if lenient => Ok(Box::new(EmptyQuery)),
                // An id that is not one is found nowhere.
                None if matches!(mapped.mapping.kind, FieldKind::Bytes { .. }) => Ok(Box::new(EmptyQuery)),
                None => Err(QueryError::Value {
                    expected: value_name(mapped),
                    field: name.to_owned(),
                    value: text.to_owned(),
                }),
            },
        }
    }

    pub(super) fn phrase_prefix(&self, name: &str, text: &str, max_expansions: u32) -> Built {
        let target = self.target(name)?;
        let indexing = match &target.kind {
            Kind::Text(Some(indexing)) | Kind::Json { indexing: Some(indexing), .. } => *indexing,
            _ => {
                return Err(QueryError::Incompatible(format!(
                    "trying to run a phrase prefix query on field {name}, which is not full-text searchable"
                )));
            }
        };
        let terms = self.tokens(&target, indexing, text);
        match terms.as_slice() {
            [] => Ok(Box::new(EmptyQuery)),
            [_] => {
                let prefix = normalized(text, indexing);
                regex_query(&target, &format!("{}.*", regex::escape(&prefix)))
            }
            _ if !indexing.index_option().has_positions() => Err(QueryError::Incompatible(
                "trying to run a PhrasePrefix query on a field which does not have positions indexed".to_owned(),
            )),
            _ => {
                let mut query = PhrasePrefixQuery::new_with_offset(terms);
                query.set_max_expansions(max_expansions);
                Ok(Box::new(query))
            }
        }
    }

    pub(super) fn wildcard(&self, name: &str, pattern: &str, any_case: bool) -> Built {
        let target = self.target(name)?;
        let indexing = match &target.kind {
            Kind::Text(Some(indexing)) | Kind::Json { indexing: Some(indexing), .. } => *indexing,
            _ => {
                return Err(QueryError::Incompatible("trying to run a Wildcard query on a non-text field".to_owned()));
            }
        };
        let mut regex = String::from(if any_case { "(?i)" } else { "" });
        let mut fixed = String::new();
        let flush = |fixed: &mut String, regex: &mut String| {
            regex.push_str(&regex::escape(&normalized(fixed, indexing)));
            fixed.clear();
        };
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => fixed.extend(chars.next()),
                '*' => {
                    flush(&mut fixed, &mut regex);
                    regex.push_str("(?s:.*)");
                }
                '?' => {
                    flush(&mut fixed, &mut regex);
                    regex.push_str("(?s:.)");
                }
                other => fixed.push(other),
            }
        }
        flush(&mut fixed, &mut regex);
        regex_query(&target, &regex)
    }

    pub(super) fn regex(&self, name: &str, pattern: &str, kind: &str) -> Built {
        let target = self.target(name)?;
        if matches!(target.kind, Kind::Text(Some(_)) | Kind::Json { indexing: Some(_), .. }) {
            return regex_query(&target, pattern);
        }
        Err(QueryError::Incompatible(format!("trying to run a {kind} query on a non-text field")))
    }
}

/// The part of a pattern that is text, as the tokenizer would leave it.
fn normalized(text: &str, indexing: &TextFieldIndexing) -> String {
    if tokenizers::lower_cases(indexing.tokenizer()) { text.to_lowercase() } else { text.to_owned() }
}

fn regex_query(target: &Target<'_>, pattern: &str) -> Built {
    let path_term = matches!(target.kind, Kind::Json { .. }).then(|| text_term(target, ""));
    RegexTermsQuery::new(target.field, path_term.as_ref(), pattern)
        .map(|query| Box::new(query) as Box<dyn Query>)
        .map_err(|error| QueryError::Other(format!("failed to parse regular expression `{pattern}`: {error}")))
}

fn tokens_query(mut terms: Vec<(usize, Term)>, indexing: &TextFieldIndexing, mode: FullTextMode) -> Built {
    if terms.len() <= 1 {
        return Ok(match (terms.pop(), mode) {
            (None, _) => Box::new(EmptyQuery),
            (Some((_, term)), FullTextMode::AllWithPrefix | FullTextMode::AnyWithPrefix) => prefix_query(term),
            (Some((_, term)), _) => term_query(term),
        });
    }
    let has_positions = indexing.index_option().has_positions();
    let combined = |occur: Occur, terms: Vec<(usize, Term)>, prefix: bool| -> Box<dyn Query> {
        let last = terms.len() - 1;
        let clauses = terms.into_iter().enumerate().map(|(index, (_, term))| {
            (occur, if prefix && index == last { prefix_query(term) } else { term_query(term) })
        });
        Box::new(BooleanQuery::new(clauses.collect()))
    };
    Ok(match mode {
        FullTextMode::All => combined(Occur::Must, terms, false),
        FullTextMode::Any => combined(Occur::Should, terms, false),
        FullTextMode::AllWithPrefix => combined(Occur::Must, terms, true),
        FullTextMode::AnyWithPrefix => combined(Occur::Should, terms, true),
        FullTextMode::Phrase { slop } if has_positions => Box::new(PhraseQuery::new_with_offset_and_slop(terms, slop)),
        FullTextMode::PhraseOrAll if has_positions => Box::new(PhraseQuery::new_with_offset(terms)),
        FullTextMode::PhraseOrAll => combined(Occur::Must, terms, false),
        FullTextMode::Phrase { .. } => {
            return Err(QueryError::Incompatible(
                "Applied phrase query on field which does not have positions indexed".to_owned(),
            ));
        }
    })
}

fn prefix_query(term: Term) -> Box<dyn Query> {
    Box::new(PhrasePrefixQuery::new(vec![term]))
}
