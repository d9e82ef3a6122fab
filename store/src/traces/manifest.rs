//! Which segments belong to the store, and up to which record of the log they hold everything.
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TraceError;
use crate::wal::Seq;

/// Replaced as a whole, so that a segment and the log position it stands for appear in one step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Raised when a newer version could not be read by this one.
    pub format: u32,
    /// Numbers of the segments, oldest first.
    pub segments: Vec<u64>,
    pub next_segment: u64,
    /// Records up to this one are in segments.
    pub committed: Seq,
}

const NAME: &str = "manifest.json";
const FORMAT: u32 = 1;

impl Manifest {
    /// Reads the manifest; a directory without one is a new store.
    pub fn load(dir: &Path) -> Result<Self, TraceError> {
        let path = dir.join(NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { format: FORMAT, ..Self::default() });
            }
            Err(error) => return Err(TraceError::io(&path, error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(Self { format: FORMAT, segments, next_segment, committed }) => {
                Ok(Self { format: FORMAT, segments, next_segment, committed })
            }
            _ => Err(TraceError::DamagedFile { path }),
        }
    }

    /// Returns when the new manifest is on disk in place of the old one.
    pub fn save(&self, dir: &Path) -> Result<(), TraceError> {
        let path = dir.join(NAME);
        let temporary = dir.join("manifest.tmp");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(dir)?.sync_all()
        };
        write().map_err(|source| TraceError::io(&path, source))
    }
}
