//! Log records as JSON, one object a line: `timestamp`, `level`, `message`, `trace_id` and `span_id` where there is a
//! trace, the allow-listed baggage, `target`, and the fields of the event under their own names.

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{self, Layer};

use super::baggage;

/// A `tracing` layer that writes each event to `W`.
pub struct JsonLines<W> {
    /// Held for one line, so that lines of two threads never mix.
    out: Mutex<W>,
}

impl<W: io::Write> JsonLines<W> {
    pub fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }
}

impl<S: Subscriber, W: io::Write + Send + 'static> Layer<S> for JsonLines<W> {
    fn on_event(&self, event: &Event<'_>, _context: layer::Context<'_, S>) {
        let mut line = line(SystemTime::now(), event);
        line.push('\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to tell when standard output is gone; the record is still exported.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

fn line(now: SystemTime, event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut fields = Fields::default();
    event.record(&mut fields);
    if fields.message.is_empty() {
        // The SDK gives some of its records a name alone.
        fields.message = fields.text("name").unwrap_or_else(|| metadata.name()).to_owned();
    }
    let mut line = Fields::default();
    line.add("timestamp", rfc3339(now));
    line.add("level", metadata.level().as_str());
    line.add("message", fields.message);
    Context::map_current(|context| {
        if context.has_active_span() {
            let span = context.span();
            line.add("trace_id", span.span_context().trace_id().to_string());
            line.add("span_id", span.span_context().span_id().to_string());
        }
        for (key, value) in baggage::entries(context) {
            line.add(key, value);
        }
    });
    line.add("target", metadata.target());
    line.pairs.extend(fields.pairs);
    serde_json::to_string(&line).expect("names are strings, and values are JSON already")
}

/// Names and values in the order in which a person reads them.
#[derive(Default)]
struct Fields {
    message: String,
    pairs: Vec<(&'static str, Value)>,
}

impl Fields {
    fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.pairs.push((name, value.into()));
    }

    fn text(&self, wanted: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| *name == wanted)?.1.as_str()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.pairs.iter().map(|(name, value)| (name, value)))
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.add(name, format!("{value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            name => self.add(name, value),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value);
    }
}

/// `time` in UTC with microseconds, as RFC 3339 has it. A time before 1970 becomes 1970.
fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since_epoch.as_secs() / 86_400, since_epoch.as_secs() % 86_400);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = since_epoch.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The Gregorian (year, month, day) of a day counted from 1970-01-01.
fn civil_date(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn timestamps_are_right_around_leap_days_and_year_ends() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
            (1_795_271_573, "2026-11-21T14:32:53.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
        let micros = UNIX_EPOCH + Duration::from_nanos(1_999);
        assert_eq!(rfc3339(micros), "1970-01-01T00:00:00.000001Z");
    }
}
