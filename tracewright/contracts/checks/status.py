"""An error is on the declared spans, with `error.type` and one exception event where it was thrown, and
nowhere else.

The OpenTelemetry rules for recording errors: status ERROR and `error.type` on every span whose operation
failed, the exception once, on the span in which it happened. An exception recorded at every level counts
one fault many times; one that is swallowed is not seen at all.

Rule: OpenTelemetry's recording of errors: status ERROR and `error.type` where an operation failed, the
exception event where it was thrown.

Usual cause: an error that is handled without setting the span's status, one that is recorded by the
instrumentation and once more by hand, or a 4xx that is taken for the server's fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract, SpanRule, name_matches
from tracewright.signals import Span, StatusCode

REQUIRED_EVENT_ATTRIBUTES = ("exception.type", "exception.message")


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All errors that are missing, incomplete, or where none is declared."""
    aliases = match(capture, contract).aliases
    findings: list[Finding] = []
    for span in capture.all_spans:
        alias = aliases.get(span.key, "")
        rule = contract.spans.get(alias)
        where = f"declared at {contract.place('spans', alias)}" if rule else "an undeclared span"
        if rule is not None and rule.error is not None:
            findings.extend(_failed(span, rule, where))
        else:
            findings.extend(_succeeded(span, where))
        findings.extend(_exceptions(span, rule, where))
    return findings


def _failed(span: Span, rule: SpanRule, where: str) -> Iterator[Finding]:
    if span.status is not StatusCode.ERROR:
        yield Finding(
            str(span),
            "failed and does not say so",
            expected=f"status error ({where})",
            seen=f"status {span.status}",
            cause="the error was handled without setting the span's status",
            span=span.key,
        )
    error_type = span.attributes.get("error.type")
    if not isinstance(error_type, str) or not name_matches(rule.error or "", error_type):
        yield Finding(
            str(span),
            "has no such error.type",
            expected=f"error.type {rule.error} ({where})",
            seen="none" if error_type is None else repr(error_type),
            cause="the instrumentation sets the status only",
            span=span.key,
        )


def _succeeded(span: Span, where: str) -> Iterator[Finding]:
    if span.status is StatusCode.ERROR or "error.type" in span.attributes:
        yield Finding(
            str(span),
            "reports an error where none is declared",
            expected=f"no error ({where})",
            seen=f"status {span.status}, error.type {span.attributes.get('error.type')!r}",
            cause="the operation failed, or an error is reported by a span that did not fail",
            span=span.key,
        )


def _exceptions(span: Span, rule: SpanRule | None, where: str) -> Iterator[Finding]:
    expected = 1 if rule is not None and rule.exception else 0
    events = span.exceptions
    if len(events) != expected:
        yield Finding(
            str(span),
            "has the wrong number of exception events",
            expected=f"{expected} ({where})",
            seen=str(len(events)),
            cause="recorded at several levels, by instrumentation and by hand, or not at all",
            span=span.key,
        )
    for event in events[:expected]:
        missing = [key for key in REQUIRED_EVENT_ATTRIBUTES if not event.attributes.get(key)]
        if missing:
            yield Finding(
                str(span),
                f"its exception event lacks {', '.join(missing)}",
                expected=", ".join(REQUIRED_EVENT_ATTRIBUTES),
                seen=", ".join(sorted(event.attributes)) or "no attribute",
                span=span.key,
            )
