"""Builds the application. Nothing connects before it starts, and only the factory reads the environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from python_service import executions, problems, status
from python_service.agent import AgentRunner
from python_service.body_limit import BodyLimitMiddleware
from python_service.dependencies import Services
from python_service.errors import ServiceError
from python_service.execution_service import ExecutionService
from python_service.knowledge import KnowledgeClient
from python_service.llm import SimulatedLLM
from python_service.settings import SERVICE, Settings
from python_service.store import Store
from python_service.telemetry.instruments import Instruments
from python_service.telemetry.middleware import RequestMiddleware, is_untraced
from python_service.telemetry.tenant import KnownTenants


def create_app(settings: Settings | None = None, *, http: httpx.AsyncClient | None = None) -> FastAPI:
    """The application. `settings` are the environment's by default; `http` is the client to rust-service."""
    settings = settings or Settings.from_env(os.environ)
    instruments = Instruments()
    known_tenants = KnownTenants()
    store = Store.connect(settings)
    client = http or httpx.AsyncClient()
    capture = settings.capture_message_content
    runner = AgentRunner(
        SimulatedLLM(
            seed=settings.llm_seed,
            latency_scale=settings.latency_scale,
            capture_content=capture,
            instruments=instruments,
        ),
        KnowledgeClient(client, base_url=settings.rust_service_url, timeout_s=settings.dependency_timeout_s),
        capture_content=capture,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        known_tenants.add(*await store.known_tenants())
        yield
        await client.aclose()
        await store.close()

    app = FastAPI(
        title=SERVICE,
        version=settings.version,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        # Spans are FastAPI's. The request metric is ours, since FastAPI's cannot carry a tenant, and so are
        # the logs.
        telemetry={
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": is_untraced,
        },
    )
    app.state.services = Services(
        settings=settings,
        store=store,
        executions=ExecutionService(store, runner, instruments=instruments, known_tenants=known_tenants),
        known_tenants=known_tenants,
    )
    app.include_router(executions.router)
    app.include_router(status.router)
    app.add_exception_handler(ServiceError, problems.on_service_error)
    app.add_exception_handler(HTTPException, problems.on_http_error)
    app.add_exception_handler(RequestValidationError, problems.on_invalid_request)
    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(RequestMiddleware, instruments=instruments, known_tenants=known_tenants)
    return app
