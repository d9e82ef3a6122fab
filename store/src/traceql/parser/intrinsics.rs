//! The names of intrinsics, bare and behind a scope.
use super::super::ast::Intrinsic;

/// `duration`, `name` …
pub(super) fn bare_intrinsic(word: &str) -> Option<Intrinsic> {
    Some(match word {
        "duration" => Intrinsic::Duration,
        "name" => Intrinsic::Name,
        "status" => Intrinsic::Status,
        "statusMessage" => Intrinsic::StatusMessage,
        "kind" => Intrinsic::Kind,
        "childCount" => Intrinsic::ChildCount,
        "parent" => Intrinsic::Parent,
        "rootName" => Intrinsic::RootName,
        "rootServiceName" => Intrinsic::RootServiceName,
        "traceDuration" => Intrinsic::TraceDuration,
        "nestedSetLeft" => Intrinsic::NestedSetLeft,
        "nestedSetRight" => Intrinsic::NestedSetRight,
        "nestedSetParent" => Intrinsic::NestedSetParent,
        _ => return None,
    })
}

/// `span:` and `duration`, `trace:` and `id` …
pub(super) fn scoped_intrinsic(scope: &str, word: &str) -> Option<Intrinsic> {
    Some(match (scope, word) {
        ("span:", "name") => Intrinsic::Name,
        ("span:", "status") => Intrinsic::Status,
        ("span:", "statusMessage") => Intrinsic::StatusMessage,
        ("span:", "duration") => Intrinsic::Duration,
        ("span:", "kind") => Intrinsic::Kind,
        ("span:", "id") => Intrinsic::SpanId,
        ("span:", "parentID") => Intrinsic::ParentId,
        ("span:", "childCount") => Intrinsic::ChildCount,
        ("trace:", "id") => Intrinsic::TraceId,
        ("trace:", "duration") => Intrinsic::TraceDuration,
        ("trace:", "rootName") => Intrinsic::RootName,
        ("trace:", "rootService") => Intrinsic::RootServiceName,
        ("event:", "name") => Intrinsic::EventName,
        ("event:", "timeSinceStart") => Intrinsic::EventTimeSinceStart,
        ("link:", "traceID") => Intrinsic::LinkTraceId,
        ("link:", "spanID") => Intrinsic::LinkSpanId,
        ("instrumentation:", "name") => Intrinsic::InstrumentationName,
        ("instrumentation:", "version") => Intrinsic::InstrumentationVersion,
        _ => return None,
    })
}
