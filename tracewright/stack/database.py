"""The launcher's own few statements on PostgreSQL; the only file that knows the driver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from tracewright.stack.errors import StackError

TIMEOUT_S = 10.0


class DatabaseError(StackError):
    """The server could not be reached or refused a statement; the message is its own."""


class Connection:
    """One connection."""

    def __init__(self, driver: asyncpg.Connection) -> None:
        self._driver = driver

    async def value(self, statement: str, *arguments: object) -> object:
        """The first value of the first row, or `None` when there is no row."""
        return await self._driver.fetchval(statement, *arguments, timeout=TIMEOUT_S)

    async def run(self, script: str) -> None:
        """Runs one or more statements."""
        await self._driver.execute(script)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Connection]:
    """A connection for the block. What goes wrong, also inside the block, is raised as `DatabaseError`."""
    try:
        driver = await asyncpg.connect(url, timeout=TIMEOUT_S)
        try:
            yield Connection(driver)
        finally:
            await driver.close(timeout=TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseError(str(error) or type(error).__name__) from error
