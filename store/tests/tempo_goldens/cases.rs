//! What a recorded case holds.
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub struct Case {
    #[serde(skip)]
    pub name: String,
    pub request: Request,
    pub response: Recorded,
    #[serde(default)]
    pub volatile: Vec<String>,
    #[serde(default)]
    pub unordered: Vec<String>,
    /// `None` is the main phase.
    pub phase: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Request {
    pub method: String,
    pub path: String,
    #[serde(default)]
    pub query: serde_json::Map<String, Value>,
    #[serde(default)]
    pub headers: serde_json::Map<String, Value>,
    pub body: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Recorded {
    pub status: u16,
    #[serde(default)]
    pub headers: serde_json::Map<String, Value>,
    #[serde(default)]
    pub body_kind: String,
    #[serde(default)]
    pub body: Value,
}

/// The folder of the recordings, if it is there.
pub fn folder() -> Option<PathBuf> {
    let root = match std::env::var_os("TRACEWRIGHT_GOLDENS") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    let folder = root.join("tempo-goldens");
    folder.is_dir().then_some(folder)
}

/// All cases in the order of their numbers; named like their files.
pub fn load(folder: &Path) -> Vec<Case> {
    let entries = std::fs::read_dir(folder.join("cases")).expect("the recordings have cases");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    paths.sort();
    let cases = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path).expect("a case can be read");
        let mut case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        case.name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        case
    });
    cases.collect()
}
