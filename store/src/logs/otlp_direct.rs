//! The mapping of [`super::otlp_doc`] for usual records and usual index files, without a JSON document in between.
//!
//! Ingest is mostly this. Nothing is decided here: what is not plainly a case of the long way's rules (nested values, long
//! texts, texts that may be dates, other field types) takes the long way, and a test holds both ways together.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::{Map, Value};
use tantivy::TantivyDocument;
use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf};

use super::doc_mapper::{DocError, DocMapper, MappedDoc, MappedField, has_long_text};
use super::field_mapping::{BytesFormat, FieldKind};
use super::otlp_doc::{self, RecordError};
use super::tokenizers::MAX_TOKEN_BYTES;
use crate::otlp::wire::{Attribute, AttributeValue, attribute, attribute_value, split, take_field};

/// A request, with pieces of the bytes that it came in.
pub struct Request<'a> {
    resources: Vec<(Resource, Vec<ScopeRecords<'a>>)>,
}

struct ScopeRecords<'a> {
    scope: InstrumentationScope,
    records: Vec<RecordView<'a>>,
}

#[derive(Default)]
struct RecordView<'a> {
    /// The whole encoded record.
    bytes: &'a [u8],
    time_ns: u64,
    observed_ns: u64,
    severity_number: i32,
    severity_text: &'a str,
    body: Option<AttributeValue<'a>>,
    attributes: Vec<Attribute<'a>>,
    dropped_attributes_count: u32,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads an encoded `ExportLogsServiceRequest`. `None` for what prost has to look at.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let mut resources = Vec::new();
        let mut rest = payload;
        while !rest.is_empty() {
            let (1, field, _) = take_field(&mut rest)? else { return None };
            let (resource, scopes) = split(field.bytes()?, 2)?;
            let resource = ResourceLogs::decode(&resource[..]).ok()?.resource.unwrap_or_default();
            let scopes = scopes.into_iter().map(|scope| {
                let (scope, records) = split(scope, 2)?;
                let scope = ScopeLogs::decode(&scope[..]).ok()?.scope.unwrap_or_default();
                let records = records.into_iter().map(record).collect::<Option<_>>()?;
                Some(ScopeRecords { scope, records })
            });
            resources.push((resource, scopes.collect::<Option<_>>()?));
        }
        Some(Self { resources })
    }

    fn records(&self) -> impl Iterator<Item = &RecordView<'a>> {
        self.resources.iter().flat_map(|(_, scopes)| scopes).flat_map(|scope| &scope.records)
    }

    pub fn count(&self) -> usize {
        self.records().count()
    }

    /// As [`otlp_doc::validate`].
    pub fn validate(&self) -> Result<(), RecordError> {
        self.records().try_for_each(|record| otlp_doc::validate_ids(record.trace_id, record.span_id))
    }

    /// Maps every record, in the order of the request.
    pub fn map(
        self,
        mapper: &DocMapper,
        plan: &Plan,
        received_nanos: u64,
        mut each: impl FnMut(Result<MappedDoc, DocError>),
    ) {
        for (resource, scopes) in self.resources {
            let resource = otlp_doc::resource_fields(resource);
            for ScopeRecords { scope, records } in scopes {
                let mut shared = resource.clone();
                otlp_doc::scope_fields(scope, &mut shared);
                let direct = Direct::new(mapper, plan, &shared);
                for record in records {
                    let mapped = direct.as_ref().and_then(|direct| direct.map(&record, received_nanos));
                    each(mapped.unwrap_or_else(|| {
                        let mut doc = shared.clone();
                        // Read before, so it can be decoded.
                        let record = LogRecord::decode(record.bytes).unwrap_or_default();
                        otlp_doc::record_fields(record, received_nanos, &mut doc);
                        mapper.map(doc)
                    }));
                }
            }
        }
    }
}

fn record(bytes: &[u8]) -> Option<RecordView<'_>> {
    let mut view = RecordView { bytes, ..RecordView::default() };
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, field, _) = take_field(&mut rest)?;
        match number {
            1 => view.time_ns = field.fixed64()?,
            2 => view.severity_number = field.varint()? as i32,
            3 => view.severity_text = field.text()?,
            5 if view.body.is_none() => view.body = Some(attribute_value(field.bytes()?)?),
            6 => view.attributes.push(attribute(field.bytes()?)?),
            7 => view.dropped_attributes_count = field.varint()? as u32,
            8 => view.flags = field.fixed32()?,
            9 => view.trace_id = field.bytes()?,
            10 => view.span_id = field.bytes()?,
            11 => view.observed_ns = field.fixed64()?,
            12 => drop(field.text()?),
            _ => return None,
        }
    }
    Some(view)
}

