"""The end of `up`: one agent run per tenant, judged by the harness."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tracewright.stack.stack import Stack
from tracewright.verify import CONTRACTS_FOLDER, ProbePlan, verify

JOURNEY = "agent-run"
TENANTS = ("acme", "globex")


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
    """Drives and judges the runs."""
    note(f"verifying {JOURNEY} for {', '.join(TENANTS)}")
    plans = [ProbePlan(JOURNEY, tenant=tenant) for tenant in TENANTS]
    contracts = stack.options.root / CONTRACTS_FOLDER
    report = await asyncio.to_thread(verify, stack.endpoints, plans, contracts=contracts)
    return Proof(ok=report.ok, seen=dict(report.seen), report=report.render())
