"""What a component is: the row of the table that `fleet.py` fills, and the words for its life.

Nothing here runs anything: commands, environment and working directory are templates over the stack's
variables (ports by their variable's name, folders, intervals), so the table can be read, tested and
documented.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tracewright.stack.paths import StackPaths

Variables = Mapping[str, str]


class ComponentState(StrEnum):
    """Where a component is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StackEvent:
    """A component changed its state `at_s` seconds after the stack began to act; `detail` may say why."""

    component: str
    state: ComponentState
    at_s: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HttpReady:
    """Ready when GET of `path` on the port that `port` names answers 200."""

    port: str
    path: str


@dataclass(frozen=True, slots=True)
class SqlReady:
    """Ready when `SELECT 1` answers on this database URL."""

    url: str


Check = HttpReady | SqlReady


@dataclass(frozen=True, slots=True)
class RunAs:
    """The unprivileged user that a program must run as where the launcher is root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What a hook gets: the stack's folders and variables, and who owns the component's data."""

    paths: StackPaths
    variables: Variables
    run_as: RunAs | None = None


Hook = Callable[[Setting], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Component:
    """One program of the stack.

    `ports` are names of port variables, the one people look for first. `needs` are components that must be
    ready before. `before` runs ahead of each start, `after` once it answers and before it counts as ready:
    both can run again without harm. `build` is the build result that it runs. `inputs` are files and folders
    (relative to the root) that it reads at its start: a change restarts it.
    """

    name: str
    command: tuple[str, ...]
    ports: tuple[str, ...]
    ready: tuple[Check, ...]
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "{root}"
    build: str | None = None
    inputs: tuple[str, ...] = ()
    before: Hook | None = None
    after: Hook | None = None
    never_root: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    start_timeout_s: float = 60.0

    @property
    def log_name(self) -> str:
        """The file in the stack's log folder that has its output."""
        return f"{self.name}.log"


def with_needs(components: tuple[Component, ...], names: tuple[str, ...]) -> tuple[Component, ...]:
    """The named components and all that they need, in the table's order. Raises `KeyError` for a wrong
    name.
    """
    table = {component.name: component for component in components}
    wanted: set[str] = set()
    stack = list(names)
    while stack:
        name = stack.pop()
        if name not in wanted:
            wanted.add(name)
            stack.extend(table[name].needs)
    return tuple(component for component in components if component.name in wanted)
