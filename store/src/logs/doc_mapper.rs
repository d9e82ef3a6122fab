//! From an index file to a tantivy schema, and from a JSON document to a tantivy document.
//!
//! The schema has the mapped fields under their full paths, and three of the store's own:
//! `_source` (the document as it is returned), `_seq` (its number in order of arrival) and, in dynamic mode, `_dynamic`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};
use tantivy::schema::{
    BytesOptions, DateOptions, DateTimePrecision, Field, IndexRecordOption, IpAddrOptions, JsonObjectOptions,
    NumericOptions, STORED, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::{DateTime, TantivyDocument};

use super::dates;
use super::field_mapping::{BytesFormat, Fast, FieldKind, FieldMapping, NumberFormat, Precision, Record, TextIndexing};
use super::index_config::{DocMapping, IndexConfig, Mode};
use super::otlp_direct::Plan;
use super::tokenizers::MAX_TOKEN_BYTES;

pub const SOURCE_FIELD: &str = "_source";
pub const SEQ_FIELD: &str = "_seq";
pub const DYNAMIC_FIELD: &str = "_dynamic";

/// Why a document does not fit its index.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocError {
    #[error("the document is not a JSON object")]
    NotAnObject,
    #[error("the document contains a field that is not declared in the strict schema: `{0}`")]
    Undeclared(String),
    #[error("the field `{0}` could not be parsed: {1}")]
    Value(String, String),
    #[error("the document must contain the timestamp field `{0}`")]
    NoTimestamp(String),
}

/// A mapped field and where it lives.
#[derive(Debug)]
pub struct MappedField {
    pub path: String,
    pub mapping: FieldMapping,
    pub field: Field,
}

#[derive(Debug)]
enum Node {
    Leaf(usize),
    Object(HashMap<String, Node>),
}

/// The mapping of one index, ready to use. Built once per index.
#[derive(Debug)]
pub struct DocMapper {
    pub schema: Schema,
    pub mode: Mode,
    pub fields: Vec<MappedField>,
    pub source: Field,
    pub seq: Field,
    pub dynamic: Option<Field>,
    pub default_search_fields: Vec<String>,
    /// The shorter way for OTLP records, where the index file is a usual one.
    pub(super) otlp_plan: Option<Plan>,
    timestamp: Option<usize>,
    tree: HashMap<String, Node>,
}

/// A document for tantivy.
#[derive(Debug)]
pub struct LogDocument {
    pub own: TantivyDocument,
    /// Fields that other documents have, too: those of an OTLP resource and scope.
    pub shared: Option<Arc<TantivyDocument>>,
}

/// A document that was accepted.
#[derive(Debug)]
pub struct MappedDoc {
    pub document: LogDocument,
    pub timestamp: Option<DateTime>,
    pub source_bytes: usize,
}

impl MappedDoc {
    /// An empty one, with room for values of so many bytes.
    pub(super) fn with_capacity(value_bytes: usize, shared: Option<Arc<TantivyDocument>>) -> Self {
        let document = LogDocument { own: TantivyDocument::with_capacity(value_bytes), shared };
        Self { document, timestamp: None, source_bytes: 0 }
    }

    /// Adds the document as it is returned, in JSON.
    pub(super) fn add_source(&mut self, field: Field, json: &[u8]) {
        self.source_bytes = json.len();
        // As text, though the field has bytes: tantivy's document store takes text at once, bytes one by one.
        self.document.own.add_text(field, std::str::from_utf8(json).expect("JSON is UTF-8"));
    }
}

impl DocMapper {
    /// # Errors
    /// What does not fit together in the index file, in words for its author.
    pub fn new(config: &IndexConfig) -> Result<Self, String> {
        let DocMapping { mode, dynamic_mapping, field_mappings, timestamp_field, .. } = &config.doc_mapping;
        let mut builder = Schema::builder();
        let source = builder.add_bytes_field(SOURCE_FIELD, STORED);
        let seq = builder.add_u64_field(SEQ_FIELD, NumericOptions::default().set_fast());
        let mut fields = Vec::new();
        let tree = add_fields(&mut builder, field_mappings, "", &mut fields)?;
        let dynamic = dynamic_mapping.as_ref().filter(|_| *mode == Mode::Dynamic).map(|dynamic| {
            let indexing =
                TextIndexing { tokenizer: dynamic.tokenizer.clone(), record: dynamic.record, fieldnorms: false };
            let options = json_options(dynamic.indexed, &indexing, dynamic.expand_dots, &dynamic.fast);
            builder.add_json_field(DYNAMIC_FIELD, options)
        });
        let timestamp = timestamp_field.as_ref().and_then(|name| fields.iter().position(|field| &field.path == name));
        let mapper = Self {
            otlp_plan: Plan::new(&fields),
            schema: builder.build(),
            mode: *mode,
            fields,
            source,
            seq,
            dynamic,
            default_search_fields: config.search_settings.default_search_fields.clone(),
            timestamp,
            tree,
        };
        for name in &mapper.default_search_fields {
            if mapper.find(name).is_none() {
                return Err(format!("unknown default search field: `{name}`"));
            }
        }
        Ok(mapper)
    }

