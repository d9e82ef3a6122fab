"""A stack in one small HTTP server: a service that traces itself into a tee, and the three backends' APIs.

`POST /api/runs` is the journey; the rest are the answers of Tempo, Quickwit, Prometheus and the collector.
Faults are switched by the fields of `FakeStack`.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import httpx

from tracewright.contracts.capture import PROBE_SERVICE
from tracewright.contracts.graph import REQUESTS
from tracewright.endpoints import Endpoints
from tracewright.signals import AttributeValue, LogRecord, Resource, Span, SpanKind, otlp
from tracewright.signals.loss import QUEUE, RECEIVED, STORED_LOGS, STORED_SPANS

CONTRACT = """
journey: run
http: {method: POST, path: /api/runs, json: {tenant: "{tenant}"}}
spans:
  front: {service: fake, name: POST /api/runs, kind: server, logs: true}
  step: {service: fake, name: step, kind: client, parent: front}
metrics:
  - {name: runs_total, span: front, labels: {status: =ok}}
"""
FAKE = Resource(
    {
        "service.name": "fake",
        "service.namespace": "tests",
        "service.version": "1",
        "service.instance.id": "fake-1",
        "deployment.environment.name": "test",
    }
)
SERVER: dict[str, AttributeValue] = {
    "http.request.method": "POST",
    "http.route": "/api/runs",
    "url.path": "/api/runs",
    "url.scheme": "http",
}
CLIENT: dict[str, AttributeValue] = {
    "http.request.method": "GET",
    "url.full": "http://127.0.0.1/step",
    "server.port": 80,
}
ANSWERED: dict[str, AttributeValue] = {"server.address": "127.0.0.1", "http.response.status_code": 200}


class FakeStack:
    """A context manager; `endpoints` tells where it answers."""

    def __init__(self, folder: Path) -> None:
        self.tee_dir = folder
        self.tee = True
        self.log_with_context = True
        self.span_lost_in_store = False
        self.counts_twice = False
        self.refused = 0
        # What its collector has still to send to the trace store, in requests.
        self.queued = 0
        # Since when each of its targets was scraped; `None` where nothing is.
        self.scraped_s: float | None = None
        # How long its loss counters take to answer, in seconds.
        self.losses_take_s = 0.0
        self.exports_to: str | None = None
        self.status = 200
        self.runs = 0
        # When its counter was last exported.
        self.sampled_s: Callable[[], float] = time.time
        self.spans: list[Span] = []
        self.logs: list[LogRecord] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FakeStack:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoints(self) -> Endpoints:
        """Everything is at the one address."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        return Endpoints(
            frontend=url,
            console=url,
            tempo=url,
            quickwit=url,
            prometheus=url,
            otlp_http=url,
            collector_metrics=url,
            tee_dir=str(self.tee_dir) if self.tee else None,
            service_graph=True,
        )

    def serve_run(self, traceparent: str, baggage: str) -> None:
        """What the fake service does: two spans, one log record, one count."""
        _, trace_id, parent, _ = traceparent.split("-")
        test_id = dict(pair.split("=") for pair in baggage.split(","))["test.id"]
        now = time.time_ns()
        front = Span(
            trace_id, secrets.token_hex(8), parent, "POST /api/runs", SpanKind.SERVER, now, now + 2_000_000,
            attributes={**SERVER, **ANSWERED, "test.id": test_id},
            resource=FAKE,
        )  # fmt: skip
        step = replace(
            front,
            span_id=secrets.token_hex(8),
            parent_span_id=front.span_id,
            name="step",
            kind=SpanKind.CLIENT,
            attributes={**CLIENT, **ANSWERED},
        )
        context = (trace_id, front.span_id) if self.log_with_context else ("", "")
        log = LogRecord(now + 1_000_000, "done", *context, "INFO", 9, resource=FAKE)
        self.runs += 2 if self.counts_twice else 1
        self.export([front, step], [log])

    def export(self, spans: list[Span], logs: list[LogRecord]) -> None:
        """What the collector does: one line to each tee file, and everything to the stores."""
        self.spans.extend(spans)
        self.logs.extend(logs)
        for name, request in (("traces", otlp.write_spans(spans)), ("logs", otlp.write_logs(logs))):
            with (self.tee_dir / f"{name}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(request) + "\n")
            if self.exports_to:
                httpx.post(f"{self.exports_to}/v1/{name}", json=request, trust_env=False).raise_for_status()

    def stored(self, trace_id: str) -> list[Span]:
        """The spans that the store admits to."""
        spans = [span for span in self.spans if span.trace_id == trace_id]
        return spans[1:] if self.span_lost_in_store else spans


def _handler(stack: FakeStack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/metrics":
                time.sleep(stack.losses_take_s)
                passed = (*(f"{name}_total" for name in RECEIVED), STORED_SPANS[0], STORED_LOGS[0])
                lines = [f"{name} {len(stack.spans) + 1}" for name in passed]
                lines.append(f'otelcol_receiver_refused_spans_total{{receiver="otlp"}} {stack.refused}')
                lines.append(f'{QUEUE}{{data_type="traces",exporter="otlp_grpc/tempo"}} {stack.queued}')
                self._text("\n".join(lines))
            elif match := re.fullmatch(r"/api/traces/([0-9a-f]+)", url.path):
                spans = stack.stored(match[1])
                found = {"batches": otlp.write_spans(spans)["resourceSpans"]}
                self._json(found, 200 if spans else 404)
            elif url.path == "/api/search":
                self._json({"traces": []})
            elif url.path == "/api/v1/query_exemplars":
                self._json({"data": []})
            else:
                self._json({}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.path == "/api/runs":
                stack.serve_run(self.headers["traceparent"], self.headers["baggage"])
                self._json({"tenant": json.loads(body)["tenant"]}, stack.status)
            elif self.path == "/v1/traces":
                stack.export(otlp.read_spans(json.loads(body)), [])
                self._json({})
            elif self.path.endswith("/search"):
                query = json.loads(body)["query"]
                logs = [
                    log
                    for log in stack.logs
                    if (query == f"trace_id:{log.trace_id}" if log.trace_id else "NOT trace_id:*" in query)
                ]
                self._json({"hits": [_document(log) for log in logs]})
            elif self.path == "/api/v1/query":
                asked = parse_qs(body.decode())["query"][0]
                self._json({"data": {"result": _series(stack, asked)}})
            else:
                self._json({}, 404)

        def _json(self, answer: object, status: int = 200) -> None:
            self._text(json.dumps(answer), status)

        def _text(self, text: str, status: int = 200) -> None:
            sent = text.encode()
            self.send_response(status)
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

    return Handler


def _series(stack: FakeStack, query: str) -> list[dict[str, object]]:
    """What the one counter says to a range, and the service graph to an instant query."""
    if query == "min(timestamp(up))" and stack.scraped_s is not None:
        return [{"metric": {}, "value": [time.time(), str(stack.scraped_s)]}]
    if not stack.runs:
        return []
    sample = [stack.sampled_s(), str(stack.runs)]
    if "runs_total" in query:
        metric = {"__name__": "runs_total", "status": "ok", "service_name": "fake"}
        return [{"metric": metric, "values": [sample]}]
    edge = {"client": PROBE_SERVICE, "server": "fake"}
    if query.startswith(f"timestamp({REQUESTS}"):
        return [{"metric": edge, "value": [time.time(), str(time.time())]}]
    if REQUESTS in query:
        return [{"metric": {"__name__": REQUESTS, **edge}, "value": sample}]
    return []


def _document(log: LogRecord) -> dict[str, object]:
    return {
        "timestamp_nanos": log.time_ns,
        "service_name": log.service,
        "resource_attributes": {k: v for k, v in log.resource.attributes.items() if k != "service.name"},
        "severity_text": log.severity,
        "body": {"message": log.message},
        **({"trace_id": log.trace_id, "span_id": log.span_id} if log.trace_id else {}),
    }
