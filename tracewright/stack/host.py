"""What the stack asks of the machine. Tests replace it by one with scripted clock and processes."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import psutil

from tracewright.stack import ports, process, readiness
from tracewright.stack.component import Check, Component, Variables
from tracewright.stack.process import Launch, Memory, Process
from tracewright.stack.state import Record


class Child(Protocol):
    """A process as the stack sees it; `Process` says what each member means."""

    pid: int
    started: float
    log_start: int

    @property
    def alive(self) -> bool: ...  # noqa: D102 - see Process
    async def wait(self) -> int | None: ...  # noqa: D102 - see Process
    def signal(self, number: signal.Signals) -> None: ...  # noqa: D102 - see Process
    def tree(self) -> list[psutil.Process]: ...  # noqa: D102 - see Process
    def memory(self) -> Memory: ...  # noqa: D102 - see Process


class Host(Protocol):
    """Starts and finds processes, asks them whether they are ready, and knows who has a port."""

    def spawn(self, launch: Launch) -> Child:
        """Starts a command. Raises `OSError` when it cannot be run."""

    def find(self, record: Record) -> Child | None:
        """The recorded process, if it still runs."""

    async def probe(self, check: Check, variables: Variables) -> str | None:
        """`None` when ready, else what came instead."""

    def require_free(self, components: Iterable[Component], numbers: Mapping[str, int]) -> None:
        """Raises `PortTaken` when somebody has a port that one of the components needs."""

    def marked(self, folder: Path) -> list[psutil.Process]:
        """All living processes of the stack in this folder."""


class LocalHost:
    """This machine."""

    def spawn(self, launch: Launch) -> Child:
        """See `Host`."""
        return Process.spawn(launch)

    def find(self, record: Record) -> Child | None:
        """See `Host`."""
        return Process.find(record.pid, record.started, log_start=record.log_start)

    async def probe(self, check: Check, variables: Variables) -> str | None:
        """See `Host`."""
        return await readiness.probe(check, variables)

    def require_free(self, components: Iterable[Component], numbers: Mapping[str, int]) -> None:
        """See `Host`."""
        ports.require_free(components, numbers)

    def marked(self, folder: Path) -> list[psutil.Process]:
        """See `Host`."""
        return process.marked(folder)
