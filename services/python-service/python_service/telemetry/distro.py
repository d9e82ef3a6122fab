"""How `opentelemetry-instrument` sets up this service: `opentelemetry-distro` with four additions.

Both classes are entry points of this package, chosen by `OTEL_PYTHON_DISTRO` and `OTEL_PYTHON_CONFIGURATOR`
(`python_service.__main__` sets them). Exporters, sampler, resource, propagators and batching come from the
usual `OTEL_*` variables.
"""

from __future__ import annotations

import logging
from typing import Any

import httpx
from opentelemetry.distro import OpenTelemetryConfigurator, OpenTelemetryDistro
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import RequestInfo
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.processor.baggage import BaggageLogProcessor, BaggageSpanProcessor
from opentelemetry.trace import Span
from opentelemetry.util._importlib_metadata import EntryPoint

from python_service.telemetry.hold import holding_session
from python_service.telemetry.tenant import is_copied


class Distro(OpenTelemetryDistro):
    """Loads the instrumentations, httpx with settings of ours."""

    def _configure(self, **kwargs: Any) -> None:
        super()._configure(**kwargs)  # type: ignore[no-untyped-call]  # the distribution has no types
        # It warns at each start that the configurator of opentelemetry-distro is not the chosen one.
        logging.getLogger("opentelemetry.instrumentation.auto_instrumentation._load").setLevel(logging.ERROR)

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Instrument one library."""
        if entry_point.name == "httpx":
            kwargs |= {
                # Its only metric has no tenant on it; the spans of these calls are measured by the collector.
                "meter_provider": NoOpMeterProvider(),
                "async_request_hook": _without_query,
            }
        super().load_instrumentor(entry_point, **kwargs)


class Configurator(OpenTelemetryConfigurator):
    """The SDK, with baggage copied to spans and log records, which wait while the collector is away."""

    def _configure(self, **kwargs: Any) -> None:
        super()._configure(  # type: ignore[no-untyped-call]  # the distribution has no types
            span_processors=[BaggageSpanProcessor(is_copied)],
            log_record_processors=[BaggageLogProcessor(is_copied)],
            # Metrics need no holding: the next export has the same counters.
            exporter_args_map={
                exporter: {"session": holding_session()} for exporter in (OTLPSpanExporter, OTLPLogExporter)
            },
            **kwargs,
        )


async def _without_query(span: Span, request: RequestInfo) -> None:
    """Keep what people asked off the span: the search terms are made from their question."""
    url = request.url
    if isinstance(url, httpx.URL):
        span.set_attribute("url.full", str(url.copy_with(query=None)))
