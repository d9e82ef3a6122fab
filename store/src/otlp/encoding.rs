//! `content-encoding` of request bodies.

use std::io::Read;

use axum::body::Bytes;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    #[error("Unsupported Content-Encoding {0}. Supported encodings are 'gzip' and 'zstd'")]
    Unsupported(String),
    #[error("Error while decompressing the data")]
    Damaged,
    #[error("the body is larger than {max_bytes} bytes after decompression")]
    TooLarge { max_bytes: usize },
}

/// The body as it was before `encoding`; no encoding, or `identity`, gives it back as it is. Uses a core.
///
/// # Errors
/// [`EncodingError`]; a body never grows beyond `max_bytes` in memory.
pub fn decompress(body: Bytes, encoding: &str, max_bytes: usize) -> Result<Bytes, EncodingError> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" => read_limited(flate2::read::MultiGzDecoder::new(&body[..]), body.len(), max_bytes),
        "zstd" => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&body[..]).map_err(|_| EncodingError::Damaged)?;
            read_limited(decoder, body.len(), max_bytes)
        }
        _ => Err(EncodingError::Unsupported(encoding.to_owned())),
    }
}

fn read_limited(reader: impl Read, packed_bytes: usize, max_bytes: usize) -> Result<Bytes, EncodingError> {
    let mut plain = Vec::with_capacity(packed_bytes.saturating_mul(4).min(max_bytes));
    reader.take(max_bytes as u64 + 1).read_to_end(&mut plain).map_err(|_| EncodingError::Damaged)?;
    if plain.len() > max_bytes {
        return Err(EncodingError::TooLarge { max_bytes });
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).expect("writes to memory");
        encoder.finish().expect("writes to memory").into()
    }

    #[test]
    fn gzip_is_undone_and_plain_bodies_pass() {
        assert_eq!(decompress(gzip(b"hello"), "gzip", 5), Ok(Bytes::from_static(b"hello")));
        assert_eq!(decompress(Bytes::from_static(b"hello"), "", 5), Ok(Bytes::from_static(b"hello")));
    }

    #[test]
    fn a_body_that_grows_beyond_the_limit_is_refused() {
        assert_eq!(decompress(gzip(&[0; 1000]), "gzip", 999), Err(EncodingError::TooLarge { max_bytes: 999 }));
    }

    #[test]
    fn damaged_and_unknown_bodies_are_told_apart() {
        let body = Bytes::from_static(b"not gzip");
        assert_eq!(decompress(body.clone(), "gzip", 99), Err(EncodingError::Damaged));
        assert_eq!(decompress(body.clone(), "zstd", 99), Err(EncodingError::Damaged));
        assert_eq!(decompress(body, "br", 99), Err(EncodingError::Unsupported("br".to_owned())));
    }
}
