"""Each message is consumed as often as declared, by a span that refers to its producer, after it was sent.

A consumer either continues the trace (`parent`) or begins one of its own and links back (`link`); the
contract says which. A consumer that picks up the context of whatever ran before it refers to the wrong
message, and looks right in every single trace view.

Rule: OpenTelemetry's messaging conventions: a process span links to, or is the child of, the span that sent
its message.

Usual cause: a consumer that is down, a message that is handled twice, or a context that was left over from
the message before.
"""

from __future__ import annotations

from collections import Counter

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract
from tracewright.signals import SpanKind


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All messages that were consumed too often or never, or before they were sent."""
    matching = match(capture, contract)
    by_id = capture.by_id()
    findings = []
    for alias, rule in contract.spans.items():
        source = rule.link or rule.parent
        if rule.kind is not SpanKind.CONSUMER or source is None:
            continue
        consumed: Counter[tuple[str, str]] = Counter()
        for span in matching.spans[alias]:
            if rule.link is not None:
                sources = {(link.trace_id, link.span_id) for link in span.links}
            else:
                sources = {(span.trace_id, span.parent_span_id)}
            consumed.update(sources)
            for key in sources & by_id.keys():
                if span.start_ns < by_id[key].start_ns:
                    findings.append(
                        Finding(
                            str(span),
                            f"began before {source} sent its message",
                            expected=f"after {by_id[key]} began",
                            seen=f"{(by_id[key].start_ns - span.start_ns) / 1e6:.1f} ms before",
                            cause="the context of an older message, or clocks that differ",
                            span=span.key,
                        )
                    )
        for producer in matching.spans[source]:
            times = consumed[producer.key]
            if times < rule.least or (rule.most is not None and times > rule.most):
                findings.append(
                    Finding(
                        str(producer),
                        f"is not consumed as declared by {alias}",
                        expected=f"{rule.count} (declared at {contract.place('spans', alias)})",
                        seen=str(times),
                        cause="a consumer that is down, a message handled twice, or a wrong context",
                        span=producer.key,
                        alias=alias,
                    )
                )
    return findings
