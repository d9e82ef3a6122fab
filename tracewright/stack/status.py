"""What runs now: one row per component, read from the record and asked of the component itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tracewright.stack.component import Component
from tracewright.stack.stack import Stack


@dataclass(frozen=True, slots=True)
class Row:
    """One component. `health` is `ready`, `stopped`, or what it answered instead of being ready.

    Memory is in bytes over the component's whole process tree; `None` where it does not run or is hidden.
    """

    component: str
    health: str
    pid: int | None
    rss: int | None
    pss: int | None
    port: int
    uptime_s: float | None

    @property
    def ready(self) -> bool:
        """Whether it can do its work."""
        return self.health == "ready"


async def rows(stack: Stack) -> list[Row]:
    """The rows of all components, in start order. The stack must be started or attached."""
    return list(await asyncio.gather(*(_row(stack, component) for component in stack.components)))


async def _row(stack: Stack, component: Component) -> Row:
    port = int(stack.variables[component.ports[0]])
    child = stack.child(component.name)
    if child is None:
        return Row(component.name, "stopped", None, None, None, port, None)
    answer = await stack.answer(component)
    memory = await asyncio.to_thread(child.memory)
    uptime_s = round(time.time() - child.started, 1)
    return Row(component.name, answer or "ready", child.pid, memory.rss, memory.pss, port, uptime_s)


def as_json(name: str, table: Sequence[Row]) -> dict[str, object]:
    """The rows for programs."""
    return {
        "stack": name,
        "ready": all(row.ready for row in table),
        "rss_bytes": sum(row.rss or 0 for row in table),
        "pss_bytes": sum(row.pss or 0 for row in table),
        "components": [asdict(row) for row in table],
    }
