"""The clients of Tempo and Quickwit, at the transport."""

from __future__ import annotations

import json

import httpx

from tracewright.signals.quickwit import Quickwit, read_document
from tracewright.signals.tempo import Tempo


def test_document_of_the_log_mapping_becomes_a_record() -> None:
    log = read_document(
        {
            "timestamp_nanos": 7,
            "service_name": "api",
            "severity_text": "INFO",
            "severity_number": 9,
            "body": {"message": "done"},
            "attributes": {"run.id": "x"},
            "resource_attributes": {"service.version": "1"},
            "trace_id": "AB" * 16,
            "span_id": "cd" * 8,
        }
    )
    assert (log.trace_id, log.span_id, log.message, log.service) == ("ab" * 16, "cd" * 8, "done", "api")
    assert log.resource.attributes["service.version"] == "1"


def test_document_without_ids_names_no_trace() -> None:
    log = read_document({"timestamp_nanos": 7, "service_name": "api", "body": {"message": "x"}})
    assert (log.trace_id, log.span_id) == ("", "")


def test_logs_of_a_trace_are_asked_for_as_a_link_asks() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content)["query"])
        return httpx.Response(200, json={"hits": []})

    quickwit = Quickwit("http://quickwit", "logs", transport=httpx.MockTransport(answer))
    assert quickwit.logs_of_trace("ab" * 16) == []
    assert quickwit.logs_without_trace(frozenset({"b", "a"}), 1, 2) == []
    assert quickwit.logs_without_trace(frozenset(), 1, 2) == []
    assert asked == [
        f"trace_id:{'ab' * 16}",
        '(service_name:"a" OR service_name:"b") AND timestamp_nanos:[1 TO 2] AND NOT trace_id:*',
    ]


def test_unknown_trace_is_empty_and_short_ids_are_filled_up() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/api/traces/"):
            return httpx.Response(404)
        return httpx.Response(200, json={"traces": [{"traceID": "1f"}]})

    tempo = Tempo("http://tempo", transport=httpx.MockTransport(answer))
    assert tempo.trace("ab" * 16) == []
    assert tempo.traces_linking_to("ab" * 16) == ["1f".rjust(32, "0")]
