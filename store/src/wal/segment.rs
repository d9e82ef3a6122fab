//! One file of the log.
//!
//! Format 1: the header `TWWAL001` and the first record's number (u64), then frames:
//! payload length (u32), CRC-32 of number and payload (u32), number (u64), payload. Little endian.
//! The file's name is its first record's number, so that names sort by age.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Seq, WalError};

const MAGIC: &[u8; 8] = b"TWWAL001";
const HEADER_BYTES: u64 = 16;
const FRAME_HEADER_BYTES: usize = 16;
/// Above every body limit of the receivers; a larger length on disk is damage.
pub(super) const MAX_PAYLOAD_BYTES: usize = 256 << 20;

#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    bytes: u64,
}

#[derive(Debug)]
pub(super) struct Closed {
    pub path: PathBuf,
    pub last_seq: Seq,
    pub bytes: u64,
}

/// What reading a file through gave.
#[derive(Debug)]
pub(super) struct ReadThrough {
    /// The number after the last good record; the file's first number when it has none.
    pub next_seq: Seq,
    pub good_bytes: u64,
    /// Where the file stops making sense, if it does.
    pub torn_at: Option<u64>,
}

/// Appends a frame to `buffer`.
///
/// # Errors
/// The length of the payload when that is over [`MAX_PAYLOAD_BYTES`].
pub(super) fn encode_frame(buffer: &mut Vec<u8>, seq: Seq, payload: &[u8]) -> Result<(), usize> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(payload.len());
    }
    let length = u32::try_from(payload.len()).map_err(|_| payload.len())?;
    buffer.reserve(FRAME_HEADER_BYTES + payload.len());
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&checksum(seq, payload).to_le_bytes());
    buffer.extend_from_slice(&seq.to_le_bytes());
    buffer.extend_from_slice(payload);
    Ok(())
}

fn checksum(seq: Seq, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seq.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// The segment files of `dir`, oldest first.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, WalError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| WalError::io(dir, source))? {
        let path = entry.map_err(|source| WalError::io(dir, source))?.path();
        if path.extension().is_some_and(|extension| extension == "wal") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads the file through and hands its good records on.
pub(super) fn replay(path: &Path, on_record: &mut impl FnMut(Seq, &[u8])) -> Result<ReadThrough, WalError> {
    let bytes = fs::metadata(path).map_err(|source| WalError::io(path, source))?.len();
    Part::open(path, bytes)?.read_through(on_record)
}

/// The first bytes of a file, open for reading.
#[derive(Debug)]
pub(super) struct Part {
    pub path: PathBuf,
    file: File,
    bytes: u64,
}

impl Part {
    pub fn open(path: &Path, bytes: u64) -> Result<Self, WalError> {
        let file = File::open(path).map_err(|source| WalError::io(path, source))?;
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    /// Hands the good records on.
    pub fn read_through(&self, on_record: &mut impl FnMut(Seq, &[u8])) -> Result<ReadThrough, WalError> {
        read_through(&self.path, &self.file, self.bytes, on_record)
    }
}

fn read_through(
    path: &Path,
    file: &File,
    file_bytes: u64,
    on_record: &mut impl FnMut(Seq, &[u8]),
) -> Result<ReadThrough, WalError> {
    let io_error = |source| WalError::io(path, source);
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER_BYTES as usize];
    if file_bytes < HEADER_BYTES {
        // A crash right after the file was made: nothing in it was acknowledged.
        let first_seq =
            first_seq_of_name(path).ok_or_else(|| WalError::Corrupt { path: path.to_owned(), offset: 0 })?;
        return Ok(ReadThrough { next_seq: first_seq, good_bytes: 0, torn_at: Some(0) });
    }
    reader.read_exact(&mut header).map_err(io_error)?;
    if &header[..8] != MAGIC {
        return Err(WalError::Corrupt { path: path.to_owned(), offset: 0 });
    }
    let mut read = ReadThrough { next_seq: le_u64(&header[8..16]), good_bytes: HEADER_BYTES, torn_at: None };
    let mut frame_header = [0; FRAME_HEADER_BYTES];
    let mut payload = Vec::new();
    loop {
        let left = file_bytes - read.good_bytes;
        if left == 0 {
            return Ok(read);
        }
        read.torn_at = Some(read.good_bytes);
        if left < FRAME_HEADER_BYTES as u64 {
            return Ok(read);
        }
        reader.read_exact(&mut frame_header).map_err(io_error)?;
        let length = u32::from_le_bytes([frame_header[0], frame_header[1], frame_header[2], frame_header[3]]) as usize;
        let expected = u32::from_le_bytes([frame_header[4], frame_header[5], frame_header[6], frame_header[7]]);
        let seq = le_u64(&frame_header[8..16]);
        if length as u64 > left - FRAME_HEADER_BYTES as u64 || length > MAX_PAYLOAD_BYTES || seq < read.next_seq {
            return Ok(read);
        }
        payload.resize(length, 0);
        reader.read_exact(&mut payload).map_err(io_error)?;
        if checksum(seq, &payload) != expected {
            return Ok(read);
        }
        on_record(seq, &payload);
        read.torn_at = None;
        read.next_seq = seq + 1;
        read.good_bytes += (FRAME_HEADER_BYTES + length) as u64;
    }
}

fn le_u64(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn first_seq_of_name(path: &Path) -> Option<Seq> {
    path.file_stem()?.to_str()?.parse().ok()
}

impl Segment {
    pub(super) fn create(dir: &Path, first_seq: Seq) -> Result<Self, WalError> {
        let path = dir.join(format!("{first_seq:020}.wal"));
        let io_error = |source| WalError::io(&path, source);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).map_err(io_error)?;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&first_seq.to_le_bytes());
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(io_error)?;
        // The name must be as durable as the records that will be acknowledged through it.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| WalError::io(dir, source))?;
        Ok(Self { path, file, bytes: HEADER_BYTES })
    }

    /// Continues a file after its last good record.
    pub(super) fn reopen(path: PathBuf, read: &ReadThrough) -> Result<Self, WalError> {
        if read.good_bytes == 0 {
            let dir = path.parent().unwrap_or(Path::new("."));
            return Self::create(dir, read.next_seq);
        }
        let io_error = |source| WalError::io(&path, source);
        let mut file = OpenOptions::new().write(true).open(&path).map_err(io_error)?;
        if read.torn_at.is_some() {
            file.set_len(read.good_bytes).and_then(|()| file.sync_all()).map_err(io_error)?;
        }
        file.seek(SeekFrom::End(0)).map_err(io_error)?;
        Ok(Self { path, file, bytes: read.good_bytes })
    }

    /// Writes the frames, or leaves the file as it was.
    pub(super) fn write(&mut self, frames: &[u8]) -> Result<(), WalError> {
        if let Err(source) = self.file.write_all(frames) {
            let error = WalError::io(&self.path, source);
            self.file
                .set_len(self.bytes)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.bytes)))
                .map_err(|source| WalError::io(&self.path, source))?;
            return Err(error);
        }
        self.bytes += frames.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), WalError> {
        self.file.sync_data().map_err(|source| WalError::io(&self.path, source))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn close(self, last_seq: Seq) -> Closed {
        Closed { path: self.path, last_seq, bytes: self.bytes }
    }
}
