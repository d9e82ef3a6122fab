"""The browser's spans and the servers' are one trace, and the declared browser events arrived in it.

A page whose requests begin traces of their own shows the user's half of a slow click without the reason.
Web vitals and errors are log records with an event name; a page that is left must still deliver them, and an
`exception` that is declared is recorded once.

Rule: W3C Trace Context in the browser, and OpenTelemetry's browser events (`browser.web_vital`,
`exception`).

Usual cause: an origin to which the page may not send `traceparent`, or a page that is left before its events
are sent.
"""

from __future__ import annotations

from collections import Counter

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract

EXCEPTION = "exception"


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All signs that browser and servers are not one trace, and all declared events that are missing."""
    if capture.probe.drive != "browser":
        return []
    browsers = {rule.service for rule in contract.spans.values() if rule.drive == "browser"} or {
        rule.service for rule in contract.spans.values() if rule.service not in contract.request_metrics
    }
    services = {span.service for span in capture.spans}
    findings = []
    for side, members in (("browser", browsers), ("servers", contract.services - browsers)):
        if members and not services & members:
            findings.append(
                Finding(
                    f"trace {capture.probe.trace_id}",
                    f"has no span of the {side}",
                    expected=", ".join(sorted(members)),
                    seen=", ".join(sorted(services)) or "no span",
                    cause="traceparent is not sent by the page, or the page's export did not get through",
                )
            )
    seen = Counter(str(log.event_name or log.attributes.get("event.name") or "") for log in capture.logs)
    findings.extend(
        Finding(
            f"browser event {event}",
            "did not arrive in the trace",
            expected=f"at least one (declared at {contract.place('events', index)})",
            seen=", ".join(sorted(name for name in seen if name)) or "no event",
            cause="the page was left before it was sent, or the record has no context",
        )
        for index, event in enumerate(contract.events)
        if event not in seen
    )
    if EXCEPTION in contract.events and seen[EXCEPTION] > 1:
        findings.append(
            Finding(
                f"browser event {EXCEPTION}",
                "was recorded more than once",
                expected=f"1 (declared at {contract.place('events', contract.events.index(EXCEPTION))})",
                seen=str(seen[EXCEPTION]),
                cause="recorded by hand and again by the page's error handlers",
            )
        )
    return findings
