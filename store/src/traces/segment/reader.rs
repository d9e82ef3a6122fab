//! A file answers as a [`Block`]. Nothing but the footer stays in memory; the rest goes through the shared cache.
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ColumnMeta, Footer, MAGIC, Place};
use crate::traceql::Value;
use crate::traceql::ast::Op;
use crate::traces::TraceError;
use crate::traces::bitset::Bitset;
use crate::traces::block::{Block, CellTest, StoredSpan, StringMatch, TraceEntry, scan_cells};
use crate::traces::cache::{Cache, Caches};
use crate::traces::column::{Cell, Domain, Space, Tag, intrinsic};
use crate::traces::record;

/// Places in the cache that are no offsets of blocks.
const ENTRIES: u64 = 1;
const TRACE_OF_ROWS: u64 = 2;
const ROOTS: u64 = 3;

pub struct Segment {
    pub number: u64,
    pub path: PathBuf,
    pub file_bytes: u64,
    file: File,
    footer: Footer,
    cache: Arc<Caches>,
}

impl Segment {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// [`TraceError::Io`] when it cannot be read, [`TraceError::DamagedFile`] when it is not a whole segment.
    pub fn open(path: &Path, number: u64, cache: Arc<Caches>) -> Result<Self, TraceError> {
        let io = |source| TraceError::io(path, source);
        let damaged = || TraceError::DamagedFile { path: path.to_owned() };
        let file = File::open(path).map_err(io)?;
        let file_bytes = file.metadata().map_err(io)?.len();
        let mut tail = [0; 20];
        let tail_at = file_bytes.checked_sub(20).ok_or_else(damaged)?;
        file.read_exact_at(&mut tail, tail_at).map_err(io)?;
        if &tail[12..] != MAGIC {
            return Err(damaged());
        }
        let len = u64::from_le_bytes(tail[..8].try_into().expect("eight bytes"));
        let offset = tail_at.checked_sub(len).ok_or_else(damaged)?;
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, offset).map_err(io)?;
        if crc32fast::hash(&bytes).to_le_bytes() != tail[8..12] {
            return Err(damaged());
        }
        let footer = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        Ok(Self { number, path: path.to_owned(), file_bytes, file, footer, cache })
    }

    /// Number of spans.
    pub fn rows(&self) -> usize {
        self.footer.rows as usize
    }

    /// A whole block.
    fn read(&self, place: Place) -> Result<Vec<u8>, TraceError> {
        let bytes = self.read_range(place.offset, place.len)?;
        if crc32fast::hash(&bytes) != place.crc {
            return Err(TraceError::DamagedFile { path: self.path.clone() });
        }
        Ok(bytes)
    }

    /// A part of a block, unchecked: only for binary searches, whose finds are then read and checked.
    fn read_range(&self, offset: u64, len: u64) -> Result<Vec<u8>, TraceError> {
        let mut bytes = vec![0; len as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(|source| TraceError::io(&self.path, source))?;
        Ok(bytes)
    }

    fn block(&self, place: Place) -> Result<Arc<Vec<u8>>, TraceError> {
        self.cache.read.get((self.number, place.offset), || {
            let bytes = self.read(place)?;
            let size = bytes.len();
            Ok((bytes, size))
        })
    }

    /// One number of an array of u32, read by itself.
    fn u32_at(&self, place: Place, index: u32) -> Result<u32, TraceError> {
        let bytes = self.read_range(place.offset + u64::from(index) * 4, 4)?;
        Ok(u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")))
    }

    fn column(&self, space: Space, key: &str) -> Option<&ColumnMeta> {
        let columns = &self.footer.columns;
        let at = columns.binary_search_by(|column| (column.space, &*column.key).cmp(&(space, key))).ok()?;
        Some(&columns[at])
    }

    /// The number of a string in a column: a binary search that reads only the strings that it compares.
    fn find_string(&self, column: &ColumnMeta, text: &str) -> Result<Option<u32>, TraceError> {
        let Some(strings) = column.strings else { return Ok(None) };
        let (mut low, mut high) = (0, strings.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let from = self.u32_at(strings.offsets, middle)?;
            let to = self.u32_at(strings.offsets, middle + 1)?;
            let len = to.checked_sub(from).ok_or_else(|| TraceError::DamagedFile { path: self.path.clone() })?;
            match self.read_range(strings.bytes.offset + u64::from(from), len.into())?.as_slice().cmp(text.as_bytes()) {
                std::cmp::Ordering::Equal => return Ok(Some(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn all_strings(&self, column: &ColumnMeta) -> Result<Vec<String>, TraceError> {
        let Some(strings) = column.strings else { return Ok(Vec::new()) };
        let bytes = self.block(strings.bytes)?;
        let offsets = self.block(strings.offsets)?;
        let ends: Vec<usize> = u32s(&offsets).map(|offset| offset as usize).collect();
        let texts = ends.windows(2).map(|pair| String::from_utf8_lossy(&bytes[pair[0]..pair[1]]).into_owned());
        Ok(texts.collect())
    }

    /// Calls `visit` with an iterator over the cells. Four shapes, each a tight loop of its own.
    fn with_cells<T>(&self, column: &ColumnMeta, visit: impl CellVisitor<T>) -> Result<T, TraceError> {
        let bits = self.block(column.bits)?;
        let rows = column.rows.map(|place| self.block(place)).transpose()?;
        let tags = match column.tag {
            Ok(_) => None,
            Err(place) => Some(self.block(place)?),
        };
        let uniform = Tag::from_byte(column.tag.as_ref().copied().unwrap_or(4));
        let tag_of = |at: usize| tags.as_ref().map_or(uniform, |tags| Tag::from_byte(tags[at]));
        let cells = column.cells as usize;
        Ok(match (&rows, column.wide) {
            (None, false) => {
                visit.visit(u32s(&bits).take(cells).enumerate().map(|(at, bits)| (at as u32, tag_of(at), bits.into())))
            }
            (None, true) => {
                visit.visit(u64s(&bits).take(cells).enumerate().map(|(at, bits)| (at as u32, tag_of(at), bits)))
            }
            (Some(rows), false) => visit
                .visit(u32s(rows).zip(u32s(&bits)).enumerate().map(|(at, (row, bits))| (row, tag_of(at), bits.into()))),
            (Some(rows), true) => {
                visit.visit(u32s(rows).zip(u64s(&bits)).enumerate().map(|(at, (row, bits))| (row, tag_of(at), bits)))
            }
        })
    }

    fn piece(&self, place: Place, number: u32) -> Result<Arc<Vec<u8>>, TraceError> {
        let bytes = self.block(place)?;
        let mut rest = &bytes[..];
        for _ in 0..number {
            record::take(&mut rest).ok_or(TraceError::Damaged("a table of resources"))?;
        }
        let piece = record::take(&mut rest).ok_or(TraceError::Damaged("a table of resources"))?;
        Ok(Arc::new(piece.to_vec()))
    }
}

/// A closure that is generic over its iterator, which Rust's closures cannot be.
trait CellVisitor<T> {
    fn visit(self, cells: impl Iterator<Item = (u32, Tag, u64)>) -> T;
}

struct Scan<'a> {
    test: &'a CellTest<'a>,
    strings: StringMatch,
    rows: Bitset,
}

impl CellVisitor<Bitset> for Scan<'_> {
    fn visit(mut self, cells: impl Iterator<Item = (u32, Tag, u64)>) -> Bitset {
        scan_cells(cells, self.test, &self.strings, &mut self.rows);
        self.rows
    }
}

struct Each<'a> {
    strings: Vec<String>,
    visit: &'a mut dyn FnMut(u32, Cell<'_>),
}

impl CellVisitor<()> for Each<'_> {
    fn visit(self, cells: impl Iterator<Item = (u32, Tag, u64)>) {
        for (row, tag, bits) in cells {
            let cell = match tag {
                Tag::Str => Cell::Str(self.strings.get(bits as usize).map_or("", String::as_str)),
                Tag::Int => Cell::Int(bits as i64),
                Tag::Float => Cell::Float(f64::from_bits(bits)),
                Tag::Bool => Cell::Bool(bits != 0),
                Tag::Opaque => Cell::Opaque,
            };
            (self.visit)(row, cell);
        }
    }
}

fn u32s(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks().0.iter().map(|chunk| u32::from_le_bytes(*chunk))
}

fn u64s(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.as_chunks().0.iter().map(|chunk| u64::from_le_bytes(*chunk))
}

impl Block for Segment {
    fn len(&self, domain: Domain) -> usize {
        match domain {
            Domain::Span => self.footer.rows as usize,
            Domain::Resource => self.footer.resources as usize,
            Domain::Instrumentation => self.footer.scopes as usize,
        }
    }

    fn trace_count(&self) -> usize {
        self.footer.traces as usize
    }

    fn bounds(&self) -> (u64, u64) {
        (self.footer.start_ns, self.footer.end_ns)
    }

    fn scan(&self, space: Space, key: &str, test: &CellTest<'_>) -> Result<Option<Bitset>, TraceError> {
        let Some(column) = self.column(space, key) else { return Ok(None) };
        let rows = Bitset::none(self.len(space.domain()));
        let strings = match (test.literal, test.op) {
            (Value::Str(text), Op::Eq) => match self.find_string(column, text)? {
                Some(number) => StringMatch::One(number.into()),
                None => return Ok(Some(rows)),
            },
            (Value::Str(_), _) => {
                let texts = self.all_strings(column)?;
                let mut set = Bitset::none(texts.len());
                texts.iter().enumerate().filter(|(_, text)| test.on_text(text)).for_each(|(at, _)| set.insert(at));
                StringMatch::Set(set)
            }
            _ => StringMatch::Nothing,
        };
        self.with_cells(column, Scan { test, strings, rows }).map(Some)
    }

    fn cells(&self, space: Space, key: &str, visit: &mut dyn FnMut(u32, Cell<'_>)) -> Result<bool, TraceError> {
        let place = match (space, key) {
            (Space::Intrinsic, intrinsic::RESOURCE) => Some(self.footer.row_resources),
            (Space::Intrinsic, intrinsic::SCOPE) => Some(self.footer.row_scopes),
            _ => None,
        };
        if let Some(place) = place {
            let numbers = self.block(place)?;
            u32s(&numbers).enumerate().for_each(|(row, number)| visit(row as u32, Cell::Int(number.into())));
            return Ok(true);
        }
        let Some(column) = self.column(space, key) else { return Ok(false) };
        let strings = self.all_strings(column)?;
        self.with_cells(column, Each { strings, visit })?;
        Ok(true)
    }

    fn dense_numbers(&self, key: &str) -> Result<Option<Vec<u64>>, TraceError> {
        let narrow = match key {
            intrinsic::RESOURCE => Some(self.footer.row_resources),
            intrinsic::SCOPE => Some(self.footer.row_scopes),
            _ => None,
        };
        if let Some(place) = narrow {
            return Ok(Some(u32s(&self.block(place)?).map(u64::from).collect()));
        }
        let Some(column) = self.column(Space::Intrinsic, key) else { return Ok(None) };
        if column.rows.is_some() || !matches!(column.tag, Ok(tag) if Tag::from_byte(tag) == Tag::Int) {
            return Ok(None);
        }
        let bits = self.block(column.bits)?;
        Ok(Some(if column.wide { u64s(&bits).collect() } else { u32s(&bits).map(u64::from).collect() }))
    }

    fn cache(&self) -> Option<(&Cache, u64)> {
        Some((&self.cache.computed, self.number))
    }

    fn keys(&self, space: Space) -> Vec<String> {
        self.footer.columns.iter().filter(|column| column.space == space).map(|column| column.key.clone()).collect()
    }

    fn entries(&self) -> Result<Arc<Vec<TraceEntry>>, TraceError> {
        self.cache.read.get((self.number, ENTRIES), || {
            let ids = self.read(self.footer.trace_ids)?;
            let starts = self.read(self.footer.trace_starts)?;
            let ends = self.read(self.footer.trace_ends)?;
            let times = u64s(&starts).zip(u64s(&ends));
            let entries: Vec<TraceEntry> = ids
                .as_chunks()
                .0
                .iter()
                .zip(times)
                .map(|(id, (start_ns, end_ns))| TraceEntry { id: *id, start_ns, end_ns })
                .collect();
            let bytes = entries.len() * size_of::<TraceEntry>();
            Ok((entries, bytes))
        })
    }

    fn trace_of_rows(&self) -> Result<Arc<Vec<u32>>, TraceError> {
        self.cache.read.get((self.number, TRACE_OF_ROWS), || {
            let first_rows: Vec<u32> = u32s(&self.read(self.footer.trace_rows)?).collect();
            let mut traces = Vec::with_capacity(self.rows());
            for (trace, pair) in first_rows.windows(2).enumerate() {
                traces.extend((pair[0]..pair[1]).map(|_| trace as u32));
            }
            let bytes = traces.len() * 4;
            Ok((traces, bytes))
        })
    }

    fn roots(&self) -> Result<Arc<Vec<u32>>, TraceError> {
        self.cache.read.get((self.number, ROOTS), || {
            let roots: Vec<u32> = u32s(&self.read(self.footer.trace_roots)?).collect();
            let bytes = roots.len() * 4;
            Ok((roots, bytes))
        })
    }

    fn find(&self, id: &[u8; 16]) -> Result<Option<u32>, TraceError> {
        let ids = self.footer.trace_ids;
        let (mut low, mut high) = (0, self.footer.traces);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.read_range(ids.offset + u64::from(middle) * 16, 16)?;
            match found.as_slice().cmp(id) {
                std::cmp::Ordering::Equal => return Ok(Some(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn spans(&self, trace: u32) -> Result<Vec<StoredSpan>, TraceError> {
        let table = self.footer.trace_spans;
        let chunk = self.u32_at(table, trace * 3)?;
        let offset = self.u32_at(table, trace * 3 + 1)? as usize;
        let len = self.u32_at(table, trace * 3 + 2)? as usize;
        let damaged = || TraceError::DamagedFile { path: self.path.clone() };
        let (place, size) = *self.footer.chunks.get(chunk as usize).ok_or_else(damaged)?;
        let bytes = self.cache.read.get((self.number, place.offset), || {
            let bytes = lz4_flex::block::decompress(&self.read(place)?, size as usize).map_err(|_| damaged())?;
            let size = bytes.len();
            Ok::<_, TraceError>((bytes, size))
        })?;
        let mut rest = bytes.get(offset..offset + len).ok_or_else(damaged)?;
        let mut spans = Vec::new();
        while let Some((header, behind)) = rest.split_first_chunk::<12>() {
            let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
            let (bytes, next) = behind.split_at_checked(number(8) as usize).ok_or_else(damaged)?;
            spans.push(StoredSpan { resource: number(0), scope: number(4), bytes: bytes.to_vec() });
            rest = next;
        }
        Ok(spans)
    }

    fn resource(&self, number: u32) -> Result<Arc<Vec<u8>>, TraceError> {
        self.piece(self.footer.resource_bytes, number)
    }

    fn scope(&self, number: u32) -> Result<Arc<Vec<u8>>, TraceError> {
        self.piece(self.footer.scope_bytes, number)
    }
}
