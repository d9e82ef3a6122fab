"""OTLP/JSON in and out.

Export requests (as the collector's file exporter writes them) and Tempo's protobuf-JSON.

Both spellings of ids (hex and base64) and of enums (numbers and names) are read; hex and numbers are
written.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tracewright.signals.model import (
    Attributes,
    AttributeValue,
    Event,
    Link,
    LogRecord,
    MetricPoint,
    Resource,
    Span,
    SpanKind,
    StatusCode,
)

Json = Mapping[str, Any]
Owned = TypeVar("Owned", Span, LogRecord)

_KINDS = tuple(SpanKind)
_DROPPED = ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount")
_STATUSES = tuple(StatusCode)
# Lengths of base64 text for ids of 16 and 8 bytes; hex ids have 32 and 16 digits, so the two never meet.
_BASE64_LENGTHS = frozenset({24, 12})


def read_id(text: str | None) -> str:
    """An id as lowercase hex.

    What is neither hex nor base64 of an id is passed through for `well_formed` to report.
    """
    if not text:
        return ""
    if len(text) in _BASE64_LENGTHS:
        try:
            return base64.b64decode(text, validate=True).hex()
        except binascii.Error:
            return text
    lowered = text.lower()
    return "" if lowered.strip("0") == "" else lowered


def read_value(value: Json | None) -> AttributeValue:
    """One OTLP `AnyValue`; `None` for an empty one."""
    if not value:
        return None
    if "stringValue" in value:
        return str(value["stringValue"])
    if "boolValue" in value:
        return bool(value["boolValue"])
    if "intValue" in value:
        return int(value["intValue"])
    if "doubleValue" in value:
        return float(value["doubleValue"])
    if "arrayValue" in value:
        return tuple(read_value(item) for item in value["arrayValue"].get("values", []))
    if "kvlistValue" in value:
        return read_attributes(value["kvlistValue"].get("values"))
    if "bytesValue" in value:
        return base64.b64decode(value["bytesValue"])
    return None


def read_attributes(pairs: Iterable[Json] | None) -> dict[str, AttributeValue]:
    """A list of `KeyValue` as a dict; of a repeated key the last wins."""
    return {str(pair["key"]): read_value(pair.get("value")) for pair in pairs or ()}


def _enum_index(value: Any, prefix: str, names: tuple[Any, ...]) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value if 0 <= value < len(names) else 0
    name = str(value).removeprefix(prefix).lower()
    return next((index for index, item in enumerate(names) if item == name), 0)


def read_spans(request: Json) -> list[Span]:
    """The spans of one export request, of Tempo's `/api/traces` answer (`batches`) or of its v2 answer
    (`trace`).
    """
    groups = request.get("resourceSpans") or request.get("batches")
    if groups is None:
        groups = (request.get("trace") or {}).get("resourceSpans") or []
    return [
        _read_span(span, resource, str((scoped.get("scope") or {}).get("name", "")))
        for group in groups
        for resource in [Resource(read_attributes((group.get("resource") or {}).get("attributes")))]
        for scoped in group.get("scopeSpans") or ()
        for span in scoped.get("spans") or ()
    ]


def _read_span(span: Json, resource: Resource, scope: str) -> Span:
    status = span.get("status") or {}
    return Span(
        trace_id=read_id(span.get("traceId")),
        span_id=read_id(span.get("spanId")),
        parent_span_id=read_id(span.get("parentSpanId")),
        name=str(span.get("name", "")),
        kind=_KINDS[_enum_index(span.get("kind"), "SPAN_KIND_", _KINDS)],
        start_ns=int(span.get("startTimeUnixNano") or 0),
        end_ns=int(span.get("endTimeUnixNano") or 0),
        status=_STATUSES[_enum_index(status.get("code"), "STATUS_CODE_", _STATUSES)],
        status_message=str(status.get("message", "")),
        attributes=read_attributes(span.get("attributes")),
        events=tuple(
            Event(
                str(event.get("name", "")),
                int(event.get("timeUnixNano") or 0),
                read_attributes(event.get("attributes")),
            )
            for event in span.get("events") or ()
        ),
        links=tuple(
            Link(
                read_id(link.get("traceId")),
                read_id(link.get("spanId")),
                read_attributes(link.get("attributes")),
            )
            for link in span.get("links") or ()
        ),
        resource=resource,
        scope=scope,
        flags=int(span["flags"]) if "flags" in span else None,
        dropped=sum(int(span.get(key) or 0) for key in _DROPPED)
        + sum(int(e.get("droppedAttributesCount") or 0) for e in span.get("events") or ()),
    )


def read_logs(request: Json) -> list[LogRecord]:
    """The log records of one export request; a record without a time gets its observed time."""
    return [
        LogRecord(
            time_ns=int(record.get("timeUnixNano") or 0) or int(record.get("observedTimeUnixNano") or 0),
            body=read_value(record.get("body")),
            trace_id=read_id(record.get("traceId")),
            span_id=read_id(record.get("spanId")),
            severity=str(record.get("severityText", "")),
            severity_number=_severity(record.get("severityNumber")),
            event_name=str(record.get("eventName", "")),
            attributes=read_attributes(record.get("attributes")),
            resource=resource,
            scope=str((scoped.get("scope") or {}).get("name", "")),
            dropped=int(record.get("droppedAttributesCount") or 0),
        )
        for group in request.get("resourceLogs") or ()
        for resource in [Resource(read_attributes((group.get("resource") or {}).get("attributes")))]
        for scoped in group.get("scopeLogs") or ()
        for record in scoped.get("logRecords") or ()
    ]


def _severity(value: Any) -> int:
    """The severity number; a named one (`SEVERITY_NUMBER_INFO2`) is given its group's first number."""
    if value is None:
        return 0
    if isinstance(value, int) or str(value).isdigit():
        return int(value)
    groups = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
    return groups.get(str(value).removeprefix("SEVERITY_NUMBER_").rstrip("234"), 0)


