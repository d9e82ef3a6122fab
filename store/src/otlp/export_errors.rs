//! What is wrong with an export that cannot be decoded, in the words of Tempo's receiver: with the place in the body.

/// Bytes shown on each side of a fault, near and far.
const NEAR: usize = 10;
const FAR: usize = 50;

/// Why a JSON body was refused. `fallback` is used where the receiver's own wording is not known.
pub fn json(body: &[u8], fallback: &str) -> String {
    let first = body.iter().position(|byte| !byte.is_ascii_whitespace());
    let Some(first) = first else {
        return at("ReadObject: expect { or , or } or n, but found \0", body, 0);
    };
    if body[first] == b'{' {
        let behind = body[first + 1..].iter().position(|byte| !byte.is_ascii_whitespace()).map(|at| first + 1 + at);
        if let Some(next) = behind.filter(|next| !matches!(body[*next], b'"' | b'}')) {
            return at(
                &format!("ReadObject: expect \" after {{, but found {}", char::from(body[next])),
                body,
                next + 1,
            );
        }
    }
    bad_id(body).unwrap_or_else(|| fallback.to_owned())
}

/// The first id of a JSON body that is not whole, if there is one.
pub fn bad_id(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let mut rest = 0;
    while let Some((key, digits)) = ["\"traceId\"", "\"spanId\"", "\"parentSpanId\""]
        .into_iter()
        .filter_map(|key| Some((rest + text[rest..].find(key)?, key)))
        .min()
        .map(|(at, key)| (at + key.len(), if key == "\"traceId\"" { 32 } else { 16 }))
    {
        rest = key;
        let behind = text[key..].trim_start().strip_prefix(':').map(str::trim_start);
        let Some(value) = behind.and_then(|behind| behind.strip_prefix('"')) else { continue };
        let begin = text.len() - value.len();
        let end = begin + value.find('"')?;
        let id = &text[begin..end];
        rest = end + 1;
        if let Some(wrong) = id.chars().find(|digit| !digit.is_ascii_hexdigit()) {
            let code = u32::from(wrong);
            let message = format!("ID.UnmarshalJSONIter: encoding/hex: invalid byte: U+{code:04X} '{wrong}'");
            return Some(at(&message, body, rest));
        }
        if !id.is_empty() && id.len() != digits {
            return Some(at("ID.UnmarshalJSONIter: length mismatch", body, rest));
        }
    }
    None
}

/// A message with what stands around byte `place`.
fn at(message: &str, body: &[u8], place: usize) -> String {
    let around = |size: usize| {
        let from = place.saturating_sub(size);
        let to = (place + size).min(body.len());
        String::from_utf8_lossy(&body[from..to]).into_owned()
    };
    let (near, far) = (around(NEAR), around(FAR));
    format!("{message}, error found in #{} byte of ...|{near}|..., bigger context ...|{far}|...", place.min(NEAR))
}

/// Why a protobuf body was refused.
pub fn protobuf(body: &[u8], fallback: &str) -> String {
    match body.first() {
        // Field numbers begin at 1.
        Some(tag) if tag >> 3 == 0 => format!("proto: Link: illegal field=0 (tag={tag}, pos=1)"),
        _ => fallback.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_id_is_shown_with_its_surroundings() {
        let body = br#"{"traceId":"abcd","spanId":"zz"}"#;
        let near = r#"Id":"abcd","spanId":"#;
        let message = bad_id(body).expect("is bad");
        assert!(
            message.starts_with(&format!(
                "ID.UnmarshalJSONIter: length mismatch, error found in #10 byte of ...|{near}|..."
            )),
            "{message}"
        );
    }

    #[test]
    fn whole_and_empty_ids_are_left_to_the_store() {
        assert_eq!(bad_id(br#"{"spanId":"","traceId":"00000000000000000000000000000000"}"#), None);
    }

    #[test]
    fn any_bytes_are_survived() {
        for body in [&b""[..], b"\xff\xfe", b"{", b"{\"traceId\":\"", b"\"spanId\":\"\xc3\x28\""] {
            json(body, "fallback");
            protobuf(body, "fallback");
        }
    }
}
