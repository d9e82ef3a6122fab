//! What both kinds of requests are made of.
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use prost::Message;

pub const SERVICES: [&str; 4] = ["frontend", "go-service", "python-service", "rust-service"];

/// An encoded export request.
#[derive(Debug, Clone)]
pub struct Body {
    /// Behind the five bytes with which gRPC begins a message.
    framed: Bytes,
    /// Records or spans.
    pub items: usize,
}

impl Body {
    /// For an HTTP body.
    pub fn plain(&self) -> &[u8] {
        &self.framed[5..]
    }

    /// For a gRPC stream.
    pub fn framed(&self) -> Bytes {
        self.framed.clone()
    }
}

pub fn body(message: &impl Message, items: usize) -> Body {
    let length = message.encoded_len();
    let mut framed = Vec::with_capacity(length + 5);
    framed.push(0);
    framed.extend_from_slice(&(length as u32).to_be_bytes());
    message.encode(&mut framed).expect("a vector has room");
    Body { framed: framed.into(), items }
}

pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub fn text(key: &str, text: &str) -> KeyValue {
    attribute(key, Value::StringValue(text.to_owned()))
}

pub fn int(key: &str, number: i64) -> KeyValue {
    attribute(key, Value::IntValue(number))
}

/// The same number for the same `n`, and without a pattern.
pub fn scattered(n: u64) -> u64 {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
