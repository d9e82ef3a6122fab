"""Counts in metrics equal the counts of spans, exactly, label set by label set.

Between a baseline taken before the first probe and the end of settling, each declared counter has to have
moved by the number of its spans (or by the sum of one of their attributes), and
`http.server.request.duration` by the number of server spans. A span that had ended when its service was
last sampled for the baseline is counted there, however late it arrives. A counter that is incremented twice,
in two services, or not for errors, is found by nothing else.

Rule: the semantic conventions of `http.server.request.duration` (one measurement a request) and the
contract's own counters.

Usual cause: an instrument that is used at two levels or in two services, a path that returns before it
counts, or a label that says something else than the span's attribute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tracewright.contracts.capture import Capture, RunCapture
from tracewright.contracts.findings import Finding, Verdict, inconclusive, not_judged
from tracewright.contracts.match import fits
from tracewright.contracts.model import Contract
from tracewright.signals import Sample, Span, SpanKind

REQUEST_COUNT = "http_server_request_duration_seconds_count"
REQUEST_LABELS = {
    "http_request_method": "http.request.method",
    "http_route": "http.route",
    "http_response_status_code": "http.response.status_code",
    "tenant_id": "tenant.id",
}
LabelSet = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Count:
    """One label set of one counter: what the spans say, and by how much the counter moved."""

    subject: str
    wanted: float
    seen: float
    place: str

    @property
    def name(self) -> str:
        """The counter without its labels."""
        return self.subject.partition("{")[0]


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All label sets whose counter and spans disagree, over the whole run."""
    run = capture.run
    error = run.errors.get("prometheus")
    if error:
        return [inconclusive("Prometheus", f"cannot say what it counted: {error}", "Prometheus is down")]
    if run.metrics_before is None or run.metrics_after is None:
        return [not_judged("Prometheus")]
    findings = list(_breaks(run, contract))
    every = tuple(counts(run, contract))
    for count in every:
        if count.wanted == count.seen:
            continue
        # Spans read from the trace store are those of the probes only; others may have made requests.
        foreign = not run.whole and count.seen > count.wanted
        findings.append(
            Finding(
                count.subject,
                "disagrees with the spans",
                expected=f"{count.wanted:g} (from spans; declared at {count.place})",
                seen=f"{count.seen:g}",
                cause="requests of others during the run"
                if foreign
                else "counted twice, in two services, not at all, or with another label",
                kind=Verdict.INCONCLUSIVE if foreign else Verdict.FAIL,
                evidence=_table(c for c in every if c.name == count.name),
            )
        )
    return findings


def _table(counts: Iterable[Count]) -> tuple[str, ...]:
    """Both sides of all label sets of one counter."""
    return tuple(
        f"{'►' if count.wanted != count.seen else ' '} spans {count.wanted:>6g}  metric {count.seen:>6g}"
        f"  {count.subject}"
        for count in dict.fromkeys(counts)
    )


def metric_names(contracts: Iterable[Contract]) -> frozenset[str]:
    """The names of all series that the check reads for these contracts."""
    names = {metric.name for contract in contracts for metric in contract.metrics}
    if any(contract.request_metrics for contract in contracts):
        names.add(REQUEST_COUNT)
    return frozenset(names)


def shortfalls(run: RunCapture, contract: Contract) -> list[str]:
    """The counters that are behind their spans, in short. A surplus is none: waiting does not mend it."""
    return [
        f"{count.subject} {count.seen:g} of {count.wanted:g}"
        for count in counts(run, contract)
        if count.seen < count.wanted
    ]


def counts(run: RunCapture, contract: Contract) -> Iterator[Count]:
    """Both sides of every declared counter, for each label set that either side has."""
    for counter in _counters(run, contract):
        moved: dict[LabelSet, float] = defaultdict(float)
        broken: set[LabelSet] = set()
        for series, by in _moves(counter, run):
            labels = dict(series)
            key = tuple(sorted((label, labels.get(label, "")) for label in counter.labels))
            moved[key] += max(by, 0.0)
            if by < 0:
                broken.add(key)
        expected = expected_by_label(counter.spans, counter.labels, counter.summed)
        for key in sorted((expected.keys() | moved.keys()) - broken):
            braced = ", ".join(f'{label}="{value}"' for label, value in key)
            yield Count(
                f"{counter.owner}: {counter.name}{{{braced}}}",
                expected.get(key, 0.0),
                moved.get(key, 0.0),
                counter.place,
            )


