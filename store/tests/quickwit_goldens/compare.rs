//! Whether an answer is the recorded one, by the rules that came with the recordings.
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::cases::Case;
use crate::world::Answer;

/// Percentiles and cardinalities are estimates.
const ESTIMATE_TOLERANCE: f64 = 0.02;
/// Sums of fractions depend on their order.
const SUM_TOLERANCE: f64 = 1e-9;

/// Values that differ from run to run wherever they stand.
const VOLATILE_KEYS: [&str; 8] = [
    "took",
    "elapsed_time_micros",
    "_scroll_id",
    "create_timestamp",
    "index_uri",
    "build_date",
    "update_timestamp",
    "publish_timestamp",
];

/// `Err` describes the first difference.
pub fn compare(case: &Case, answer: &Answer) -> Result<(), String> {
    let recorded = &case.file["response"];
    let shown = || answer.body.to_string().chars().take(300).collect::<String>();
    if recorded["status"].as_u64() != Some(u64::from(answer.status)) {
        return Err(format!("status {} instead of {}: {}", answer.status, recorded["status"], shown()));
    }
    let mut expected = serde_json::json!({"response": {"body": recorded["body"]}});
    let mut actual = serde_json::json!({"response": {"body": answer.body}});
    for value in [&mut expected, &mut actual] {
        mask(value);
        for pointer in case.pointers("volatile") {
            if let Some(found) = value.pointer_mut(pointer) {
                *found = Value::from("volatile");
            }
        }
        let mut unordered = case.pointers("unordered");
        unordered.sort_by_key(|pointer| std::cmp::Reverse(pointer.matches('/').count()));
        for pointer in unordered {
            if let Some(Value::Array(items)) = value.pointer_mut(pointer) {
                items.sort_by_key(ToString::to_string);
            }
        }
    }
    match difference(&expected["response"]["body"], &actual["response"]["body"], "", answer.status >= 400) {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}

/// Replaces what no two runs share.
fn mask(value: &mut Value) {
    static ULID: LazyLock<Regex> = LazyLock::new(|| Regex::new("[0-9A-HJKMNP-TV-Z]{26}").expect("a literal pattern"));
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if VOLATILE_KEYS.contains(&key.as_str()) {
                    *field = Value::from("volatile");
                } else {
                    mask(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::String(text) => *text = ULID.replace_all(text, "ULID").into_owned(),
        _ => {}
    }
}

/// `of_error`: texts need not agree word by word.
fn difference(expected: &Value, actual: &Value, path: &str, of_error: bool) -> Option<String> {
    let differ = || Some(format!("{path}: {actual} instead of {expected}"));
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            if let Some(key) = expected.keys().find(|key| !actual.contains_key(*key)) {
                return Some(format!("{path}/{key} is missing"));
            }
            if let Some(key) = actual.keys().find(|key| !expected.contains_key(*key)) {
                return Some(format!("{path}/{key} is too much"));
            }
            // One of the searches of `_msearch` may have failed alone.
            let of_error = of_error || expected.contains_key("error");
            expected.iter().find_map(|(key, value)| difference(value, &actual[key], &format!("{path}/{key}"), of_error))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.len() != actual.len() {
                return Some(format!("{path}: {} items instead of {}", actual.len(), expected.len()));
            }
            let pairs = expected.iter().zip(actual).enumerate();
            pairs.into_iter().find_map(|(n, (one, other))| difference(one, other, &format!("{path}/{n}"), of_error))
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64()?, other.as_f64()?);
            let is_estimate = path.contains("/values/") || path.ends_with("/value");
            let tolerance = if is_estimate { ESTIMATE_TOLERANCE } else { SUM_TOLERANCE };
            let close = (one - other).abs() <= tolerance * one.abs().max(other.abs());
            if close { None } else { differ() }
        }
        (Value::String(_), Value::String(_)) if of_error => None,
        (one, other) if one == other => None,
        _ => differ(),
    }
}
