"""Watches a run through the tee and the backends: the baseline before it, the settling after it.

Where the stack has a file tee, that is the truth about what was exported, and the backends only say what a
person can find. Without a tee, the trace store's and the log store's answers are all there is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx

from tracewright.contracts.capture import PROBE_SERVICE, Capture, Probe, RunCapture, Sampling
from tracewright.contracts.catalog import CONNECTOR, Series
from tracewright.contracts.checks import sampling, trace_to_log
from tracewright.contracts.checks.log_to_trace import TOLERANCE_NS
from tracewright.contracts.checks.red_equals_spans import metric_names, newest_sample_s, shortfalls
from tracewright.contracts.graph import GRAPH_NAMES, Edge, behind, declared_edges, totals
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract
from tracewright.contracts.settle import Deadlines, Waited, holds, until
from tracewright.endpoints import Endpoints
from tracewright.grafana import Answered, ask_everything
from tracewright.signals import LogRecord, MetricPoint, Sample, Span
from tracewright.signals.loss import (
    COLLECTOR,
    SDKS,
    LossReading,
    loss_sources,
    read_losses,
    read_queues,
    read_sdk_losses,
)
from tracewright.signals.prometheus import Prometheus
from tracewright.signals.quickwit import Quickwit
from tracewright.signals.tee import Tee
from tracewright.signals.tempo import Tempo

Answer = TypeVar("Answer")
MAX_NAMED = 5
# The points of one export are taken within this time; no process dies and comes back so fast.
ONE_EXPORT_NS = 500_000_000
# What arrived before rest began has reached the trace store by then, and a later scrape of it counts it.
ON_ITS_WAY_S = 0.5


class Observer:
    """One run's eyes.

    A backend that does not answer is an entry of the capture's `errors`, not an exception.
    """

    def __init__(self, endpoints: Endpoints, contracts: Mapping[str, Contract], deadlines: Deadlines) -> None:
        self._endpoints = endpoints
        self._contracts = contracts
        self._deadlines = deadlines
        self._tee = Tee(Path(endpoints.tee_dir)) if endpoints.tee_dir else None
        self._tempo = Tempo(endpoints.tempo) if endpoints.tempo else None
        self._quickwit = (
            Quickwit(endpoints.quickwit, endpoints.quickwit_index) if endpoints.quickwit else None
        )
        self._prometheus = Prometheus(endpoints.prometheus) if endpoints.prometheus else None
        # Loss counters are read once, not polled: a program that is slow to answer has as long as the others.
        self._http = httpx.Client(timeout=deadlines.metrics_s, trust_env=False)
        self._loss_sources = loss_sources(endpoints)
        self._metric_names = metric_names(contracts.values())
        self._errors: dict[str, str] = {}
        self._baseline_errors: dict[str, str] = {}
        self._counting_since_s: dict[str, float] = {}
        self._spans: list[Span] = []
        self._logs: list[LogRecord] = []
        self._stored: dict[str, list[Span]] = {}
        self._stored_logs: dict[str, list[LogRecord]] = {}
        self._metrics_before: tuple[Sample, ...] | None = None
        self._metrics: tuple[Sample, ...] | None = None
        self._losses_before: tuple[LossReading, ...] = ()
        self._has_graph = endpoints.service_graph
        self._sampling = Sampling(endpoints.sampling_percent, endpoints.sampling_slow_ms)
        self._graph_before: tuple[Sample, ...] | None = None
        self._graph: tuple[Sample, ...] | None = None
        self._graph_time_s = math.inf
        self._queues: Mapping[str, float] = {}
        self._series = Series()
        self._waited: list[Waited] = []
        self._started_s = time.time()

    def __enter__(self) -> Observer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in (self._tempo, self._quickwit, self._prometheus, self._http):
            if client is not None:
                client.close()

    def baseline(self) -> None:
        """Waits until earlier traffic has come to rest, and notes all counters.

        What follows belongs to the run.
        """
        if self._tee:
            self._tee.skip()

        def observe() -> object:
            self._read_tee()
            self._read_metrics()
            self._read_graph()
            # Not the graph itself: it moves a scrape later than what it counts.
            return (len(self._spans), len(self._logs), self._values(), self._read_queues())

        def uncounted(unchanged_s: float) -> str:
            rest_s = time.time() - unchanged_s + ON_ITS_WAY_S
            return self._unsent() or self._unsampled(rest_s) or self._stale(rest_s)

        quiet_s = self._deadlines.quiet_s
        limit_s = quiet_s + self._deadlines.metrics_s
        waited, _ = holds("baseline at rest", observe, quiet_s, limit_s, besides=uncounted)
        # Counters that stay behind say nothing of the traces: `complete` only minds what never rests.
        behind = not waited.met and waited.seconds - waited.changed_s >= quiet_s
        self._waited.append(replace(waited, what="counters at rest") if behind else waited)
        # Without a series nobody can say whether there is a generator, unless the endpoints say so.
        self._graph_before = self._graph if self._graph or self._has_graph else None
        self._spans.clear()
        self._logs.clear()
        self._series.begin()
        self._metrics_before = self._metrics
        self._losses_before = self._read_losses()
        self._baseline_errors = {
            name: f"before the run: {text}" for name, text in self._errors.items() if name == "prometheus"
        }
        self._started_s = time.time()

    def settle(self, probes: Iterable[Probe]) -> RunCapture:
        """Waits until everything that the contracts declare is there and nothing changes.

        Then reads it all once more.
        """
        driven = tuple(probes)
        limits = self._deadlines
        began_s = time.monotonic()

        def wait(what: str, observe: Callable[[], object], unmet: Callable[[], str], limit_s: float) -> None:
            # Each signal has one deadline, counted from here: what waits later looks at least once.
            left_s = max(limit_s - (time.monotonic() - began_s), 0.0)
            waited, _ = until(what, observe, lambda _: unmet(), left_s, idle_s=limits.idle_s)
            self._waited.append(waited)

        wait(
            "traces", lambda: self._read_traces(driven), lambda: self._missing_spans(driven), limits.traces_s
        )
        if self._tempo and self._tee:
            wait("traces in Tempo", lambda: self._read_stored(driven), self._unstored, limits.traces_s)
        if self._quickwit:
            wait(
                "logs in Quickwit",
                lambda: self._read_logs(driven),
                lambda: self._silent(driven),
                limits.logs_s,
            )
        if self._prometheus and self._metric_names and self._metrics_before is not None:
            wait("metrics", self._read_values, lambda: self._behind(driven), limits.metrics_s)
        if self._graph_before is not None:
            wait("service graph", self._read_graph, lambda: self._ungraphed(driven), limits.metrics_s)

        def everything() -> object:
            self._read_traces(driven)
            self._read_metrics()
            self._read_graph()
            return (len(self._spans), len(self._logs), self._values(), totals(self._graph or ()))

        quiet, _ = holds("quiet", everything, limits.quiet_s, limits.quiet_s + limits.traces_s)
        self._waited.append(quiet)
        settled = {span.key for span in self._spans}
        self._read_stored(driven)
        self._read_logs(driven)
        losses = self._read_losses()
        exemplars = self._read_exemplars()
        dashboards = self._ask_dashboards({probe.journey for probe in driven})
        self._read_traces(driven)
        late = {span.key for span in self._spans} - settled
        return self._capture(driven, frozenset(late), losses, exemplars, dashboards)

    def _capture(
        self,
        probes: tuple[Probe, ...],
        late: frozenset[tuple[str, str]] = frozenset(),
        losses: tuple[LossReading, ...] = (),
        exemplars: Mapping[str, frozenset[str]] | None = None,
        dashboards: tuple[Answered, ...] | None = None,
    ) -> RunCapture:
        return RunCapture(
            probes=probes,
            spans=tuple(self._spans),
            logs=tuple(self._logs),
            late=late,
            stored_spans=frozenset(s.key for spans in self._stored.values() for s in spans)
            if self._tempo
            else None,
            stored_logs=tuple(log for logs in self._stored_logs.values() for log in logs)
            if self._quickwit
            else None,
            metrics_before=self._metrics_before,
            metrics_after=self._metrics,
            losses_before=self._losses_before,
            losses_after=losses,
            exemplars=exemplars,
            dashboards=dashboards,
            graph_before=self._graph_before,
            graph_after=self._graph if self._graph_before is not None else None,
            sampling=self._sampling,
            metric_shapes=self._series.shapes() if self._tee else None,
            counting_since_s=dict(self._counting_since_s),
            waited=tuple(self._waited),
            whole=self._tee is not None,
            errors={**self._errors, **self._baseline_errors},
        )

    # What is read

    def _asked(self, source: str, ask: Callable[[], Answer]) -> Answer | None:
        """The answer; `None` when the source fails, which is then noted until it answers again."""
        try:
            answer = ask()
        except (httpx.HTTPError, ValueError) as error:
            self._errors[source] = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return None
        self._errors.pop(source, None)
        return answer

    def _read_tee(self) -> None:
        if self._tee:
            self._spans.extend(self._tee.spans())
            self._logs.extend(self._tee.logs())
            points = self._tee.metrics()
            self._counting_since_s.update(counting_since(points))
            self._series.take(points)

    def _read_traces(self, probes: tuple[Probe, ...]) -> int:
        """Reads new spans; returns how many there are."""
        if self._tee:
            self._read_tee()
        elif self._tempo:
            self._read_stored(probes)
            self._spans = [span for spans in self._stored.values() for span in spans]
        return len(self._spans)

    def _trace_ids(self, probes: tuple[Probe, ...]) -> list[str]:
        """The probes' traces and the captured traces that link to them, without repetition."""
        own = [probe.trace_id for probe in probes if probe.trace_id]
        linked = [
            span.trace_id for span in self._spans if any(link.trace_id in set(own) for link in span.links)
        ]
        return list(dict.fromkeys([*own, *linked]))

    def _read_stored(self, probes: tuple[Probe, ...]) -> int:
        """Reads the traces from Tempo; returns how many spans it has."""
        tempo = self._tempo
        if tempo is None:
            return 0
        ids = self._trace_ids(probes)
        if self._tee is None:
            linked = (
                self._asked("tempo", partial(tempo.traces_linking_to, probe.trace_id))
                for probe in probes
                if probe.trace_id and self._expects_links(probe)
            )
            ids = list(dict.fromkeys([*ids, *(id for found in linked for id in found or ())]))
        for trace_id in ids:
            spans = self._asked("tempo", partial(tempo.trace, trace_id))
            if spans is not None:
                self._stored[trace_id] = spans
        return sum(len(spans) for spans in self._stored.values())

    def _expects_links(self, probe: Probe) -> bool:
        return any(rule.link for rule in self._contracts[probe.journey].spans.values())

    def _read_logs(self, probes: tuple[Probe, ...]) -> int:
        """Reads the traces' logs from Quickwit; returns how many it has."""
        quickwit = self._quickwit
        if quickwit is None:
            return 0
        self._read_tee()
        for trace_id in self._trace_ids(probes):
            logs = self._asked("quickwit", partial(quickwit.logs_of_trace, trace_id))
            if logs is not None:
                self._stored_logs[trace_id] = logs
        if self._tee is None:
            services = frozenset(s for p in probes for s in self._contracts[p.journey].services)
            begin = min((p.started_ns for p in probes), default=0) - TOLERANCE_NS
            end = max((p.ended_ns for p in probes), default=0) + TOLERANCE_NS
            loose = self._asked("quickwit", lambda: quickwit.logs_without_trace(services, begin, end)) or []
            self._logs = [*(log for logs in self._stored_logs.values() for log in logs), *loose]
        return sum(len(logs) for logs in self._stored_logs.values())

    def _read_metrics(self) -> tuple[Sample, ...] | None:
        """Reads all declared counters, in a fixed order."""
        prometheus = self._prometheus
        if prometheus is not None:
            samples = self._asked("prometheus", lambda: prometheus.latest(self._metric_names))
            if samples is not None:
                self._metrics = tuple(sorted(samples, key=lambda s: (s.name, sorted(s.labels.items()))))
            elif self._metrics is None:
                self._metrics = ()
        return self._metrics

    def _read_values(self) -> tuple[float, ...]:
        self._read_metrics()
        return self._values()

    def _values(self) -> tuple[float, ...]:
        """The counters' values alone: their times change with every export."""
        return tuple(sample.value for sample in self._metrics or ())

    def _read_graph(self) -> Mapping[Edge, float] | None:
        """Reads the service graph's counters; returns those of its edges."""
        prometheus = self._prometheus
        if prometheus is None:
            return None
        answer = self._asked("prometheus", lambda: prometheus.living(GRAPH_NAMES))
        if answer is not None:
            self._graph, self._graph_time_s = tuple(answer[0]), answer[1]
        return totals(self._graph or ())

    def _read_queues(self) -> Mapping[str, float]:
        """Reads what the collector has still to send on, by exporter; nothing where it does not tell."""
        for source in self._loss_sources:
            if source.name == COLLECTOR:
                self._queues = read_queues(source, self._http)
        return self._queues

    def _unsent(self) -> str:
        return _some([f"{exporter} has {size:g} to send" for exporter, size in self._queues.items() if size])

    def _stale(self, since_s: float) -> str:
        """Why the graph may not yet have counted what was there at that time (seconds since the epoch)."""
        expected = self._graph or self._has_graph
        return _older("the service graph", self._graph_time_s, since_s) if expected else ""

    def _unsampled(self, since_s: float) -> str:
        """Which services' counters may not yet have what was there at that time (seconds since the epoch)."""
        newest_s = newest_sample_s(self._metrics or ())
        return _some([text for name, at_s in newest_s.items() if (text := _older(name, at_s, since_s))])

    def _ask_dashboards(self, driven: set[str]) -> tuple[Answered, ...] | None:
        """The answers to all that the declared Grafana folders ask; `None` when the run feeds only a part."""
        folders = {
            contract.grafana_folder
            for contract in self._contracts.values()
            if contract.journey in driven
            and contract.grafana_folder
            and contract.siblings <= len(self._contracts)
        }
        if not folders:
            return None

        def ask() -> tuple[Answered, ...]:
            asked = (ask_everything(self._endpoints, folder) for folder in sorted(folders))
            return tuple(answer for answers in asked for answer in answers)

        def unmet(answers: tuple[Answered, ...]) -> str:
            wrong = [answer.place for answer in answers if answer.problem and not answer.quiet]
            return f"without a right answer: {', '.join(wrong[:MAX_NAMED])}" if wrong else ""

        waited, answers = until("dashboards", ask, unmet, self._deadlines.metrics_s)
        self._waited.append(waited)
        return answers

    def _read_losses(self) -> tuple[LossReading, ...]:
        readings = [read_losses(source, self._http) for source in self._loss_sources]
        prometheus = self._prometheus
        if prometheus is not None:
            own = self._asked("prometheus", lambda: read_sdk_losses(prometheus))
            readings.append(own or LossReading(SDKS, error=self._errors["prometheus"]))
        return tuple(readings)

    def _read_exemplars(self) -> Mapping[str, frozenset[str]] | None:
        prometheus = self._prometheus
        if prometheus is None:
            return None
        names = sorted({name for contract in self._contracts.values() for name in contract.exemplars})
        found = {}
        for name in names:
            ids = self._asked(
                "prometheus",
                partial(prometheus.exemplar_trace_ids, name, self._started_s - 1, time.time() + 1),
            )
            found[name] = ids or frozenset()
        return found

    # What is still missing

    def _views(self, probes: tuple[Probe, ...]) -> Iterable[tuple[Capture, Contract]]:
        run = self._capture(probes)
        for probe in probes:
            if not probe.error:
                yield run.of(probe), self._contracts[probe.journey].driven(probe.drive)

    def _missing_spans(self, probes: tuple[Probe, ...]) -> str:
        if self._tee is None and self._tempo is None:
            return ""  # nothing can show a span, however long one waits
        missing = [
            f"{capture.probe.label}: {alias} {len(matching.spans[alias])} of {rule.count}"
            for capture, contract in self._views(probes)
            for matching in [match(capture, contract)]
            for alias, rule in contract.spans.items()
            if len(matching.spans[alias]) < rule.least
        ]
        return _some(missing, self._errors.get("tempo") if self._tee is None else None)

    def _unstored(self) -> str:
        stored = {span.key for spans in self._stored.values() for span in spans}
        # Of a trace of which nothing was kept, only that is waited for which must not be dropped.
        kept = {trace_id for trace_id, spans in self._stored.items() if spans or self._sampling.whole}
        kept |= {s.trace_id for s in self._spans if sampling.must_be_kept(s, self._sampling.slow_ms)}
        missing = [
            str(span)
            for span in self._spans
            if span.trace_id in self._stored.keys() & kept
            and span.key not in stored
            and span.service != PROBE_SERVICE
        ]
        return _some(missing, self._errors.get("tempo"))

    def _silent(self, probes: tuple[Probe, ...]) -> str:
        if self._tee is None and self._tempo is None:
            return _some([], self._errors.get("quickwit"))  # no span to look for the records of
        missing = [
            f"{finding.subject} {finding.detail}"
            for capture, contract in self._views(probes)
            for finding in trace_to_log.check(capture, contract)
        ]
        return _some(missing)

    def _ungraphed(self, probes: tuple[Probe, ...]) -> str:
        declared = {
            edge: alias
            for capture, contract in self._views(probes)
            for edge, alias in declared_edges(contract, match(capture, contract)).items()
        }
        return _some(list(behind(self._capture(probes), declared)))

    def _behind(self, probes: tuple[Probe, ...]) -> str:
        self._read_tee()
        run = self._capture(probes)
        journeys = dict.fromkeys(probe.journey for probe in probes)
        return _some([text for name in journeys for text in shortfalls(run, self._contracts[name])])


