//! Equality: a term, a set of them, and how a text becomes a value of a field's type.

use std::net::IpAddr;
use std::ops::Bound;

use tantivy::json_utils::convert_to_fast_value_and_append_to_json_term;
use tantivy::query::{BooleanQuery, Query, RangeQuery, TermQuery, TermSetQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DateTime, Term};

use super::{Builder, Built, Kind, Target};
use crate::logs::{BytesFormat, FieldKind, MappedField, date_precision, dates, to_ipv6};
use crate::query::ast::FullTextMode;
use crate::query::error::QueryError;

impl Builder<'_> {
    pub(super) fn term(&self, name: &str, value: &str) -> Built {
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

    pub(super) fn term_set(&self, name: &str, values: &[String]) -> Built {
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
}

pub(super) fn term_query(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

pub(super) fn text_term(target: &Target<'_>, text: &str) -> Term {
    match &target.kind {
        Kind::Json { path, expand_dots, .. } => {
            let mut term = Term::from_field_json_path(target.field, path, *expand_dots);
            term.append_type_and_str(text);
            term
        }
        _ => Term::from_field_text(target.field, text),
    }
}

pub(super) fn value_name(mapped: &MappedField) -> &'static str {
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

pub(super) fn boundary_name(mapped: &MappedField) -> &'static str {
    match mapped.mapping.kind {
        FieldKind::Datetime { .. } => "tantivy_common::datetime::DateTime",
        FieldKind::Ip => "core::net::ip_addr::Ipv6Addr",
        _ => value_name(mapped),
    }
}

/// The value in the field's type; dates are cut to the column's precision.
pub(super) fn typed_term(mapped: &MappedField, text: &str) -> Option<Term> {
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
pub(super) fn exact(target: &Target<'_>, mapped: &MappedField, term: Term) -> Built {
    let is_date = matches!(mapped.mapping.kind, FieldKind::Datetime { .. });
    if target.fast && (is_date || !target.indexed) {
        return Ok(Box::new(RangeQuery::new(Bound::Included(term.clone()), Bound::Included(term))));
    }
    if !target.indexed {
        return Err(QueryError::Incompatible(format!("field {} is not indexed", mapped.path)));
    }
    Ok(term_query(for_index(mapped, term)))
}
