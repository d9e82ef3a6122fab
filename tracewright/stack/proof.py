"""The end of `up`: one agent run per tenant, driven and judged by the harness."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tracewright.stack.stack import Stack
from tracewright.verify import CONTRACTS_FOLDER, ProbePlan, Report, verify

JOURNEY = "agent-run"
TENANTS = ("acme", "globex")


async def prove(stack: Stack, note: Callable[[str], None]) -> Report:
    """Drives and judges the runs; a red result is in the report, not an exception."""
    note(f"verifying {JOURNEY} for {', '.join(TENANTS)}")
    plans = [ProbePlan(JOURNEY, tenant=tenant) for tenant in TENANTS]
    contracts = stack.options.root / CONTRACTS_FOLDER
    return await asyncio.to_thread(verify, stack.endpoints, plans, contracts=contracts)
