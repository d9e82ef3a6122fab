"""The deliberate telemetry defects of this service: which there are, and what each breaks.

They are described in `flags/faults.yaml`. Off, which they are unless somebody switches them, nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

# Whom a flag may be for: the name in its targeting, and the key of baggage that says who it is.
_SUBJECT = {"tenant": "tenant.id", "test": "test.id", "session": "session.id"}
_OLD_NAMES = {"db.system.name": "db.system", "db.query.text": "db.statement"}

_client = api.get_client()


class Fault(StrEnum):
    """Names of flags."""

    LOG_WITHOUT_CONTEXT = "telemetry-python-log-without-context"
    EXCEPTION_NOT_RECORDED = "telemetry-python-exception-not-recorded"
    ORPHAN_SPAN = "telemetry-python-orphan-span"
    SPAN_NEVER_ENDED = "telemetry-python-span-never-ended"
    TOKENS_COUNTED_TWICE = "telemetry-python-tokens-counted-twice"
    DEPRECATED_ATTRIBUTES = "telemetry-python-deprecated-attributes"


def on(fault: Fault) -> bool:
    """Whether the defect is on for the current request: for its tenant, its test, its session."""
    carried = baggage.get_all()
    subject = {name: str(carried[key]) for name, key in _SUBJECT.items() if key in carried}
    return _client.get_boolean_value(fault, False, EvaluationContext(attributes=subject))


@contextmanager
def lost_span() -> Iterator[None]:
    """Run a block as if no request was being served."""
    if not on(Fault.LOG_WITHOUT_CONTEXT):
        yield
        return
    token = context.attach(trace.set_span_in_context(trace.INVALID_SPAN))
    try:
        yield
    finally:
        context.detach(token)


def parent_of_tool() -> Context | None:
    """Below what the tool's span begins: `None` is the current span, as it should be."""
    if not on(Fault.ORPHAN_SPAN):
        return None
    stray = SpanContext(
        trace_id=trace.get_current_span().get_span_context().trace_id,
        span_id=RandomIdGenerator().generate_span_id(),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(NonRecordingSpan(stray))


def named(attributes: Mapping[str, str | int]) -> Mapping[str, str | int]:
    """A database span's attributes, under the names that are on."""
    if not on(Fault.DEPRECATED_ATTRIBUTES):
        return attributes
    return {_OLD_NAMES.get(key, key): value for key, value in attributes.items()}
