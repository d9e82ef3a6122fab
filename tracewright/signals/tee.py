"""The collector's file tee: one OTLP/JSON export request a line, appended while the stack runs.

A line that is still being written is left for the next read, so a reader never sees half a request. What a
collector that was killed has left of one is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracewright.signals import otlp
from tracewright.signals.model import LogRecord, MetricPoint, Span

# Inside of a request its quotes would be escaped.
BEGINS = (b'{"resourceSpans":', b'{"resourceLogs":', b'{"resourceMetrics":')


class TeeFile:
    """Reads what was appended to one file since the last read. A file that is not there yet is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def skip(self) -> None:
        """Forgets everything that is in the file now."""
        for _ in self.requests():
            pass

    def requests(self) -> Iterator[dict[str, Any]]:
        """The export requests of the whole lines that were appended since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                if line.strip():
                    yield parsed(line)


def parsed(line: bytes) -> dict[str, Any]:
    """The request of a line. Raises `json.JSONDecodeError` when there is none.

    A collector that was killed may have left the beginning of another one, and its successor wrote on
    behind it.
    """
    request: dict[str, Any]
    try:
        request = json.loads(line)
    except json.JSONDecodeError:
        whole = max(line.rfind(begin) for begin in BEGINS)
        if whole < 1:
            raise
        request = json.loads(line[whole:])
    return request


class Tee:
    """The three files of a tee folder."""

    def __init__(self, folder: Path) -> None:
        self._traces = TeeFile(folder / "traces.jsonl")
        self._logs = TeeFile(folder / "logs.jsonl")
        self._metrics = TeeFile(folder / "metrics.jsonl")

    def skip(self) -> None:
        """Starts the reading here: what the files hold now is not returned."""
        for file in (self._traces, self._logs, self._metrics):
            file.skip()

    def spans(self) -> list[Span]:
        """Spans that arrived since the last call."""
        return [span for request in self._traces.requests() for span in otlp.read_spans(request)]

    def logs(self) -> list[LogRecord]:
        """Log records that arrived since the last call."""
        return [log for request in self._logs.requests() for log in otlp.read_logs(request)]

    def metrics(self) -> list[MetricPoint]:
        """Data points that arrived since the last call."""
        return [point for request in self._metrics.requests() for point in otlp.read_metrics(request)]