def read_metrics(request: Json) -> list[MetricPoint]:
    """The data points of one export request. A histogram's `value` is its count."""
    return [
        point
        for group in request.get("resourceMetrics") or ()
        for resource in [Resource(read_attributes((group.get("resource") or {}).get("attributes")))]
        for scoped in group.get("scopeMetrics") or ()
        for metric in scoped.get("metrics") or ()
        for point in _read_points(metric, resource, str((scoped.get("scope") or {}).get("name", "")))
    ]


def _read_points(metric: Json, resource: Resource, scope: str) -> Iterator[MetricPoint]:
    for instrument in ("sum", "gauge", "histogram", "exponentialHistogram", "summary"):
        data = metric.get(instrument)
        if data is None:
            continue
        for point in data.get("dataPoints") or ():
            number = point.get("count", point.get("asInt", point.get("asDouble", 0)))
            yield MetricPoint(
                name=str(metric.get("name", "")),
                unit=str(metric.get("unit", "")),
                instrument=instrument,
                attributes=read_attributes(point.get("attributes")),
                value=float(number or 0),
                time_ns=int(point.get("timeUnixNano") or 0),
                total=float(point["sum"]) if "sum" in point else None,
                monotonic=bool(data.get("isMonotonic", False)),
                resource=resource,
                exemplar_trace_ids=tuple(read_id(e.get("traceId")) for e in point.get("exemplars") or ()),
                start_ns=int(point.get("startTimeUnixNano") or 0),
                scope=scope,
            )


def write_value(value: AttributeValue) -> dict[str, Any]:
    """The inverse of `read_value`."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode("ascii")}
        case tuple():
            return {"arrayValue": {"values": [write_value(item) for item in value]}}
        case _:
            return {"kvlistValue": {"values": write_attributes(value)}}


def write_attributes(attributes: Attributes) -> list[dict[str, Any]]:
    """The inverse of `read_attributes`."""
    return [{"key": key, "value": write_value(value)} for key, value in attributes.items()]


def write_spans(spans: Iterable[Span]) -> dict[str, Any]:
    """One OTLP/JSON trace export request with the spans, grouped by resource and scope, in their order."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": write_attributes(resource.attributes)},
                "scopeSpans": [{"scope": {"name": scope}, "spans": [_write_span(span) for span in members]}],
            }
            for resource, scope, members in _grouped(spans)
        ]
    }


def _write_span(span: Span) -> dict[str, Any]:
    written: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_span_id,
        "name": span.name,
        "kind": _KINDS.index(span.kind),
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": write_attributes(span.attributes),
        "events": [
            {
                "name": event.name,
                "timeUnixNano": str(event.time_ns),
                "attributes": write_attributes(event.attributes),
            }
            for event in span.events
        ],
        "links": [
            {
                "traceId": link.trace_id,
                "spanId": link.span_id,
                "attributes": write_attributes(link.attributes),
            }
            for link in span.links
        ],
        "status": {"code": _STATUSES.index(span.status), "message": span.status_message},
    }
    if span.flags is not None:
        written["flags"] = span.flags
    if span.dropped:
        written["droppedAttributesCount"] = span.dropped
    return written


def write_logs(logs: Iterable[LogRecord]) -> dict[str, Any]:
    """One OTLP/JSON log export request with the records, grouped by resource and scope, in their order."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": write_attributes(resource.attributes)},
                "scopeLogs": [{"scope": {"name": scope}, "logRecords": [_write_log(log) for log in members]}],
            }
            for resource, scope, members in _grouped(logs)
        ]
    }


def _write_log(log: LogRecord) -> dict[str, Any]:
    return {
        "timeUnixNano": str(log.time_ns),
        "traceId": log.trace_id,
        "spanId": log.span_id,
        "severityText": log.severity,
        "severityNumber": log.severity_number,
        "eventName": log.event_name,
        "body": write_value(log.body),
        **({"droppedAttributesCount": log.dropped} if log.dropped else {}),
        "attributes": write_attributes(log.attributes),
    }


def _grouped(records: Iterable[Owned]) -> list[tuple[Resource, str, list[Owned]]]:
    """Neighbours with the same resource and scope together; the order of the records is kept."""
    groups: list[tuple[Resource, str, list[Owned]]] = []
    for record in records:
        if groups and groups[-1][0] == record.resource and groups[-1][1] == record.scope:
            groups[-1][2].append(record)
        else:
            groups.append((record.resource, record.scope, [record]))
    return groups
