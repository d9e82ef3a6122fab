"""Captures as folders: written by a run, judged again later without a stack.

run.json           probes, stored ids, counters before and after, how the waiting ended
traces.jsonl       the spans, OTLP/JSON export requests
logs.jsonl         the log records that were exported
stored-logs.jsonl  the log records that the log store gave back (absent without a log store)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tracewright.contracts.capture import Probe, RunCapture, Sampling
from tracewright.contracts.catalog import MetricShape
from tracewright.contracts.settle import Waited
from tracewright.grafana.answers import Answered
from tracewright.signals import LogRecord, Sample, otlp
from tracewright.signals.loss import LossReading

FORMAT = 1


class CaptureError(ValueError):
    """A folder that holds no capture of this format; the text names folder and file."""


@dataclass(frozen=True)
class _Rest:
    """What of a run is not OTLP."""

    format: int
    probes: tuple[Probe, ...]
    late: tuple[tuple[str, str], ...]
    stored_spans: tuple[tuple[str, str], ...] | None
    metrics_before: tuple[Sample, ...] | None
    metrics_after: tuple[Sample, ...] | None
    losses_before: tuple[LossReading, ...]
    losses_after: tuple[LossReading, ...]
    exemplars: Mapping[str, tuple[str, ...]] | None
    counting_since_s: Mapping[str, float]
    waited: tuple[Waited, ...]
    whole: bool
    errors: Mapping[str, str]
    graph_before: tuple[Sample, ...] | None = None
    graph_after: tuple[Sample, ...] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    metric_shapes: tuple[MetricShape, ...] | None = None
    dashboards: tuple[Answered, ...] | None = None


_REST = TypeAdapter(_Rest)


def save(run: RunCapture, folder: Path) -> None:
    """Writes the capture; the folder is made, files of an earlier capture are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    rest = _Rest(
        FORMAT,
        run.probes,
        tuple(sorted(run.late)),
        None if run.stored_spans is None else tuple(sorted(run.stored_spans)),
        run.metrics_before,
        run.metrics_after,
        run.losses_before,
        run.losses_after,
        None if run.exemplars is None else {name: tuple(sorted(ids)) for name, ids in run.exemplars.items()},
        dict(run.counting_since_s),
        run.waited,
        run.whole,
        dict(run.errors),
        run.graph_before,
        run.graph_after,
        run.sampling,
        run.metric_shapes,
        run.dashboards,
    )
    (folder / "run.json").write_bytes(_REST.dump_json(rest, indent=1))
    _write_lines(folder / "traces.jsonl", [otlp.write_spans(run.spans)])
    _write_lines(folder / "logs.jsonl", [otlp.write_logs(run.logs)])
    stored = folder / "stored-logs.jsonl"
    if run.stored_logs is None:
        stored.unlink(missing_ok=True)
    else:
        _write_lines(stored, [otlp.write_logs(run.stored_logs)])


def load(folder: Path) -> RunCapture:
    """Reads what `save` wrote. Raises `CaptureError`."""
    try:
        rest = _REST.validate_json((folder / "run.json").read_bytes())
        spans = [span for request in _lines(folder / "traces.jsonl") for span in otlp.read_spans(request)]
        logs = _logs(folder / "logs.jsonl")
        stored_logs = _logs(folder / "stored-logs.jsonl") if (folder / "stored-logs.jsonl").exists() else None
    except FileNotFoundError as error:
        raise CaptureError(
            f"{folder}: holds no capture, {Path(str(error.filename)).name} is missing"
        ) from error
    except (ValidationError, json.JSONDecodeError) as error:
        raise CaptureError(f"{folder}: is no capture of format {FORMAT}: {error}") from error
    if rest.format != FORMAT:
        raise CaptureError(f"{folder}: is a capture of format {rest.format}, this version reads {FORMAT}")
    return RunCapture(
        probes=rest.probes,
        spans=tuple(spans),
        logs=logs,
        late=frozenset(rest.late),
        stored_spans=None if rest.stored_spans is None else frozenset(rest.stored_spans),
        stored_logs=stored_logs,
        metrics_before=rest.metrics_before,
        metrics_after=rest.metrics_after,
        losses_before=rest.losses_before,
        losses_after=rest.losses_after,
        exemplars=None
        if rest.exemplars is None
        else {name: frozenset(ids) for name, ids in rest.exemplars.items()},
        counting_since_s=rest.counting_since_s,
        waited=rest.waited,
        whole=rest.whole,
        errors=rest.errors,
        graph_before=rest.graph_before,
        graph_after=rest.graph_after,
        sampling=rest.sampling,
        metric_shapes=rest.metric_shapes,
        dashboards=rest.dashboards,
    )


def _write_lines(path: Path, requests: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(request) + "\n" for request in requests), encoding="utf-8")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def _logs(path: Path) -> tuple[LogRecord, ...]:
    return tuple(log for request in _lines(path) for log in otlp.read_logs(request))
