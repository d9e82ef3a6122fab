"""Each parent id is a span of the same trace.

A parent that never arrived splits the tree, and most trace views hide it by hanging the lost branch under
the root. The one exception is the probe's own span: it is the declared remote parent, exported or not.

Rule: W3C Trace Context and OpenTelemetry's trace model: a parent id names a span of the same trace.

Usual cause: a parent that was never ended or exported, a process that died before it flushed, or a proxy that
makes up a span id and exports no span for it.
"""

from __future__ import annotations

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All spans whose parent is not in the capture."""
    there = set(capture.by_id())
    return [
        Finding(
            str(span),
            f"names parent {span.parent_span_id}, which is no span of trace {span.trace_id}",
            expected="a captured parent",
            seen="no such span",
            cause="the parent was never ended or exported, or its process died before it flushed",
            span=span.key,
            absent="traces",
        )
        for span in capture.all_spans
        if span.parent_span_id
        and (span.trace_id, span.parent_span_id) not in there
        and not capture.is_remote_parent(span)
    ]
