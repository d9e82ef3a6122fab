//! From the tree of a query to tantivy's query for one index. Here types matter.

use std::net::IpAddr;
use std::ops::Bound;

use serde_json::Value;
use tantivy::json_utils::convert_to_fast_value_and_append_to_json_term;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, ExistsQuery, Occur, PhrasePrefixQuery,
    PhraseQuery, Query, RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, FieldType, IndexRecordOption, TextFieldIndexing, Type};
use tantivy::tokenizer::{TokenStream as _, TokenizerManager};
use tantivy::{DateTime, Term};

use super::ast::{BoolQuery, FullTextMode, QueryAst};
use super::automaton::RegexTermsQuery;
use super::error::QueryError;
use crate::logs::{
    BytesFormat, DYNAMIC_FIELD, DocMapper, FieldKind, FieldRef, MappedField, date_precision, dates, to_ipv6, tokenizers,
};

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

    /// The tokens of a text, as terms of the field or of the JSON path, with their positions.
    fn tokens(&self, target: &Target<'_>, indexing: &TextFieldIndexing, text: &str) -> Vec<(usize, Term)> {
        let Some(mut analyzer) = self.tokenizers.get(indexing.tokenizer()) else { return Vec::new() };
        let mut stream = analyzer.token_stream(text);
        let mut terms = Vec::new();
        stream.process(&mut |token| terms.push((token.position, text_term(target, &token.text))));
        terms
    }

    fn full_text(&self, name: &str, text: &str, mode: FullTextMode, lenient: bool) -> Built {
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

    fn term(&self, name: &str, value: &str) -> Built {
        let target = self.target(name)?;
        match &target.kind {
            Kind::Text(None) => Err(QueryError::Incompatible(format!("field {name} is not full-text searchable"))),
            Kind::Text(Some(_)) => Ok(term_query(text_term(&target, value))),
            Kind::Json { path, indexing, expand_dots } => {
                if indexing.is_none() {
                    return Err(QueryError::JsonNotIndexed((*path).to_owned()));
                }
                let path_term = Term::from_field_json_path(target.field, path, *expand_dots);
                let typed = convert_to_fast_value_and_append_to_json_term(&path_term, value, true);
                let as_text = term_query(text_term(&target, value));
                Ok(match typed {
                    None => as_text,
                    Some(term) => Box::new(BooleanQuery::union(vec![as_text, term_query(term)])),
                })
            }
            Kind::Typed(_) => self.full_text(name, value, FullTextMode::PhraseOrAll, false),
        }
    }

    fn term_set(&self, name: &str, values: &[String]) -> Built {
        let target = self.target(name)?;
        let mut terms = Vec::new();
        for value in values {
            match &target.kind {
                Kind::Text(None) => {
                    return Err(QueryError::Incompatible(format!("field {name} is not full-text searchable")));
                }
                Kind::Text(Some(_)) => terms.push(text_term(&target, value)),
                Kind::Json { path, indexing, expand_dots } => {
                    if indexing.is_none() {
                        return Err(QueryError::JsonNotIndexed((*path).to_owned()));
                    }
                    terms.push(text_term(&target, value));
                    let path_term = Term::from_field_json_path(target.field, path, *expand_dots);
                    terms.extend(convert_to_fast_value_and_append_to_json_term(&path_term, value, true));
                }
                Kind::Typed(mapped) => match typed_term(mapped, value) {
                    Some(_) if !target.indexed => {
                        let queries: Result<Vec<_>, _> = values
                            .iter()
                            .map(|value| self.full_text(name, value, FullTextMode::PhraseOrAll, false))
                            .collect();
                        return Ok(Box::new(BooleanQuery::union(queries?)));
                    }
                    Some(term) => terms.push(for_index(mapped, term)),
                    None if matches!(mapped.mapping.kind, FieldKind::Bytes { .. }) => {}
                    None => {
                        return Err(QueryError::Value {
                            expected: value_name(mapped),
                            field: name.to_owned(),
                            value: value.clone(),
                        });
                    }
                },
            }
        }
        Ok(Box::new(TermSetQuery::new(terms)))
    }

    fn phrase_prefix(&self, name: &str, text: &str, max_expansions: u32) -> Built {
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

    fn wildcard(&self, name: &str, pattern: &str, any_case: bool) -> Built {
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

    fn regex(&self, name: &str, pattern: &str, kind: &str) -> Built {
        let target = self.target(name)?;
        if matches!(target.kind, Kind::Text(Some(_)) | Kind::Json { indexing: Some(_), .. }) {
            return regex_query(&target, pattern);
        }
        Err(QueryError::Incompatible(format!("trying to run a {kind} query on a non-text field")))
    }

    fn exists(&self, name: &str) -> Built {
        let target = self.target(name)?;
        if !target.fast {
            // Only columns know which documents have a value.
            return Ok(Box::new(EmptyQuery));
        }
        Ok(Box::new(ExistsQuery::new(target.column_name, true)))
    }

    fn range(&self, name: &str, lower: &Bound<Value>, upper: &Bound<Value>) -> Built {
        let target = self.target(name)?;
        if !target.fast {
            let field_name = self.mapper.schema.get_field_name(target.field);
            return Err(QueryError::Incompatible(format!(
                "range queries are only supported for fast fields. (`{field_name}` is not a fast field)"
            )));
        }
        if matches!((lower, upper), (Bound::Unbounded, Bound::Unbounded)) {
            return Ok(Box::new(ExistsQuery::new(target.column_name, true)));
        }
        let found_lower = self.edge(&target, name, lower, Side::Lower)?;
        let found_upper = self.edge(&target, name, upper, Side::Upper)?;
        let (Some(found_lower), Some(found_upper)) = (found_lower, found_upper) else {
            return Ok(Box::new(EmptyQuery));
        };
        if matches!((&found_lower, &found_upper), (Bound::Unbounded, Bound::Unbounded)) {
            return Ok(Box::new(ExistsQuery::new(target.column_name, true)));
        }
        let (mut from, mut to) = same_type(&target, found_lower, found_upper);
        // A number and a text, a date and a number: what they have in common is that they can be read as texts.
        if json_type(&from).zip(json_type(&to)).is_some_and(|(one, other)| one != other) {
            let as_text = |bound: &Bound<Value>| bound.as_ref().map(|value| text_term(&target, &value_text(value)));
            (from, to) = (as_text(lower), as_text(upper));
        }
        Ok(Box::new(RangeQuery::new(from, to)))
    }

    /// One side of a range; `None` when no value of the field can be on it.
    fn edge(
        &self,
        target: &Target<'_>,
        name: &str,
        bound: &Bound<Value>,
        side: Side,
    ) -> Result<Option<Bound<Term>>, QueryError> {
        let (value, inclusive) = match bound {
            Bound::Unbounded => return Ok(Some(Bound::Unbounded)),
            Bound::Included(value) => (value, true),
            Bound::Excluded(value) => (value, false),
        };
        let at = |term| Some(if inclusive { Bound::Included(term) } else { Bound::Excluded(term) });
        let text = value_text(value);
        let mapped = match &target.kind {
            Kind::Text(_) => return Ok(at(text_term(target, &text))),
            Kind::Json { path, expand_dots, .. } => {
                let path_term = Term::from_field_json_path(target.field, path, *expand_dots);
                let typed = convert_to_fast_value_and_append_to_json_term(&path_term, &text, false);
                return Ok(at(typed.unwrap_or_else(|| text_term(target, &text))));
            }
            Kind::Typed(mapped) => mapped,
        };
        if let Some(term) = typed_term(mapped, &text) {
            return Ok(at(term));
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        match (&mapped.mapping.kind, number) {
            (FieldKind::U64 { .. }, Some(number)) if number < 0.0 => {
                Ok((side == Side::Lower).then_some(Bound::Unbounded))
            }
            // Not a whole number: everything up to the whole number below it lies under it.
            (FieldKind::U64 { .. }, Some(number)) => {
                Ok(Some(side.around(Term::from_field_u64(mapped.field, number.floor() as u64))))
            }
            (FieldKind::I64 { .. }, Some(number)) => {
                Ok(Some(side.around(Term::from_field_i64(mapped.field, number.floor() as i64))))
            }
            _ => Err(QueryError::Boundary { expected: boundary_name(mapped), field: name.to_owned() }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

impl Side {
    fn around(self, floor: Term) -> Bound<Term> {
        match self {
            Self::Lower => Bound::Excluded(floor),
            Self::Upper => Bound::Included(floor),
        }
    }
}

/// The sides of a range on a JSON path as one type: `[3 TO 3.5]` compares fractions.
fn same_type(target: &Target<'_>, lower: Bound<Term>, upper: Bound<Term>) -> (Bound<Term>, Bound<Term>) {
    let Kind::Json { path, expand_dots, .. } = &target.kind else { return (lower, upper) };
    match (json_type(&lower), json_type(&upper)) {
        (Some(one), Some(other)) if one != other => {
            let path_term = Term::from_field_json_path(target.field, path, *expand_dots);
            let convert = |term: Term| match number_of(&term, path_term.serialized_value_bytes().len()) {
                None => term,
                Some(number) => {
                    let mut float = path_term.clone();
                    float.append_type_and_fast_value(number);
                    float
                }
            };
            (lower.map(convert), upper.map(convert))
        }
        _ => (lower, upper),
    }
}

/// The type of the value in a bound of a JSON field.
fn json_type(bound: &Bound<Term>) -> Option<Type> {
    match bound {
        Bound::Included(term) | Bound::Excluded(term) => term.value().json_path_type(),
        Bound::Unbounded => None,
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The number in a term of a JSON field: behind the path come the type and eight bytes.
fn number_of(term: &Term, path_bytes: usize) -> Option<f64> {
    let value = term.serialized_value_bytes().get(path_bytes + 1..)?;
    let mapped = u64::from_be_bytes(value.try_into().ok()?);
    match term.value().json_path_type()? {
        Type::F64 => Some(tantivy::u64_to_f64(mapped)),
        Type::I64 => Some(tantivy::u64_to_i64(mapped) as f64),
        Type::U64 => Some(mapped as f64),
        _ => None,
    }
}

fn lenient_or(lenient: bool, built: Built) -> Built {
    match built {
        Err(_) if lenient => Ok(Box::new(EmptyQuery)),
        built => built,
    }
}

fn term_query(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

/// The part of a pattern that is text, as the tokenizer would leave it.
fn normalized(text: &str, indexing: &TextFieldIndexing) -> String {
    if tokenizers::lower_cases(indexing.tokenizer()) { text.to_lowercase() } else { text.to_owned() }
}

fn text_term(target: &Target<'_>, text: &str) -> Term {
    match &target.kind {
        Kind::Json { path, expand_dots, .. } => {
            let mut term = Term::from_field_json_path(target.field, path, *expand_dots);
            term.append_type_and_str(text);
            term
        }
        _ => Term::from_field_text(target.field, text),
    }
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

fn value_name(mapped: &MappedField) -> &'static str {
    match mapped.mapping.kind {
        FieldKind::U64 { .. } => "u64",
        FieldKind::I64 { .. } => "i64",
        FieldKind::F64 { .. } => "f64",
        FieldKind::Bool => "bool",
        FieldKind::Ip => "ip address",
        FieldKind::Datetime { .. } => "datetime",
        _ => "text",
    }
}

fn boundary_name(mapped: &MappedField) -> &'static str {
    match mapped.mapping.kind {
        FieldKind::Datetime { .. } => "tantivy_common::datetime::DateTime",
        FieldKind::Ip => "core::net::ip_addr::Ipv6Addr",
        _ => value_name(mapped),
    }
}

/// The value in the field's type; dates are cut to the column's precision.
fn typed_term(mapped: &MappedField, text: &str) -> Option<Term> {
    let field = mapped.field;
    Some(match &mapped.mapping.kind {
        FieldKind::U64 { .. } => Term::from_field_u64(field, text.parse().ok()?),
        FieldKind::I64 { .. } => Term::from_field_i64(field, text.parse().ok()?),
        FieldKind::F64 { .. } => Term::from_field_f64(field, text.parse().ok()?),
        FieldKind::Bool => Term::from_field_bool(field, text.parse().ok()?),
        FieldKind::Ip => Term::from_field_ip_addr(field, to_ipv6(text.parse::<IpAddr>().ok()?)),
        FieldKind::Datetime { precision, .. } => {
            let date: DateTime = dates::parse_query(text)?;
            Term::from_field_date(field, date.truncate(date_precision(*precision)))
        }
        FieldKind::Bytes { input, .. } => {
            let bytes = match input {
                BytesFormat::Hex => hex::decode(text).ok()?,
                BytesFormat::Base64 => {
                    use base64::Engine as _;
                    base64::engine::general_purpose::STANDARD.decode(text).ok()?
                }
            };
            Term::from_field_bytes(field, &bytes)
        }
        FieldKind::Text { .. } | FieldKind::Json { .. } | FieldKind::Object { .. } => return None,
    })
}

/// Dates are indexed by the second.
fn for_index(mapped: &MappedField, term: Term) -> Term {
    match (&mapped.mapping.kind, term.value().as_date()) {
        (FieldKind::Datetime { .. }, Some(date)) => Term::from_field_date_for_search(mapped.field, date),
        _ => term,
    }
}

/// Equality: off the column for dates that have one (it is finer than the index), else off the index.
fn exact(target: &Target<'_>, mapped: &MappedField, term: Term) -> Built {
    let is_date = matches!(mapped.mapping.kind, FieldKind::Datetime { .. });
    if target.fast && (is_date || !target.indexed) {
        return Ok(Box::new(RangeQuery::new(Bound::Included(term.clone()), Bound::Included(term))));
    }
    if !target.indexed {
        return Err(QueryError::Incompatible(format!("field {} is not indexed", mapped.path)));
    }
    Ok(term_query(for_index(mapped, term)))
}
