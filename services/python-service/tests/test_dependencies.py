"""PostgreSQL or rust-service is down, hangs or fails: an answer in time, and nothing stored."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import httpx
import pytest
from python_service.app import create_app

from .otlp_memory import Telemetry
from .support import Connection, OpenApp, a_request, closed_port, search_answer, settings_for

TIMEOUT_MS = 1_000
MARGIN_S = 30
"""For a slow machine; a dependency that hangs does so for as long as the test asks it."""


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def exception_events(telemetry: Telemetry) -> list[str]:
    return [span.name for span in telemetry.spans() for event in span.events if event.name == "exception"]


async def run(client: httpx.AsyncClient) -> tuple[httpx.Response, float]:
    started_s = monotonic()
    response = await client.post("/executions", json=a_request())
    return response, monotonic() - started_s


def refuse(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


SEARCHES: dict[str, tuple[Any, int]] = {
    "down": (refuse, 503),
    "unavailable": (lambda _: httpx.Response(503), 503),
    "failed": (lambda _: httpx.Response(500, text="stack trace"), 502),
    "refused": (lambda _: httpx.Response(422), 422),
    "no json": (lambda _: httpx.Response(200, text="<html>"), 502),
    "wrong json": (lambda _: httpx.Response(200, json={"results": [{"id": 1}]}), 502),
}


@pytest.mark.parametrize(("search", "status"), SEARCHES.values(), ids=SEARCHES.keys())
async def test_search_that_does_not_serve_is_told_and_nothing_is_stored(
    search: Any, status: int, open_app: OpenApp, database: Connection, telemetry: Telemetry
) -> None:
    async with open_app(search=search) as client:
        response, _ = await run(client)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert "stack trace" not in response.text
    assert await database.fetchval("SELECT count(*) FROM executions") == 0
    server = telemetry.span("POST /executions")
    assert server.status.is_ok is (status < 500)
    assert len(exception_events(telemetry)) <= 1
    [point] = telemetry.points("agent.execution")
    assert point.attributes["status"] == "error"
    levels = [log.level for log in telemetry.logs() if log.message.startswith("request")]
    assert levels == ["ERROR" if status >= 500 else "INFO"]


async def test_search_that_hangs_is_503_in_time(
    database_url: str, database: Connection, telemetry: Telemetry
) -> None:
    with silent_server() as port:
        settings = settings_for(
            database_url, RUST_SERVICE_URL=f"http://127.0.0.1:{port}", DEPENDENCY_TIMEOUT_MS=TIMEOUT_MS
        )
        app = create_app(settings)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://python-service") as client,
        ):
            response, took_s = await run(client)
    assert response.status_code == 503
    assert took_s < TIMEOUT_MS / 1000 + MARGIN_S
    assert await database.fetchval("SELECT count(*) FROM executions") == 0


async def test_search_that_drips_is_503_in_time(open_app: OpenApp) -> None:
    async def drip(_: httpx.Request) -> httpx.Response:
        async def body() -> Any:
            while True:
                await asyncio.sleep(0.05)
                yield b" "

        return httpx.Response(200, content=body())

    async with open_app(search=drip, DEPENDENCY_TIMEOUT_MS=TIMEOUT_MS) as client:
        response, took_s = await run(client)
    assert response.status_code == 503
    assert took_s < TIMEOUT_MS / 1000 + MARGIN_S


@pytest.mark.parametrize("table", ["agents", "executions", "usage_events"])
async def test_database_that_hangs_is_503_in_time_and_serves_again_after_it(
    table: str, open_app: OpenApp, database: Connection, telemetry: Telemetry
) -> None:
    async with open_app(DEPENDENCY_TIMEOUT_MS=TIMEOUT_MS) as client:
        transaction = database.transaction()
        await transaction.start()
        await database.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        response, took_s = await run(client)
        await transaction.rollback()
        assert response.status_code == 503
        assert took_s < TIMEOUT_MS / 1000 + MARGIN_S
        assert await database.fetchval("SELECT count(*) FROM executions") == 0
        assert exception_events(telemetry) == ["POST /executions"]
        assert (await run(client))[0].status_code == 200


async def test_connections_that_the_server_closed_cost_no_request(
    open_app: OpenApp, database: Connection
) -> None:
    async with open_app() as client:
        assert (await run(client))[0].status_code == 200
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert (await run(client))[0].status_code == 200


async def test_database_that_is_down_is_503_with_the_exception_on_its_query(telemetry: Telemetry) -> None:
    http = httpx.AsyncClient(transport=httpx.MockTransport(search_answer))
    with closed_port() as port:
        # The start would fail, so the lifespan is left out.
        app = create_app(settings_for(f"postgresql://u:canary@127.0.0.1:{port}/db"), http=http)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://python-service"
        ) as client:
            response, took_s = await run(client)
            health = await client.get("/")
    assert response.status_code == 503
    assert took_s < 2 + MARGIN_S
    assert exception_events(telemetry) == ["SELECT tenants"]
    assert "canary" not in str([log.attributes for log in telemetry.logs()])
    assert health.status_code == 503
    assert health.json()["checks"] == {"postgres": "unavailable"}


async def test_database_that_takes_connections_and_is_silent_is_503_in_time(telemetry: Telemetry) -> None:
    with silent_server() as port:
        settings = settings_for(f"postgresql://u:p@127.0.0.1:{port}/db", DEPENDENCY_TIMEOUT_MS=TIMEOUT_MS)
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://python-service") as client:
            response, took_s = await run(client)
            assert (await client.get("/")).status_code == 503
    assert response.status_code == 503
    assert took_s < TIMEOUT_MS / 1000 + MARGIN_S
