"""One span begins the trace, and it is the declared entry.

Where the probe sent a parent along, the entry hangs under it; where a browser began the trace, the entry
has no parent. Every linked trace has one root as well, and that is the declared linking span. A second root
means that somewhere the incoming context was ignored.

Rule: W3C Trace Context: who receives a `traceparent` continues its trace.

Usual cause: an incoming context that was not read (a missing propagator, a wrong header), or a span that was
started as a root on purpose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract
from tracewright.signals import Span

IGNORED_CONTEXT = "the incoming traceparent was not read, or a root was started on purpose"


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All surplus, missing and undeclared roots of the trace and of those linked to it."""
    aliases = match(capture, contract).aliases
    roots: dict[str, list[Span]] = defaultdict(list)
    for span in capture.all_spans:
        if not span.parent_span_id or capture.is_remote_parent(span):
            roots[span.trace_id].append(span)
    findings = _of_journey(roots[capture.probe.trace_id], aliases, capture, contract)
    starts = {alias for alias, rule in contract.spans.items() if rule.link is not None}
    for trace_id in sorted({span.trace_id for span in capture.linked}):
        found = roots[trace_id]
        if len(found) != 1 or aliases.get(found[0].key) not in starts:
            findings.append(
                Finding(
                    f"linked trace {trace_id}",
                    "does not begin with one declared linking span",
                    expected=" or ".join(sorted(starts)) or "no linked trace at all",
                    seen=", ".join(map(str, found)) or "no root",
                    cause="the consumer's span has a parent, or undeclared work links to the trace",
                    span=found[0].key if found else None,
                )
            )
    return findings


def _of_journey(
    roots: list[Span], aliases: Mapping[tuple[str, str], str], capture: Capture, contract: Contract
) -> list[Finding]:
    entry = contract.entry
    findings = [
        Finding(
            str(span),
            "is a second root",
            expected=f"one root: {entry} (declared at {contract.place('spans', entry)})",
            seen=f"{len(roots)} roots",
            cause=IGNORED_CONTEXT,
            span=span.key,
        )
        for span in roots
        if aliases.get(span.key) != entry
    ]
    entries = [span for span in roots if aliases.get(span.key) == entry]
    if not entries:
        findings.append(
            Finding(
                entry,
                "does not begin the trace",
                expected=f"the root (declared at {contract.place('spans', entry)})",
                seen=", ".join(map(str, roots)) or "no root",
                cause=IGNORED_CONTEXT,
                alias=entry,
            )
        )
    findings.extend(
        Finding(
            str(span),
            "begins the trace once more",
            expected="one root",
            seen=f"{len(entries)} of {entry}",
            cause="two requests under one traceparent: a retry, or a proxy that sends twice",
            span=span.key,
        )
        for span in entries[1:]
    )
    if capture.probe.span_id:
        findings.extend(
            Finding(
                str(span),
                "has no parent although the probe sent one",
                expected=f"parent {capture.probe.span_id}",
                seen="no parent",
                cause="the trace id was taken from the request, the parent id was not",
                span=span.key,
            )
            for span in entries
            if not span.parent_span_id
        )
    return findings