/// Where the fields of an OTLP document are in a mapping: numbers of [`DocMapper::fields`].
#[derive(Debug)]
pub struct Plan {
    attributes: usize,
    body: usize,
    dropped_attributes_count: usize,
    observed_timestamp_nanos: usize,
    severity_number: usize,
    severity_text: usize,
    span_id: usize,
    timestamp_nanos: usize,
    trace_flags: usize,
    trace_id: usize,
    /// Those of resource and scope, by their names.
    shared: Vec<(&'static str, usize)>,
}

impl Plan {
    /// `None` when the mapping is not one that the direct way knows.
    pub fn new(fields: &[MappedField]) -> Option<Self> {
        let find = |name: &str, fits: fn(&FieldKind) -> bool| {
            let at = fields.iter().position(|field| field.path == name)?;
            let mapping = &fields[at].mapping;
            (!mapping.array && fits(&mapping.kind)).then_some(at)
        };
        let is_text = |kind: &FieldKind| matches!(kind, FieldKind::Text { .. });
        let is_json = |kind: &FieldKind| matches!(kind, FieldKind::Json { .. });
        let is_count = |kind: &FieldKind| matches!(kind, FieldKind::U64 { .. });
        let is_date = |kind: &FieldKind| matches!(kind, FieldKind::Datetime { .. });
        let is_id =
            |kind: &FieldKind| matches!(kind, FieldKind::Bytes { input: BytesFormat::Hex, output: BytesFormat::Hex });
        let shared = |name, fits| Some((name, find(name, fits)?));
        Some(Self {
            attributes: find("attributes", is_json)?,
            body: find("body", is_json)?,
            dropped_attributes_count: find("dropped_attributes_count", is_count)?,
            observed_timestamp_nanos: find("observed_timestamp_nanos", is_date)?,
            severity_number: find("severity_number", is_count)?,
            severity_text: find("severity_text", is_text)?,
            span_id: find("span_id", is_id)?,
            timestamp_nanos: find("timestamp_nanos", is_date)?,
            trace_flags: find("trace_flags", is_count)?,
            trace_id: find("trace_id", is_id)?,
            shared: vec![
                shared("resource_attributes", is_json)?,
                shared("resource_dropped_attributes_count", is_count)?,
                shared("scope_attributes", is_json)?,
                shared("scope_dropped_attributes_count", is_count)?,
                shared("scope_name", is_text)?,
                shared("scope_version", is_text)?,
                shared("service_name", is_text)?,
            ],
        })
    }
}

/// The direct way for the records of one resource and scope.
struct Direct<'a> {
    mapper: &'a DocMapper,
    plan: &'a Plan,
    /// Fields of resource and scope.
    shared: Arc<TantivyDocument>,
    /// How they are returned: the members of a JSON object, with commas between them.
    shared_source: Vec<u8>,
}

/// Of the names of a document's fields, with what stands between them.
const NAMES_BYTES: usize = 200;

type Pair<'a> = (&'a str, Json<'a>);

impl<'a> Direct<'a> {
    /// `None` when what the records share is not usual.
    fn new(mapper: &'a DocMapper, plan: &'a Plan, shared: &Map<String, Value>) -> Option<Self> {
        let mut mapped = MappedDoc::with_capacity(1024, None);
        let mut source = Vec::new();
        for (name, at) in &plan.shared {
            let Some(value) = shared.get(*name) else { continue };
            if mapper.fields[*at].mapping.fast.on && has_long_text(value) {
                return None;
            }
            if let Some(output) = mapper.map_field(*at, value.clone(), &mut mapped).ok()? {
                if !source.is_empty() {
                    source.push(b',');
                }
                write_json(&mut source, name);
                source.push(b':');
                write_json(&mut source, &output);
            }
        }
        Some(Self { mapper, plan, shared: Arc::new(mapped.document.own), shared_source: source })
    }

