//! The metrics that Tempo's generator made of the recorded data.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tracewright_store::traces::{StoreOptions, TraceStore};

use crate::world::requests;

type Series = BTreeMap<String, f64>;

/// `Err` lists the series that differ.
pub fn compare(folder: &Path) -> Result<(), String> {
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(folder.join(name)).expect("a recording can be read");
        serde_json::from_str(&text).expect("a recording is JSON")
    };
    let expected = recorded(&read("metrics-generator.json"));
    let traces = read("traces.json");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = TraceStore::open(StoreOptions::new(dir.path())).expect("an empty store opens");
    for part in ["main", "late"] {
        for request in requests(&traces[part], 1_000_000_000) {
            store.ingest(request.resource_spans).expect("the store takes the recorded traces");
        }
        // The parts came 45 s apart, which is longer than an edge waits.
        store.generator().expire(Instant::now() + Duration::from_secs(45));
    }
    let rendered = store.generator().render();
    let actual = printed(&rendered);
    let mut differences = Vec::new();
    for (series, value) in &expected {
        match actual.get(series) {
            Some(found) if (found - value).abs() <= value.abs() * 1e-9 => {}
            found => differences.push(format!("{series} is {found:?} instead of {value}")),
        }
    }
    let extra = actual.keys().filter(|series| !expected.contains_key(*series) && !series.contains("unpaired"));
    differences.extend(extra.map(|series| format!("{series} is not in the recording")));
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

fn recorded(recording: &Value) -> Series {
    let mut series = Series::new();
    let items = |name: &str| recording[name].as_array().cloned().unwrap_or_default();
    for counter in items("counters") {
        series.insert(key(&counter, "", None), counter["value"].as_f64().expect("a number"));
    }
    for histogram in items("histograms") {
        for (bound, count) in histogram["buckets"].as_object().expect("buckets") {
            series.insert(key(&histogram, "_bucket", Some(bound)), count.as_f64().expect("a number"));
        }
        for part in ["sum", "count"] {
            series.insert(key(&histogram, &format!("_{part}"), None), histogram[part].as_f64().expect("a number"));
        }
    }
    series
}

fn key(entry: &Value, suffix: &str, bound: Option<&String>) -> String {
    let labels = entry["labels"].as_object().expect("labels");
    let mut labels: BTreeMap<&str, &str> =
        labels.iter().map(|(name, value)| (&**name, value.as_str().unwrap_or_default())).collect();
    // From the configuration of the recording, not from Tempo.
    labels.remove("source");
    labels.extend(bound.map(|bound| ("le", &**bound)));
    format!("{}{suffix}{labels:?}", entry["metric"].as_str().expect("a name"))
}

fn printed(text: &str) -> Series {
    let mut series = Series::new();
    let label = regex::Regex::new(r#"([a-z_]+)="((?:[^"\\]|\\.)*)""#).expect("a literal pattern");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (head, value) = line.rsplit_once(' ').expect("a value at the end");
        let (name, braces) = head.split_once('{').unwrap_or((head, ""));
        let labels: BTreeMap<String, String> = label
            .captures_iter(braces)
            .map(|found| (found[1].to_owned(), found[2].replace("\\\"", "\"").replace("\\\\", "\\")))
            .collect();
        series.insert(format!("{name}{labels:?}"), value.parse().expect("a number"));
    }
    series
}
