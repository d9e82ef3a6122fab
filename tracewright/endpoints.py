"""Where a running stack answers: written by whoever starts it, read by harness, load test and scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

# The components that have a field of their own and take requests of a journey.
_SERVICES = ("frontend", "go_service", "python_service", "rust_service")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs (no trailing slash) of one running stack.

    `None` means that this stack has no such component; checks that need it say so instead of passing.
    `tee_dir` is the folder with the collector's `traces.jsonl`, `logs.jsonl` and `metrics.jsonl`
    (one OTLP/JSON export request a line), or `None` where the file tee is off. `frontend` is where requests
    enter, `console` where people open a trace (`/traces/<trace id>`). `targets` are base URLs of further
    services, by the name that a contract's `http.to` gives.
    `service_graph` says that Prometheus gets Tempo's service graph; where it does not say so, a graph without
    a series is not missed. `sampling_percent` is the share of traces that the collector keeps; traces with an
    error are always kept, and where `sampling_slow_ms` is given, so are those with a span of that many
    milliseconds or more.
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
    grafana: str | None = None
    otlp_http: str | None = None
    otlp_grpc: str | None = None
    collector_metrics: str | None = None
    database_url: str | None = None
    tee_dir: str | None = None
    console: str | None = None
    targets: Mapping[str, str] = field(default_factory=dict)
    service_graph: bool = False
    sampling_percent: float = 100.0
    sampling_slow_ms: float | None = None

    def base_url(self, name: str) -> str | None:
        """Where the service of that name takes requests; `None` when the stack has none."""
        own: str | None = getattr(self, name) if name in _SERVICES else None
        return self.targets.get(name, own)

    def save(self, path: Path) -> None:
        """Writes the endpoints as JSON; the file appears whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Endpoints:
        """Reads what `save` wrote. Raises `FileNotFoundError` when no stack has written it, and `ValueError`
        when it is something else.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: holds no endpoints: {error}") from error