    /// `None` when the record is not usual.
    fn map(&self, record: &RecordView<'_>, received_nanos: u64) -> Option<Result<MappedDoc, DocError>> {
        let Plan { attributes, body, .. } = *self.plan;
        let pairs = usual_pairs(&record.attributes, self.mapper.fields[attributes].mapping.fast.on)?;
        let message = match &record.body {
            None => None,
            Some(AttributeValue::Text(text)) => {
                usual_text(text, self.mapper.fields[body].mapping.fast.on)?;
                Some([("message", Json::Text(text))])
            }
            Some(_) => return None,
        };
        // Enough for most records, so that no buffer grows: as JSON they get quotes, hexadecimal digits and names.
        let source_bytes = record.bytes.len() * 3 / 2 + self.shared_source.len() + NAMES_BYTES;
        let value_bytes = source_bytes + record.bytes.len();
        let mut out = Out {
            mapper: self.mapper,
            mapped: MappedDoc::with_capacity(value_bytes, Some(Arc::clone(&self.shared))),
            source: Vec::with_capacity(source_bytes),
        };
        let filled = self.fill(record, received_nanos, &pairs, message.as_ref().map(<[_; 1]>::as_slice), &mut out);
        Some(filled.map(|()| out.finish()))
    }

    /// The fields in the order of their names, which is how they are returned.
    fn fill(
        &self,
        record: &RecordView<'_>,
        received_nanos: u64,
        pairs: &[Pair<'_>],
        message: Option<&[Pair<'_>]>,
        out: &mut Out<'_>,
    ) -> Result<(), DocError> {
        let plan = self.plan;
        let observed = if record.observed_ns == 0 { received_nanos } else { record.observed_ns };
        let timestamp = if record.time_ns == 0 { observed } else { record.time_ns };
        out.object("attributes", plan.attributes, Some(pairs).filter(|pairs| !pairs.is_empty()));
        out.object("body", plan.body, message);
        if record.dropped_attributes_count != 0 {
            let count = record.dropped_attributes_count.into();
            out.value("dropped_attributes_count", plan.dropped_attributes_count, count)?;
        }
        out.value("observed_timestamp_nanos", plan.observed_timestamp_nanos, observed.into())?;
        out.members(&self.shared_source);
        out.value("severity_number", plan.severity_number, record.severity_number.max(0).into())?;
        out.text("severity_text", plan.severity_text, record.severity_text);
        out.id("span_id", plan.span_id, record.span_id);
        out.value("timestamp_nanos", plan.timestamp_nanos, timestamp.into())?;
        out.value("trace_flags", plan.trace_flags, record.flags.into())?;
        out.id("trace_id", plan.trace_id, record.trace_id);
        if let (Some(field), None) = (self.mapper.timestamp_field(), out.mapped.timestamp) {
            return Err(DocError::NoTimestamp(field.path.clone()));
        }
        Ok(())
    }
}

/// The attributes as the document has them: by key, of equal keys the last, without empty keys and what JSON cannot say.
fn usual_pairs<'r>(attributes: &'r [Attribute<'r>], fast: bool) -> Option<Vec<Pair<'r>>> {
    let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(attributes.len());
    for Attribute { key, value } in attributes.iter().filter(|attribute| !attribute.key.is_empty()) {
        let json = match value {
            AttributeValue::Text(text) => {
                usual_text(text, fast)?;
                Json::Text(text)
            }
            AttributeValue::Bool(flag) => Json::Bool(*flag),
            AttributeValue::Int(number) => Json::Int(*number),
            AttributeValue::Double(number) if number.is_finite() => Json::Double(*number),
            AttributeValue::Double(_) => continue,
            AttributeValue::Other(_) => return None,
        };
        pairs.push((key, json));
    }
    // Stable, so of equal keys the last is the one that came last.
    pairs.sort_by_key(|(key, _)| *key);
    pairs.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = next.1;
        }
        same
    });
    Some(pairs)
}

/// `None` for a text that is cut out of columns, or that may be indexed as a date.
fn usual_text(text: &str, fast: bool) -> Option<()> {
    let bytes = text.as_bytes();
    let too_long = fast && bytes.len() >= MAX_TOKEN_BYTES;
    let like_a_date = bytes.first().is_some_and(u8::is_ascii_digit) && bytes.get(4) == Some(&b'-');
    (!too_long && !like_a_date).then_some(())
}

