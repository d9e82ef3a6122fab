//! A Quickwit index file: what it may say, its defaults, and how it is shown by the index API.
//!
//! Field mappings live in [`super::field_mapping`].

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Duration;

use super::field_mapping::{FieldMapping, TextIndexing};

/// An index as its author described it, with every default filled in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexConfig {
    #[serde(deserialize_with = "version")]
    pub version: String,
    pub index_id: String,
    #[serde(default)]
    pub index_uri: Option<String>,
    pub doc_mapping: DocMapping,
    #[serde(default)]
    pub indexing_settings: IndexingSettings,
    #[serde(default)]
    pub ingest_settings: IngestSettings,
    #[serde(default)]
    pub search_settings: SearchSettings,
    #[serde(default)]
    pub retention: Option<Retention>,
}

/// What happens with a top-level key that no field mapping names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The document is refused.
    Strict,
    /// The key is left out.
    Lenient,
    /// The key is kept and indexed by the dynamic mapping.
    #[default]
    Dynamic,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocMapping {
    #[serde(default)]
    pub doc_mapping_uid: String,
    #[serde(default)]
    pub mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_mapping: Option<DynamicMapping>,
    #[serde(default)]
    pub field_mappings: Vec<FieldMapping>,
    #[serde(default)]
    pub timestamp_field: Option<String>,
    #[serde(default)]
    pub tag_fields: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    #[serde(default = "default_max_num_partitions")]
    pub max_num_partitions: u64,
    #[serde(default)]
    pub index_field_presence: bool,
    #[serde(default)]
    pub store_document_size: bool,
    #[serde(default)]
    pub store_source: bool,
    #[serde(default)]
    pub tokenizers: Vec<Value>,
}

/// How keys are indexed that no field mapping names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicMapping {
    pub indexed: bool,
    pub tokenizer: String,
    pub record: super::field_mapping::Record,
    pub stored: bool,
    pub expand_dots: bool,
    pub fast: super::field_mapping::Fast,
}

impl Default for DynamicMapping {
    fn default() -> Self {
        let TextIndexing { tokenizer, record, .. } = TextIndexing::raw();
        Self {
            indexed: true,
            tokenizer,
            record,
            stored: true,
            expand_dots: true,
            fast: super::field_mapping::Fast::with_normalizer("raw"),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexingSettings {
    pub commit_timeout_secs: u64,
    pub docstore_compression_level: i64,
    pub docstore_blocksize: u64,
    pub split_num_docs_target: u64,
    pub merge_policy: Value,
    pub resources: Value,
}

impl Default for IndexingSettings {
    fn default() -> Self {
        Self {
            commit_timeout_secs: 60,
            docstore_compression_level: 8,
            docstore_blocksize: 1_000_000,
            split_num_docs_target: 10_000_000,
            merge_policy: serde_json::json!({
                "type": "stable_log", "min_level_num_docs": 100_000, "merge_factor": 10,
                "max_merge_factor": 12, "maturation_period": "2days",
            }),
            resources: serde_json::json!({"heap_size": 2_000_000_000_u64}),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestSettings {
    pub min_shards: u64,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self { min_shards: 1 }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchSettings {
    pub default_search_fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// A number and a unit: `7 days`, `12h`.
    pub period: String,
    #[serde(default = "default_schedule")]
    pub schedule: String,
}

fn default_schedule() -> String {
    "hourly".to_owned()
}

fn default_max_num_partitions() -> u64 {
    200
}

/// Files say `version: 0.9`, which YAML reads as a number.
fn version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("`version` must be a string such as \"0.9\"")),
    }
}

/// Versions of the index file that Quickwit 0.9 reads.
const VERSIONS: [&str; 6] = ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9"];

impl IndexConfig {
    /// Reads an index file; YAML includes JSON.
    ///
    /// # Errors
    /// What is wrong with it, in words for its author.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        let value: Value = serde_norway::from_str(text).map_err(|error| error.to_string())?;
        Self::from_value(value)
    }

    /// Reads an index file in TOML.
    ///
    /// # Errors
    /// What is wrong with it, in words for its author.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let value: Value = toml::from_str(text).map_err(|error| error.to_string())?;
        Self::from_value(value)
    }

    /// Reads an index file that was parsed already.
    ///
    /// # Errors
    /// What is wrong with it, in words for its author.
    pub fn from_value(value: Value) -> Result<Self, String> {
        let mut config: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        config.validate()?;
        config.version = "0.9".to_owned();
        if config.doc_mapping.mode == Mode::Dynamic {
            config.doc_mapping.dynamic_mapping.get_or_insert_default();
        }
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        if !VERSIONS.contains(&self.version.as_str()) {
            return Err(format!("index config version `{}` is not supported", self.version));
        }
        validate_index_id(&self.index_id)?;
        if let Some(name) = &self.doc_mapping.timestamp_field {
            match self.doc_mapping.field_mappings.iter().find(|mapping| &mapping.name == name) {
                None => return Err(format!("could not find timestamp field `{name}` in field mappings")),
                Some(mapping) if !mapping.is_fast_datetime() => {
                    return Err(format!("timestamp field `{name}` should be a fast field of type datetime"));
                }
                Some(_) => {}
            }
        }
        if !self.doc_mapping.tokenizers.is_empty() {
            return Err("custom tokenizers are not supported by this store".to_owned());
        }
        if self.doc_mapping.mode != Mode::Dynamic && self.doc_mapping.dynamic_mapping.is_some() {
            return Err("`dynamic_mapping` is only allowed with mode=dynamic".to_owned());
        }
        if let Some(retention) = &self.retention {
            retention.period()?;
        }
        Ok(())
    }
}

impl Retention {
    /// The period as a length of time.
    ///
    /// # Errors
    /// The period in words, when it is not a number and a unit.
    pub fn period(&self) -> Result<Duration, String> {
        let invalid = || format!("failed to parse retention period `{}`", self.period);
        let text = self.period.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let count: i64 = text[..split].parse().map_err(|_| invalid())?;
        let seconds = match text[split..].trim() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 7 * 86_400,
            "M" | "month" | "months" => 30 * 86_400 + 37_843,
            "y" | "year" | "years" => 365 * 86_400 + 21_600,
            _ => return Err(invalid()),
        };
        count.checked_mul(seconds).map(Duration::seconds).ok_or_else(invalid)
    }
}

/// Checks the name of one index.
///
/// # Errors
/// Quickwit's text for a name that it refuses.
pub fn validate_index_id(id: &str) -> Result<(), String> {
    let valid = (3..=255).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if valid {
        return Ok(());
    }
    Err(format!(
        "index ID `{id}` is invalid: identifiers must match the following regular expression: \
         `^[a-zA-Z][a-zA-Z0-9-_\\.]{{2,254}}$`"
    ))
}

/// Checks a name that may hold `*`.
///
/// # Errors
/// Quickwit's text for a pattern that it refuses.
pub fn validate_index_pattern(pattern: &str) -> Result<(), String> {
    let body = pattern.strip_prefix('-').unwrap_or(pattern);
    let valid = (1..=255).contains(&body.len())
        && body.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*')
        && body.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*'));
    if valid {
        return Ok(());
    }
    Err(format!(
        "index ID pattern `{pattern}` is invalid: patterns must match the following regular expression: \
         `^[a-zA-Z\\*][a-zA-Z0-9-_\\.\\*]{{0,254}}$`"
    ))
}
