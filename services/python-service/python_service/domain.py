"""What this service is about, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Agent:
    """An agent, the team that pays for it, and the model it answers with."""

    id: str
    team: str
    model: str


@dataclass(frozen=True)
class Execution:
    """One answered question. `cost_usd` has six digits after the point."""

    run_id: UUID
    tenant_id: str
    agent_id: str
    question: str
    answer: str
    sources: list[dict[str, Any]]
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


@dataclass(frozen=True)
class ExecutionSummary:
    """An execution without what was asked and answered."""

    run_id: UUID
    tenant_id: str
    agent_id: str
    status: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    created_at: datetime