    pub fn timestamp_field(&self) -> Option<&MappedField> {
        self.timestamp.map(|index| &self.fields[index])
    }

    /// The field that a query's name means, with the path inside it when it is JSON.
    pub fn find<'a>(&'a self, name: &'a str) -> Option<(FieldRef<'a>, &'a str)> {
        // It ends a path in tantivy's terms; no document has such a field.
        if name.contains('\0') {
            return None;
        }
        if let Some((field, path)) = self.schema.find_field(name)
            && let Some(mapped) = self.fields.iter().find(|mapped| mapped.field == field)
        {
            let is_json = matches!(mapped.mapping.kind, FieldKind::Json { .. });
            return (is_json || path.is_empty()).then_some((FieldRef::Mapped(mapped), path));
        }
        self.dynamic.map(|field| (FieldRef::Dynamic(field), name))
    }

    /// Maps a document. Its number in order of arrival ([`SEQ_FIELD`]) is added by the indexer.
    ///
    /// # Errors
    /// [`DocError`], when the document does not fit; nothing of it may be indexed then.
    pub fn map(&self, doc: Map<String, Value>) -> Result<MappedDoc, DocError> {
        let mut mapped = MappedDoc::with_capacity(1024, None);
        let mut source = Map::new();
        let mut dynamic = Map::new();
        self.map_object(doc, &self.tree, "", &mut mapped, &mut source, &mut dynamic)?;
        if let (Some(timestamp), None) = (self.timestamp_field(), mapped.timestamp) {
            return Err(DocError::NoTimestamp(timestamp.path.clone()));
        }
        if let Some(field) = self.dynamic.filter(|_| !dynamic.is_empty()) {
            let value = Value::Object(dynamic);
            mapped.document.own.add_field_value(field, &without_long_text(&value));
            if let Value::Object(dynamic) = value {
                source.extend(dynamic);
            }
        }
        let source = serde_json::to_vec(&source).expect("a JSON map with text keys can be written");
        mapped.add_source(self.source, &source);
        Ok(mapped)
    }

    fn map_object(
        &self,
        object: Map<String, Value>,
        nodes: &HashMap<String, Node>,
        prefix: &str,
        mapped: &mut MappedDoc,
        source: &mut Map<String, Value>,
        dynamic: &mut Map<String, Value>,
    ) -> Result<(), DocError> {
        for (key, value) in object {
            match nodes.get(&key) {
                Some(Node::Leaf(index)) => {
                    if let Some(output) = self.map_field(*index, value, mapped)? {
                        source.insert(key, output);
                    }
                }
                Some(Node::Object(children)) => {
                    let path = join(prefix, &key);
                    let Value::Object(inner) = value else {
                        return Err(DocError::Value(path, "expected an object".to_owned()));
                    };
                    let (mut inner_source, mut inner_dynamic) = (Map::new(), Map::new());
                    self.map_object(inner, children, &path, mapped, &mut inner_source, &mut inner_dynamic)?;
                    if !inner_source.is_empty() {
                        source.insert(key.clone(), Value::Object(inner_source));
                    }
                    if !inner_dynamic.is_empty() {
                        dynamic.insert(key, Value::Object(inner_dynamic));
                    }
                }
                None => match self.mode {
                    Mode::Strict => return Err(DocError::Undeclared(join(prefix, &key))),
                    Mode::Lenient => {}
                    Mode::Dynamic => {
                        dynamic.insert(key, value);
                    }
                },
            }
        }
        Ok(())
    }

    /// Adds a field's values to the document; gives the form in which they are returned, if they are.
    pub(super) fn map_field(
        &self,
        index: usize,
        value: Value,
        mapped: &mut MappedDoc,
    ) -> Result<Option<Value>, DocError> {
        let MappedField { path, mapping, field } = &self.fields[index];
        let fail = |text: String| DocError::Value(path.clone(), text);
        let output = match value {
            Value::Null => return Ok(None),
            Value::Array(values) if mapping.array => {
                let outputs: Result<Vec<_>, _> = values
                    .into_iter()
                    .filter(|value| !value.is_null())
                    .map(|value| add_value(mapping, *field, value, mapped, false).map_err(fail))
                    .collect();
                Value::Array(outputs?)
            }
            Value::Array(_) => return Err(fail("expected a single value, got an array".to_owned())),
            value => {
                let output = add_value(mapping, *field, value, mapped, self.timestamp == Some(index)).map_err(fail)?;
                if mapping.array { Value::Array(vec![output]) } else { output }
            }
        };
        Ok(mapping.stored.then_some(output))
    }
}

