"""Counters in which the pipeline admits a loss, and counters that prove that data passed.

A program that counts nothing proves nothing: each source names a `witness` for a signal, a counter that must
be there and must have moved when that signal was sent, before the absence of a loss counter may be read as
zero. (The collector creates many of its counters at the first increment.)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpx

from tracewright.endpoints import Endpoints
from tracewright.signals.model import Sample
from tracewright.signals.prometheus import Prometheus, read_exposition

Signal = Literal["traces", "logs", "metrics"]


@dataclass(frozen=True, slots=True)
class LossSource:
    """Where one program exposes its counters, and what of them counts."""

    name: str
    url: str
    is_loss: Callable[[Sample], bool]
    witnesses: Callable[[list[Sample]], dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class LossReading:
    """One source at one moment.

    `samples` are its loss counters, `witnesses` what passed by witness. A witness that the source ought to
    have and has not is `None`. `error` is not empty when the source could not be read; `unserved` says that
    it answers and shows no counters at all (a gateway before it, for example).
    """

    source: str
    samples: tuple[Sample, ...] = ()
    witnesses: Mapping[str, float | None] = field(default_factory=dict)
    error: str = ""
    unserved: bool = False


# refused: a receiver or the memory limiter turned data away; failed: a receiver, an exporter or its queue
# gave up; dropped: a processor threw data away. `otelcol_processor_filter_*` is a filter at its work, and
# tail sampling counts as dropped too early what it has decided on before its time.
COLLECTOR_LOSSES = re.compile(
    r"otelcol_(?!processor_filter_|processor_tail_sampling_sampling_trace_dropped_too_early)"
    r"\w*(refused|failed|dropped)\w*"
)
NOUNS = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}
RECEIVED = tuple(f"otelcol_receiver_accepted_{noun}" for noun in NOUNS.values())
COLLECTOR = "otel-collector"
# How many requests each exporter has not got rid of, those that it is sending or tries again among them.
QUEUE = "otelcol_exporter_queue_size"
# One gauge per exporter and signal, from the start; the counters of what it sent begin with the first item.
EXPORTER = "otelcol_exporter_in_flight_requests"

# Of the embedded store, Tempo 3 and Quickwit 0.9. Tempo's discarded spans are the ones over its limits.
STORE_LOSSES = re.compile(
    r"tracewright_store_\w+_(rejected|refused_requests|dropped)_total|traces_spanmetrics_dropped_spans_total"
    r"|tempo_discarded_spans_total|tempo_metrics_generator_spans_discarded_total"
    r"|tempo_distributor_(ingester|forwarder|metrics_generator)\w*_(failures|failed)\w*_total"
    r"|quickwit_otlp_request_errors_total"
)
# Quickwit counts good and bad documents in one counter, told apart by a label.
GOOD_DOCUMENTS = {
    "quickwit_indexing_processed_docs_total": ("docs_processed_status", "valid"),
    "quickwit_ingest_docs_total": ("validity", "valid"),
}
# The first that is there is the witness.
STORED_SPANS = ("traces_spanmetrics_calls_total", "tempo_distributor_spans_received_total")
STORED_LOGS = ("tracewright_store_logs_accepted_total", "quickwit_otlp_ingested_log_records_total")
# What an SDK could not process or export, in the spelling of Prometheus: with the reason as a label.
SDK_LOSSES = "otel_sdk_(processor|exporter)_(span|log|metric_data_point)_(processed|exported)_total"
SDKS = "SDKs"


def signal_of(witness: str) -> Signal:
    """What passed by a witness."""
    return "logs" if "log" in witness else "metrics" if "metric_points" in witness else "traces"


def loss_sources(endpoints: Endpoints) -> list[LossSource]:
    """The programs of a stack whose loss counters can be read."""
    sources = []
    if endpoints.collector_metrics:
        url = _page(endpoints.collector_metrics)
        sources.append(LossSource(COLLECTOR, url, _is_collectors, _collectors_witnesses))
    for name, base, names in (
        ("tempo", endpoints.tempo, STORED_SPANS),
        ("quickwit", endpoints.quickwit, STORED_LOGS),
    ):
        if base:
            sources.append(LossSource(name, _page(base), _is_stores, _first_of(names)))
    return sources


def _page(url: str) -> str:
    url = url.rstrip("/")
    return url if url.endswith("/metrics") else f"{url}/metrics"


def read_losses(source: LossSource, http: httpx.Client) -> LossReading:
    """One reading; a source that cannot be read is a reading with `error`, never an exception."""
    try:
        samples = _samples(source, http)
    except (httpx.HTTPError, ValueError) as error:
        if isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error:
            return LossReading(source.name, unserved=True)
        return LossReading(source.name, error=f"{source.url}: {error or type(error).__name__}")
    return LossReading(
        source.name,
        samples=tuple(sample for sample in samples if source.is_loss(sample)),
        witnesses=source.witnesses(samples),
    )


def read_queues(source: LossSource, http: httpx.Client) -> dict[str, float]:
    """How many requests with spans or log records the collector has still to send on, by exporter.

    Metrics are left out: they pass all the time. A collector that does not answer tells nothing.
    """
    try:
        samples = _samples(source, http)
    except (httpx.HTTPError, ValueError):
        return {}
    queues: dict[str, float] = defaultdict(float)
    for sample in samples:
        # One exporter may have a queue for each signal.
        if sample.name == QUEUE and sample.labels.get("data_type") in ("traces", "logs"):
            queues[sample.labels["exporter"]] += sample.value
    return dict(queues)


def _samples(source: LossSource, http: httpx.Client) -> list[Sample]:
    """All that a source exposes. Raises `httpx.HTTPError`, and `ValueError` where that is something else."""
    return list(read_exposition(http.get(source.url).raise_for_status().text))


def read_sdk_losses(prometheus: Prometheus) -> LossReading:
    """What the services' SDKs say that they lost. Few SDKs count it, so nothing is a witness.

    Raises `httpx.HTTPError`.
    """
    found = prometheus.query(f'{{__name__=~"{SDK_LOSSES}", error_type!=""}}')
    return LossReading(SDKS, samples=tuple(found))


def _is_collectors(sample: Sample) -> bool:
    return COLLECTOR_LOSSES.fullmatch(sample.name) is not None


def _is_stores(sample: Sample) -> bool:
    label, good = GOOD_DOCUMENTS.get(sample.name, ("", ""))
    return STORE_LOSSES.fullmatch(sample.name) is not None or (
        bool(label) and sample.labels.get(label) != good
    )


def _first_of(names: Iterable[str]) -> Callable[[list[Sample]], dict[str, float | None]]:
    """A witness that has another name in another program; the first name is told when there is none."""

    def witnesses(samples: list[Sample]) -> dict[str, float | None]:
        for name in names:
            values = [sample.value for sample in samples if sample.name == name]
            if values:
                return {name: sum(values)}
        return {next(iter(names)): None}

    return witnesses


def _collectors_witnesses(samples: list[Sample]) -> dict[str, float | None]:
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
