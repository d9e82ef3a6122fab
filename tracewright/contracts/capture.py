"""What was seen of a run: of all its probes together (`RunCapture`), and of one probe (`Capture`).

A capture is complete in itself: checks read nothing else, so a saved one is judged again without a stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracewright.contracts.catalog import MetricShape
from tracewright.contracts.model import Drive
from tracewright.contracts.settle import Waited
from tracewright.grafana.answers import Answered
from tracewright.signals import LogRecord, Sample, Span
from tracewright.signals.loss import LossReading

PROBE_SERVICE = "tracewright-probe"
# A baggage key that every HTTP probe sends and nobody may copy to telemetry.
UNWANTED_BAGGAGE_KEY = "tracewright.unwanted"


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the stack keeps: this share of the traces, every one with an error, and every one with a span that
    took `slow_ms` or longer (`None`: slow ones are as all others).
    """

    percent: float = 100.0
    slow_ms: float | None = None

    @property
    def whole(self) -> bool:
        """Whether every trace is kept."""
        return self.percent >= WHOLE_PERCENT


WHOLE_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Probe:
    """One driven action and the ids that it can be recognised by.

    `span_id` is the parent that the probe sent along (the declared remote parent), empty when a browser
    began the trace. `secret` is the made-up token that it sent. `error` says why the action itself failed;
    then its trace id may be empty.
    """

    journey: str
    drive: Drive
    trace_id: str
    span_id: str
    test_id: str
    tenant: str
    started_ns: int
    ended_ns: int
    status: int | None = None
    error: str = ""
    label: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class RunCapture:
    """Everything that was seen of one run, from the baseline to the end of settling.

    `None` means that the stack has no component that could have told; an empty value means that it told
    nothing. `late` holds the keys of spans that arrived after everything had settled. `stored_spans` are
    the keys of the spans that the trace store gives by trace id, `stored_logs` the records that the log
    store gives by trace id. `graph_before` and `graph_after` are the service graph's counters,
    `metric_shapes` what was exported of metrics.
    `dashboards` are the answers to what Grafana's folder asks, `None` when it was not asked.
    """

    probes: tuple[Probe, ...]
    spans: tuple[Span, ...]
    logs: tuple[LogRecord, ...]
    late: frozenset[tuple[str, str]] = frozenset()
    stored_spans: frozenset[tuple[str, str]] | None = None
    stored_logs: tuple[LogRecord, ...] | None = None
    metrics_before: tuple[Sample, ...] | None = None
    metrics_after: tuple[Sample, ...] | None = None
    losses_before: tuple[LossReading, ...] = ()
    losses_after: tuple[LossReading, ...] = ()
    exemplars: Mapping[str, frozenset[str]] | None = None
    graph_before: tuple[Sample, ...] | None = None
    graph_after: tuple[Sample, ...] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    metric_shapes: tuple[MetricShape, ...] | None = None
    dashboards: tuple[Answered, ...] | None = None
    counting_since_s: Mapping[str, float] = field(default_factory=dict)
    waited: tuple[Waited, ...] = ()
    whole: bool = True
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def sees_spans(self) -> bool:
        """Whether the stack has anything that could show a span: a tee or a trace store."""
        return self.whole or self.stored_spans is not None

    @property
    def sees_logs(self) -> bool:
        """Whether the stack has anything that could show a log record: a tee or a log store."""
        return self.whole or self.stored_logs is not None

    def of(self, probe: Probe) -> Capture:
        """One probe's part of the run."""
        return Capture(probe, self)

    def sampled_away(self, trace_id: str) -> bool:
        """Whether the trace store has nothing of a trace, in a stack that does not keep all traces."""
        return (
            not self.sampling.whole
            and self.stored_spans is not None
            and not any(trace == trace_id for trace, _ in self.stored_spans)
        )


@dataclass(frozen=True)
class Capture:
    """One probe's part of a run.

    `spans` is the probe's trace without the probe's own span; `linked` are the spans of the traces that
    hold a link to it. Order and duplicates are as they arrived.
    """

    probe: Probe
    run: RunCapture
    spans: tuple[Span, ...] = field(init=False)
    linked: tuple[Span, ...] = field(init=False)

    def __post_init__(self) -> None:
        own = tuple(
            span
            for span in self.run.spans
            if span.trace_id == self.probe.trace_id and span.service != PROBE_SERVICE
        )
        traces = {
            span.trace_id
            for span in self.run.spans
            if any(link.trace_id == self.probe.trace_id for link in span.links)
        } - {self.probe.trace_id}
        object.__setattr__(self, "spans", own)
        object.__setattr__(self, "linked", tuple(s for s in self.run.spans if s.trace_id in traces))

    @property
    def all_spans(self) -> tuple[Span, ...]:
        """The trace's spans and the linked ones."""
        return self.spans + self.linked

    @property
    def trace_ids(self) -> frozenset[str]:
        """The probe's trace and the traces linked to it."""
        return frozenset({self.probe.trace_id} | {span.trace_id for span in self.linked})

    @property
    def logs(self) -> tuple[LogRecord, ...]:
        """The records that name one of these traces, and those with the probe's test id that name none."""
        traces = self.trace_ids
        return tuple(
            log
            for log in self.run.logs
            if log.trace_id in traces
            or (not log.trace_id and log.attributes.get("test.id", "") == self.probe.test_id)
        )

    @property
    def stored_logs(self) -> tuple[LogRecord, ...] | None:
        """What the log store gives for these traces; `None` without a log store."""
        if self.run.stored_logs is None:
            return None
        traces = self.trace_ids
        return tuple(log for log in self.run.stored_logs if log.trace_id in traces)

    def by_id(self) -> dict[tuple[str, str], Span]:
        """The spans by trace and span id."""
        return {span.key: span for span in self.all_spans}

    def is_remote_parent(self, span: Span) -> bool:
        """Whether the span's parent is the probe's own span."""
        return bool(self.probe.span_id) and span.parent_span_id == self.probe.span_id
