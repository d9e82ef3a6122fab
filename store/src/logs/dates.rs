//! Points in time: from what documents and queries say to tantivy's nanoseconds, and back.

use serde_json::Value;
use tantivy::DateTime;
use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, Rfc2822, Rfc3339};

use super::field_mapping::DateFormat;

/// Numbers are seconds, milliseconds, microseconds or nanoseconds by their size; these are the seconds that count.
const MIN_UNIX_SECONDS: i64 = 72_057_595;
const MAX_UNIX_SECONDS: i64 = 16_777_216_000;

/// # Errors
/// What was expected, in words.
pub fn parse(value: &Value, formats: &[DateFormat]) -> Result<DateTime, String> {
    match value {
        Value::Number(number) if formats.contains(&DateFormat::UnixTimestamp) => {
            if let Some(timestamp) = number.as_i64() {
                return from_unix(timestamp);
            }
            let seconds = number.as_f64().filter(|seconds| seconds.is_finite());
            let seconds = seconds.ok_or_else(|| format!("failed to parse unix timestamp `{number}`"))?;
            Ok(DateTime::from_timestamp_nanos((seconds * 1e9) as i64))
        }
        Value::String(text) => parse_text(text, formats)
            .ok_or_else(|| format!("failed to parse datetime `{text}` using the formats of the field")),
        other => Err(format!("failed to parse datetime from `{other}`")),
    }
}

fn parse_text(text: &str, formats: &[DateFormat]) -> Option<DateTime> {
    formats.iter().find_map(|format| match format {
        DateFormat::Rfc3339 => from_rfc3339(text),
        DateFormat::Rfc2822 => OffsetDateTime::parse(text, &Rfc2822).ok().map(DateTime::from_utc),
        DateFormat::Iso8601 => OffsetDateTime::parse(text, &Iso8601::DEFAULT).ok().map(DateTime::from_utc),
        _ => text.parse().ok().and_then(|timestamp| from_unix(timestamp).ok()),
    })
}

/// A date in a query: RFC 3339, a day, or a number of any unit.
pub fn parse_query(text: &str) -> Option<DateTime> {
    from_rfc3339(text)
        .or_else(|| from_rfc3339(&format!("{text}T00:00:00Z")))
        .or_else(|| from_rfc3339(&format!("{text}Z")))
        .or_else(|| text.parse().ok().and_then(|timestamp| from_unix(timestamp).ok()))
}

fn from_rfc3339(text: &str) -> Option<DateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(DateTime::from_utc)
}

/// # Errors
/// When the number is in no unit a time between 1972 and 2501.
pub fn from_unix(timestamp: i64) -> Result<DateTime, String> {
    [1_000_000_000, 1_000_000, 1_000, 1]
        .into_iter()
        .find_map(|nanos_per_unit: i64| {
            let units_per_second = 1_000_000_000 / nanos_per_unit;
            let min = MIN_UNIX_SECONDS.saturating_mul(units_per_second);
            let max = MAX_UNIX_SECONDS.saturating_mul(units_per_second);
            (min..=max).contains(&timestamp).then(|| timestamp.checked_mul(nanos_per_unit)).flatten()
        })
        .map(DateTime::from_timestamp_nanos)
        .ok_or_else(|| {
            format!("failed to parse unix timestamp `{timestamp}`: it must lie between 1972-04-13 and 2501-08-27")
        })
}

pub fn format(date: DateTime, format: DateFormat) -> Value {
    let text = |format: &dyn Fn(OffsetDateTime) -> Option<String>| {
        format(date.into_utc()).map_or_else(|| Value::from(date.into_timestamp_nanos()), Value::String)
    };
    match format {
        DateFormat::Rfc3339 => text(&|date| date.format(&Rfc3339).ok()),
        DateFormat::Rfc2822 => text(&|date| date.format(&Rfc2822).ok()),
        DateFormat::Iso8601 => text(&|date| date.format(&Iso8601::DEFAULT).ok()),
        DateFormat::UnixTimestamp => date.into_timestamp_secs().into(),
        DateFormat::UnixTimestampMillis => date.into_timestamp_millis().into(),
        DateFormat::UnixTimestampMicros => date.into_timestamp_micros().into(),
        DateFormat::UnixTimestampNanos => date.into_timestamp_nanos().into(),
    }
}
