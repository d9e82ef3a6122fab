//! A record of the logs' write-ahead log: which index, when received, and the payload as it came.
//!
//! Layout: version 1 (u8), kind (u8), receive time in nanoseconds (u64), length of the index's unique id (u16), that id,
//! payload. Little endian.

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A protobuf `ExportLogsServiceRequest`.
    Otlp,
    /// JSON documents, one a line.
    NdJson,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub payload_kind: Payload,
    pub received_nanos: u64,
    pub index_uid: &'a str,
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + self.index_uid.len() + self.payload.len());
        bytes.push(VERSION);
        bytes.push(match self.payload_kind {
            Payload::Otlp => 1,
            Payload::NdJson => 2,
        });
        bytes.extend_from_slice(&self.received_nanos.to_le_bytes());
        let uid_bytes = u16::try_from(self.index_uid.len()).expect("index ids have at most 255 bytes");
        bytes.extend_from_slice(&uid_bytes.to_le_bytes());
        bytes.extend_from_slice(self.index_uid.as_bytes());
        bytes.extend_from_slice(self.payload);
        bytes
    }

    /// `None` for a record that this version did not write.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let payload_kind = match (fixed[0], fixed[1]) {
            (VERSION, 1) => Payload::Otlp,
            (VERSION, 2) => Payload::NdJson,
            _ => return None,
        };
        let received_nanos = u64::from_le_bytes(fixed[2..10].try_into().ok()?);
        let uid_bytes = u16::from_le_bytes(fixed[10..12].try_into().ok()?);
        let (index_uid, payload) = rest.split_at_checked(usize::from(uid_bytes))?;
        Some(Self { payload_kind, received_nanos, index_uid: std::str::from_utf8(index_uid).ok()?, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let record =
            Record { payload_kind: Payload::NdJson, received_nanos: 7, index_uid: "logs:01", payload: b"{\"a\":1}" };
        assert_eq!(Record::decode(&record.encode()), Some(record));
    }

    #[test]
    fn foreign_bytes_are_not_a_record() {
        assert_eq!(Record::decode(b""), None);
        assert_eq!(Record::decode(&[9; 40]), None);
    }
}
