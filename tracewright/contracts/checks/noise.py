"""Health checks are not traced, internal spans are few, and metric labels are bounded.

Noise costs money and hides what matters: a probe of the load balancer every second, a span per function, a
label whose values come from the caller. Internal spans are counted per service and trace (instrumentation
score SPA-001: at most ten).

Rule: instrumentation score SPA-001 (at most ten internal spans a service and trace), and Prometheus' advice
to keep the values of a label few.

Usual cause: an exclude list without the health path, an instrumentation that makes a span per function or
middleware, or a label whose values come from the caller.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract
from tracewright.signals import SpanKind

INTERNAL_SPANS_MAX = 10
LABEL_VALUES_MAX = 50
HEALTH_PATH = re.compile(r"/(api/)?(health|healthz|ready|readyz|livez|metrics|-/ready|-/healthy)/?")


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All traced health checks, services with too many internal spans, and unbounded labels."""
    aliases = match(capture, contract).aliases
    findings = [
        Finding(
            str(span),
            f"traces a request for {span.attributes['url.path']!s}",
            expected="health checks and scrapes are not traced",
            seen=span.name,
            cause="the instrumentation's exclude list lacks this path",
            span=span.key,
        )
        for span in capture.run.spans
        if span.kind is SpanKind.SERVER
        and span.service in contract.services
        and HEALTH_PATH.fullmatch(str(span.attributes.get("url.path", "")))
    ]
    internal = Counter(
        (span.trace_id, span.service)
        for span in capture.all_spans
        if span.kind is SpanKind.INTERNAL and span.key not in aliases
    )
    findings.extend(
        Finding(
            f"{service} in trace {trace_id}",
            "has too many undeclared internal spans",
            expected=f"at most {INTERNAL_SPANS_MAX}",
            seen=str(count),
            cause="an instrumentation that makes a span per function or middleware",
        )
        for (trace_id, service), count in internal.items()
        if count > INTERNAL_SPANS_MAX
    )
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sample in capture.run.metrics_after or ():
        for label, value in sample.labels.items():
            values[sample.name, label].add(value)
    findings.extend(
        Finding(
            f"{name}{{{label}}}",
            "has too many values",
            expected=f"at most {LABEL_VALUES_MAX}",
            seen=str(len(seen)),
            cause="a label whose values come from the caller (a path, an id, an unknown tenant)",
        )
        for (name, label), seen in values.items()
        if len(seen) > LABEL_VALUES_MAX
    )
    return findings
