"""Where a running stack answers: written by whoever starts it, read by harness, load test and scripts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs (no trailing slash) of one running stack.

    `None` means that this stack has no such component; checks that need it say so instead of passing.
    `tee_dir` is the folder with the collector's `traces.jsonl`, `logs.jsonl` and `metrics.jsonl`
    (one OTLP/JSON export request a line), or `None` where the file tee is off.
    """

    frontend: str | None = None
    go_service: str | None = None
    python_service: str | None = None
    rust_service: str | None = None
    tempo: str | None = None
    quickwit: str | None = None
    quickwit_index: str = "tracewright-logs"
    prometheus: str | None = None
    alertmanager: str | None = None
    otlp_http: str | None = None
    otlp_grpc: str | None = None
    collector_metrics: str | None = None
    database_url: str | None = None
    tee_dir: str | None = None

    def save(self, path: Path) -> None:
        """Writes the endpoints as JSON; the file appears whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Endpoints:
        """Reads what `save` wrote. Raises `FileNotFoundError` when no stack has written it."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
