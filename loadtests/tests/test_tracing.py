from __future__ import annotations

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from loadtests.tracing import Tracing


def test_each_request_is_the_root_of_a_trace_of_its_own() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(None, exporter)
    with tracing.request("POST", {"test.id": "load-1"}) as (_, first):
        pass
    with tracing.request("GET", {"test.id": "load-1"}) as (_, second):
        pass
    tracing.close()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["POST", "GET"]
    assert all(span.parent is None and span.kind is SpanKind.CLIENT for span in spans)
    assert first["traceparent"].split("-")[1] != second["traceparent"].split("-")[1]
    assert all(span.attributes is not None and span.attributes["test.id"] == "load-1" for span in spans)


def test_traceparent_names_the_exported_span_and_baggage_has_each_member() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(None, exporter)
    with tracing.request("GET", {"test.id": "load-1", "session.id": "abc"}) as (_, headers):
        pass
    tracing.close()
    (span,) = exporter.get_finished_spans()
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, span_id) == (
        "00",
        f"{span.context.trace_id:032x}",
        f"{span.context.span_id:016x}",
    )
    assert int(flags, 16) & 1, "sampled"
    assert sorted(headers["baggage"].split(",")) == ["session.id=abc", "test.id=load-1"]


def test_baggage_of_one_request_does_not_reach_the_next() -> None:
    tracing = Tracing(None)
    with tracing.request("GET", {"session.id": "first"}):
        pass
    with tracing.request("GET", {"test.id": "load-1"}) as (_, headers):
        pass
    assert headers["baggage"] == "test.id=load-1"
