"""The counters in which the pipeline admits a loss did not move since the baseline, and no span or record was
cut short.

A refused, dropped or failed item leaves no trace of itself but its counter. Read are those of the collector,
of the stores behind it and, where there are any, of the SDKs; what an SDK cut off a span or record for want
of room stands in the span or record itself. A program that could not be read, or that shows no sign of having
passed data of a signal that was sent, proves nothing: that is inconclusive, not clean.

Rule: the collector's internal telemetry (`otelcol_*_refused`, `_failed`, `_dropped`), OpenTelemetry's SDK
metrics (`otel.sdk.*` with `error.type`) and dropped counts, and the counters of the stores.

Usual cause: a backend that is down or refuses, a queue that is full, a batch that is too large, or too little
memory; the log of the program that lost it says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracewright.contracts.capture import Capture, RunCapture
from tracewright.contracts.findings import Finding, inconclusive, not_judged
from tracewright.contracts.model import Contract
from tracewright.signals import Sample
from tracewright.signals.loss import SDKS, LossReading, signal_of


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All loss counters that moved, all sources that cannot be trusted, and all that was cut short."""
    run = capture.run
    before = {reading.source: reading for reading in run.losses_before}
    after = {reading.source: reading for reading in run.losses_after}
    findings = list(_cut_short(capture))
    if not any(source.startswith("otel-collector") for source in before.keys() | after.keys()):
        findings.append(not_judged("address for the collector's own metrics"))
    sent = _sent(run, contract)
    for source in sorted(before.keys() | after.keys()):
        findings.extend(_of_source(source, before.get(source), after.get(source), sent, run))
    return findings


def lost(run: RunCapture) -> dict[str, str]:
    """The signals of which a program admits to have lost something during the run, with its counter."""
    found: dict[str, str] = {}
    before = {reading.source: _totals(reading.samples) for reading in run.losses_before}
    for reading in run.losses_after:
        starts = before.get(reading.source, {})
        for series, value in _totals(reading.samples).items():
            if value > starts.get(series, 0.0):
                found.setdefault(signal_of(series), f"{reading.source}: {series}")
    return found


def _sent(run: RunCapture, contract: Contract) -> frozenset[str]:
    """The signals that were sent: a team without logs is not asked where they went."""
    seen = {
        "traces": bool(run.spans),
        "logs": bool(run.logs or run.stored_logs or any(rule.logs for rule in contract.spans.values())),
        "metrics": bool(run.metric_shapes or contract.metrics or contract.request_metrics),
    }
    return frozenset(signal for signal, sent in seen.items() if sent)


def _of_source(
    source: str,
    before: LossReading | None,
    after: LossReading | None,
    sent: frozenset[str],
    run: RunCapture,
) -> Iterator[Finding]:
    for when, reading in (("before", before), ("after", after)):
        if reading is None or reading.error:
            why = reading.error if reading else "not read"
            yield inconclusive(source, f"its counters could not be read {when} the run: {why}", "it is down")
    if before is None or after is None or before.error or after.error:
        return
    if before.unserved or after.unserved:
        yield not_judged(f"counters of {source} (no /metrics at its address)")
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
                cause="a queue is full, or the export was refused" if source == SDKS else "",
                evidence=_table(starts, ends),
            )
    for witness, seen in after.witnesses.items():
        start_seen = before.witnesses.get(witness) or 0.0
        if signal_of(witness) not in sent:
            continue
        if seen is None:
            yield inconclusive(
                f"{source}: {witness}",
                "is missing, so that no loss counter can be trusted",
                "no data passed here, or the counter has another name in this version",
            )
        elif seen < start_seen:
            yield inconclusive(f"{source}: {witness}", "went down", f"{source} was restarted during the run")
        elif seen == start_seen and not _sampled_away(witness, run):
            yield inconclusive(
                f"{source}: {witness}",
                "did not move although the journey sent data",
                "the data took another way, or the exporter is stuck",
            )


def _sampled_away(witness: str, run: RunCapture) -> bool:
    """Whether nothing may have passed here, since no trace of the run was kept."""
    return signal_of(witness) == "traces" and not run.sampling.whole and not run.stored_spans


def _cut_short(capture: Capture) -> Iterator[Finding]:
    for span in capture.all_spans:
        if span.dropped:
            yield Finding(
                str(span),
                f"was cut short by {span.dropped} attributes, events or links",
                expected="all that was recorded",
                seen=f"{span.dropped} dropped by the SDK",
                cause="more of them than OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT and its like allow",
                span=span.key,
            )
    for log in capture.logs:
        if log.dropped:
            yield Finding(
                str(log),
                f"was cut short by {log.dropped} attributes",
                expected="all that was recorded",
                seen=f"{log.dropped} dropped by the SDK",
                cause="more of them than OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT allows",
                span=(log.trace_id, log.span_id),
            )


def _table(starts: dict[str, float], ends: dict[str, float]) -> tuple[str, ...]:
    return tuple(
        f"{'►' if value > start else ' '} {start:>8g} → {value:<8g} {series}"
        for series, value in sorted(ends.items())
        if value
        for start in [starts.get(series, 0.0)]
    )


def _totals(samples: Iterable[Sample]) -> dict[str, float]:
    """Values by series, written as in Prometheus without the labels that only name the scope."""
    totals: dict[str, float] = {}
    for sample in samples:
        labels = (f'{k}="{v}"' for k, v in sorted(sample.labels.items()) if not k.startswith("otel_"))
        totals[f"{sample.name}{{{', '.join(labels)}}}"] = sample.value
    return totals
