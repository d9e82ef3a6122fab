"""Questions to the fleet's database."""

from __future__ import annotations

import asyncio
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
