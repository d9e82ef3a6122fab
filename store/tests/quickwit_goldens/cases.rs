//! The recordings as they lie in their folder.
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What Grafana's Quickwit plugin sends.
    Plugin,
    /// The built-in index.
    Cases,
    /// An index of our own, with the same logs.
    OwnIndex,
}

impl Group {
    pub fn folder(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Cases => "cases",
            Self::OwnIndex => "own-index",
        }
    }
}

#[derive(Debug)]
pub struct Case {
    /// `folder/file`, without the extension.
    pub name: String,
    pub file: Value,
}

impl Case {
    pub fn request(&self) -> &Value {
        &self.file["request"]
    }

    /// JSON pointers into the file.
    pub fn pointers(&self, key: &str) -> Vec<&str> {
        self.file[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

pub fn folder() -> Option<PathBuf> {
    let root = match std::env::var_os("TRACEWRIGHT_GOLDENS") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    let folder = root.join("quickwit-goldens");
    folder.is_dir().then_some(folder)
}

pub fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cases of a group, in the order in which they were recorded.
pub fn load(folder: &Path, group: Group) -> Vec<Case> {
    let entries = fs::read_dir(folder.join(group.folder())).expect("the folder of recordings can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let stem = path.file_stem().expect("a file name").to_string_lossy();
            Case { name: format!("{}/{stem}", group.folder()), file: read(&path) }
        })
        .collect()
}
