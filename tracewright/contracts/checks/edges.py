"""Each declared edge is there, child or link, and nobody undeclared takes part.

A client span without its server span below, or a server span under the wrong client, is a context that was
lost or overwritten on the way. Undeclared internal spans may lie on an edge (frameworks add them); an
undeclared service, or an undeclared span of another kind, is a call that the contract does not know.

Rule: W3C Trace Context (the caller's span is the parent of the called one's) and OpenTelemetry's span kinds
and links.

Usual cause: a client library without instrumentation, a context that was not passed to another thread or
task, or headers that were forwarded as they came in.
"""

from __future__ import annotations

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import declared_parent, match
from tracewright.contracts.model import Contract
from tracewright.signals import SpanKind


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All declared edges that are not as declared, and all undeclared participants."""
    matching = match(capture, contract)
    by_id = capture.by_id()
    findings: list[Finding] = []
    for alias, rule in contract.spans.items():
        for span in matching.spans[alias]:
            if rule.parent is not None:
                parent, between = declared_parent(span, matching, by_id)
                strangers = [s for s in between if s.kind is not SpanKind.INTERNAL]
                if parent != rule.parent or strangers:
                    findings.append(
                        Finding(
                            str(span),
                            "hangs at the wrong place",
                            expected=f"below {rule.parent} (declared at {contract.place('spans', alias)})",
                            seen=f"below {strangers[0] if strangers else parent or 'no declared span'}",
                            cause="the context was not passed on, or another span was current at the call",
                            span=span.key,
                            alias=alias,
                        )
                    )
            if rule.link is not None:
                targets = {target.key for target in matching.spans[rule.link]}
                if not any((link.trace_id, link.span_id) in targets for link in span.links):
                    findings.append(
                        Finding(
                            str(span),
                            f"does not link to {rule.link}",
                            expected=f"a link to one of {sorted(t[1] for t in targets) or 'no such span'}",
                            seen=", ".join(link.span_id for link in span.links) or "no link",
                            cause="the message carries another context than its producer's",
                            span=span.key,
                            alias=alias,
                        )
                    )
    for span in capture.all_spans:
        if span.service not in contract.services:
            findings.append(
                Finding(
                    str(span),
                    f"is of {span.service or 'no service'}, which the contract does not declare",
                    expected=", ".join(sorted(contract.services)),
                    seen=span.service or "no service.name",
                    span=span.key,
                )
            )
        elif span.key not in matching.aliases and span.kind is not SpanKind.INTERNAL:
            findings.append(
                Finding(
                    str(span),
                    f"is an undeclared {span.kind} span",
                    expected=", ".join(
                        f"{rule.name!r} {rule.kind}"
                        for rule in contract.spans.values()
                        if rule.service == span.service
                    ),
                    seen=f"{span.name!r} {span.kind}",
                    cause="an undeclared call, or a declared span under another name or kind",
                    span=span.key,
                )
            )
    return findings