/// A field that a query can name.
#[derive(Debug, Clone, Copy)]
pub enum FieldRef<'a> {
    Mapped(&'a MappedField),
    Dynamic(Field),
}

impl FieldRef<'_> {
    pub fn field(&self) -> Field {
        match self {
            Self::Mapped(mapped) => mapped.field,
            Self::Dynamic(field) => *field,
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn add_fields(
    builder: &mut SchemaBuilder,
    mappings: &[FieldMapping],
    prefix: &str,
    fields: &mut Vec<MappedField>,
) -> Result<HashMap<String, Node>, String> {
    let mut nodes = HashMap::new();
    for mapping in mappings {
        let path = join(prefix, &mapping.name);
        let node = if let FieldKind::Object { field_mappings } = &mapping.kind {
            Node::Object(add_fields(builder, field_mappings, &path, fields)?)
        } else {
            let field = add_field(builder, &path, mapping);
            fields.push(MappedField { path: path.clone(), mapping: mapping.clone(), field });
            Node::Leaf(fields.len() - 1)
        };
        if nodes.insert(mapping.name.clone(), node).is_some() {
            return Err(format!("duplicated field definition `{path}`"));
        }
    }
    Ok(nodes)
}

fn add_field(builder: &mut SchemaBuilder, path: &str, mapping: &FieldMapping) -> Field {
    let FieldMapping { indexed, fast, .. } = mapping;
    match &mapping.kind {
        FieldKind::Text { indexing } => {
            let mut options = TextOptions::default();
            if *indexed {
                options = options.set_indexing_options(text_indexing(indexing));
            }
            if let Some(normalizer) = fast.normalizer.as_ref().filter(|_| fast.on) {
                options = options.set_fast(normalizer);
            }
            builder.add_text_field(path, options)
        }
        FieldKind::Json { indexing, expand_dots } => {
            builder.add_json_field(path, json_options(*indexed, indexing, *expand_dots, fast))
        }
        FieldKind::U64 { .. } => builder.add_u64_field(path, numeric_options(*indexed, fast)),
        FieldKind::I64 { .. } => builder.add_i64_field(path, numeric_options(*indexed, fast)),
        FieldKind::F64 { .. } => builder.add_f64_field(path, numeric_options(*indexed, fast)),
        FieldKind::Bool => builder.add_bool_field(path, numeric_options(*indexed, fast)),
        FieldKind::Ip => {
            let options = if *indexed { IpAddrOptions::default().set_indexed() } else { IpAddrOptions::default() };
            builder.add_ip_addr_field(path, if fast.on { options.set_fast() } else { options })
        }
        FieldKind::Datetime { precision, .. } => {
            let options = DateOptions::default().set_precision(date_precision(*precision));
            let options = if *indexed { options.set_indexed() } else { options };
            builder.add_date_field(path, if fast.on { options.set_fast() } else { options })
        }
        FieldKind::Bytes { .. } => {
            let options = if *indexed { BytesOptions::default().set_indexed() } else { BytesOptions::default() };
            builder.add_bytes_field(path, if fast.on { options.set_fast() } else { options })
        }
        FieldKind::Object { .. } => unreachable!("objects are taken apart by add_fields"),
    }
}

fn numeric_options(indexed: bool, fast: &Fast) -> NumericOptions {
    let options = if indexed { NumericOptions::default().set_indexed() } else { NumericOptions::default() };
    if fast.on { options.set_fast() } else { options }
}

fn text_indexing(indexing: &TextIndexing) -> TextFieldIndexing {
    TextFieldIndexing::default()
        .set_tokenizer(&indexing.tokenizer)
        .set_fieldnorms(indexing.fieldnorms)
        .set_index_option(match indexing.record {
            Record::Basic => IndexRecordOption::Basic,
            Record::Freq => IndexRecordOption::WithFreqs,
            Record::Position => IndexRecordOption::WithFreqsAndPositions,
        })
}

fn json_options(indexed: bool, indexing: &TextIndexing, expand_dots: bool, fast: &Fast) -> JsonObjectOptions {
    let mut options = JsonObjectOptions::default();
    if indexed {
        options = options.set_indexing_options(text_indexing(indexing));
    }
    if expand_dots {
        options = options.set_expand_dots_enabled();
    }
    if let Some(normalizer) = fast.normalizer.as_ref().filter(|_| fast.on) {
        options = options.set_fast(normalizer);
    }
    options
}

pub fn date_precision(precision: Precision) -> DateTimePrecision {
    match precision {
        Precision::Seconds => DateTimePrecision::Seconds,
        Precision::Milliseconds => DateTimePrecision::Milliseconds,
        Precision::Microseconds => DateTimePrecision::Microseconds,
        Precision::Nanoseconds => DateTimePrecision::Nanoseconds,
    }
}

/// Adds one value; gives the form in which it is returned.
fn add_value(
    mapping: &FieldMapping,
    field: Field,
    value: Value,
    mapped: &mut MappedDoc,
    is_timestamp: bool,
) -> Result<Value, String> {
    let document = &mut mapped.document.own;
    match &mapping.kind {
        FieldKind::Text { .. } => match &value {
            Value::String(text) => {
                if !mapping.fast.on || text.len() < MAX_TOKEN_BYTES {
                    document.add_text(field, text);
                }
                Ok(value)
            }
            other => Err(format!("expected a string, got `{other}`")),
        },
        FieldKind::Json { .. } => {
            if !value.is_object() {
                return Err(format!("expected a JSON object, got `{value}`"));
            }
            if mapping.fast.on && has_long_text(&value) {
                document.add_field_value(field, &without_long_text(&value));
            } else if mapping.indexed || mapping.fast.on {
                document.add_field_value(field, &value);
            }
            Ok(value)
        }
        FieldKind::U64 { coerce, output } => {
            let number: u64 = number(&value, *coerce, Value::as_u64)?;
            document.add_u64(field, number);
            Ok(number_output(number, *output))
        }
        FieldKind::I64 { coerce, output } => {
            let number: i64 = number(&value, *coerce, Value::as_i64)?;
            document.add_i64(field, number);
            Ok(number_output(number, *output))
        }
        FieldKind::F64 { coerce, output } => {
            let number: f64 = number(&value, *coerce, Value::as_f64)?;
            document.add_f64(field, number);
            Ok(number_output(number, *output))
        }
        FieldKind::Bool => match value {
            Value::Bool(truth) => {
                document.add_bool(field, truth);
                Ok(value)
            }
            other => Err(format!("expected a boolean, got `{other}`")),
        },
        FieldKind::Ip => {
            let address = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
            let address = address.ok_or_else(|| format!("failed to parse IP address from `{value}`"))?;
            document.add_ip_addr(field, to_ipv6(address));
            Ok(value)
        }
        FieldKind::Datetime { input, output, .. } => {
            let date = dates::parse(&value, input)?;
            document.add_date(field, date);
            if is_timestamp {
                mapped.timestamp = Some(date);
            }
            Ok(dates::format(date, *output))
        }
        FieldKind::Bytes { input, output } => {
            let text = value.as_str().ok_or_else(|| format!("expected a string, got `{value}`"))?;
            let bytes = match input {
                BytesFormat::Hex => hex::decode(text).map_err(|error| error.to_string())?,
                BytesFormat::Base64 => BASE64.decode(text).map_err(|error| error.to_string())?,
            };
            document.add_bytes(field, &bytes);
            Ok(Value::String(match output {
                BytesFormat::Hex => hex::encode(bytes),
                BytesFormat::Base64 => BASE64.encode(bytes),
            }))
        }
        FieldKind::Object { .. } => unreachable!("objects have no field of their own"),
    }
}

/// Whether a text is too long to be a token. The column store would keep it, where Quickwit's leaves it out.
pub(super) fn has_long_text(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() >= MAX_TOKEN_BYTES,
        Value::Array(values) => values.iter().any(has_long_text),
        Value::Object(map) => map.values().any(has_long_text),
        _ => false,
    }
}

fn without_long_text(value: &Value) -> Value {
    let keep = |value: &&Value| !matches!(value, Value::String(text) if text.len() >= MAX_TOKEN_BYTES);
    match value {
        Value::Array(values) => values.iter().filter(keep).map(without_long_text).collect(),
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| keep(value))
            .map(|(key, value)| (key.clone(), without_long_text(value)))
            .collect(),
        other => other.clone(),
    }
}

/// IPv4 addresses live in the IPv6 space, as in Quickwit.
pub fn to_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

fn number<T: std::str::FromStr>(
    value: &Value,
    coerce: bool,
    from_number: impl Fn(&Value) -> Option<T>,
) -> Result<T, String> {
    let found = match value {
        Value::Number(_) => from_number(value),
        Value::String(text) if coerce => text.parse().ok(),
        _ => None,
    };
    found.ok_or_else(|| format!("expected a number in range, got `{value}`"))
}

fn number_output<T: Into<Value> + ToString>(number: T, format: NumberFormat) -> Value {
    match format {
        NumberFormat::Number => number.into(),
        NumberFormat::String => Value::String(number.to_string()),
    }
}
