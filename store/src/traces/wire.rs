//! Reads what is indexed of a span straight from its protobuf bytes; see [`crate::otlp::wire`].
use crate::otlp::wire::{Attribute, attribute, take_field};

/// A span, with pieces of the request that it came in.
#[derive(Debug, Clone, Default)]
pub struct SpanView<'a> {
    /// The whole encoded span.
    pub bytes: &'a [u8],
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub parent_span_id: &'a [u8],
    pub name: &'a str,
    pub kind: i32,
    pub start_ns: u64,
    pub end_ns: u64,
    /// OTLP's number.
    pub status: i32,
    pub status_message: &'a str,
    pub attributes: Vec<Attribute<'a>>,
    pub events: Vec<EventView<'a>>,
    pub links: Vec<LinkView<'a>>,
}

#[derive(Debug, Clone, Default)]
pub struct EventView<'a> {
    pub time_ns: u64,
    pub name: &'a str,
    pub attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Clone, Default)]
pub struct LinkView<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub attributes: Vec<Attribute<'a>>,
}

/// Reads a span. `None` for what prost has to look at.
pub fn span(bytes: &[u8]) -> Option<SpanView<'_>> {
    let mut view = SpanView { bytes, ..SpanView::default() };
    let mut rest = bytes;
    let mut has_status = false;
    while !rest.is_empty() {
        let (number, field, _) = take_field(&mut rest)?;
        match number {
            1 => view.trace_id = field.bytes()?,
            2 => view.span_id = field.bytes()?,
            3 => drop(field.text()?),
            4 => view.parent_span_id = field.bytes()?,
            5 => view.name = field.text()?,
            6 => view.kind = field.varint()? as i32,
            7 => view.start_ns = field.fixed64()?,
            8 => view.end_ns = field.fixed64()?,
            9 => view.attributes.push(attribute(field.bytes()?)?),
            10 | 12 | 14 => drop(field.varint()?),
            11 => view.events.push(event(field.bytes()?)?),
            13 => view.links.push(link(field.bytes()?)?),
            15 if !has_status => {
                has_status = true;
                let mut rest = field.bytes()?;
                while !rest.is_empty() {
                    match take_field(&mut rest)? {
                        (2, field, _) => view.status_message = field.text()?,
                        (3, field, _) => view.status = field.varint()? as i32,
                        _ => return None,
                    }
                }
            }
            16 => drop(field.fixed32()?),
            _ => return None,
        }
    }
    Some(view)
}

fn event(bytes: &[u8]) -> Option<EventView<'_>> {
    let mut view = EventView::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        match take_field(&mut rest)? {
            (1, field, _) => view.time_ns = field.fixed64()?,
            (2, field, _) => view.name = field.text()?,
            (3, field, _) => view.attributes.push(attribute(field.bytes()?)?),
            (4, field, _) => drop(field.varint()?),
            _ => return None,
        }
    }
    Some(view)
}

