"""Counters in which the pipeline admits a loss, and counters that show that it was looked at.

A program that counts nothing proves nothing: each source names a `witness`, a counter that must be there and
must have moved, before the absence of a loss counter may be read as zero. (The collector creates many of its
counters at the first increment.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from tracewright.endpoints import Endpoints
from tracewright.signals.model import Sample
from tracewright.signals.prometheus import read_exposition


@dataclass(frozen=True, slots=True)
class LossSource:
    """Where one program exposes its counters, which of them mean loss, and which prove that data passed."""

    name: str
    url: str
    losses: re.Pattern[str]
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LossReading:
    """One source at one moment. `error` is not empty when it could not be read."""

    source: str
    samples: tuple[Sample, ...] = ()
    witnesses: tuple[Sample, ...] = ()
    error: str = ""


# refused: the receiver turned data away; failed/send_failed/enqueue_failed: an exporter or its queue gave up;
# dropped: a processor threw data away. `otelcol_processor_filter_*` is a filter doing what it was told.
COLLECTOR_LOSSES = re.compile(
    r"otelcol_(receiver_(refused|failed)|exporter_(send_failed|enqueue_failed)|processor_(dropped|refused))_\w+"
)
COLLECTOR_WITNESSES = (
    "otelcol_receiver_accepted_spans",
    "otelcol_receiver_accepted_log_records",
    "otelcol_receiver_accepted_metric_points",
    "otelcol_exporter_sent_spans",
    "otelcol_exporter_sent_log_records",
    "otelcol_exporter_sent_metric_points",
)


def loss_sources(endpoints: Endpoints) -> list[LossSource]:
    """The programs of a stack whose loss counters can be read."""
    sources = []
    if endpoints.collector_metrics:
        url = endpoints.collector_metrics.rstrip("/")
        url = url if url.endswith("/metrics") else f"{url}/metrics"
        sources.append(LossSource("otel-collector", url, COLLECTOR_LOSSES, COLLECTOR_WITNESSES))
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
        samples=tuple(s for s in samples if source.losses.fullmatch(s.name)),
        witnesses=tuple(s for s in samples if s.name.removesuffix("_total") in source.witnesses),
    )