/// A document in the making, and its form in which it is returned.
struct Out<'a> {
    mapper: &'a DocMapper,
    mapped: MappedDoc,
    source: Vec<u8>,
}

impl Out<'_> {
    /// Members of the object that is returned, ready as they are.
    fn members(&mut self, json: &[u8]) {
        if !json.is_empty() {
            self.source.push(if self.source.is_empty() { b'{' } else { b',' });
            self.source.extend_from_slice(json);
        }
    }

    fn key(&mut self, name: &str) {
        self.source.extend_from_slice(if self.source.is_empty() { b"{\"" } else { b",\"" });
        self.source.extend_from_slice(name.as_bytes());
        self.source.extend_from_slice(b"\":");
    }

    fn value(&mut self, name: &str, at: usize, value: Value) -> Result<(), DocError> {
        if let Some(output) = self.mapper.map_field(at, value, &mut self.mapped)? {
            self.key(name);
            write_json(&mut self.source, &output);
        }
        Ok(())
    }

    fn text(&mut self, name: &str, at: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        let MappedField { mapping, field, .. } = &self.mapper.fields[at];
        if !mapping.fast.on || text.len() < MAX_TOKEN_BYTES {
            self.mapped.document.own.add_text(*field, text);
        }
        if mapping.stored {
            self.key(name);
            write_json(&mut self.source, text);
        }
    }

    fn id(&mut self, name: &str, at: usize, id: &[u8]) {
        if id.iter().all(|byte| *byte == 0) {
            return;
        }
        let MappedField { mapping, field, .. } = &self.mapper.fields[at];
        self.mapped.document.own.add_bytes(*field, id);
        if mapping.stored {
            self.key(name);
            self.source.push(b'"');
            let from = self.source.len();
            self.source.resize(from + id.len() * 2, 0);
            hex::encode_to_slice(id, &mut self.source[from..]).expect("two digits for each byte");
            self.source.push(b'"');
        }
    }

    fn object(&mut self, name: &str, at: usize, pairs: Option<&[Pair<'_>]>) {
        let Some(pairs) = pairs else { return };
        let MappedField { mapping, field, .. } = &self.mapper.fields[at];
        if mapping.indexed || mapping.fast.on {
            self.mapped.document.own.add_field_value(*field, Json::Object(pairs));
        }
        if !mapping.stored {
            return;
        }
        self.key(name);
        for (place, (key, value)) in pairs.iter().enumerate() {
            self.source.push(if place == 0 { b'{' } else { b',' });
            write_json(&mut self.source, key);
            self.source.push(b':');
            match value {
                Json::Text(text) => write_json(&mut self.source, text),
                Json::Bool(flag) => write_json(&mut self.source, flag),
                Json::Int(number) => write_json(&mut self.source, number),
                Json::Double(number) => write_json(&mut self.source, number),
                Json::Object(_) => unreachable!("the values of usual objects are no objects"),
            }
        }
        self.source.push(b'}');
    }

    fn finish(mut self) -> MappedDoc {
        self.source.extend_from_slice(if self.source.is_empty() { b"{}" } else { b"}" });
        self.mapped.add_source(self.mapper.source, &self.source);
        self.mapped
    }
}

fn write_json<T: serde::Serialize + ?Sized>(source: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(source, value).expect("a vector takes every text and number");
}

/// A value on its way into a document.
#[derive(Debug, Clone, Copy)]
enum Json<'a> {
    Object(&'a [Pair<'a>]),
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
}

impl<'a> tantivy::schema::Value<'a> for Json<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Copied<std::slice::Iter<'a, Pair<'a>>>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        match *self {
            Self::Object(pairs) => ReferenceValue::Object(pairs.iter().copied()),
            Self::Text(text) => ReferenceValueLeaf::Str(text).into(),
            Self::Bool(flag) => ReferenceValueLeaf::Bool(flag).into(),
            Self::Int(number) => ReferenceValueLeaf::I64(number).into(),
            Self::Double(number) => ReferenceValueLeaf::F64(number).into(),
        }
    }
}

#[cfg(test)]
#[path = "otlp_direct_tests.rs"]
mod tests;