fn link(bytes: &[u8]) -> Option<LinkView<'_>> {
    let mut view = LinkView::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        match take_field(&mut rest)? {
            (1, field, _) => view.trace_id = field.bytes()?,
            (2, field, _) => view.span_id = field.bytes()?,
            (3, field, _) => drop(field.text()?),
            (4, field, _) => view.attributes.push(attribute(field.bytes()?)?),
            (5, field, _) => drop(field.varint()?),
            (6, field, _) => drop(field.fixed32()?),
            _ => return None,
        }
    }
    Some(view)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
    use opentelemetry_proto::tonic::trace::v1::{Span, Status};
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn pair(key: &str, value: Option<any_value::Value>) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value }), ..KeyValue::default() }
    }

    fn full_span() -> Span {
        let array = ArrayValue { values: vec![AnyValue { value: Some(any_value::Value::IntValue(1)) }] };
        let attributes = vec![
            pair("text", Some(any_value::Value::StringValue("ä".to_owned()))),
            pair("flag", Some(any_value::Value::BoolValue(true))),
            pair("int", Some(any_value::Value::IntValue(-7))),
            pair("double", Some(any_value::Value::DoubleValue(0.5))),
            pair("array", Some(any_value::Value::ArrayValue(array))),
            pair("nothing", None),
            KeyValue { key: "no value".to_owned(), ..KeyValue::default() },
        ];
        Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "a=b".to_owned(),
            parent_span_id: vec![3; 8],
            flags: 257,
            name: "GET /".to_owned(),
            kind: 2,
            start_time_unix_nano: 5,
            end_time_unix_nano: u64::MAX,
            attributes: attributes.clone(),
            dropped_attributes_count: 1,
            events: vec![Event { time_unix_nano: 6, name: "e".to_owned(), attributes, dropped_attributes_count: 2 }],
            dropped_events_count: 3,
            links: vec![Link { trace_id: vec![4; 16], span_id: vec![5; 8], flags: 1, ..Link::default() }],
            dropped_links_count: 4,
            status: Some(Status { message: "bad".to_owned(), code: 2 }),
        }
    }

    /// Everything that a view shows must be what prost shows.
    fn same(view: &SpanView<'_>, span: &Span) {
        let status = span.status.clone().unwrap_or_default();
        assert_eq!((view.trace_id, view.span_id), (&span.trace_id[..], &span.span_id[..]));
        assert_eq!((view.parent_span_id, view.name, view.kind), (&span.parent_span_id[..], &*span.name, span.kind));
        assert_eq!((view.start_ns, view.end_ns), (span.start_time_unix_nano, span.end_time_unix_nano));
        assert_eq!((view.status, view.status_message), (status.code, &*status.message));
        let attributes = |pairs: &'static [KeyValue]| pairs.iter().map(Attribute::from).collect::<Vec<_>>();
        let leaked: &'static Span = Box::leak(Box::new(span.clone()));
        // By their text: a NaN is not equal to itself.
        assert_eq!(format!("{:?}", view.attributes), format!("{:?}", attributes(&leaked.attributes)));
        assert_eq!((view.events.len(), view.links.len()), (span.events.len(), span.links.len()));
        for (view, event) in view.events.iter().zip(&leaked.events) {
            assert_eq!((view.time_ns, view.name), (event.time_unix_nano, &*event.name));
            assert_eq!(format!("{:?}", view.attributes), format!("{:?}", attributes(&event.attributes)));
        }
        for (view, link) in view.links.iter().zip(&leaked.links) {
            assert_eq!((view.trace_id, view.span_id), (&link.trace_id[..], &link.span_id[..]));
            assert_eq!(view.attributes.len(), link.attributes.len());
        }
    }

    #[test]
    fn a_view_shows_what_prost_shows() {
        for span in [full_span(), Span::default()] {
            let bytes = span.encode_to_vec();
            same(&super::span(&bytes).expect("our own encoding"), &span);
        }
    }

    #[test]
    fn what_is_strange_is_left_to_prost() {
        let twice = [Status { code: 2, ..Status::default() }, Status::default()]
            .map(|status| Span { status: Some(status), ..Span::default() }.encode_to_vec())
            .concat();
        assert!(span(&twice).is_none());
        assert!(span(&[0x2a, 1, 0xff]).is_none(), "a name that is not UTF-8");
        assert!(span(&[0x2a, 200]).is_none(), "a length beyond the end");
    }

    proptest! {
        /// Bytes near a real span: where a view is given, prost agrees with it.
        #[test]
        fn a_view_of_damaged_bytes_is_never_wrong(at in 0_usize..200, byte: u8, cut in 0_usize..400) {
            let mut bytes = full_span().encode_to_vec();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(cut.min(length));
            if let Some(view) = span(&bytes) {
                let decoded = Span::decode(&bytes[..]);
                prop_assert!(decoded.is_ok());
                same(&view, &decoded.expect("was checked"));
            }
        }
    }
}
