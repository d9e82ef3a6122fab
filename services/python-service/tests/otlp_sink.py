"""An OTLP/HTTP receiver for tests that start the service as a process; it answers searches, too."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

_REQUESTS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


def plain(attributes: Any) -> dict[str, Any]:
    """OTLP key-values as a dictionary of scalars."""

    def value(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        return getattr(pair.value, kind) if kind else None

    return {pair.key: value(pair) for pair in attributes}


class Sink:
    """What was exported, and the headers of each search."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Any] = []
        self.searches: list[dict[str, str]] = []

    def _of(self, kind: type[Any]) -> Iterator[Any]:
        return (request for request in self.received if isinstance(request, kind))

    def spans(self) -> list[Any]:
        """OTLP spans, in the order of their starts."""
        found: list[Any] = []
        for request in self._of(ExportTraceServiceRequest):
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found += scope.spans
        return sorted(found, key=lambda span: int(span.start_time_unix_nano))

    def logs(self) -> list[Any]:
        """OTLP log records, in the order of their arrival."""
        found: list[Any] = []
        for request in self._of(ExportLogsServiceRequest):
            for resource in request.resource_logs:
                for scope in resource.scope_logs:
                    found += scope.log_records
        return found

    def metrics(self) -> dict[str, Any]:
        """The last OTLP metric of each name."""
        found: dict[str, Any] = {}
        for request in self._of(ExportMetricsServiceRequest):
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    found |= {metric.name: metric for metric in scope.metrics}
        return found

    def resources(self) -> list[dict[str, Any]]:
        """One for each resource of each export, of all three signals."""
        found = []
        for request in self.received:
            for name in ("resource_spans", "resource_logs", "resource_metrics"):
                found += [plain(entry.resource.attributes) for entry in getattr(request, name, ())]
        return found


@contextmanager
def otlp_sink() -> Iterator[Sink]:
    """Listens on a free port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            request = _REQUESTS[self.path]()
            request.ParseFromString(body)
            sink.received.append(request)
            self._answer(b"")

        def do_GET(self) -> None:
            sink.searches.append({name.lower(): value for name, value in self.headers.items()})
            result = {"id": "trace", "title": "What a trace is", "snippet": "A story.", "score": 1.0}
            self._answer(json.dumps({"results": [result]}).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sink = Sink(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()
