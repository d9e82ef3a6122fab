"""The whole running stack stays within the memory of a small machine."""

from __future__ import annotations

from e2e.compose_stack import ComposeStack
from e2e.running_stack import RunningStack
from tracewright.verify import Report

NATIVE_BYTES = int(1.2 * 1024**3)
# Two stores in the place of one, Grafana, and what each container needs for itself.
COMPOSE_BYTES = int(1.5 * 1024**3)


def test_resident_memory_of_all_processes_is_within_the_limit(stack: RunningStack, telemetry: Report) -> None:
    """Measured after the run over all contracts (`telemetry`)."""
    limit = COMPOSE_BYTES if isinstance(stack, ComposeStack) else NATIVE_BYTES
    resident = stack.memory_bytes()
    total = sum(resident.values())
    sizes = ", ".join(f"{name} {size >> 20} MiB" for name, size in sorted(resident.items()))
    assert total <= limit, f"{total >> 20} MiB in all: {sizes}"
