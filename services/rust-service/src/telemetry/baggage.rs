//! Copies the allow-listed baggage of a request to every span and every log record that is made while it is served.

use std::time::{Duration, SystemTime};

use opentelemetry::baggage::BaggageExt;
use opentelemetry::logs::{AnyValue, LogRecord};
use opentelemetry::trace::Span as _;
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

/// The only baggage keys that are copied. Baggage comes from outside: whatever else is in it stays out of storage.
pub const KEYS: [&str; 3] = ["tenant.id", "test.id", "session.id"];

/// Tenants that may appear on metrics; others would let a caller make as many series as it likes.
const TENANTS: [&str; 2] = ["acme", "globex"];

/// The allow-listed entries of the context's baggage, in the order of [`KEYS`].
pub fn entries(context: &Context) -> impl Iterator<Item = (&'static str, String)> + '_ {
    KEYS.into_iter().filter_map(|key| {
        let value = context.baggage().get(key)?;
        Some((key, value.as_str().to_owned()))
    })
}

/// The tenant as a metric attribute: itself where it is known, "unknown" where it is not, `None` where none is named.
pub fn metric_tenant(context: &Context) -> Option<&'static str> {
    let named = context.baggage().get(KEYS[0])?;
    let known = TENANTS.into_iter().find(|tenant| *tenant == named.as_str());
    Some(known.unwrap_or("unknown"))
}

/// The processor for spans. Stands before the exporting one.
#[derive(Debug)]
pub struct OnSpans;

impl SpanProcessor for OnSpans {
    fn on_start(&self, span: &mut Span, context: &Context) {
        for (key, value) in entries(context) {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    fn on_end(&self, _span: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The processor for log records. Stands before the exporting one.
///
/// It also stamps the record with its time, which the `tracing` appender leaves out, and takes away the event name
/// that the appender makes of the source line: a name would turn the record from a log into an event.
#[derive(Debug)]
pub struct OnLogs;

impl LogProcessor for OnLogs {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        if record.timestamp().is_none() {
            record.set_timestamp(SystemTime::now());
        }
        record.set_event_name("");
        for (key, value) in entries(&Context::current()) {
            record.add_attribute(key, AnyValue::from(value));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&'static str, &'static str)]) -> Context {
        Context::new().with_baggage(pairs.iter().map(|&(key, value)| KeyValue::new(key, value)))
    }

    #[test]
    fn only_the_allow_listed_keys_are_copied() {
        let context = context(&[("session.id", "s1"), ("password", "hunter2"), ("tenant.id", "acme")]);
        let copied: Vec<_> = entries(&context).collect();
        assert_eq!(copied, [("tenant.id", "acme".to_owned()), ("session.id", "s1".to_owned())]);
    }

    #[test]
    fn metrics_see_known_tenants_only() {
        assert_eq!(metric_tenant(&context(&[("tenant.id", "globex")])), Some("globex"));
        assert_eq!(metric_tenant(&context(&[("tenant.id", "initech")])), Some("unknown"));
        assert_eq!(metric_tenant(&context(&[("test.id", "t1")])), None);
    }
}
