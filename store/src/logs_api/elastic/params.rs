//! What may stand behind the `?` of a search: all that Quickwit takes, and nothing else.

use serde::Deserialize;

/// Behind the `?`. Those with an underscore are taken and without effect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchParams {
    pub q: Option<String>,
    pub from: Option<u64>,
    pub size: Option<u64>,
    pub sort: Option<String>,
    pub scroll: Option<String>,
    pub ignore_unavailable: Option<bool>,
    pub default_operator: Option<String>,
    pub df: Option<String>,
    pub lenient: Option<bool>,
    #[serde(rename = "allow_no_indices")]
    _allow_no_indices: Option<bool>,
    #[serde(rename = "expand_wildcards")]
    _expand_wildcards: Option<String>,
    #[serde(rename = "track_total_hits")]
    _track_total_hits: Option<String>,
    #[serde(rename = "rest_total_hits_as_int")]
    _rest_total_hits_as_int: Option<bool>,
    #[serde(rename = "_source")]
    _source: Option<String>,
    #[serde(rename = "_source_includes")]
    pub source_includes: Option<String>,
    #[serde(rename = "_source_excludes")]
    pub source_excludes: Option<String>,
    /// Queries that must hold too, with commas between them.
    pub extra_filters: Option<String>,
    #[serde(rename = "max_concurrent_shard_requests")]
    _max_concurrent_shard_requests: Option<u64>,
    #[serde(rename = "batched_reduce_size")]
    _batched_reduce_size: Option<u64>,
    #[serde(rename = "ccs_minimize_roundtrips")]
    _ccs_minimize_roundtrips: Option<bool>,
    #[serde(rename = "pre_filter_shard_size")]
    _pre_filter_shard_size: Option<u64>,
    #[serde(rename = "preference")]
    _preference: Option<String>,
    #[serde(rename = "request_cache")]
    _request_cache: Option<bool>,
    #[serde(rename = "timeout")]
    _timeout: Option<String>,
    #[serde(rename = "typed_keys")]
    _typed_keys: Option<bool>,
    /// A scroll wants it.
    pub allow_partial_search_results: Option<bool>,
    #[serde(rename = "analyze_wildcard")]
    _analyze_wildcard: Option<bool>,
    #[serde(rename = "analyzer")]
    _analyzer: Option<String>,
    #[serde(rename = "docvalue_fields")]
    _docvalue_fields: Option<String>,
    #[serde(rename = "error_trace")]
    _error_trace: Option<bool>,
    #[serde(rename = "explain")]
    _explain: Option<bool>,
    #[serde(rename = "filter_path")]
    _filter_path: Option<String>,
    #[serde(rename = "human")]
    _human: Option<bool>,
    #[serde(rename = "ignore_throttled")]
    _ignore_throttled: Option<bool>,
    #[serde(rename = "pretty")]
    _pretty: Option<bool>,
    #[serde(rename = "routing")]
    _routing: Option<String>,
    #[serde(rename = "seq_no_primary_term")]
    _seq_no_primary_term: Option<bool>,
    #[serde(rename = "stored_fields")]
    _stored_fields: Option<String>,
    #[serde(rename = "terminate_after")]
    _terminate_after: Option<u64>,
    #[serde(rename = "track_scores")]
    _track_scores: Option<bool>,
    #[serde(rename = "version")]
    _version: Option<bool>,
}

impl SearchParams {
    /// What `_msearch` says for all of its searches.
    pub fn of_all(
        source_includes: Option<String>,
        source_excludes: Option<String>,
        extra_filters: Option<String>,
    ) -> Self {
        Self { source_includes, source_excludes, extra_filters, ..Self::default() }
    }
}
