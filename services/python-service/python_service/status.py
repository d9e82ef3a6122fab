"""What every backend of the fleet serves beside its work: health, a query, an error, and process metrics."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from python_service.dependencies import ServicesDep
from python_service.errors import DependencyError
from python_service.settings import SERVICE
from python_service.telemetry.tenant import current_tenant

DATA_LIMIT = 20
DATA_LATENCY_S = 0.02

router = APIRouter()
_logger = logging.getLogger(__name__)


class HealthResponse(BaseModel):
    """`ok` means that a request sent now would be served."""

    service: str
    version: str
    status: Literal["ok", "unavailable"]
    checks: dict[str, Literal["ok", "unavailable"]]


class ExecutionItem(BaseModel):
    """A stored execution, without what was asked and answered."""

    run_id: UUID
    tenant: str
    agent: str
    status: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    created_at: datetime


class DataResponse(BaseModel):
    """The newest executions of the tenant in the request's baggage; of all tenants without one."""

    service: str
    items: list[ExecutionItem]
    count: int


@router.get("/")
async def health(services: ServicesDep, response: Response) -> HealthResponse:
    """Readiness: whether PostgreSQL answers and has the schema."""
    try:
        await services.store.check()
        postgres: Literal["ok", "unavailable"] = "ok"
    except DependencyError:
        # Not logged: it is asked every few seconds, and the answer says it.
        response.status_code = 503
        postgres = "unavailable"
    return HealthResponse(
        service=SERVICE, version=services.settings.version, status=postgres, checks={"postgres": postgres}
    )


@router.get("/data")
async def data(services: ServicesDep) -> DataResponse:
    """A real query, with a little simulated latency."""
    # Baggage is what a caller says: one that is not a tenant finds nothing, and never reaches the query.
    tenant_id = services.known_tenants.label(current_tenant())
    executions = await services.store.recent_executions(tenant_id=tenant_id, limit=DATA_LIMIT)
    await asyncio.sleep(DATA_LATENCY_S * services.settings.latency_scale)
    _logger.info("data read", extra={"items": len(executions)})
    items = [
        ExecutionItem(
            run_id=execution.run_id,
            tenant=execution.tenant_id,
            agent=execution.agent_id,
            status=execution.status,
            input_tokens=execution.input_tokens,
            output_tokens=execution.output_tokens,
            cost_usd=float(execution.cost_usd),
            created_at=execution.created_at,
        )
        for execution in executions
    ]
    return DataResponse(service=SERVICE, items=items, count=len(items))


@router.get("/error")
async def error() -> None:
    """Fail with a real exception, to see how it is told."""
    raise RuntimeError("GET /error was asked for")


@router.get("/metrics")
async def metrics() -> Response:
    """Series of the process and the runtime. Everything else goes out over OTLP, once."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
