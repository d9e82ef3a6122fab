"""What the harness knows about telemetry: spans, log records and metric points as frozen values.

Nothing is repaired here: a broken id stays broken and a duplicate stays a duplicate, because a check has to
see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

_Scalar = str | bool | int | float | bytes | None
AttributeValue: TypeAlias = _Scalar | tuple["AttributeValue", ...] | Mapping[str, "AttributeValue"]
Attributes = Mapping[str, AttributeValue]


class SpanKind(StrEnum):
    """OTLP's span kinds, in the order of their wire numbers."""

    UNSPECIFIED = "unspecified"
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class StatusCode(StrEnum):
    """OTLP's span status codes, in the order of their wire numbers."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Resource:
    """Who sent a record. `service` is empty when `service.name` is missing."""

    attributes: Attributes = field(default_factory=dict)

    @property
    def service(self) -> str:
        """The resource's `service.name`."""
        return str(self.attributes.get("service.name", ""))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at one moment of a span."""

    name: str
    time_ns: int = 0
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A span's reference to a span that is not its parent."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it was exported. `parent_span_id` is empty for a root.

    `dropped` counts the attributes, events and links that its SDK had no room for.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: SpanKind
    start_ns: int
    end_ns: int
    status: StatusCode = StatusCode.UNSET
    status_message: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    resource: Resource = field(default_factory=Resource)
    scope: str = ""
    flags: int | None = None
    dropped: int = 0

    @property
    def service(self) -> str:
        """The `service.name` of the resource that sent the span."""
        return self.resource.service

    @property
    def key(self) -> tuple[str, str]:
        """Trace id and span id: unique over all traces."""
        return (self.trace_id, self.span_id)

    @property
    def exceptions(self) -> tuple[Event, ...]:
        """The span's exception events."""
        return tuple(event for event in self.events if event.name == "exception")

    def __str__(self) -> str:
        return f"{self.service or '(no service)'} {self.name!r} {self.kind} {self.span_id}"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record. `trace_id` and `span_id` are empty when the record names no span."""

    time_ns: int
    body: AttributeValue
    trace_id: str = ""
    span_id: str = ""
    severity: str = ""
    severity_number: int = 0
    event_name: str = ""
    attributes: Attributes = field(default_factory=dict)
    resource: Resource = field(default_factory=Resource)
    scope: str = ""
    dropped: int = 0

    @property
    def service(self) -> str:
        """The `service.name` of the resource that sent the record."""
        return self.resource.service

    @property
    def message(self) -> str:
        """The body as text; a map body gives its `message`."""
        if isinstance(self.body, Mapping):
            return str(self.body.get("message", dict(self.body)))
        return "" if self.body is None else str(self.body)

    def __str__(self) -> str:
        return f"{self.service or '(no service)'} {self.severity or 'log'} {self.message[:80]!r}"


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One OTLP data point.

    `value` is the number, or the histogram's count; `total` is the histogram's sum.
    """

    name: str
    unit: str
    instrument: str
    attributes: Attributes
    value: float
    time_ns: int = 0
    total: float | None = None
    monotonic: bool = False
    resource: Resource = field(default_factory=Resource)
    exemplar_trace_ids: tuple[str, ...] = ()
    start_ns: int = 0
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series' value at one moment, in Prometheus' spelling.

    `time_s` is when it was sampled, in seconds since the epoch; 0 where that is not known.
    """

    name: str
    labels: Mapping[str, str]
    value: float
    time_s: float = 0.0
