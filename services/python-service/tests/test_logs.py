"""The lines on standard output. That each record is exported, too, is tested in `test_server`."""

from __future__ import annotations

import json
import logging
from logging.handlers import QueueHandler
from queue import SimpleQueue

import pytest
from opentelemetry import baggage, context, trace
from python_service.telemetry.logs import JsonFormatter, configure


def line_of(record: logging.LogRecord) -> dict[str, object]:
    line: dict[str, object] = json.loads(JsonFormatter().format(record))
    return line


def test_log_lines_are_json_with_ids_and_extras() -> None:

    span_context = trace.SpanContext(0xA1, 0xB2, is_remote=False)
    record = logging.makeLogRecord(
        {
            "name": "x",
            "levelname": "WARNING",
            "msg": "took %s",
            "args": ("long",),
            "run.id": "r-1",
            "created": 1.5,
        }
    )
    with trace.use_span(trace.NonRecordingSpan(span_context)):
        line = line_of(record)
    assert line == {
        "timestamp": "1970-01-01T00:00:01.500000Z",
        "level": "WARN",
        "message": "took long",
        "logger": "x",
        "trace_id": f"{0xA1:032x}",
        "span_id": f"{0xB2:016x}",
        "run.id": "r-1",
    }


def test_log_lines_carry_the_allowed_baggage() -> None:
    token = context.attach(baggage.set_baggage("secret", "canary", baggage.set_baggage("tenant.id", "acme")))
    try:
        line = line_of(logging.makeLogRecord({"msg": "hello"}))
    finally:
        context.detach(token)
    assert line["tenant.id"] == "acme"
    assert "canary" not in str(line)


def test_log_line_is_one_line_also_with_an_exception() -> None:
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError as exc:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(exc), exc, exc.__traceback__)})
    assert "\n" not in JsonFormatter().format(record)
    assert "RuntimeError: first" in str(line_of(record)["exception"])


def test_what_the_exporters_say_of_themselves_is_printed_and_not_exported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exported: SimpleQueue[logging.LogRecord] = SimpleQueue()
    monkeypatch.setattr(logging.getLogger(), "handlers", [QueueHandler(exported)])
    configure()
    for name in ("opentelemetry.exporter.otlp", "urllib3.connectionpool", "python_service.agent"):
        logging.getLogger(name).error("from %s", name)
    assert exported.get().name == "python_service.agent"
    assert exported.empty()
    assert len(capsys.readouterr().out.splitlines()) == 3
