"""Counters in which the pipeline admits a loss, and counters that prove that data passed.

A program that counts nothing proves nothing: each source names a `witness`, a counter that must be there and
must have moved, before the absence of a loss counter may be read as zero. (The collector creates many of its
counters at the first increment.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from tracewright.endpoints import Endpoints
from tracewright.signals.model import Sample
from tracewright.signals.prometheus import read_exposition


@dataclass(frozen=True, slots=True)
class LossSource:
    """Where one program exposes its counters."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class LossReading:
    """One source at one moment.

    `samples` are its loss counters, `witnesses` what passed by witness. A witness that the source ought to
    have and has not is `None`. `error` is not empty when the source could not be read.
    """

    source: str
    samples: tuple[Sample, ...] = ()
    witnesses: Mapping[str, float | None] = field(default_factory=dict)
    error: str = ""


# refused: a receiver or the memory limiter turned data away; failed: a receiver, an exporter or its queue
# gave up; dropped: a processor threw data away. `otelcol_processor_filter_*` is a filter at its work.
COLLECTOR_LOSSES = re.compile(r"otelcol_(?!processor_filter_)\w*(refused|failed|dropped)\w*")
NOUNS = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}
RECEIVED = tuple(f"otelcol_receiver_accepted_{noun}" for noun in NOUNS.values())
# One gauge per exporter and signal, from the start; the counters of what it sent begin with the first item.
EXPORTER = "otelcol_exporter_in_flight_requests"


def loss_sources(endpoints: Endpoints) -> list[LossSource]:
    """The programs of a stack whose loss counters can be read."""
    sources = []
    if endpoints.collector_metrics:
        url = endpoints.collector_metrics.rstrip("/")
        url = url if url.endswith("/metrics") else f"{url}/metrics"
        sources.append(LossSource("otel-collector", url))
    return sources


def read_losses(source: LossSource, http: httpx.Client) -> LossReading:
    """One reading; a source that cannot be read is a reading with `error`, never an exception."""
    try:
        answer = http.get(source.url)
        answer.raise_for_status()
        samples = list(read_exposition(answer.text))
    except (httpx.HTTPError, ValueError) as error:
        return LossReading(source.name, error=f"{source.url}: {error or type(error).__name__}")
    return LossReading(
        source.name,
        samples=tuple(sample for sample in samples if COLLECTOR_LOSSES.fullmatch(sample.name)),
        witnesses=_witnesses(samples),
    )


def _witnesses(samples: list[Sample]) -> dict[str, float | None]:
    """What the receivers accepted, and what each exporter sent."""
    expected: dict[str, tuple[str, str | None]] = {name: (name, None) for name in RECEIVED}
    for sample in samples:
        if sample.name == EXPORTER and sample.labels.get("data_type") in NOUNS:
            name = f"otelcol_exporter_sent_{NOUNS[sample.labels['data_type']]}"
            exporter = sample.labels["exporter"]
            expected[f'{name}{{exporter="{exporter}"}}'] = (name, exporter)
    passed: dict[str, float | None] = {}
    for witness, (name, sender) in expected.items():
        values = [
            sample.value
            for sample in samples
            if sample.name.removesuffix("_total") == name
            and (sender is None or sample.labels.get("exporter") == sender)
        ]
        passed[witness] = sum(values) if values else None
    return passed
