//! From the bytes of a request to documents, the first time and when the write-ahead log is read again.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::Value;

use super::doc_mapper::{DocError, DocMapper, LogDocument, MappedDoc};
use super::error::LogError;
use super::otlp_doc::RecordError;
use super::record::{Payload, Record};
use super::store::IngestOutcome;
use super::{otlp_direct, otlp_doc};
use crate::wal::Seq;

/// The documents of a request as they are being mapped.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    pub documents: Vec<LogDocument>,
    pub source_bytes: usize,
    pub outcome: IngestOutcome,
}

impl Mapped {
    pub fn add(&mut self, outcome: Result<MappedDoc, DocError>) {
        match outcome {
            Ok(doc) => {
                self.outcome.accepted += 1;
                self.source_bytes += doc.source_bytes;
                self.documents.push(doc.document);
            }
            Err(error) => {
                self.outcome.rejected += 1;
                self.outcome.error.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// An OTLP request on one of the two ways to an index.
pub(super) enum OtlpRequest<'a> {
    Direct(otlp_direct::Request<'a>),
    Decoded(ExportLogsServiceRequest),
}

impl<'a> OtlpRequest<'a> {
    pub fn read(payload: &'a [u8], mapper: &DocMapper) -> Result<Self, LogError> {
        if mapper.otlp_plan.is_some()
            && let Some(request) = otlp_direct::Request::read(payload)
        {
            return Ok(Self::Direct(request));
        }
        let decoded = ExportLogsServiceRequest::decode(payload);
        decoded.map(Self::Decoded).map_err(|error| LogError::InvalidRequest(error.to_string()))
    }

    pub fn validate(&self) -> Result<(), RecordError> {
        match self {
            Self::Direct(request) => request.validate(),
            Self::Decoded(request) => otlp_doc::validate(request),
        }
    }

    pub fn count(&self) -> usize {
        match self {
            Self::Direct(request) => request.count(),
            Self::Decoded(request) => otlp_doc::count(request),
        }
    }

    pub fn map(self, mapper: &DocMapper, received_nanos: u64, mapped: &mut Mapped) {
        match (self, &mapper.otlp_plan) {
            (Self::Direct(request), Some(plan)) => {
                request.map(mapper, plan, received_nanos, |outcome| mapped.add(outcome));
            }
            (Self::Direct(_), None) => unreachable!("`read` asked for the plan of the same index"),
            (Self::Decoded(request), _) => {
                otlp_doc::for_each(request, received_nanos, |doc| mapped.add(mapper.map(doc)));
            }
        }
    }
}

/// One outcome for each line that is not blank.
pub(super) fn map_lines(mapper: &DocMapper, payload: &[u8], mut each: impl FnMut(Result<MappedDoc, DocError>)) {
    for line in payload.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        each(match serde_json::from_slice(line) {
            Ok(Value::Object(doc)) => mapper.map(doc),
            _ => Err(DocError::NotAnObject),
        });
    }
}

/// The documents of a record of the write-ahead log.
pub(super) fn replay(mapper: &DocMapper, seq: Seq, record: &Record<'_>) -> Mapped {
    let mut mapped = Mapped::default();
    match record.payload_kind {
        Payload::Otlp => match OtlpRequest::read(record.payload, mapper) {
            Ok(request) => request.map(mapper, record.received_nanos, &mut mapped),
            Err(error) => tracing::error!(seq, %error, "cannot read a request of the write-ahead log"),
        },
        Payload::NdJson => map_lines(mapper, record.payload, |outcome| mapped.add(outcome)),
    }
    mapped
}
