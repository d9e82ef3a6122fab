"""Spans around work whose failures are recorded further inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer


@contextmanager
def outer_span(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, str],
    *,
    parent: Context | None = None,
    ends: bool = True,
) -> Iterator[Span]:
    """A current span that says when it failed; the exception event is on the span where it happened.

    It begins below the current span, or in `parent`. `ends=False` leaves it to somebody else to end it.
    """
    with tracer.start_as_current_span(
        name, context=parent, kind=kind, attributes=attributes, record_exception=False, end_on_exit=ends
    ) as span:
        try:
            yield span
        except Exception as exc:
            span.set_attribute("error.type", type(exc).__qualname__)
            raise
