//! One entry of `field_mappings`: its type, options, defaults, and the form in which the index API shows it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
pub struct FieldMapping {
    pub name: String,
    pub description: Option<String>,
    pub kind: FieldKind,
    /// `array<…>`: a document may hold several values.
    pub array: bool,
    pub stored: bool,
    pub indexed: bool,
    pub fast: Fast,
}

#[derive(Debug, Clone)]
pub enum FieldKind {
    Text { indexing: TextIndexing },
    Json { indexing: TextIndexing, expand_dots: bool },
    U64 { coerce: bool, output: NumberFormat },
    I64 { coerce: bool, output: NumberFormat },
    F64 { coerce: bool, output: NumberFormat },
    Bool,
    Ip,
    Datetime { input: Vec<DateFormat>, output: DateFormat, precision: Precision },
    Bytes { input: BytesFormat, output: BytesFormat },
    Object { field_mappings: Vec<FieldMapping> },
}

#[derive(Debug, Clone)]
pub struct TextIndexing {
    pub tokenizer: String,
    pub record: Record,
    pub fieldnorms: bool,
}

impl TextIndexing {
    pub fn raw() -> Self {
        Self { tokenizer: "raw".to_owned(), record: Record::Basic, fieldnorms: false }
    }
}

/// What the inverted index keeps beside the documents of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    Basic,
    Freq,
    /// Needed by phrase queries.
    Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberFormat {
    Number,
    String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BytesFormat {
    Base64,
    Hex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateFormat {
    Rfc3339,
    Rfc2822,
    Iso8601,
    /// In: any unit, told by the size of the number. Out: seconds.
    #[serde(alias = "unix_timestamp_secs")]
    UnixTimestamp,
    UnixTimestampMillis,
    UnixTimestampMicros,
    UnixTimestampNanos,
}

/// The column store of a field: off, or on with the normalizer of text values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fast {
    pub normalizer: Option<String>,
    pub on: bool,
}

impl Fast {
    pub fn with_normalizer(name: &str) -> Self {
        Self { normalizer: Some(name.to_owned()), on: true }
    }
}

impl Serialize for Fast {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.normalizer {
            Some(normalizer) if self.on => json!({"normalizer": normalizer}).serialize(serializer),
            _ => self.on.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Fast {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Switch(bool),
            Normalizer { normalizer: String },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Switch(on) => Self { normalizer: None, on },
            Form::Normalizer { normalizer } => Self { normalizer: Some(normalizer), on: true },
        })
    }
}

/// Every option that any type knows; which of them fit is checked against the type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    name: String,
    r#type: String,
    description: Option<String>,
    stored: Option<bool>,
    indexed: Option<bool>,
    fast: Option<Fast>,
    tokenizer: Option<String>,
    record: Option<Record>,
    fieldnorms: Option<bool>,
    expand_dots: Option<bool>,
    coerce: Option<bool>,
    input_formats: Option<Vec<DateFormat>>,
    input_format: Option<BytesFormat>,
    output_format: Option<Value>,
    fast_precision: Option<Precision>,
    precision: Option<Precision>,
    field_mappings: Option<Vec<FieldMapping>>,
}

/// Tokenizers and normalizers that the store has.
pub const TOKENIZERS: [&str; 5] = ["raw", "default", "whitespace", "lowercase", "raw_lowercase"];

impl<'de> Deserialize<'de> for FieldMapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Options::deserialize(deserializer)?.into_mapping().map_err(serde::de::Error::custom)
    }
}

impl Options {
    fn into_mapping(self) -> Result<FieldMapping, String> {
        let (type_name, array) = match self.r#type.strip_prefix("array<").and_then(|rest| rest.strip_suffix('>')) {
            Some(inner) => (inner.to_owned(), true),
            None => (self.r#type.clone(), false),
        };
        if self.name.is_empty() || self.name.starts_with('_') {
            return Err(format!("invalid field name `{}`", self.name));
        }
        let is_text = matches!(type_name.as_str(), "text" | "json");
        let mut fast = self.fast.clone().unwrap_or_default();
        if is_text && fast.on && fast.normalizer.is_none() {
            fast.normalizer = Some("raw".to_owned());
        } else if !is_text {
            fast.normalizer = None;
        }
        let kind = self.kind(&type_name)?;
        if let FieldKind::Text { indexing } | FieldKind::Json { indexing, .. } = &kind {
            for name in [Some(&indexing.tokenizer), fast.normalizer.as_ref()].into_iter().flatten() {
                if !TOKENIZERS.contains(&name.as_str()) {
                    return Err(format!(
                        "field `{}`: tokenizer `{name}` is not supported by this store, which has {}",
                        self.name,
                        TOKENIZERS.join(", ")
                    ));
                }
            }
        }
        Ok(FieldMapping {
            name: self.name,
            description: self.description,
            kind,
            array,
            stored: self.stored.unwrap_or(true),
            indexed: self.indexed.unwrap_or(true),
            fast,
        })
    }