def counting_since(points: Iterable[MetricPoint]) -> dict[str, float]:
    """When the process of each service that sent these points began to count, in seconds since the epoch.

    That is the earliest start in its newest export; a restarted process begins anew under the same name. What
    the collector itself counts of a service's spans is not the service's.
    """
    counted: dict[str, list[MetricPoint]] = {}
    for point in points:
        if point.start_ns and CONNECTOR not in point.scope:
            counted.setdefault(point.resource.service, []).append(point)
    return {
        service: min(p.start_ns for p in own if p.time_ns >= newest_ns - ONE_EXPORT_NS) / 1e9
        for service, own in counted.items()
        for newest_ns in [max(p.time_ns for p in own)]
    }


def _older(what: str, newest_s: float, since_s: float) -> str:
    """By how much its newest sample is too old; empty when it is not."""
    if newest_s >= since_s:
        return ""
    return f"the newest sample of {what} is {since_s - newest_s:.1f} s older than the last arrival"


def _some(missing: list[str], error: str | None = None) -> str:
    """The first few of what is missing, and how many more there are; empty when nothing is."""
    items = [*([error] if error else []), *missing]
    more = f" … and {len(items) - MAX_NAMED} more" if len(items) > MAX_NAMED else ""
    return "; ".join(items[:MAX_NAMED]) + more
