"""Each usage event is counted once.

The spend of each team grows by exactly what its runs cost, whatever is killed.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx

from e2e.database import query
from e2e.running_stack import RunningStack
from tracewright.contracts.settle import until
from tracewright.endpoints import Endpoints

RUNS = 24
KILLS = 3
CONSUMED_S = 30.0

SPEND = "SELECT tenant_id, team, spend_usd FROM budgets"
COSTS = """
    SELECT tenant_id, team, sum(cost_usd) FROM usage_events WHERE run_id = ANY($1) GROUP BY tenant_id, team
"""
WAITING = "SELECT count(*) FROM usage_events WHERE consumed_at IS NULL"

Accounts = dict[tuple[str, str], Decimal]


def accounts(endpoints: Endpoints, sql: str, *values: object) -> Accounts:
    return {(tenant, team): amount for tenant, team, amount in query(endpoints, sql, *values)}


def drained(endpoints: Endpoints) -> None:
    waited, _ = until(
        "usage events consumed",
        lambda: int(query(endpoints, WAITING)[0][0]),
        lambda waiting: f"{waiting} events wait" if waiting else "",
        CONSUMED_S,
    )
    assert waited.met, str(waited)


def execute(http: httpx.Client, endpoints: Endpoints, number: int) -> str:
    """One execution, straight to the runtime: the gateway is dying meanwhile."""
    run_id = str(uuid.uuid4())
    body = {
        "run_id": run_id,
        "tenant": ("acme", "globex")[number % 2],
        "agent": ("researcher", "analyst", "writer")[number % 3],
        "question": f"What is span number {number}?",
    }
    first = http.post(f"{endpoints.python_service}/executions", json=body)
    again = http.post(f"{endpoints.python_service}/executions", json=body)
    assert first.status_code == httpx.codes.OK, first.text
    assert again.json() == first.json()
    return run_id


def charged_once(endpoints: Endpoints, before: Accounts, run_ids: list[str]) -> None:
    drained(endpoints)
    costs = accounts(endpoints, COSTS, run_ids)
    assert costs, "no event of these runs"
    after = accounts(endpoints, SPEND)
    assert {key: after[key] - before[key] for key in costs} == costs


def test_each_event_is_counted_once(stack: RunningStack, http: httpx.Client) -> None:
    drained(stack.endpoints)
    before = accounts(stack.endpoints, SPEND)
    run_ids = [execute(http, stack.endpoints, number) for number in range(6)]
    charged_once(stack.endpoints, before, run_ids)


def test_each_event_is_counted_once_when_the_consumer_is_killed_in_between(
    stack: RunningStack, http: httpx.Client
) -> None:
    drained(stack.endpoints)
    before = accounts(stack.endpoints, SPEND)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(execute, http, stack.endpoints, number) for number in range(RUNS)]
        for _ in range(KILLS):
            stack.kill("go-service")
            stack.start("go-service")
        run_ids = [future.result() for future in running]
    charged_once(stack.endpoints, before, run_ids)
