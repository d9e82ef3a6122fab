//! What an attribute or a literal holds, and how two of them compare.
use std::cmp::Ordering;
use std::fmt::Write as _;

/// A span's status, in TraceQL's order (`error < ok < unset` is never asked).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    Error,
    Ok,
    Unset,
}

impl Status {
    /// The keyword in a query and in an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Ok => "ok",
            Self::Unset => "unset",
        }
    }
}

/// A span's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    /// All kinds, indexed by their number in OTLP.
    pub const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// The keyword in a query and in an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// One value. Durations are nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Nil,
    Int(i64),
    Float(f64),
    Str(String),
    Bool(bool),
    Duration(i64),
    Status(Status),
    Kind(Kind),
    /// Elements of one scalar type; never nested.
    Array(Vec<Value>),
}

impl Value {
    /// The number behind an int, a float or a duration (nanoseconds).
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(number) | Self::Duration(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether `=` holds. Numbers are equal by value, whatever their types: `42` is `42.0`, but not `"42"`.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Duration(a), Self::Int(b)) | (Self::Int(a), Self::Duration(b)) => a == b,
            (Self::Float(number), other) | (other, Self::Float(number)) => other.as_number() == Some(*number),
            _ => self == other,
        }
    }

    /// Whether `!=` can hold: both are there, and both are numbers or of one type.
    pub fn is_comparable_with(&self, other: &Self) -> bool {
        let same = std::mem::discriminant(self) == std::mem::discriminant(other);
        *self != Self::Nil && (same || (self.as_number().is_some() && other.as_number().is_some()))
    }

    /// Order of two values of one type, or of two numbers; `None` when they cannot be ordered.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Str(a), Self::Str(b)) => Some(a.cmp(b)),
            (Self::Int(a) | Self::Duration(a), Self::Int(b) | Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Status(a), Self::Status(b)) => Some(a.cmp(b)),
            (Self::Kind(a), Self::Kind(b)) => Some(a.cmp(b)),
            _ => self.as_number()?.partial_cmp(&other.as_number()?),
        }
    }

    /// The value as result attributes and labels show it when they are text.
    pub fn to_text(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => format_float(*number),
            Self::Str(text) => text.clone(),
            Self::Bool(flag) => flag.to_string(),
            Self::Duration(nanos) => format_duration(*nanos),
            Self::Status(status) => status.as_str().to_owned(),
            Self::Kind(kind) => kind.as_str().to_owned(),
            Self::Array(values) => {
                let parts: Vec<String> = values.iter().map(Self::to_text).collect();
                format!("[{}]", parts.join(", "))
            }
        }
    }

    /// A key under which equal values of equal type group, for `by(…)`.
    pub fn group_key(&self) -> String {
        let tag = match self {
            Self::Nil => 'n',
            Self::Int(_) => 'i',
            Self::Float(_) => 'f',
            Self::Str(_) => 's',
            Self::Bool(_) => 'b',
            Self::Duration(_) => 'd',
            Self::Status(_) => 't',
            Self::Kind(_) => 'k',
            Self::Array(_) => 'a',
        };
        format!("{tag}{}", self.to_text())
    }
}

fn format_float(number: f64) -> String {
    number.to_string()
}

/// A duration as Go prints one: `1h2m3.5s`, `900ms`, `1.5µs`, `0s`.
pub fn format_duration(nanos: i64) -> String {
    let magnitude = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    if magnitude == 0 {
        return "0s".to_owned();
    }
    let fraction = |value: u64, unit: u64, suffix: &str| {
        let mut text = (value / unit).to_string();
        let rest = value % unit;
        if rest > 0 {
            let digits = unit.ilog10() as usize;
            let padded = format!("{rest:0digits$}");
            text.push('.');
            text.push_str(padded.trim_end_matches('0'));
        }
        format!("{sign}{text}{suffix}")
    };
    if magnitude < 1_000 {
        return format!("{sign}{magnitude}ns");
    }
    if magnitude < 1_000_000 {
        return fraction(magnitude, 1_000, "µs");
    }
    if magnitude < 1_000_000_000 {
        return fraction(magnitude, 1_000_000, "ms");
    }
    let seconds = magnitude / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    let mut text = sign.to_owned();
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let rest = magnitude - (hours * 3600 + minutes * 60) * 1_000_000_000;
    text + fraction(rest, 1_000_000_000, "s").trim_start_matches('-')
}

/// Reads a duration as Go writes one (`1h30m`, `1.5s`, `100ms`, `-5us`); also `d` and `w` when `days` is set.
/// `None` for anything else, and for what does not fit 63 bits of nanoseconds.
pub fn parse_duration(text: &str, days: bool) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "d" if days => 86_400e9,
            "w" if days => 604_800e9,
            _ => return None,
        };
        rest = &rest[letters..];
        total += number * unit;
    }
    if total > i64::MAX as f64 {
        return None;
    }
    let nanos = total.round() as i64;
    Some(if negative { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (5, "5ns"),
            (1_500, "1.5µs"),
            (900_000_000, "900ms"),
            (86_406_000_000, "1m26.406s"),
            (3_600_000_000_000, "1h0m0s"),
            (604_800_000_000_000, "168h0m0s"),
            (-1_500_000_000, "-1.5s"),
        ] {
            assert_eq!(format_duration(nanos), text);
        }
    }

    #[test]
    fn durations_read_back() {
        assert_eq!(parse_duration("1h30m", false), Some(5_400_000_000_000));
        assert_eq!(parse_duration("1.5s", false), Some(1_500_000_000));
        assert_eq!(parse_duration("1d", true), Some(86_400_000_000_000));
        assert_eq!(parse_duration("1d", false), None);
        assert_eq!(parse_duration("fast", false), None);
        assert_eq!(parse_duration("5", false), None);
    }

    #[test]
    fn numbers_are_equal_by_value_and_nothing_else_crosses_types() {
        assert!(Value::Int(42).equals(&Value::Float(42.0)));
        assert!(Value::Float(2e9).equals(&Value::Duration(2_000_000_000)));
        assert!(!Value::Int(42).equals(&Value::Str("42".into())));
        assert!(!Value::Int(42).is_comparable_with(&Value::Str("42".into())));
        assert!(!Value::Nil.is_comparable_with(&Value::Nil));
    }
}
