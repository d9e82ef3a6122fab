"""Spans and log records wait for a collector that is away; what it refuses for good is given up at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from python_service.telemetry.hold import holding_session

PATIENCE_S = 60.0
PAUSE_S = 0.05


class Collector(ThreadingHTTPServer):
    """Has its port from the beginning, but refuses connections until it is `open`."""

    def __init__(self, answers: Sequence[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server_bind()
        self.answers = list(answers)
        self.asked = 0
        self.taken: list[str] = []
        self.serving: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def open(self) -> None:
        self.server_activate()
        self.serving = threading.Thread(target=self.serve_forever, args=(0.05,))
        self.serving.start()

    def server_close(self) -> None:
        if self.serving is not None:
            self.shutdown()
            self.serving.join()
        super().server_close()


class Handler(BaseHTTPRequestHandler):
    """Gives the collector's answers in turn, and 200 after them; notes which spans it took."""

    server: Collector

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.server.asked += 1
        if status == 200:
            self.server.taken += [
                span.name
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


class Exporter(OTLPSpanExporter):
    """The SDK's exporter on a holding session; says when its first export began, and how each one ended."""

    def __init__(self, url: str, tries: int, timeout_s: float) -> None:
        super().__init__(endpoint=url, session=holding_session(tries, PAUSE_S), timeout=timeout_s)
        self.began = threading.Event()
        self.ended = threading.Semaphore(0)
        self.results: list[SpanExportResult] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.began.set()
        result = super().export(spans)
        self.results.append(result)
        self.ended.release()
        return result

    def wait(self, exports: int) -> None:
        for _ in range(exports):
            assert self.ended.acquire(timeout=PATIENCE_S)


@contextmanager
def collector(*answers: int) -> Iterator[Collector]:
    with Collector(answers) as server:
        yield server


@contextmanager
def service(
    url: str, tries: int = 100_000, timeout_s: float = PATIENCE_S
) -> Iterator[tuple[TracerProvider, Exporter]]:
    """What a service exports with, one span a batch. `timeout_s` is the SDK's own, for all of its tries."""
    exporter = Exporter(url, tries, timeout_s)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=10, max_export_batch_size=1)
    )
    yield provider, exporter
    provider.shutdown()


def record(provider: TracerProvider, *names: str) -> None:
    for name in names:
        provider.get_tracer("test").start_span(name).end()


def test_spans_wait_for_a_collector_that_comes_late_and_arrive_once() -> None:
    with collector() as late, service(late.url) as (provider, exporter):
        record(provider, "first", "second")
        assert exporter.began.wait(PATIENCE_S)
        assert not exporter.ended.acquire(timeout=10 * PAUSE_S), "it was given up"
        late.open()
        exporter.wait(2)
        assert sorted(late.taken) == ["first", "second"]


def test_what_a_collector_cannot_take_yet_arrives_later() -> None:
    with collector(503, 429, 502) as busy, service(busy.url) as (provider, exporter):
        busy.open()
        record(provider, "span")
        exporter.wait(1)
        assert (busy.taken, busy.asked) == (["span"], 4)


def test_what_a_collector_refuses_for_good_is_given_up_at_once() -> None:
    with collector(400) as refusing, service(refusing.url) as (provider, exporter):
        refusing.open()
        record(provider, "span")
        exporter.wait(1)
        assert exporter.results == [SpanExportResult.FAILURE]
        assert refusing.asked == 1


def test_a_batch_is_given_up_when_its_tries_are_used_up() -> None:
    with collector() as absent, service(absent.url, 3, 0.5) as (provider, exporter):
        record(provider, "span")
        exporter.wait(1)
        assert exporter.results == [SpanExportResult.FAILURE]
