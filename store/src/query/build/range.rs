//! Ranges, on columns.

use std::ops::Bound;

use serde_json::Value;
use tantivy::Term;
use tantivy::json_utils::convert_to_fast_value_and_append_to_json_term;
use tantivy::query::{EmptyQuery, ExistsQuery, RangeQuery};
use tantivy::schema::Type;

use super::terms::{boundary_name, text_term, typed_term};
use super::{Builder, Built, Kind, Target};
use crate::logs::FieldKind;
use crate::query::error::QueryError;

impl Builder<'_> {
    pub(super) fn range(&self, name: &str, lower: &Bound<Value>, upper: &Bound<Value>) -> Built {
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
