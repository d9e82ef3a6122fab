"""Everything this service reads from and writes to PostgreSQL.

Each query is one CLIENT span named `{operation} {table}`, made here: the SQLAlchemy instrumentation does not
accept SQLAlchemy 2.1 (README).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from python_service import faults
from python_service.domain import Agent, Execution, ExecutionSummary
from python_service.errors import DependencyError, DependencyUnavailable, QueryFailed
from python_service.settings import Settings
from python_service.telemetry.spans import outer_span

T = TypeVar("T")

DEPENDENCY = "postgres"
QUEUE = "usage_events"

_tracer = trace.get_tracer(__name__)


@dataclass(frozen=True)
class _Query:
    operation: str
    table: str
    sql: str


_TENANT = _Query("SELECT", "tenants", "SELECT id FROM tenants WHERE id = :tenant_id")
_AGENT = _Query("SELECT", "agents", "SELECT id, team, model FROM agents WHERE id = :agent_id")
_EXECUTION = _Query(
    "SELECT",
    "executions",
    "SELECT run_id, tenant_id, agent_id, question, answer, sources, input_tokens, output_tokens, cost_usd"
    " FROM executions WHERE run_id = :run_id",
)
_RECENT = _Query(
    "SELECT",
    "executions",
    "SELECT run_id, tenant_id, agent_id, status, input_tokens, output_tokens, cost_usd, created_at"
    " FROM executions WHERE CAST(:tenant_id AS text) IS NULL OR tenant_id = :tenant_id"
    " ORDER BY created_at DESC LIMIT :limit",
)
_INSERT_EXECUTION = _Query(
    "INSERT",
    "executions",
    "INSERT INTO executions (run_id, tenant_id, agent_id, question, answer, sources, input_tokens,"
    " output_tokens, cost_usd, status, trace_id) VALUES (:run_id, :tenant_id, :agent_id, :question, :answer,"
    " CAST(:sources AS jsonb), :input_tokens, :output_tokens, :cost_usd, 'ok', :trace_id)"
    " ON CONFLICT (run_id) DO NOTHING",
)
# The row and the wake-up call are one statement: neither can be forgotten, and a listener sees both at the
# commit or none.
_INSERT_USAGE_EVENT = _Query(
    "INSERT",
    QUEUE,
    "INSERT INTO usage_events (run_id, tenant_id, agent_id, team, provider, model, input_tokens,"
    " output_tokens, cost_usd, traceparent, baggage) VALUES (:run_id, :tenant_id, :agent_id, :team,"
    " :provider, :model, :input_tokens, :output_tokens, :cost_usd, :traceparent, :baggage)"
    " RETURNING id, pg_notify('usage_events', CAST(id AS text))",
)


class Store:
    """Every method raises `DependencyUnavailable` when PostgreSQL is down or does not answer in time.

    Else `QueryFailed`: PostgreSQL did not accept the query.
    """

    def __init__(self, engine: AsyncEngine, *, timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = timeout_s
        self._abandoned: set[asyncio.Task[Any]] = set()
        url = engine.url
        self._attributes: dict[str, str | int] = {
            "db.system.name": "postgresql",
            "db.namespace": url.database or "",
        }
        if url.host:
            self._attributes |= {"server.address": url.host, "server.port": url.port or 5432}

    @classmethod
    def connect(cls, settings: Settings) -> Store:
        """Opens nothing yet: connections are made when they are needed."""
        timeout_s = settings.dependency_timeout_s
        engine = create_async_engine(
            settings.database_url,
            pool_size=10,
            max_overflow=5,
            pool_timeout=timeout_s,
            # A restarted PostgreSQL must not cost a request per stale connection.
            pool_pre_ping=True,
            # An error's text must not carry what people asked.
            hide_parameters=True,
            connect_args={"timeout": timeout_s},
        )
        return cls(engine, timeout_s=timeout_s)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def check(self) -> None:
        """Untraced: whether PostgreSQL answers and the schema is there."""
        await self._in_time(self._check())

    async def known_tenants(self) -> frozenset[str]:
        """Untraced: the ids of all tenants, for the start."""
        return await self._in_time(self._known_tenants())

    async def has_tenant(self, tenant_id: str) -> bool:
        """Whether the tenant exists."""
        return await self._in_time(self._first(_TENANT, {"tenant_id": tenant_id})) is not None

    async def find_agent(self, agent_id: str) -> Agent | None:
        """`None` when there is no such agent."""
        row = await self._in_time(self._first(_AGENT, {"agent_id": agent_id}))
        return Agent(**row) if row else None

    async def find_execution(self, run_id: UUID) -> Execution | None:
        """`None` when this run was not stored."""
        row = await self._in_time(self._first(_EXECUTION, {"run_id": run_id}))
        return Execution(**row) if row else None

    async def recent_executions(self, *, tenant_id: str | None, limit: int) -> list[ExecutionSummary]:
        """Newest first; of all tenants when `tenant_id` is `None`."""
        rows = await self._in_time(self._all(_RECENT, {"tenant_id": tenant_id, "limit": limit}))
        return [ExecutionSummary(**row) for row in rows]

    async def save(self, execution: Execution, *, agent: Agent, provider: str) -> bool:
        """Store the execution and send its usage event in one transaction: both or neither.

        `False` when the run was stored before; then nothing is written and no event is sent.
        """
        return await self._in_time(self._save(execution, agent, provider))

    async def _save(self, execution: Execution, agent: Agent, provider: str) -> bool:
        trace_id = _current_trace_id()
        async with AsyncExitStack() as stack:
            with self._span(_INSERT_EXECUTION):
                connection = await stack.enter_async_context(self._engine.begin())
                values = vars(execution) | {"sources": json.dumps(execution.sources), "trace_id": trace_id}
                inserted = await connection.execute(text(_INSERT_EXECUTION.sql), values)
            if inserted.rowcount == 0:
                return False
            with outer_span(
                _tracer,
                f"send {QUEUE}",
                SpanKind.PRODUCER,
                {
                    "messaging.system": "postgresql",
                    "messaging.destination.name": QUEUE,
                    "messaging.operation.name": "send",
                    "messaging.operation.type": "send",
                },
            ) as span:
                # What the consumer links to: the context of this span, taken before the row is written.
                carrier: dict[str, str] = {}
                propagate.inject(carrier)
                values = {
                    "run_id": execution.run_id,
                    "tenant_id": execution.tenant_id,
                    "agent_id": execution.agent_id,
                    "team": agent.team,
                    "provider": provider,
                    "model": agent.model,
                    "input_tokens": execution.input_tokens,
                    "output_tokens": execution.output_tokens,
                    "cost_usd": execution.cost_usd,
                    "traceparent": carrier.get("traceparent"),
                    "baggage": carrier.get("baggage"),
                }
                with self._span(_INSERT_USAGE_EVENT):
                    event = await connection.execute(text(_INSERT_USAGE_EVENT.sql), values)
                span.set_attribute("messaging.message.id", str(event.scalar_one()))
        return True

    async def _check(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1 FROM tenants LIMIT 1"))

    async def _known_tenants(self) -> frozenset[str]:
        async with self._engine.connect() as connection:
            return frozenset((await connection.execute(text("SELECT id FROM tenants"))).scalars())

    async def _first(self, query: _Query, values: Mapping[str, Any]) -> dict[str, Any] | None:
        rows = await self._all(query, values)
        return rows[0] if rows else None

    async def _all(self, query: _Query, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._span(query):
            async with self._engine.connect() as connection:
                result = await connection.execute(text(query.sql), values)
                return [dict(row) for row in result.mappings()]

    @contextmanager
    def _span(self, query: _Query) -> Iterator[None]:
        """The client span of a query, and of getting a connection for it; records what goes wrong, once."""
        name = f"{query.operation} {query.table}"
        with _tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes=faults.named(
                {
                    **self._attributes,
                    "db.operation.name": query.operation,
                    "db.collection.name": query.table,
                    "db.query.summary": name,
                    "db.query.text": query.sql,
                }
            ),
            record_exception=False,
        ) as span:
            try:
                yield
            except asyncio.CancelledError as exc:
                # Given up by `_in_time` or by the client: who gave up says why.
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", type(exc).__qualname__)
                raise
            except Exception as exc:
                span.set_attribute("error.type", type(exc).__qualname__)
                span.record_exception(exc)
                raise _failure(exc, recorded=True) from exc

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, or `DependencyUnavailable` after the limit.

        A cancelled query may keep waiting for a server that hangs (asyncpg asks it to cancel), so it is left
        behind as a task of its own instead of being awaited.
        """
        task = asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._timeout_s)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if not done:
            self._abandon(task)
            raise DependencyUnavailable(DEPENDENCY, "did not answer in time")
        try:
            return task.result()
        except DependencyError:
            raise
        except Exception as exc:
            raise _failure(exc, recorded=False) from exc

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            # Its error is that of the timeout, which was raised already; read, so that asyncio does not
            # report it.
            task.exception()


def _current_trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _failure(exc: Exception, *, recorded: bool) -> DependencyError:
    if _is_unavailable(exc):
        return DependencyUnavailable(DEPENDENCY, "is not available", recorded=recorded)
    return QueryFailed(DEPENDENCY, "did not accept a query", recorded=recorded)


def _is_unavailable(exc: BaseException) -> bool:
    """Whether PostgreSQL is not there, as opposed to not liking what it was asked."""
    if isinstance(exc, OSError | PoolTimeoutError):
        return True
    if isinstance(exc, DBAPIError) and exc.connection_invalidated:
        return True
    # Classes of SQLSTATE: 08 connection exception, 53 insufficient resources, 57 operator intervention.
    original = getattr(exc, "orig", None) or exc
    sqlstate = getattr(original, "sqlstate", None) or getattr(original.__cause__, "sqlstate", None)
    return isinstance(sqlstate, str) and sqlstate[:2] in {"08", "53", "57"}
