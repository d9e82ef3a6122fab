//! Sort order: which column, which way, and how a value of it is shown.
//!
//! A key is made so that a larger one comes first in the answer, whatever the order; documents without a value come last.

use std::sync::Arc;

use serde_json::Value;
use tantivy::columnar::{Column, ColumnType};
use tantivy::index::SegmentId;
use tantivy::schema::FieldType;
use tantivy::{DateTime, DocId, Score, Searcher, SegmentReader};

use super::super::doc_mapper::{DYNAMIC_FIELD, FieldRef, SEQ_FIELD};
use super::super::index::LogIndex;
use super::SearchError;
use super::zones::{KnownZones, Zones};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortField {
    pub by: SortBy,
    pub order: Order,
    /// The unit in which dates are shown and read back.
    pub date_unit: DateUnit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortBy {
    Field(String),
    /// Order of arrival.
    Doc,
    Score,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateUnit {
    Milliseconds,
    Nanoseconds,
}

/// Most fields that an answer can be sorted by.
const MAX_SORT_FIELDS: usize = 2;

/// A sort field that was found in an index.
#[derive(Debug, Clone)]
pub struct ResolvedKey {
    source: Source,
    order: Order,
    date_unit: DateUnit,
    /// Of the time column.
    zones: Option<Arc<KnownZones>>,
}

#[derive(Debug, Clone)]
enum Source {
    Column { name: String, value_type: ValueType },
    Seq,
    Score,
}

/// How a column's values are made numbers that all segments share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueType {
    I64,
    U64,
    /// Also for a JSON path whose numbers have other types in other segments.
    F64,
    Bool,
    DateTime,
}

/// Larger comes first. 0 is "no value".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(u128);

impl SortKey {
    pub const MISSING: Self = Self(0);

    fn new(mapped: u64, order: Order) -> Self {
        Self(1 << 64 | u128::from(if order == Order::Descending { mapped } else { !mapped }))
    }
}

/// Finds the sort fields in an index.
pub(super) fn resolve(
    fields: &[SortField],
    index: &LogIndex,
    searcher: &Searcher,
) -> Result<Vec<ResolvedKey>, SearchError> {
    if fields.len() > MAX_SORT_FIELDS {
        return Err(SearchError::InvalidArgument(format!(
            "sort by field must be up to {MAX_SORT_FIELDS} fields, got {}",
            fields.len()
        )));
    }
    let resolve_one = |field: &SortField| {
        let source = match &field.by {
            SortBy::Doc => Source::Seq,
            SortBy::Score => Source::Score,
            SortBy::Field(name) => resolve_column(name, index, searcher)?,
        };
        let time = index.mapper.timestamp_field().map(|field| &field.path);
        let zones = match &field.by {
            SortBy::Field(name) if Some(name) == time => Some(Arc::clone(&index.known_zones)),
            _ => None,
        };
        Ok(ResolvedKey { source, order: field.order, date_unit: field.date_unit, zones })
    };
    fields.iter().map(resolve_one).collect()
}

fn resolve_column(name: &str, index: &LogIndex, searcher: &Searcher) -> Result<Source, SearchError> {
    let invalid = |text: String| Err(SearchError::InvalidArgument(text));
    let Some((field_ref, path)) = index.mapper.find(name) else {
        return invalid(format!("unknown field used in `sort by`: {name}"));
    };
    let entry = index.mapper.schema.get_field_entry(field_ref.field());
    let field_type = entry.field_type();
    if matches!(field_type, FieldType::Str(_)) {
        return invalid(format!("sort by field on type text is currently not supported `{name}`"));
    }
    if !field_type.is_fast() {
        return invalid(format!(
            "sort by field must be a fast field, please add the fast property to your field `{name}`"
        ));
    }
    let value_type = match field_type {
        FieldType::I64(_) => ValueType::I64,
        FieldType::U64(_) => ValueType::U64,
        FieldType::F64(_) => ValueType::F64,
        FieldType::Bool(_) => ValueType::Bool,
        FieldType::Date(_) => ValueType::DateTime,
        FieldType::JsonObject(_) if path.is_empty() => {
            return invalid(format!("sort by field on type json is currently not supported `{name}`"));
        }
        FieldType::JsonObject(_) => {
            let name = column_name(field_ref, name);
            return Ok(Source::Column { value_type: json_type(&name, searcher)?, name });
        }
        _ => {
            return Err(SearchError::Unsupported(format!(
                "sort by field on type {} is not supported `{name}`",
                field_type.value_type().name().to_lowercase()
            )));
        }
    };
    Ok(Source::Column { name: name.to_owned(), value_type })
}

pub(super) fn column_name(field_ref: FieldRef<'_>, name: &str) -> String {
    match field_ref {
        FieldRef::Mapped(_) => name.to_owned(),
        FieldRef::Dynamic(_) => format!("{DYNAMIC_FIELD}.{name}"),
    }
}

pub(super) const SORTABLE: [ColumnType; 5] =
    [ColumnType::I64, ColumnType::U64, ColumnType::F64, ColumnType::Bool, ColumnType::DateTime];

/// The type of a JSON path's numbers over all segments.
fn json_type(name: &str, searcher: &Searcher) -> Result<ValueType, SearchError> {
    let mut common: Option<ValueType> = None;
    for segment in searcher.segment_readers() {
        let column = segment.fast_fields().u64_lenient_for_type(Some(&SORTABLE), name)?;
        if let Some((_, column_type)) = column {
            let value_type = value_type_of(column_type);
            common = Some(match common {
                Some(other) if other != value_type => ValueType::F64,
                _ => value_type,
            });
        }
    }
    Ok(common.unwrap_or(ValueType::F64))
}

fn value_type_of(column_type: ColumnType) -> ValueType {
    match column_type {
        ColumnType::I64 => ValueType::I64,
        ColumnType::U64 => ValueType::U64,
        ColumnType::Bool => ValueType::Bool,
        ColumnType::DateTime => ValueType::DateTime,
        _ => ValueType::F64,
    }
}

/// A sort key's values in one segment.
#[derive(Debug)]
pub(super) struct SegmentKey {
    values: SegmentValues,
    order: Order,
    zones: Option<(Arc<KnownZones>, SegmentId)>,
}

#[derive(Debug)]
enum SegmentValues {
    Column { column: Column<u64>, convert: Option<ColumnType> },
    Missing,
    Score,
}

impl ResolvedKey {
    pub(super) fn is_score(&self) -> bool {
        matches!(self.source, Source::Score)
    }

    pub(super) fn order(&self) -> Order {
        self.order
    }

    pub(super) fn in_segment(&self, segment: &SegmentReader) -> tantivy::Result<SegmentKey> {
        let values = match &self.source {
            Source::Score => SegmentValues::Score,
            Source::Seq => SegmentValues::Column { column: segment.fast_fields().u64(SEQ_FIELD)?, convert: None },
            Source::Column { name, value_type } => {
                match segment.fast_fields().u64_lenient_for_type(Some(&SORTABLE), name)? {
                    None => SegmentValues::Missing,
                    Some((column, column_type)) => {
                        let convert = (value_type_of(column_type) != *value_type).then_some(column_type);
                        SegmentValues::Column { column, convert }
                    }
                }
            }
        };
        let zones = self.zones.as_ref().map(|zones| (Arc::clone(zones), segment.segment_id()));
        Ok(SegmentKey { values, order: self.order, zones })
    }

    /// A value of this key as the answer shows it. `None` for no value.
    pub(super) fn show(&self, key: SortKey, split: &str) -> Value {
        if key == SortKey::MISSING {
            return Value::Null;
        }
        let mapped = key.0 as u64;
        let mapped = if self.order == Order::Descending { mapped } else { !mapped };
        match &self.source {
            Source::Seq => Value::String(format!("{split}:00000000:{mapped:08x}")),
            Source::Score => Value::from(tantivy::u64_to_f64(mapped)),
            Source::Column { value_type, .. } => match value_type {
                ValueType::I64 => tantivy::u64_to_i64(mapped).into(),
                ValueType::U64 => mapped.into(),
                ValueType::F64 => tantivy::u64_to_f64(mapped).into(),
                ValueType::Bool => (mapped != 0).into(),
                ValueType::DateTime => {
                    let nanos = tantivy::u64_to_i64(mapped);
                    match self.date_unit {
                        DateUnit::Nanoseconds => nanos.into(),
                        DateUnit::Milliseconds => DateTime::from_timestamp_nanos(nanos).into_timestamp_millis().into(),
                    }
                }
            },
        }
    }

    /// Reads back what [`ResolvedKey::show`] gave; numbers may come as text.
    fn read(&self, value: &Value) -> Result<SortKey, SearchError> {
        let invalid = || SearchError::InvalidArgument(format!("invalid `search_after` value: {value}"));
        if value.is_null() {
            return Ok(SortKey::MISSING);
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => return Err(invalid()),
        };
        let float = || text.parse::<f64>().map_err(|_| invalid());
        let whole = || text.parse::<i64>().or_else(|_| float().map(|number| number as i64));
        let mapped = match &self.source {
            Source::Seq => {
                let last = text.rsplit(':').next().unwrap_or_default();
                u64::from_str_radix(last, 16).map_err(|_| invalid())?
            }
            Source::Score => tantivy::f64_to_u64(float()?),
            Source::Column { value_type, .. } => match value_type {
                ValueType::I64 => tantivy::i64_to_u64(whole()?),
                ValueType::U64 => match text.parse() {
                    Ok(number) => number,
                    Err(_) => float()? as u64,
                },
                ValueType::F64 => tantivy::f64_to_u64(float()?),
                ValueType::Bool => u64::from(text == "true" || text == "1"),
                ValueType::DateTime => {
                    let number = whole()?;
                    tantivy::i64_to_u64(match self.date_unit {
                        DateUnit::Nanoseconds => number,
                        DateUnit::Milliseconds => number.saturating_mul(1_000_000),
                    })
                }
            },
        };
        Ok(SortKey::new(mapped, self.order))
    }
}

/// The keys after which hits begin.
pub(super) fn after(values: &[Value], keys: &[ResolvedKey]) -> Result<Vec<SortKey>, SearchError> {
    values.iter().zip(keys).map(|(value, key)| key.read(value)).collect()
}

impl SegmentKey {
    /// Bounds of the values of stretches of documents, for a column that has them. The first time they are read.
    pub(super) fn zones(&self) -> Option<Arc<Zones>> {
        let SegmentValues::Column { column, convert: None } = &self.values else { return None };
        let (known, segment) = self.zones.as_ref()?;
        known.of(*segment, column)
    }

    /// Whether the key of one of these documents can be as good as `floor`. They must ascend.
    pub(super) fn may_reach(&self, floor: SortKey, docs: &[DocId], zones: &Zones) -> bool {
        let (least, greatest) = zones.around(docs);
        let best = if self.order == Order::Descending { greatest } else { least };
        SortKey::new(best, self.order) >= floor
    }

    /// Says of each document whether its key is not below `floor`. `values` is room for as many values.
    pub(super) fn at_least(&self, floor: SortKey, docs: &[DocId], values: &mut [Option<u64>], worthy: &mut [bool]) {
        let SegmentValues::Column { column, convert: None } = &self.values else {
            return worthy.fill(true);
        };
        values.fill(None);
        column.first_vals(docs, values);
        for (worthy, value) in worthy.iter_mut().zip(values) {
            *worthy = value.map_or(SortKey::MISSING, |mapped| SortKey::new(mapped, self.order)) >= floor;
        }
    }

    #[inline]
    pub(super) fn of(&self, doc: DocId, score: Score) -> SortKey {
        let mapped = match &self.values {
            SegmentValues::Missing => None,
            SegmentValues::Score => Some(tantivy::f64_to_u64(f64::from(score))),
            SegmentValues::Column { column, convert } => {
                column.first(doc).map(|mapped| convert.map_or(mapped, |from| as_float(mapped, from)))
            }
        };
        mapped.map_or(SortKey::MISSING, |mapped| SortKey::new(mapped, self.order))
    }
}

fn as_float(mapped: u64, from: ColumnType) -> u64 {
    tantivy::f64_to_u64(match from {
        ColumnType::I64 | ColumnType::DateTime => tantivy::u64_to_i64(mapped) as f64,
        ColumnType::F64 => return mapped,
        _ => mapped as f64,
    })
}
