//! One attribute (or intrinsic) of many spans: the cells that say which row has which value.
//!
//! A row may have several cells (arrays, events, links) or none. The cells of a column are in the order of their rows.
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::otlp::wire::AttributeValue;
use crate::traceql::Value;
use crate::traceql::ast::{Intrinsic, Scope};

/// What the rows of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Domain {
    Span,
    Resource,
    Instrumentation,
}

/// The indexed name spaces. Intrinsics are columns like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Space {
    Intrinsic,
    Span,
    Event,
    Link,
    Resource,
    Instrumentation,
}

impl Space {
    /// Where the named attributes of a scope live; `Any` lives in two and has no single space.
    pub fn of(scope: Scope) -> Option<Self> {
        Some(match scope {
            Scope::Any => return None,
            Scope::Span => Self::Span,
            Scope::Resource => Self::Resource,
            Scope::Event => Self::Event,
            Scope::Link => Self::Link,
            Scope::Instrumentation => Self::Instrumentation,
        })
    }

    pub const ALL: [Self; 6] =
        [Self::Intrinsic, Self::Span, Self::Event, Self::Link, Self::Resource, Self::Instrumentation];

    pub fn domain(self) -> Domain {
        match self {
            Self::Intrinsic | Self::Span | Self::Event | Self::Link => Domain::Span,
            Self::Resource => Domain::Resource,
            Self::Instrumentation => Domain::Instrumentation,
        }
    }
}

/// Columns that are not attributes; the names stand in the footer of a segment.
pub mod intrinsic {
    pub const NAME: &str = "name";
    pub const STATUS: &str = "status";
    pub const STATUS_MESSAGE: &str = "statusMessage";
    pub const KIND: &str = "kind";
    /// Nanoseconds since 1970.
    pub const START: &str = "start";
    /// Nanoseconds.
    pub const DURATION: &str = "duration";
    pub const EVENT_NAME: &str = "event:name";
    /// Nanoseconds.
    pub const EVENT_TIME: &str = "event:timeSinceStart";
    /// 32 hex digits.
    pub const LINK_TRACE: &str = "link:traceID";
    /// 16 hex digits.
    pub const LINK_SPAN: &str = "link:spanID";
    /// Number of the span's resource in the block.
    pub const RESOURCE: &str = "#resource";
    /// Number of the span's instrumentation scope in the block.
    pub const SCOPE: &str = "#scope";
}

/// The column of an intrinsic, if it has one.
pub fn of_intrinsic(intrinsic: Intrinsic) -> Option<&'static str> {
    Some(match intrinsic {
        Intrinsic::Name => intrinsic::NAME,
        Intrinsic::Status => intrinsic::STATUS,
        Intrinsic::StatusMessage => intrinsic::STATUS_MESSAGE,
        Intrinsic::Kind => intrinsic::KIND,
        Intrinsic::Duration => intrinsic::DURATION,
        Intrinsic::EventName => intrinsic::EVENT_NAME,
        Intrinsic::EventTimeSinceStart => intrinsic::EVENT_TIME,
        Intrinsic::LinkTraceId => intrinsic::LINK_TRACE,
        Intrinsic::LinkSpanId => intrinsic::LINK_SPAN,
        _ => return None,
    })
}

/// The type of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Tag {
    /// The bits are the number of a string in the column's dictionary.
    Str = 0,
    Int = 1,
    Float = 2,
    Bool = 3,
    /// Present, but nothing that a query can see (bytes, maps).
    Opaque = 4,
}

impl Tag {
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Str,
            1 => Self::Int,
            2 => Self::Float,
            3 => Self::Bool,
            _ => Self::Opaque,
        }
    }
}

/// A cell's value on the way into a column.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    Str(&'a str),
    Int(i64),
    Float(f64),
    Bool(bool),
    Opaque,
}

/// A growing column.
#[derive(Debug, Default)]
pub struct ColumnBuilder {
    pub rows: Vec<u32>,
    pub tags: Vec<Tag>,
    pub bits: Vec<u64>,
    pub dictionary: Dictionary,
}

/// Distinct strings, numbered in the order in which they came.
#[derive(Debug, Default)]
pub struct Dictionary {
    numbers: FxHashMap<Arc<str>, u32>,
    pub strings: Vec<Arc<str>>,
}

impl Dictionary {
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.strings.len() as u32;
        let text: Arc<str> = text.into();
        self.numbers.insert(Arc::clone(&text), number);
        self.strings.push(text);
        number
    }

    pub fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }
}

impl ColumnBuilder {
    pub fn push(&mut self, row: u32, cell: Cell<'_>) {
        let (tag, bits) = match cell {
            Cell::Str(text) => (Tag::Str, self.dictionary.number(text).into()),
            Cell::Int(number) => (Tag::Int, number as u64),
            Cell::Float(number) => (Tag::Float, number.to_bits()),
            Cell::Bool(flag) => (Tag::Bool, flag.into()),
            Cell::Opaque => (Tag::Opaque, 0),
        };
        self.rows.push(row);
        self.tags.push(tag);
        self.bits.push(bits);
    }

    /// Adds the cells of an attribute: one, or one per element of an array.
    pub fn push_wire(&mut self, row: u32, value: &AttributeValue<'_>) {
        match value {
            AttributeValue::Text(text) => self.push(row, Cell::Str(text)),
            AttributeValue::Int(number) => self.push(row, Cell::Int(*number)),
            AttributeValue::Double(number) => self.push(row, Cell::Float(*number)),
            AttributeValue::Bool(flag) => self.push(row, Cell::Bool(*flag)),
            AttributeValue::Other(wire) => match super::decode::value(Some(wire)) {
                Some(Value::Array(elements)) => elements.iter().for_each(|element| match element {
                    Value::Str(text) => self.push(row, Cell::Str(text)),
                    Value::Int(number) => self.push(row, Cell::Int(*number)),
                    Value::Float(number) => self.push(row, Cell::Float(*number)),
                    Value::Bool(flag) => self.push(row, Cell::Bool(*flag)),
                    _ => self.push(row, Cell::Opaque),
                }),
                _ => self.push(row, Cell::Opaque),
            },
        }
    }

    /// Rough number of bytes in memory.
    pub fn bytes(&self) -> usize {
        self.rows.len() * 13 + self.dictionary.strings.iter().map(|text| text.len() * 2 + 48).sum::<usize>()
    }
}
