"""Children lie inside their synchronous parents, within a tolerance.

A child that begins before its parent, or goes on after it, means clocks that differ or a parent that did
not wait. Trace views shift such spans silently. Across processes a server may end a little after its client
has read the answer.

Rule: OpenTelemetry's span times: a parent that waits for its child begins before it and ends after it.

Usual cause: hosts whose clocks differ, a start time that was set by hand, or work that goes on after its
parent has ended: declare it `asynchronous`, or end the parent later.
"""

from __future__ import annotations

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract
from tracewright.signals import SpanKind

# Start: reading two clocks of one machine. End: within a process, and between a client and its server.
START_TOLERANCE_NS = 5_000_000
END_TOLERANCE_NS = 5_000_000
SERVER_END_TOLERANCE_NS = 500_000_000


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All children that begin before their parent, and synchronous ones that end after it."""
    aliases = match(capture, contract).aliases
    by_id = capture.by_id()
    findings = []
    for span in capture.all_spans:
        parent = by_id.get((span.trace_id, span.parent_span_id))
        if parent is None:
            continue
        rule = contract.spans.get(aliases.get(span.key, ""))
        remote = span.service != parent.service
        early_ns = parent.start_ns - span.start_ns
        late_ns = span.end_ns - parent.end_ns
        asynchronous = (rule is not None and rule.asynchronous) or span.kind is SpanKind.CONSUMER
        # A page's load begins before the server that renders it: no clock can be judged by such a pair.
        if early_ns > START_TOLERANCE_NS and not (asynchronous and remote):
            findings.append(
                Finding(
                    str(span),
                    f"begins {early_ns / 1e6:.1f} ms before its parent {parent}",
                    expected=f"at most {START_TOLERANCE_NS / 1e6:.0f} ms",
                    seen=f"{early_ns / 1e6:.1f} ms",
                    cause="clocks that differ, or a start time that was set by hand",
                    span=span.key,
                )
            )
        allowed_ns = SERVER_END_TOLERANCE_NS if remote else END_TOLERANCE_NS
        if late_ns > allowed_ns and not asynchronous:
            findings.append(
                Finding(
                    str(span),
                    f"ends {late_ns / 1e6:.1f} ms after its parent {parent}",
                    expected=f"at most {allowed_ns / 1e6:.0f} ms",
                    seen=f"{late_ns / 1e6:.1f} ms",
                    cause="the parent did not wait for it: end it later, or declare `asynchronous`",
                    span=span.key,
                )
            )
    return findings
