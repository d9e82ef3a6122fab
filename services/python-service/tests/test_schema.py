"""`postgres/schema.sql` is applied at each start, to a database that may be in use."""

from __future__ import annotations

import asyncio

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from .support import SCHEMA


async def _apply(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(SCHEMA.read_text())
    finally:
        await connection.close()


async def test_schema_applied_again_keeps_the_spend_of_a_team(
    database_url: str, database: asyncpg.Connection
) -> None:
    await database.execute(
        "UPDATE budgets SET spend_usd = 1.5 WHERE tenant_id = 'acme' AND team = 'research'"
    )
    await _apply(database_url)
    spend = await database.fetchval(
        "SELECT spend_usd FROM budgets WHERE tenant_id = 'acme' AND team = 'research'"
    )
    assert float(spend) == 1.5


async def test_schema_applied_twice_at_once_to_an_empty_database_succeeds(empty_database_url: str) -> None:
    await asyncio.gather(*(_apply(empty_database_url) for _ in range(4)))


async def test_knowledge_relates_only_to_entries_that_exist_and_not_to_itself(
    database: asyncpg.Connection,
) -> None:
    assert await database.fetchval("SELECT count(*) FROM knowledge") >= 40
    wrong = await database.fetch(
        "SELECT id, other FROM knowledge, unnest(related) AS other"
        " WHERE other = id OR other NOT IN (SELECT id FROM knowledge)"
    )
    assert wrong == []


async def test_each_tenant_has_a_budget_for_the_team_of_each_agent(database: asyncpg.Connection) -> None:
    missing = await database.fetch(
        "SELECT tenants.id, agents.team FROM tenants CROSS JOIN agents"
        " LEFT JOIN budgets ON budgets.tenant_id = tenants.id AND budgets.team = agents.team"
        " WHERE budgets.team IS NULL"
    )
    assert missing == []
