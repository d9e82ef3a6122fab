"""Logs as JSON lines on standard output; the distribution's handler sends the same records over OTLP."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace

from python_service.telemetry.tenant import copied_baggage

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
# What these say of their exports must not become something to export.
_EXPORTING = ("opentelemetry", "urllib3")


def configure() -> None:
    """Send what is logged to standard output, once, however often this is called.

    Handlers that are there already (the OTLP one) stay, and do not get what the exporters say of themselves.
    """
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    if not any(isinstance(handler.formatter, JsonFormatter) for handler in root.handlers):
        for exporting in root.handlers:
            exporting.addFilter(_is_not_of_exporters)
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        root.addHandler(handler)
    # httpx writes a line per request, with the query in it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # It would tell each try of an export that waits for the collector (hold.py).
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    uvicorn = logging.getLogger("uvicorn.error")
    if _without_colour not in uvicorn.filters:
        uvicorn.addFilter(_without_colour)


class JsonFormatter(logging.Formatter):
    """An object a line: `timestamp` (UTC, RFC 3339), `level`, `message`, `logger`, ids, baggage, extras."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        timestamp = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "timestamp": timestamp.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": _LEVELS.get(record.levelname, record.levelname),
            "message": record.getMessage(),
            "logger": record.name,
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        line |= copied_baggage()
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def _is_not_of_exporters(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] not in _EXPORTING


def _without_colour(record: logging.LogRecord) -> bool:
    """Drop uvicorn's second copy of the message, made for terminals."""
    vars(record).pop("color_message", None)
    return True