@dataclass(frozen=True, slots=True)
class _Counter:
    """A declared counter with the run's spans that it should have counted.

    `owner` is the service whose spans these are; `service` limits the series to one.
    """

    owner: str
    name: str
    labels: Mapping[str, str]
    spans: tuple[Span, ...]
    summed: str | None
    service: str | None
    place: str


def _counters(run: RunCapture, contract: Contract) -> Iterator[_Counter]:
    newer = _newer_than_baseline(run)
    for index, metric in enumerate(contract.metrics):
        rule = contract.spans[metric.span]
        spans = tuple(span for span in newer if fits(rule, span))
        place = contract.place("metrics", index)
        yield _Counter(rule.service, metric.name, metric.labels, spans, metric.sum, None, place)
    for service in contract.request_metrics:
        spans = tuple(s for s in newer if s.service == service and s.kind is SpanKind.SERVER)
        place = contract.place("request_metrics")
        yield _Counter(service, REQUEST_COUNT, REQUEST_LABELS, spans, None, service, place)


def _newer_than_baseline(run: RunCapture) -> tuple[Span, ...]:
    """The spans that the baseline's samples cannot have counted yet.

    An SDK that could not export tries again for seconds, so that spans of earlier traffic arrive in the run.
    """
    sampled_s = newest_sample_s(run.metrics_before or ())
    return tuple(span for span in run.spans if span.end_ns / 1e9 > sampled_s.get(span.service, 0.0))


def newest_sample_s(samples: Iterable[Sample]) -> dict[str, float]:
    """When each service was last sampled, in seconds since the epoch."""
    newest: dict[str, float] = defaultdict(float)
    for sample in samples:
        service = service_of(sample.labels)
        newest[service] = max(newest[service], sample.time_s)
    return newest


def _breaks(run: RunCapture, contract: Contract) -> Iterator[Finding]:
    """Series that cannot be compared, because they went down."""
    for counter in _counters(run, contract):
        for series, by in _moves(counter, run):
            if by < 0:
                yield inconclusive(
                    f"{counter.owner}: {counter.name}",
                    f"{dict(series)} went down by {-by:g}",
                    "its process was restarted, and without a file tee nobody can say when",
                )


def _moves(counter: _Counter, run: RunCapture) -> Iterator[tuple[LabelSet, float]]:
    """By how much each of the counter's series moved.

    A series that was last sampled before its service's process began to count is a dead process's: what the
    new one says counts from zero.
    """
    before = {tuple(sorted(s.labels.items())): s for s in _series(counter, run.metrics_before or ())}
    for sample in _series(counter, run.metrics_after or ()):
        series = tuple(sorted(sample.labels.items()))
        start = before.get(series)
        since_s = run.counting_since_s.get(service_of(sample.labels), 0.0)
        if start is None or start.time_s < since_s <= sample.time_s:
            yield series, sample.value
        else:
            yield series, sample.value - start.value


def _series(counter: _Counter, samples: Iterable[Sample]) -> Iterator[Sample]:
    """The counter's series that have its constant labels."""
    constants = {label: text[1:] for label, text in counter.labels.items() if text.startswith("=")}
    for sample in samples:
        if (
            sample.name == counter.name
            and (counter.service is None or service_of(sample.labels) == counter.service)
            and all(sample.labels.get(label, "") == constant for label, constant in constants.items())
        ):
            yield sample


def expected_by_label(
    spans: Iterable[Span], labels: Mapping[str, str], summed: str | None
) -> dict[LabelSet, float]:
    """What a counter has to show for these spans, by label set; constants (`=x`) are part of every set."""
    totals: dict[LabelSet, float] = defaultdict(float)
    for span in spans:
        key = tuple(sorted((label, _label_value(span, source)) for label, source in labels.items()))
        amount = span.attributes.get(summed, 0) if summed else 1
        totals[key] += float(amount) if isinstance(amount, int | float) else 0.0
    return dict(totals)


def _label_value(span: Span, source: str) -> str:
    if source.startswith("="):
        return source[1:]
    value = span.attributes.get(source, "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def service_of(labels: Mapping[str, str]) -> str:
    """The service that a series comes from: `service_name` where it is promoted, else the end of `job`."""
    return labels.get("service_name") or labels.get("job", "").rsplit("/", 1)[-1]
