"""How long from a click to findable, per signal: `python -m e2e.findable endpoints.json`.

A click begins when the button is pressed (with `--http`, when the request is sent). A trace is findable when
Tempo gives its root and spans of all four services, logs when Quickwit gives a record of each, a metric when
Prometheus' counter has moved. Prints p50 and p95 in milliseconds.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from e2e.driving import CONTRACTS
from tracewright.browser import BrowserDriver
from tracewright.contracts.capture import Probe
from tracewright.contracts.settle import until
from tracewright.endpoints import Endpoints
from tracewright.probe import drive_http
from tracewright.signals.prometheus import Prometheus
from tracewright.signals.quickwit import Quickwit
from tracewright.signals.tempo import Tempo
from tracewright.verify import by_journey

JOURNEY = "agent-run"
# The far end of the journey: what is there last.
SERVICES = frozenset({"frontend", "go-service", "python-service", "rust-service"})
COUNTER = "sum(agent_execution_total)"
LIMIT_S = 60.0


def main() -> int:
    """Clicks and measures. Exit code 1 when a signal was not findable in time."""
    parser = argparse.ArgumentParser(prog="python -m e2e.findable", description=__doc__)
    parser.add_argument("endpoints", type=Path)
    parser.add_argument("--clicks", type=int, default=50)
    parser.add_argument("--http", action="store_true", help="send the request without a browser")
    options = parser.parse_args()
    endpoints = Endpoints.load(options.endpoints)
    contract = by_journey(CONTRACTS)[JOURNEY]
    seconds: dict[str, list[float]] = {"answer": [], "trace": [], "logs": [], "metric": []}
    with httpx.Client(trust_env=False) as http, BrowserDriver() as browser:
        for _ in range(options.clicks):
            before = executions(endpoints)
            if options.http:
                probe = drive_http(contract, endpoints, http, tenant="acme", label=JOURNEY)
            else:
                probe = browser.drive(contract, endpoints, tenant="acme", label=JOURNEY)
            if probe.error:
                print(probe.error)
                return 1
            seconds["answer"].append((probe.ended_ns - probe.started_ns) / 1e9)
            look = Look(finders(endpoints, probe, before), probe.started_ns / 1e9)
            waited, _ = until("signals", look, lambda missing: missing and f"not yet {missing}", LIMIT_S)
            if not waited.met:
                print(f"trace {probe.trace_id}: {waited}")
                return 1
            for signal, found_s in look.found_s.items():
                seconds[signal].append(found_s)
    for signal, values in seconds.items():
        p50, p95 = (percentile(values, percent) * 1000 for percent in (50, 95))
        print(f"{signal:8} p50 {p50:6.0f} ms   p95 {p95:6.0f} ms")
    return 0


class Look:
    """Looks for what is still missing, so that no signal waits for a slower one.

    `found_s` has the signals that were found, in seconds since `begun_s`.
    """

    def __init__(self, finders: Mapping[str, Callable[[], bool]], begun_s: float) -> None:
        self.found_s: dict[str, float] = {}
        self._finders = finders
        self._begun_s = begun_s

    def __call__(self) -> str:
        """Looks once at each; returns the names of those that are missing."""
        for signal, is_there in self._finders.items():
            if signal not in self.found_s and is_there():
                self.found_s[signal] = time.time() - self._begun_s
        return ", ".join(signal for signal in self._finders if signal not in self.found_s)


def finders(endpoints: Endpoints, probe: Probe, before: float) -> dict[str, Callable[[], bool]]:
    """For each signal, whether it can be found now."""
    assert endpoints.tempo
    assert endpoints.quickwit
    tempo = Tempo(endpoints.tempo)
    quickwit = Quickwit(endpoints.quickwit, endpoints.quickwit_index)

    def trace() -> bool:
        spans = tempo.trace(probe.trace_id)
        rooted = any(span.parent_span_id in ("", probe.span_id) for span in spans)
        return rooted and SERVICES.issubset(span.service for span in spans)

    def logs() -> bool:
        return SERVICES.issubset(log.service for log in quickwit.logs_of_trace(probe.trace_id))

    return {"trace": trace, "metric": lambda: executions(endpoints) > before, "logs": logs}


def executions(endpoints: Endpoints) -> float:
    """How many executions Prometheus has counted."""
    assert endpoints.prometheus
    return sum(sample.value for sample in Prometheus(endpoints.prometheus).query(COUNTER))


def percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank; 0 of nothing."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)] if values else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
