"""Questions to the fleet's database, and a way to make its writers wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from tracewright.endpoints import Endpoints


def query(endpoints: Endpoints, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of one statement."""

    async def ask() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(endpoints.database_url)
        try:
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    return asyncio.run(ask())


@contextmanager
def write_locked(endpoints: Endpoints, table: str) -> Iterator[None]:
    """Whoever writes to this table waits until the end of the block; readers go on."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(endpoints.database_url))
        try:
            runner.run(connection.execute("BEGIN"))
            runner.run(connection.execute(f"LOCK TABLE {table} IN SHARE MODE"))
            yield
        finally:
            runner.run(connection.close())
