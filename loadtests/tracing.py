"""The load test's own telemetry: a CLIENT span per request, the root of its trace, and its headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SERVICE = "loadtest"
FLUSH_TIMEOUT_MS = 5000
_PROPAGATOR = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


class Tracing:
    """Opens the root span of each request. Without `otlp_http`, ids are sent but nothing is exported."""

    def __init__(self, otlp_http: str | None, exporter: SpanExporter | None = None) -> None:
        resource = Resource({"service.name": SERVICE, "service.namespace": "tracewright"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        if exporter is None and otlp_http is not None:
            exporter = OTLPSpanExporter(endpoint=f"{otlp_http}/v1/traces")
        if exporter is not None:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE)

    @contextmanager
    def request(self, method: str, members: Mapping[str, str]) -> Iterator[tuple[Span, dict[str, str]]]:
        """A CLIENT span without a parent, and its headers: `traceparent`, and the `members` as `baggage`.

        The context is handed on by argument, never attached: whatever is attached inside a span's block is
        gone at its end, and baggage that was attached outside belongs to the greenlet, not to the request.
        """
        context = Context()
        for key, value in members.items():
            context = baggage.set_baggage(key, value, context)
        attributes = {"http.request.method": method, **members}
        span = self._tracer.start_span(method, context=context, kind=SpanKind.CLIENT, attributes=attributes)
        headers: dict[str, str] = {}
        _PROPAGATOR.inject(headers, context=trace.set_span_in_context(span, context))
        try:
            yield span, headers
        finally:
            span.end()

    def close(self) -> None:
        """Exports what is left."""
        self._provider.force_flush(FLUSH_TIMEOUT_MS)
        self._provider.shutdown()
