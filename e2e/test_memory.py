"""The whole running stack stays within the memory of a small machine."""

from __future__ import annotations

import psutil

from e2e.running_stack import RunningStack
from tracewright.verify import Report

LIMIT_BYTES = int(1.2 * 1024**3)


def test_resident_memory_of_all_processes_is_within_the_limit(stack: RunningStack, telemetry: Report) -> None:
    """Measured after the run over all contracts (`telemetry`)."""
    resident = {name: resident_bytes(stack.pid(name)) for name in stack.components}
    total = sum(resident.values())
    sizes = ", ".join(f"{name} {size >> 20} MiB" for name, size in sorted(resident.items()))
    assert total <= LIMIT_BYTES, f"{total >> 20} MiB in all: {sizes}"


def resident_bytes(pid: int) -> int:
    """Of a process and its children; what PostgreSQL's processes share counts once."""
    process = psutil.Process(pid)
    return sum(
        getattr(one.memory_full_info(), "pss", 0) or one.memory_info().rss
        for one in (process, *process.children(recursive=True))
    )
