"""The declared baggage keys arrive at every span and log record of the servers, and no other key is copied.

Baggage is how the tenant and the test travel with a request. A hop that drops it cuts off everything
behind; a processor that copies all keys lets any caller write attributes. The probe sends one key that
nobody may copy.

Rule: W3C Baggage, and OpenTelemetry's advice to copy only those keys to telemetry that one has chosen.

Usual cause: a hop without the baggage propagator, a service without a processor that copies the keys, or one
that copies all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracewright.contracts.capture import UNWANTED_BAGGAGE_KEY, Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract
from tracewright.signals import AttributeValue


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All records without a declared key or with another value, and all with the unwanted one."""
    # A service that only a browser drive has makes the baggage; it need not carry it.
    servers = {rule.service for rule in contract.spans.values() if rule.drive is None}
    probe = capture.probe
    expected = {"tenant.id": probe.tenant, "test.id": probe.test_id}
    findings: list[Finding] = []
    for what, service, attributes, key in _records(capture):
        if UNWANTED_BAGGAGE_KEY in attributes:
            findings.append(
                Finding(
                    what,
                    f"carries {UNWANTED_BAGGAGE_KEY}, which the probe sent as baggage",
                    expected=", ".join(contract.baggage) or "no key of the probe's",
                    seen=UNWANTED_BAGGAGE_KEY,
                    cause="a processor that copies every baggage key",
                    span=key,
                )
            )
        for name in contract.baggage if service in servers else ():
            value = attributes.get(name)
            if value is None or (name in expected and value != expected[name]):
                findings.append(
                    Finding(
                        what,
                        f"{name} did not arrive" if value is None else f"{name} is another's",
                        expected=expected.get(name, "a value"),
                        seen="none" if value is None else str(value),
                        cause="a hop that does not forward baggage, or no processor that copies it",
                        span=key,
                    )
                )
    return findings


def _records(
    capture: Capture,
) -> Iterator[tuple[str, str, Mapping[str, AttributeValue], tuple[str, str] | None]]:
    for span in capture.all_spans:
        yield str(span), span.service, span.attributes, span.key
    for log in capture.logs:
        yield str(log), log.service, log.attributes, None
