//! A segment: spans on disk, immutable, with their columns.
//!
//! ```text
//! magic | blocks … | footer (JSON) | footer length u64 | footer crc32 u32 | magic
//! ```
//! Blocks are arrays of little-endian numbers, string bytes, or lz4 chunks of encoded spans; the footer says where
//! each is. Rows are ordered by trace id, then as they came. A file appears under its name only when it is complete and
//! on disk.
mod reader;
mod writer;

use serde::{Deserialize, Serialize};

pub use reader::Segment;
pub use writer::write;

use super::column::Space;

const MAGIC: &[u8; 8] = b"TWTRACE2";

/// Where a block is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Place {
    offset: u64,
    len: u64,
    /// Of the whole block; checked whenever it is read whole.
    crc: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Footer {
    rows: u32,
    traces: u32,
    resources: u32,
    scopes: u32,
    start_ns: u64,
    end_ns: u64,
    columns: Vec<ColumnMeta>,
    /// `[u8; 16]` per trace, ascending.
    trace_ids: Place,
    /// u64 per trace.
    trace_starts: Place,
    /// u64 per trace.
    trace_ends: Place,
    /// u32 per trace, `u32::MAX` for none.
    trace_roots: Place,
    /// u32 per trace and one more.
    trace_rows: Place,
    /// Per trace: chunk, offset in the uncompressed chunk, length (u32 each).
    trace_spans: Place,
    /// Compressed chunks with their uncompressed length.
    chunks: Vec<(Place, u32)>,
    /// Encoded `ResourceSpans`, each behind its length.
    resource_bytes: Place,
    /// Encoded `ScopeSpans`, each behind its length.
    scope_bytes: Place,
    /// u32 per row.
    row_resources: Place,
    /// u32 per row.
    row_scopes: Place,
}

#[derive(Debug, Serialize, Deserialize)]
struct ColumnMeta {
    space: Space,
    key: String,
    cells: u32,
    /// Row of each cell (u32); `None` when cell n belongs to row n.
    rows: Option<Place>,
    /// The tag of all cells, or where each cell's tag is (u8).
    tag: Result<u8, Place>,
    /// Whether the bits take 8 bytes instead of 4.
    wide: bool,
    bits: Place,
    /// Distinct strings, ascending; their number is their place.
    strings: Option<Strings>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Strings {
    count: u32,
    /// u32 per string and one more: offsets into `bytes`.
    offsets: Place,
    bytes: Place,
}
