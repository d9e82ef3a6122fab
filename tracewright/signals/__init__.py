"""Typed readers of telemetry: OTLP files, Tempo, Quickwit, Prometheus and the programs' own counters.

Ids are lowercase hex, times are integer nanoseconds since the epoch (UTC), metric values are in base units.
Every reader turns its wire format into the frozen dataclasses of `model`; nothing else in the package knows
wire formats.
"""

from tracewright.signals.model import (
    AttributeValue,
    Event,
    Link,
    LogRecord,
    MetricPoint,
    Resource,
    Sample,
    Span,
    SpanKind,
    StatusCode,
)

__all__ = [
    "AttributeValue",
    "Event",
    "Link",
    "LogRecord",
    "MetricPoint",
    "Resource",
    "Sample",
    "Span",
    "SpanKind",
    "StatusCode",
]
