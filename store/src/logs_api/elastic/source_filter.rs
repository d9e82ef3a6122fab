//! `_source_includes` and `_source_excludes`: which parts of its documents an answer holds.

use serde_json::{Map, Value};

use crate::logs_api::search::list;

/// Paths with dots, each of a field and all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// Empty keeps everything.
    includes: Vec<String>,
    excludes: Vec<String>,
}

impl SourceFilter {
    /// From lists of paths with commas between them.
    pub fn new(includes: Option<&str>, excludes: Option<&str>) -> Self {
        Self { includes: list(includes.unwrap_or_default()), excludes: list(excludes.unwrap_or_default()) }
    }

    /// Cuts a document that is JSON text down. Includes go first, then excludes.
    pub fn apply(&self, source: &mut Vec<u8>) {
        if *self == Self::default() {
            return;
        }
        let Ok(Value::Object(mut document)) = serde_json::from_slice(source) else { return };
        if !self.includes.is_empty() {
            keep(&mut document, "", &self.includes);
        }
        for path in &self.excludes {
            remove(&mut document, path);
        }
        *source = Value::Object(document).to_string().into_bytes();
    }
}

/// Keeps what is named, and of an object that holds something named, that.
fn keep(object: &mut Map<String, Value>, above: &str, paths: &[String]) {
    object.retain(|key, value| {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        if paths.contains(&path) {
            return true;
        }
        let is_above = paths.iter().any(|named| named.strip_prefix(&path).is_some_and(|below| below.starts_with('.')));
        if let (true, Value::Object(inner)) = (is_above, value) {
            keep(inner, &path, paths);
        }
        is_above
    });
}

/// A path's dots may stand between objects or in a key.
fn remove(object: &mut Map<String, Value>, path: &str) {
    for (dot, _) in path.match_indices('.') {
        if let Some(Value::Object(inner)) = object.get_mut(&path[..dot]) {
            return remove(inner, &path[dot + 1..]);
        }
    }
    object.remove(path);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_included_then_excluded() {
        let document = json!({
            "attributes": {"http.route": "/cart", "http.method": "GET", "user": {"id": 7, "name": "ada"}},
            "body": {"message": "hello"},
            "severity_text": "INFO",
        });
        for (includes, excludes, left) in [
            (None, None, document.clone()),
            (Some("severity_text,body"), None, json!({"body": {"message": "hello"}, "severity_text": "INFO"})),
            (Some("attributes.http.route"), None, json!({"attributes": {"http.route": "/cart"}})),
            (Some("attributes.user.id"), None, json!({"attributes": {"user": {"id": 7}}})),
            (Some("attributes.nope"), None, json!({"attributes": {}})),
            (Some("severity"), None, json!({})),
            (None, Some("attributes, body.message"), json!({"body": {}, "severity_text": "INFO"})),
            (
                Some("attributes"),
                Some("attributes.http.method,attributes.user.id,nope.x"),
                json!({"attributes": {"http.route": "/cart", "user": {"name": "ada"}}}),
            ),
        ] {
            let mut source = document.to_string().into_bytes();
            SourceFilter::new(includes, excludes).apply(&mut source);
            let found: Value = serde_json::from_slice(&source).expect("JSON");
            assert_eq!(found, left, "{includes:?} {excludes:?}");
        }
    }
}
