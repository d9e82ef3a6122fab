"""No credential is in a span, an event, a log record or a metric label.

The probe sends a made-up token in its `authorization` and `cookie` headers; where telemetry shows it, real
ones would be shown too. Passwords in URLs, JSON web tokens and bearer tokens are found wherever they come
from. A finding names the place and a hash, never the value.

Rule: OpenTelemetry's handling of sensitive data, and the conventions' demand to redact credentials in
`url.full` and `db.query.text`.

Usual cause: headers, URLs or settings that are recorded as they are, and a redaction that does not know the
place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract
from tracewright.signals import AttributeValue

DETECTORS = {
    "a password in a URL": re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s:]+:(?!\*+@)[^/@\s]+@"),
    "a JSON web token": re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"),
    "a bearer token": re.compile(r"(?i)bearer\s+[\w.~+/=-]{16,}"),
}
Place = tuple[str, str, tuple[str, str] | None]


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All places that hold the probe's token or something that looks like a credential."""
    findings = []
    for (what, where, key), text in _texts(capture):
        for kind, secret in _secrets(text, capture.probe.secret):
            digest = hashlib.sha256(secret.encode()).hexdigest()[:12]
            findings.append(
                Finding(
                    what,
                    f"shows {kind} in {where}",
                    expected="nothing of the kind",
                    seen=f"sha256 {digest}…",
                    cause="headers or settings recorded as they are, and redaction let them through",
                    span=key,
                )
            )
    return findings


def _secrets(text: str, planted: str) -> Iterator[tuple[str, str]]:
    if planted and planted in text:
        yield "the probe's token", planted
    for kind, pattern in DETECTORS.items():
        found = pattern.search(text)
        if found:
            yield kind, found[0]


def _texts(capture: Capture) -> Iterator[tuple[Place, str]]:
    for span in capture.all_spans:
        what = str(span)
        yield (what, "its name", span.key), span.name
        yield (what, "its status message", span.key), span.status_message
        for where, attributes in (
            ("attribute", span.attributes),
            ("resource attribute", span.resource.attributes),
            *((f"event {event.name}, attribute", event.attributes) for event in span.events),
            *(("link attribute", link.attributes) for link in span.links),
        ):
            for key, text in _leaves(attributes):
                yield (what, f"{where} {key}", span.key), text
    for log in capture.logs:
        what = f"{log.service} log record at {log.time_ns}"
        yield (what, "its body", None), log.message
        for where, attributes in (
            ("attribute", log.attributes),
            ("resource attribute", log.resource.attributes),
        ):
            for key, text in _leaves(attributes):
                yield (what, f"{where} {key}", None), text
    for sample in capture.run.metrics_after or ():
        for key, text in sample.labels.items():
            yield (sample.name, f"label {key}", None), text


def _leaves(attributes: Mapping[str, AttributeValue]) -> Iterator[tuple[str, str]]:
    for key, value in attributes.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", text) for inner, text in _leaves(value))
        elif isinstance(value, tuple):
            yield from ((key, str(item)) for item in value)
        else:
            yield key, str(value)
