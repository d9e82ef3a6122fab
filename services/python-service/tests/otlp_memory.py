"""The SDK with exporters that keep everything in memory, set up as `telemetry.distro` does it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.processor.baggage import BaggageLogProcessor, BaggageSpanProcessor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from python_service.telemetry.tenant import is_copied


@dataclass(frozen=True)
class Log:
    """A log record as it was exported."""

    message: str
    level: str
    trace_id: int
    span_id: int
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A data point of a metric. `value` is what was added, or how many values a histogram has seen."""

    metric: str
    unit: str
    attributes: dict[str, Any]
    value: float
    bounds: tuple[float, ...]


class Telemetry:
    """What was exported since the last `clear`."""

    def __init__(
        self, spans: InMemorySpanExporter, logs: InMemoryLogRecordExporter, reader: InMemoryMetricReader
    ) -> None:
        self._spans = spans
        self._logs = logs
        self._reader = reader

    def clear(self) -> None:
        self._spans.clear()
        self._logs.clear()
        self._reader.get_metrics_data()

    def spans(self) -> list[ReadableSpan]:
        return sorted(self._spans.get_finished_spans(), key=lambda span: span.start_time or 0)

    def span(self, name: str) -> ReadableSpan:
        found = [span for span in self.spans() if span.name == name]
        assert len(found) == 1, f"{name}: {[span.name for span in self.spans()]}"
        return found[0]

    def logs(self) -> list[Log]:
        return [
            Log(
                message=str(data.log_record.body),
                level=data.log_record.severity_text or "",
                trace_id=data.log_record.trace_id or 0,
                span_id=data.log_record.span_id or 0,
                attributes=dict(data.log_record.attributes or {}),
            )
            for data in self._logs.get_finished_logs()
        ]

    def points(self, metric: str) -> list[Point]:
        """To be asked once after `clear`: the reader forgets what it has told."""
        return [point for point in self._all_points() if point.metric == metric]

    def _all_points(self) -> Iterator[Point]:
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = getattr(point, "count", None)
                        yield Point(
                            metric=metric.name,
                            unit=metric.unit or "",
                            attributes=dict(point.attributes or {}),
                            value=getattr(point, "value", 0) if value is None else value,
                            bounds=tuple(getattr(point, "explicit_bounds", ())),
                        )


def install() -> Telemetry:
    """Once a process: providers cannot be replaced. One that another suite has set is added to."""
    spans = InMemorySpanExporter()
    tracer_provider = trace.get_tracer_provider()
    if not isinstance(tracer_provider, TracerProvider):
        tracer_provider = TracerProvider()
        trace.set_tracer_provider(tracer_provider)
    tracer_provider.add_span_processor(BaggageSpanProcessor(is_copied))
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))

    logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # its constructor has no types
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(BaggageLogProcessor(is_copied))
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    _logs.set_logger_provider(logger_provider)
    logging.getLogger("python_service").addHandler(LoggingHandler(logger_provider=logger_provider))
    logging.getLogger("python_service").setLevel(logging.INFO)

    delta = AggregationTemporality.DELTA
    reader = InMemoryMetricReader(preferred_temporality={Counter: delta, Histogram: delta})
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    return Telemetry(spans, logs, reader)
