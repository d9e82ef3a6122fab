//! Which fields the documents of a segment have, JSON fields path by path.
//!
//! Tantivy can tell too, but reads every term of a JSON field for it. Terms are ordered by path and type, so one seek
//! for each pair is enough.

use tantivy::SegmentReader;
use tantivy::columnar::ColumnarReader;
use tantivy::index::SegmentComponent;
use tantivy::schema::{Field, FieldEntry, Type};

use super::doc_mapper::DYNAMIC_FIELD;

/// Between the parts of a JSON path, in terms and in the names of columns.
const PATH_SEPARATOR: char = '\u{1}';
/// Ends the path in a term; the code of the type follows.
const END_OF_PATH: u8 = 0;

/// A field, or a path in one, and what one of its structures is for. A field that is indexed and fast comes twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundField {
    pub name: String,
    pub value_type: Type,
    pub use_for: FieldUse,
}

impl FoundField {
    /// The name that it has in documents: what no mapping names is kept below one field.
    pub fn name_in_documents(&self) -> &str {
        self.name.strip_prefix(DYNAMIC_FIELD).and_then(|below| below.strip_prefix('.')).unwrap_or(&self.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldUse {
    Search,
    Aggregation,
}

/// The fields of a segment, in no order.
///
/// # Errors
/// The segment cannot be read.
pub fn of_segment(segment: &SegmentReader) -> tantivy::Result<Vec<FoundField>> {
    let mut found = Vec::new();
    // Paths whose dots are escaped in queries, as columns name them and as queries do.
    let mut escaped = Vec::new();
    for (field, entry) in segment.schema().fields().filter(|(_, entry)| entry.is_indexed()) {
        let value_type = entry.field_type().value_type();
        let mut add = |name, value_type| found.push(FoundField { name, value_type, use_for: FieldUse::Search });
        if value_type != Type::Json {
            add(entry.name().to_owned(), value_type);
            continue;
        }
        for (path, value_type) in json_paths(segment, field)? {
            let (name, column) = path_names(entry, &path);
            add(name.clone(), value_type);
            if name != column {
                escaped.push((column, name));
            }
        }
    }
    let columns = ColumnarReader::open(segment.open_read(SegmentComponent::FastFields)?)?;
    for (name, column) in columns.iter_columns()? {
        let name = name.replace(PATH_SEPARATOR, ".");
        let name = escaped.iter().find(|(column, _)| *column == name).map_or(name, |(_, name)| name.clone());
        found.push(FoundField { name, value_type: column.column_type().into(), use_for: FieldUse::Aggregation });
    }
    Ok(found)
}

/// A JSON path as queries name it, and as its column is called.
fn path_names(entry: &FieldEntry, path: &str) -> (String, String) {
    let field = entry.name();
    if !entry.is_expand_dots_enabled() && path.contains('.') {
        return (format!("{field}.{}", path.replace('.', "\\.")), format!("{field}.{path}"));
    }
    let name = format!("{field}.{}", path.replace(PATH_SEPARATOR, "."));
    (name.clone(), name)
}

/// The paths and types in the terms of a JSON field.
fn json_paths(segment: &SegmentReader, field: Field) -> tantivy::Result<Vec<(String, Type)>> {
    let index = segment.inverted_index(field)?;
    let mut paths = Vec::new();
    let mut from = Vec::new();
    loop {
        let mut terms = index.terms().range().ge(&from).into_stream()?;
        if !terms.advance() {
            return Ok(paths);
        }
        let term = terms.key();
        let end = term.iter().position(|byte| *byte == END_OF_PATH);
        let Some((end, code)) = end.and_then(|end| Some((end, *term.get(end + 1)?))) else {
            let message = format!("a term of the field {field:?} has no path");
            return Err(tantivy::TantivyError::InternalError(message));
        };
        if let Some(value_type) = Type::from_code(code) {
            paths.push((String::from_utf8_lossy(&term[..end]).into_owned(), value_type));
        }
        from = term[..end + 2].to_vec();
        // Codes are letters, so there is a next one.
        from[end + 1] += 1;
    }
}
