"""A capture as the rows of a waterfall, with its logs beside it. Pure: spans and records in, rows out."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass

from tracewright.contracts.capture import Capture
from tracewright.contracts.redaction import Redactor
from tracewright.contracts.render import TreeRow, tree_rows
from tracewright.signals import LogRecord, Span, StatusCode
from tracewright.signals.model import Attributes

# As on the console: ours have colours of their own, others one of four by their name.
OWN_COLOURS = ("frontend-web", "frontend", "go-service", "python-service", "rust-service")
OTHER_COLOURS = 4
# A bar is never thinner than this, in percent of the waterfall.
THINNEST = 0.4


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A row: a span with its bar (`left` and `width` in percent), or a note (`span` is `None`).

    `marked` are spans that findings name, and notes on something broken.
    """

    depth: int
    span: Span | None
    note: str = ""
    left: float = 0.0
    width: float = 0.0
    duration: str = ""
    colour: str = ""
    marked: bool = False
    failed: bool = False
    details: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log record; `at` is its time after the trace's start."""

    at: str
    service: str
    colour: str
    severity: str
    message: str
    span: str
    lost: bool


@dataclass(frozen=True, slots=True)
class TraceView:
    """A trace with its linked traces: rows of spans, rows of logs, and how long all of it took."""

    spans: tuple[SpanRow, ...]
    logs: tuple[LogRow, ...]
    duration: str
    services: tuple[tuple[str, str], ...]


def trace_view(capture: Capture, marked: Set[tuple[str, str]], redactor: Redactor) -> TraceView:
    """The capture's spans as a tree over time. `marked` spans are those that findings name."""
    spans = capture.all_spans
    begin = min((span.start_ns for span in spans), default=capture.probe.started_ns)
    end = max((span.end_ns for span in spans), default=begin)
    by_id = capture.by_id()
    records = sorted(capture.logs, key=lambda log: log.time_ns)
    services = dict.fromkeys([*(span.service for span in spans), *(log.service for log in records)])
    return TraceView(
        spans=tuple(_row(row, begin, max(end - begin, 1), marked, redactor) for row in tree_rows(capture)),
        logs=tuple(_log(log, begin, by_id.get((log.trace_id, log.span_id))) for log in records),
        duration=_duration(end - begin),
        services=tuple((service, colour(service)) for service in services),
    )


def colour(service: str) -> str:
    """The name of the service's colour in the style sheet."""
    if service in OWN_COLOURS:
        return service
    return str(int(hashlib.sha256(service.encode()).hexdigest(), 16) % OTHER_COLOURS)


def _row(row: TreeRow, begin: int, total: int, marked: Set[tuple[str, str]], redactor: Redactor) -> SpanRow:
    span = row.span
    if span is None:
        return SpanRow(row.depth, None, row.note, marked=row.broken)
    width = max(100 * (span.end_ns - span.start_ns) / total, THINNEST)
    return SpanRow(
        depth=row.depth,
        span=span,
        left=min(max(100 * (span.start_ns - begin) / total, 0.0), 100 - THINNEST),
        width=min(width, 100.0),
        duration=_duration(span.end_ns - span.start_ns),
        colour=colour(span.service),
        marked=span.key in marked,
        failed=span.status is StatusCode.ERROR,
        details=_details(span, redactor),
    )


def _details(span: Span, redactor: Redactor) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    facts = {
        "span id": span.span_id,
        "parent": span.parent_span_id or "(none)",
        "status": f"{span.status}{f', {span.status_message}' if span.status_message else ''}",
    }
    links = {f"{link.trace_id}": link.span_id for link in span.links}
    groups: list[tuple[str, Attributes]] = [
        ("span", facts),
        ("attributes", span.attributes),
        *((f"event {event.name}", event.attributes) for event in span.events),
        ("links", links),
        ("resource", span.resource.attributes),
    ]
    return tuple(
        (name, tuple((key, redactor.value(key, value)) for key, value in values.items()))
        for name, values in groups
        if values
    )


def _log(log: LogRecord, begin: int, span: Span | None) -> LogRow:
    return LogRow(
        at=f"{(log.time_ns - begin) / 1e6:+.0f} ms",
        service=log.service,
        colour=colour(log.service),
        severity=log.severity or "log",
        message=log.message,
        span=span.name if span else "",
        lost=span is None,
    )


def _duration(nanoseconds: int) -> str:
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.1f} ms"
