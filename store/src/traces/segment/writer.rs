//! A head becomes a file.
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{ColumnMeta, Footer, MAGIC, Place, Strings};
use crate::traces::TraceError;
use crate::traces::block::Block;
use crate::traces::column::{ColumnBuilder, Domain, Space, Tag};
use crate::traces::head::Head;

/// Spans are compressed in chunks of about this size; a bigger trace gets a chunk of its own.
const CHUNK_BYTES: usize = 32 << 10;

/// Writes a head to `path`. Returns when the file is complete, on disk and under its name; blocks.
///
/// # Errors
/// [`TraceError::Io`] or [`TraceError::DiskFull`]; there is no file then.
pub fn write(head: &Head, path: &Path) -> Result<(), TraceError> {
    let temporary = path.with_extension("tmp");
    let written = write_to(head, &temporary)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    written.map_err(|source| {
        // A leftover is also removed at the next start; failing to do so now is no second error.
        let _ = fs::remove_file(&temporary);
        TraceError::io(path, source)
    })
}

fn write_to(head: &Head, path: &Path) -> std::io::Result<()> {
    let mut out = Out { file: BufWriter::with_capacity(1 << 20, File::create(path)?), at: 0 };
    out.put(MAGIC)?;
    let footer = serde_json::to_vec(&body(head, &mut out)?)?;
    out.put(&footer)?;
    out.put(&(footer.len() as u64).to_le_bytes())?;
    out.put(&crc32fast::hash(&footer).to_le_bytes())?;
    out.put(MAGIC)?;
    out.file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

struct Out {
    file: BufWriter<File>,
    at: u64,
}

impl Out {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<Place> {
        self.file.write_all(bytes)?;
        let place = Place { offset: self.at, len: bytes.len() as u64, crc: crc32fast::hash(bytes) };
        self.at += place.len;
        Ok(place)
    }

    fn put_u32s(&mut self, numbers: impl Iterator<Item = u32>) -> std::io::Result<Place> {
        let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        self.put(&bytes)
    }

    fn put_u64s(&mut self, numbers: impl Iterator<Item = u64>) -> std::io::Result<Place> {
        let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        self.put(&bytes)
    }
}

fn body(head: &Head, out: &mut Out) -> std::io::Result<Footer> {
    let mut traces: Vec<usize> = (0..head.traces.len()).collect();
    traces.sort_unstable_by_key(|&trace| head.traces[trace].id);
    let mut order: Vec<u32> = Vec::with_capacity(head.rows.len());
    let mut first_rows = Vec::with_capacity(traces.len() + 1);
    for &trace in &traces {
        first_rows.push(order.len() as u32);
        order.extend_from_slice(&head.traces[trace].rows);
    }
    first_rows.push(order.len() as u32);
    let mut new_row = vec![0u32; head.rows.len()];
    for (new, &old) in order.iter().enumerate() {
        new_row[old as usize] = new as u32;
    }

    let (trace_spans, chunks) = spans(head, &traces, &order, &first_rows, out)?;
    let mut columns = Vec::new();
    for (space, of_space) in Space::ALL.iter().zip(&head.columns) {
        let renumber = (space.domain() == Domain::Span).then_some(&new_row[..]);
        for (key, builder) in of_space {
            columns.push(column(*space, key, builder, head.len(space.domain()), renumber, out)?);
        }
    }
    columns.sort_by(|a, b| (a.space, &a.key).cmp(&(b.space, &b.key)));
    let entry = |trace: &usize| &head.traces[*trace];
    let (start_ns, end_ns) = head.bounds();
    let ids: Vec<u8> = traces.iter().flat_map(|trace| entry(trace).id).collect();
    Ok(Footer {
        rows: head.rows.len() as u32,
        traces: traces.len() as u32,
        resources: head.resources.items.len() as u32,
        scopes: head.scopes.items.len() as u32,
        start_ns,
        end_ns,
        columns,
        trace_ids: out.put(&ids)?,
        trace_starts: out.put_u64s(traces.iter().map(|trace| entry(trace).start_ns))?,
        trace_ends: out.put_u64s(traces.iter().map(|trace| entry(trace).end_ns))?,
        trace_roots: out.put_u32s(
            traces.iter().map(|trace| entry(trace).root.map_or(u32::MAX, |(_, row)| new_row[row as usize])),
        )?,
        trace_rows: out.put_u32s(first_rows.into_iter())?,
        trace_spans,
        chunks,
        resource_bytes: out.put(&pieces(&head.resources.items))?,
        scope_bytes: out.put(&pieces(&head.scopes.items))?,
        row_resources: out.put_u32s(order.iter().map(|&row| head.rows[row as usize].resource))?,
        row_scopes: out.put_u32s(order.iter().map(|&row| head.rows[row as usize].scope))?,
    })
}

fn pieces(items: &[std::sync::Arc<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend_from_slice(&(item.len() as u32).to_le_bytes());
        bytes.extend_from_slice(item);
    }
    bytes
}

type Chunks = Vec<(Place, u32)>;

/// The encoded spans: per span resource, scope and length (u32 each), then its bytes.
fn spans(
    head: &Head,
    traces: &[usize],
    order: &[u32],
    first_rows: &[u32],
    out: &mut Out,
) -> std::io::Result<(Place, Chunks)> {
    let mut chunks = Vec::new();
    let mut table: Vec<u32> = Vec::with_capacity(traces.len() * 3);
    let mut chunk: Vec<u8> = Vec::with_capacity(CHUNK_BYTES * 2);
    for at in 0..traces.len() {
        let from = chunk.len();
        for &row in &order[first_rows[at] as usize..first_rows[at + 1] as usize] {
            let row = head.rows[row as usize];
            for number in [row.resource, row.scope, row.len as u32] {
                chunk.extend_from_slice(&number.to_le_bytes());
            }
            chunk.extend_from_slice(&head.blob[row.offset..row.offset + row.len]);
        }
        table.extend([chunks.len() as u32, from as u32, (chunk.len() - from) as u32]);
        if chunk.len() >= CHUNK_BYTES || at + 1 == traces.len() {
            chunks.push((out.put(&lz4_flex::block::compress(&chunk))?, chunk.len() as u32));
            chunk.clear();
        }
    }
    Ok((out.put_u32s(table.into_iter())?, chunks))
}

fn column(
    space: Space,
    key: &str,
    builder: &ColumnBuilder,
    domain_len: usize,
    new_row: Option<&[u32]>,
    out: &mut Out,
) -> std::io::Result<ColumnMeta> {
    // Strings are numbered in their order, so that a reader can search for one without reading all.
    let strings = &builder.dictionary.strings;
    let mut sorted: Vec<u32> = (0..strings.len() as u32).collect();
    sorted.sort_unstable_by(|a, b| strings[*a as usize].cmp(&strings[*b as usize]));
    let mut rank = vec![0u32; sorted.len()];
    for (new, &old) in sorted.iter().enumerate() {
        rank[old as usize] = new as u32;
    }
    let bits_of = |cell: usize| match builder.tags[cell] {
        Tag::Str => rank[builder.bits[cell] as usize].into(),
        _ => builder.bits[cell],
    };
    let row_of = |cell: usize| new_row.map_or(builder.rows[cell], |new_row| new_row[builder.rows[cell] as usize]);
    let mut cells: Vec<usize> = (0..builder.rows.len()).collect();
    cells.sort_by_key(|&cell| row_of(cell));

    let dense = cells.len() == domain_len && cells.iter().enumerate().all(|(at, &cell)| row_of(cell) as usize == at);
    let rows = if dense { None } else { Some(out.put_u32s(cells.iter().map(|&cell| row_of(cell)))?) };
    let first = builder.tags.first().copied().unwrap_or(Tag::Opaque);
    let tag = if builder.tags.iter().all(|tag| *tag == first) {
        Ok(first as u8)
    } else {
        let tags: Vec<u8> = cells.iter().map(|&cell| builder.tags[cell] as u8).collect();
        Err(out.put(&tags)?)
    };
    let wide = (0..builder.bits.len()).any(|cell| bits_of(cell) > u32::MAX.into());
    let bits = if wide {
        out.put_u64s(cells.iter().map(|&cell| bits_of(cell)))?
    } else {
        out.put_u32s(cells.iter().map(|&cell| bits_of(cell) as u32))?
    };
    let strings = if sorted.is_empty() {
        None
    } else {
        let mut bytes = Vec::new();
        let mut offsets = vec![0u32];
        for old in &sorted {
            bytes.extend_from_slice(strings[*old as usize].as_bytes());
            offsets.push(bytes.len() as u32);
        }
        let count = sorted.len() as u32;
        Some(Strings { count, offsets: out.put_u32s(offsets.into_iter())?, bytes: out.put(&bytes)? })
    };
    Ok(ColumnMeta { space, key: key.to_owned(), cells: cells.len() as u32, rows, tag, wide, bits, strings })
}
