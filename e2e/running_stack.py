"""The suite's stack as plain tests see it: they ask where it answers, break it, and mend it."""

from __future__ import annotations

from typing import Protocol

import httpx
from filelock import FileLock

from e2e.driving import CONTRACTS
from tracewright.endpoints import Endpoints
from tracewright.stack.paths import REPO_ROOT
from tracewright.verify import ProbePlan, by_journey, drive_all

# One stack at a time starts: it listens on all of its ports before the next one chooses free ones.
# None starts while the contracts are driven.
STARTING = FileLock(REPO_ROOT / ".tracewright" / "e2e-starting.lock")
# A request to each service that counts them.
ASKED = {
    "frontend": ("frontend", "/api/services/go-service/data"),
    "go-service": ("go_service", "/data"),
    "python-service": ("python_service", "/data"),
    "rust-service": ("rust_service", "/data"),
}
# Its name natively, and in Compose.
TRACE_STORE = ("store", "tempo")


def wake(endpoints: Endpoints, component: str) -> None:
    """Asks a service something after its start: until then it exports no counter.

    A run's baseline would wait in vain for a newer sample than its earlier process has left. The service
    graph is the trace store's: it has an edge once it has seen a call.
    """
    if component in TRACE_STORE:
        call_everything(endpoints)
    elif component in ASKED:
        service, path = ASKED[component]
        httpx.get(f"{getattr(endpoints, service)}{path}", timeout=30.0, trust_env=False)


def call_everything(endpoints: Endpoints) -> None:
    """Drives each journey once that needs no browser. A call that fails is an `AssertionError`."""
    contracts = by_journey(CONTRACTS)
    plans = [ProbePlan(name) for name, contract in contracts.items() if contract.http is not None]
    failed = [probe.error for probe in drive_all(endpoints, plans, contracts) if probe.error]
    assert not failed, failed


class RunningStack(Protocol):
    """One running stack, native or in containers; `store` is its trace store and its log store together."""

    @property
    def endpoints(self) -> Endpoints:
        """Where it answers."""

    @property
    def components(self) -> tuple[str, ...]:
        """The names of all components."""

    def kill(self, component: str) -> None:
        """Ends it at once, as a crash would; it stays down."""

    def stop(self, component: str) -> None:
        """Stops it as `down` does: SIGTERM first."""

    def start(self, component: str) -> None:
        """Starts it again; returns when it is ready."""

    def runs(self, component: str) -> bool:
        """Whether it has a living process."""

    def freeze(self, component: str) -> None:
        """It is there and accepts connections, but does nothing."""

    def thaw(self, component: str) -> None:
        """Goes on where `freeze` stopped it."""

    def memory_bytes(self) -> dict[str, int]:
        """What each component uses; pages that several processes share count once."""
