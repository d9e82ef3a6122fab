"""The counters in which the pipeline admits a loss did not move since the baseline.

A refused, dropped or failed item leaves no trace of itself but its counter. A program that could not be
read, or that shows no sign of having passed any data, proves nothing: that is inconclusive, not clean.

Rule: the collector's internal telemetry (`otelcol_*_refused`, `_failed`, `_dropped`), OpenTelemetry's SDK
metrics (`otel.sdk.*`), and the counters of the stores.

Usual cause: a backend that is down or refuses, a queue that is full, a batch that is too large, or too little
memory; the log of the program that lost it says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding, inconclusive, not_judged
from tracewright.contracts.model import Contract
from tracewright.signals import Sample
from tracewright.signals.loss import LossReading


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All loss counters that moved, and all sources that cannot be trusted."""
    before = {reading.source: reading for reading in capture.run.losses_before}
    after = {reading.source: reading for reading in capture.run.losses_after}
    if not before and not after:
        return [not_judged("address for the collector's own metrics")]
    return [
        finding
        for source in sorted(before.keys() | after.keys())
        for finding in _of_source(source, before.get(source), after.get(source))
    ]


def _of_source(source: str, before: LossReading | None, after: LossReading | None) -> Iterator[Finding]:
    for when, reading in (("before", before), ("after", after)):
        if reading is None or reading.error:
            why = reading.error if reading else "not read"
            yield inconclusive(source, f"its counters could not be read {when} the run: {why}", "it is down")
    if before is None or after is None or before.error or after.error:
        return
    starts, ends = _totals(before.samples), _totals(after.samples)
    for series, value in ends.items():
        start = starts.get(series, 0.0)
        if value > start:
            yield Finding(
                f"{source}: {series}",
                "moved during the run",
                expected="+0",
                seen=f"+{value - start:g}",
                cause="a backend is down or refuses, a queue is full, or memory is short; its log says which",
            )
    for witness, seen in after.witnesses.items():
        start_seen = before.witnesses.get(witness) or 0.0
        if seen is None:
            yield inconclusive(
                f"{source}: {witness}",
                "is missing, so that no loss counter can be trusted",
                "no data passed here, or the counter has another name in this version",
            )
        elif seen < start_seen:
            yield inconclusive(f"{source}: {witness}", "went down", f"{source} was restarted during the run")
        elif seen == start_seen:
            yield inconclusive(
                f"{source}: {witness}",
                "did not move although the journey sent data",
                "the data took another way, or the exporter is stuck",
            )


def _totals(samples: Iterable[Sample]) -> dict[str, float]:
    """Values by series, written as in Prometheus without the labels that only name the scope."""
    totals: dict[str, float] = {}
    for sample in samples:
        labels = (f'{k}="{v}"' for k, v in sorted(sample.labels.items()) if not k.startswith("otel_"))
        totals[f"{sample.name}{{{', '.join(labels)}}}"] = sample.value
    return totals
