//! The deliberate telemetry defects of this service: which there are, and for whom one is on.
//!
//! They are described in `flags/faults.yaml`. Off, which they are unless somebody switches them, nothing changes.

use std::sync::Arc;

use open_feature::{Client, EvaluationContext, OpenFeature};
use opentelemetry::Context;

use crate::flagfile::FlagFile;
use crate::telemetry::baggage;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The error is recorded and the span's status is not set.
    ErrorStatusMissing,
    /// The search's span is named by what was searched for.
    UnboundedSpanName,
    /// The database's span says INTERNAL.
    WrongSpanKind,
}

impl Fault {
    pub const ALL: [Self; 3] = [Self::ErrorStatusMissing, Self::UnboundedSpanName, Self::WrongSpanKind];

    /// The flag that switches it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::ErrorStatusMissing => "telemetry-rust-error-status-missing",
            Self::UnboundedSpanName => "telemetry-rust-unbounded-span-name",
            Self::WrongSpanKind => "telemetry-rust-wrong-span-kind",
        }
    }
}

/// Answers which defects are on. The default has none.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Client>>);

impl Faults {
    /// Those that are on in the file.
    pub async fn new(flags: FlagFile) -> Self {
        let mut api = OpenFeature::default();
        api.set_provider(flags).await;
        Self(Some(Arc::new(api.create_client())))
    }

    /// Whether a defect is on for the request that the current task serves: for its tenant, its test, its session.
    pub async fn on(&self, fault: Fault) -> bool {
        self.on_for(fault, &Context::current()).await
    }

    /// The same for the caller whose baggage is in `context`.
    pub async fn on_for(&self, fault: Fault, context: &Context) -> bool {
        let Some(client) = &self.0 else { return false };
        // `tenant.id` in baggage is `tenant` in targeting: there a dot would lead into an object.
        let subject = baggage::entries(context).fold(EvaluationContext::default(), |subject, (key, value)| {
            subject.with_custom_field(key.trim_end_matches(".id"), value)
        });
        client.get_bool_value(fault.flag(), Some(&subject), None).await.unwrap_or(false)
    }
}
