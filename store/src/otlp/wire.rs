//! Reads protobuf without copies: the fields of a message, and OTLP's attributes.
//!
//! Ingest is mostly this, and prost would allocate for every key and text. What the reader does not expect (a message in
//! two parts, a wire type that is not the field's) it gives up on with `None`: the caller then asks prost, which
//! either says what is wrong or gives the request in the expected form.
use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;

#[derive(Debug, Clone, PartialEq)]
pub struct Attribute<'a> {
    pub key: &'a str,
    pub value: AttributeValue<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue<'a> {
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// Arrays, maps, bytes and what is missing; rare, so decoded in full.
    Other(AnyValue),
}

impl<'a> From<&'a KeyValue> for Attribute<'a> {
    fn from(pair: &'a KeyValue) -> Self {
        let value = match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => AttributeValue::Text(text),
            Some(any_value::Value::BoolValue(flag)) => AttributeValue::Bool(*flag),
            Some(any_value::Value::IntValue(number)) => AttributeValue::Int(*number),
            Some(any_value::Value::DoubleValue(number)) => AttributeValue::Double(*number),
            _ => AttributeValue::Other(pair.value.clone().unwrap_or_default()),
        };
        Self { key: &pair.key, value }
    }
}

/// The value of a field, by its wire type.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    pub fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub fn varint(self) -> Option<u64> {
        if let Self::Varint(number) = self { Some(number) } else { None }
    }

    pub fn fixed32(self) -> Option<u32> {
        if let Self::Fixed32(number) = self { Some(number) } else { None }
    }

    pub fn fixed64(self) -> Option<u64> {
        if let Self::Fixed64(number) = self { Some(number) } else { None }
    }
}

/// Takes the next field off the front: its number, its value, and its bytes with the tag. `None` when it makes no sense.
pub fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Field<'a>, &'a [u8])> {
    let from = *rest;
    let tag = take_varint(rest)?;
    let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
    let value = match tag & 7 {
        0 => Field::Varint(take_varint(rest)?),
        1 => Field::Fixed64(u64::from_le_bytes(rest.split_off(..8)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(take_varint(rest)?).ok()?;
            Field::Bytes(rest.split_off(..length)?)
        }
        5 => Field::Fixed32(u32::from_le_bytes(rest.split_off(..4)?.try_into().ok()?)),
        _ => return None,
    };
    Some((number, value, &from[..from.len() - rest.len()]))
}

#[inline]
fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    // Nine bytes hold 63 bits; a tenth may only add one.
    for place in 0..10 {
        let byte = *rest.split_off_first()?;
        if place == 9 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (place * 7);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A message without one of its fields, and the values of that field.
pub type Split<'a> = (Cow<'a, [u8]>, Vec<&'a [u8]>);

/// The fields of a message but for one, and the values of that one.
pub fn split(message: &[u8], repeated: u32) -> Option<Split<'_>> {
    let mut others: Cow<'_, [u8]> = Cow::default();
    let mut values = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (number, field, whole) = take_field(&mut rest)?;
        if number == repeated {
            values.push(field.bytes()?);
        } else if others.is_empty() {
            others = Cow::Borrowed(whole);
        } else {
            others.to_mut().extend_from_slice(whole);
        }
    }
    Some((others, values))
}

/// Reads a `KeyValue`.
pub fn attribute(bytes: &[u8]) -> Option<Attribute<'_>> {
    let mut rest = bytes;
    let (mut key, mut value) = ("", None);
    while !rest.is_empty() {
        match take_field(&mut rest)? {
            (1, field, _) => key = field.text()?,
            (2, field, _) if value.is_none() => value = Some(attribute_value(field.bytes()?)?),
            // A reference that only profiles may use.
            (3, Field::Varint(_), _) => {}
            _ => return None,
        }
    }
    Some(Attribute { key, value: value.unwrap_or_else(|| AttributeValue::Other(AnyValue::default())) })
}

/// Reads an `AnyValue`.
pub fn attribute_value(bytes: &[u8]) -> Option<AttributeValue<'_>> {
    let mut rest = bytes;
    if rest.is_empty() {
        return Some(AttributeValue::Other(AnyValue::default()));
    }
    let (number, field, _) = take_field(&mut rest)?;
    if !rest.is_empty() {
        return None;
    }
    Some(match number {
        1 => AttributeValue::Text(field.text()?),
        2 => AttributeValue::Bool(field.varint()? != 0),
        3 => AttributeValue::Int(field.varint()? as i64),
        4 => AttributeValue::Double(f64::from_bits(field.fixed64()?)),
        _ => AttributeValue::Other(AnyValue::decode(bytes).ok()?),
    })
}
