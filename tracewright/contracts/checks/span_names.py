"""Span names come from the declared set, and none holds an id.

A span name is a group for statistics: with an id, a number or a raw path in it, each request becomes a
group of its own. The declared spans give the set; what a framework adds is declared by service under
`internal`.

Rule: OpenTelemetry's span naming: the most general name that still tells a class of operations, for HTTP
servers the method and `http.route`.

Usual cause: a name that is made of the path or of an argument, a router that does not tell its route, or an
instrumentation that is new.
"""

from __future__ import annotations

import re

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract, name_matches
from tracewright.signals import SpanKind

# A UUID, eight or more hex digits with a figure among them, four or more figures, a query string, an address.
UNBOUNDED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[a-f]*\d)(?<![\w-])[0-9a-f]{8,}(?![\w-])|\d{4,}|\?\w+=|https?://"
)


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All undeclared names and all that are not bounded."""
    aliases = match(capture, contract).aliases
    findings = []
    for span in capture.all_spans:
        unbounded = UNBOUNDED.search(span.name)
        if unbounded:
            findings.append(
                Finding(
                    str(span),
                    f"has {unbounded[0]!r} in its name",
                    expected="a name that other requests share",
                    seen=span.name,
                    cause="the name is made of the path or of an argument, in place of the route",
                    span=span.key,
                )
            )
        allowed = contract.internal.get(span.service, [])
        if (
            span.kind is SpanKind.INTERNAL
            and span.key not in aliases
            and not any(name_matches(pattern, span.name) for pattern in allowed)
        ):
            findings.append(
                Finding(
                    str(span),
                    "has an undeclared name",
                    expected=", ".join(allowed) or f"no internal span of {span.service} beside the declared",
                    seen=span.name,
                    cause="a new instrumentation, or a name that changed: declare it under `internal`",
                    span=span.key,
                )
            )
    return findings
