"""The end of `up`: one agent run per tenant, judged by the harness."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tracewright.stack.stack import Stack

JOURNEY = "agent-run"
TENANTS = ("acme", "globex")
HARNESS = "tracewright.verify"


@dataclass(frozen=True, slots=True)
class Proof:
    """`seen` counts telemetry by signal, `report` is the harness's; both empty when nothing was judged."""

    ok: bool = True
    seen: Mapping[str, int] = field(default_factory=dict)
    report: str = ""

    @property
    def exit_code(self) -> int:
        """0 when the proof held or was not asked for."""
        return 0 if self.ok else 1


async def prove(stack: Stack, note: Callable[[str], None]) -> Proof:
    """Drives and judges the runs. Without a harness it says so and proves nothing."""
    try:
        harness = importlib.import_module(HARNESS)
    except ModuleNotFoundError as error:
        if error.name != HARNESS:
            raise
        note("nothing was verified: the harness (tracewright.verify) is not installed")
        return Proof()
    note(f"verifying {JOURNEY} for {', '.join(TENANTS)}")
    plans = [harness.ProbePlan(JOURNEY, tenant=tenant) for tenant in TENANTS]
    report = await asyncio.to_thread(harness.verify, stack.endpoints, plans)
    return Proof(ok=bool(report.ok), seen=dict(report.seen), report=str(report.render()))
