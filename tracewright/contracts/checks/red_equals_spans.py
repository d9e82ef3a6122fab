"""Counts in metrics equal the counts of spans, exactly, label set by label set.

Between a baseline taken before the first probe and the end of settling, each declared counter has to have
moved by the number of its spans (or by the sum of one of their attributes), and
`http.server.request.duration` by the number of server spans. A counter that is incremented twice, in two
services, or not for errors, is found by nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

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


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All label sets whose counter and spans disagree, over the whole run."""
    run = capture.run
    error = run.errors.get("prometheus")
    if error:
        return [inconclusive("Prometheus", f"cannot say what it counted: {error}", "Prometheus is down")]
    if run.metrics_before is None or run.metrics_after is None:
        return [not_judged("Prometheus")]
    findings: list[Finding] = []
    for index, metric in enumerate(contract.metrics):
        rule = contract.spans[metric.span]
        spans = [span for span in run.spans if fits(rule, span)]
        expected = expected_by_label(spans, metric.labels, metric.sum)
        place = contract.place("metrics", index)
        findings.extend(_compare(metric.name, metric.labels, None, expected, run, place))
    for service in contract.request_metrics:
        spans = [s for s in run.spans if s.service == service and s.kind is SpanKind.SERVER]
        expected = expected_by_label(spans, REQUEST_LABELS, None)
        place = contract.place("request_metrics")
        findings.extend(_compare(REQUEST_COUNT, REQUEST_LABELS, service, expected, run, place))
    return findings


def metric_names(contracts: Iterable[Contract]) -> frozenset[str]:
    """The names of all series that the check reads for these contracts."""
    names = {metric.name for contract in contracts for metric in contract.metrics}
    if any(contract.request_metrics for contract in contracts):
        names.add(REQUEST_COUNT)
    return frozenset(names)


def mismatches(run: RunCapture, contract: Contract) -> list[str]:
    """What still disagrees, in short; what the settling waits for."""
    probe = run.probes[0]
    return [f"{f.subject} {f.seen} of {f.expected}" for f in check(run.of(probe), contract)]


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


def _compare(
    name: str,
    labels: Mapping[str, str],
    service: str | None,
    expected: Mapping[LabelSet, float],
    run: RunCapture,
    place: str,
) -> list[Finding]:
    before = _by_series(name, service, run.metrics_before or ())
    after = _by_series(name, service, run.metrics_after or ())
    findings: list[Finding] = []
    moved: dict[LabelSet, float] = defaultdict(float)
    constants = {label: source[1:] for label, source in labels.items() if source.startswith("=")}
    for series, value in after.items():
        series_labels = dict(series)
        if any(series_labels.get(label, "") != constant for label, constant in constants.items()):
            continue
        start = before.get(series, 0.0)
        if value < start:
            findings.append(
                inconclusive(
                    name,
                    f"{dict(series)} went down from {start:g} to {value:g}",
                    "its process was restarted during the run",
                )
            )
        moved[tuple(sorted((label, series_labels.get(label, "")) for label in labels))] += value - start
    findings.extend(
        inconclusive(name, f"{dict(series)} vanished during the run", "its process or the metrics store died")
        for series in before.keys() - after.keys()
    )
    for key in sorted(expected.keys() | moved.keys()):
        wanted, seen = expected.get(key, 0.0), moved.get(key, 0.0)
        if wanted != seen:
            # Spans read from the trace store are those of the probes only; others may have made requests.
            foreign = not run.whole and seen > wanted
            findings.append(
                Finding(
                    f"{name}{_braced(key)}",
                    "disagrees with the spans",
                    expected=f"{wanted:g} (from spans; declared at {place})",
                    seen=f"{seen:g}",
                    cause="requests of others during the run"
                    if foreign
                    else "counted twice, in two services, not at all, or with another label",
                    kind=Verdict.INCONCLUSIVE if foreign else Verdict.FAIL,
                )
            )
    return findings


def _braced(key: LabelSet) -> str:
    return "{" + ", ".join(f'{label}="{value}"' for label, value in key) + "}"


def _by_series(
    name: str, service: str | None, samples: Iterable[Sample]
) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for sample in samples
        if sample.name == name and (service is None or service_of(sample.labels) == service)
    }
