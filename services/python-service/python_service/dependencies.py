"""What handlers are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from python_service.execution_service import ExecutionService
from python_service.settings import Settings
from python_service.store import Store
from python_service.telemetry.tenant import KnownTenants


@dataclass(frozen=True)
class Services:
    """Built by `create_app`, kept at `app.state.services`."""

    settings: Settings
    store: Store
    executions: ExecutionService
    known_tenants: KnownTenants


async def _services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


ServicesDep = Annotated[Services, Depends(_services)]
