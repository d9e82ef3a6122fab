"""Spans around work whose failures are recorded further inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind, Tracer


@contextmanager
def outer_span(tracer: Tracer, name: str, kind: SpanKind, attributes: Mapping[str, str]) -> Iterator[Span]:
    """A current span that says when it failed; the exception event is on the span where it happened."""
    with tracer.start_as_current_span(name, kind=kind, attributes=attributes, record_exception=False) as span:
        try:
            yield span
        except Exception as exc:
            span.set_attribute("error.type", type(exc).__qualname__)
            raise