    fn text_indexing(&self, default_tokenizer: &str) -> TextIndexing {
        TextIndexing {
            tokenizer: self.tokenizer.clone().unwrap_or_else(|| default_tokenizer.to_owned()),
            record: self.record.unwrap_or(Record::Basic),
            fieldnorms: self.fieldnorms.unwrap_or(false),
        }
    }

    fn output<T: for<'de> Deserialize<'de>>(&self, default: T) -> Result<T, String> {
        match &self.output_format {
            None => Ok(default),
            Some(value) => {
                T::deserialize(value).map_err(|error| format!("field `{}`: output_format: {error}", self.name))
            }
        }
    }

    fn kind(&self, type_name: &str) -> Result<FieldKind, String> {
        let coerce = self.coerce.unwrap_or(true);
        Ok(match type_name {
            "text" => FieldKind::Text { indexing: self.text_indexing("default") },
            "json" => {
                FieldKind::Json { indexing: self.text_indexing("raw"), expand_dots: self.expand_dots.unwrap_or(true) }
            }
            "u64" => FieldKind::U64 { coerce, output: self.output(NumberFormat::Number)? },
            "i64" => FieldKind::I64 { coerce, output: self.output(NumberFormat::Number)? },
            "f64" => FieldKind::F64 { coerce, output: self.output(NumberFormat::Number)? },
            "bool" => FieldKind::Bool,
            "ip" => FieldKind::Ip,
            "datetime" => FieldKind::Datetime {
                input: self
                    .input_formats
                    .clone()
                    .unwrap_or_else(|| vec![DateFormat::Rfc3339, DateFormat::UnixTimestamp]),
                output: self.output(DateFormat::Rfc3339)?,
                precision: self.fast_precision.or(self.precision).unwrap_or(Precision::Seconds),
            },
            "bytes" => FieldKind::Bytes {
                input: self.input_format.unwrap_or(BytesFormat::Base64),
                output: self.output(BytesFormat::Base64)?,
            },
            "object" => FieldKind::Object {
                field_mappings: self
                    .field_mappings
                    .clone()
                    .filter(|mappings| !mappings.is_empty())
                    .ok_or_else(|| format!("object type must have at least one field mapping: `{}`", self.name))?,
            },
            other => return Err(format!("field `{}` has an unknown type: `{other}`", self.name)),
        })
    }
}

impl FieldMapping {
    pub fn is_fast_datetime(&self) -> bool {
        self.fast.on && !self.array && matches!(self.kind, FieldKind::Datetime { .. })
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            FieldKind::Text { .. } => "text",
            FieldKind::Json { .. } => "json",
            FieldKind::U64 { .. } => "u64",
            FieldKind::I64 { .. } => "i64",
            FieldKind::F64 { .. } => "f64",
            FieldKind::Bool => "bool",
            FieldKind::Ip => "ip",
            FieldKind::Datetime { .. } => "datetime",
            FieldKind::Bytes { .. } => "bytes",
            FieldKind::Object { .. } => "object",
        }
    }
}

impl Serialize for FieldMapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let type_name = if self.array { format!("array<{}>", self.type_name()) } else { self.type_name().to_owned() };
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| {
            map.insert(key.to_owned(), value);
        };
        put("name", json!(self.name));
        put("type", json!(type_name));
        if let Some(description) = &self.description {
            put("description", json!(description));
        }
        if let FieldKind::Object { field_mappings } = &self.kind {
            put("field_mappings", json!(field_mappings));
            return map.serialize(serializer);
        }
        put("stored", json!(self.stored));
        put("indexed", json!(self.indexed));
        put("fast", json!(self.fast));
        match &self.kind {
            FieldKind::Text { indexing } | FieldKind::Json { indexing, .. } => {
                if self.indexed {
                    put("tokenizer", json!(indexing.tokenizer));
                    put("record", json!(indexing.record));
                }
                match &self.kind {
                    FieldKind::Json { expand_dots, .. } => put("expand_dots", json!(expand_dots)),
                    _ => put("fieldnorms", json!(indexing.fieldnorms)),
                }
            }
            FieldKind::U64 { coerce, output }
            | FieldKind::I64 { coerce, output }
            | FieldKind::F64 { coerce, output } => {
                put("coerce", json!(coerce));
                put("output_format", json!(output));
            }
            FieldKind::Datetime { input, output, precision } => {
                put("input_formats", json!(input));
                put("output_format", json!(output));
                put("fast_precision", json!(precision));
            }
            FieldKind::Bytes { input, output } => {
                put("input_format", json!(input));
                put("output_format", json!(output));
            }
            FieldKind::Bool | FieldKind::Ip | FieldKind::Object { .. } => {}
        }
        map.serialize(serializer)
    }
}
