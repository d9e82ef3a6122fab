//! Index ids and patterns in paths: `logs`, `logs,other`, `otel-*`, `*,-private-*`.

use std::sync::Arc;

use axum::http::StatusCode;

use super::ApiError;
use crate::logs::{LogIndex, LogStore, validate_index_pattern};

/// Splits and checks the list of a path.
pub fn parse(list: &str) -> Result<Vec<String>, ApiError> {
    let patterns: Vec<String> = list.split(',').map(str::to_owned).collect();
    for pattern in &patterns {
        validate_index_pattern(pattern).map_err(ApiError::bad_request)?;
    }
    Ok(patterns)
}

/// The indexes that a list means, by id, each once.
///
/// A plain id that does not exist is an error unless `ignore_missing`; a pattern that matches nothing is not.
pub fn resolve(store: &LogStore, patterns: &[String], ignore_missing: bool) -> Result<Vec<Arc<LogIndex>>, ApiError> {
    let all = store.indexes();
    let ids: Vec<String> = all.iter().map(|index| index.id()).collect();
    let plain = patterns.iter().filter(|pattern| !pattern.contains('*') && !pattern.starts_with('-'));
    let missing: Vec<&String> = plain.filter(|pattern| !ids.contains(pattern)).collect();
    if !missing.is_empty() && !ignore_missing {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            format!("could not find indexes matching the IDs `{missing:?}`"),
        ));
    }
    Ok(matching(all, &ids, patterns))
}

fn matching(all: Vec<Arc<LogIndex>>, ids: &[String], patterns: &[String]) -> Vec<Arc<LogIndex>> {
    let chosen = |id: &str| {
        let (excluded, included): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.starts_with('-'));
        included.iter().any(|pattern| matches(pattern, id))
            && !excluded.iter().any(|pattern| matches(&pattern[1..], id))
    };
    all.into_iter().zip(ids).filter(|(_, id)| chosen(id)).map(|(index, _)| index).collect()
}

/// `*` stands for any characters, also none.
pub fn matches(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == id,
        Some((head, tail)) => id.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(tail, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("otel-*", "otel-logs-v0_9"));
        assert!(matches("*", ""));
        assert!(matches("a*c*e", "abcde"));
        assert!(!matches("a*d", "abc"));
        assert!(!matches("logs", "logs2"));
    }
}
