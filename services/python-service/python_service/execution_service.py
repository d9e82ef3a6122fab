"""One execution from the request to the stored answer: at most once per run id."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from time import perf_counter
from uuid import UUID

from python_service.agent import AgentRunner
from python_service.domain import Agent, Execution
from python_service.errors import Conflict, NotFound
from python_service.llm import PROVIDER
from python_service.store import Store
from python_service.telemetry.instruments import Instruments
from python_service.telemetry.tenant import KnownTenants, bind_tenant

_logger = logging.getLogger(__name__)


class ExecutionService:
    """The use case behind `POST /executions`."""

    def __init__(
        self, store: Store, runner: AgentRunner, *, instruments: Instruments, known_tenants: KnownTenants
    ) -> None:
        self._store = store
        self._runner = runner
        self._instruments = instruments
        self._known_tenants = known_tenants
        self._running: dict[UUID, _Turn] = {}

    async def execute(self, *, run_id: UUID, tenant_id: str, agent_id: str, question: str) -> Execution:
        """The answer, made now or stored before.

        Raises `NotFound` for an unknown tenant or agent, `Conflict` when the run id belongs to another
        request, and `DependencyError`; nothing is stored then, so the same run id may be tried again.
        """
        await self._enter_tenant(tenant_id)
        agent = await self._store.find_agent(agent_id)
        if agent is None:
            raise NotFound("There is no such agent.")
        async with self._turn(run_id):
            stored = await self._store.find_execution(run_id)
            if stored is None:
                return await self._run(agent, run_id=run_id, tenant_id=tenant_id, question=question)
        if (stored.tenant_id, stored.agent_id, stored.question) != (tenant_id, agent_id, question):
            raise Conflict("This run_id belongs to another request.")
        _logger.info("run replayed", extra={"run.id": str(run_id), "gen_ai.agent.id": agent_id})
        return stored

    async def _enter_tenant(self, tenant_id: str) -> None:
        # Tenants are read at the start. The database is asked only for one that came later or is not there.
        if tenant_id not in self._known_tenants:
            if not await self._store.has_tenant(tenant_id):
                raise NotFound("There is no such tenant.")
            self._known_tenants.add(tenant_id)
        bind_tenant(tenant_id)

    async def _run(self, agent: Agent, *, run_id: UUID, tenant_id: str, question: str) -> Execution:
        started_s = perf_counter()
        status = "error"
        try:
            outcome = await self._runner.run(
                agent=agent, tenant_id=tenant_id, run_id=run_id, question=question
            )
            execution = Execution(
                run_id=run_id,
                tenant_id=tenant_id,
                agent_id=agent.id,
                question=question,
                answer=outcome.answer,
                sources=[asdict(source) for source in outcome.sources],
                input_tokens=outcome.input_tokens,
                output_tokens=outcome.output_tokens,
                cost_usd=outcome.cost_usd,
            )
            if not await self._store.save(execution, agent=agent, provider=PROVIDER):
                # Another process stored this run in the meantime; its answer is the one that counts.
                execution = await self._store.find_execution(run_id) or execution
            status = "ok"
        finally:
            self._instruments.execution_finished(
                perf_counter() - started_s, agent_id=agent.id, tenant_id=tenant_id, status=status
            )
        _logger.info(
            "run finished",
            extra={
                "run.id": str(run_id),
                "gen_ai.agent.id": agent.id,
                "gen_ai.usage.input_tokens": execution.input_tokens,
                "gen_ai.usage.output_tokens": execution.output_tokens,
                "cost_usd": float(execution.cost_usd),
            },
        )
        return execution

    @asynccontextmanager
    async def _turn(self, run_id: UUID) -> AsyncIterator[None]:
        """One request per run id at a time: a repeated one waits and finds the answer of the first."""
        turn = self._running.setdefault(run_id, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if turn.users == 0:
                del self._running[run_id]


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
