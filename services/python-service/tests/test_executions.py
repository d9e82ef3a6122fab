"""`POST /executions`: what a run gives, and that it is stored once or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from .otlp_memory import Telemetry
from .support import Connection, OpenApp, a_request, search_answer


async def counts(database: Connection) -> tuple[int, int]:
    return (
        await database.fetchval("SELECT count(*) FROM executions"),
        await database.fetchval("SELECT count(*) FROM usage_events"),
    )


@pytest.fixture
async def inbox(database: Connection) -> AsyncIterator[asyncio.Queue[str]]:
    """What PostgreSQL tells a listener of the queue."""
    queue: asyncio.Queue[str] = asyncio.Queue()

    def received(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
        queue.put_nowait(str(payload))

    await database.add_listener("usage_events", received)
    yield queue
    await database.remove_listener("usage_events", received)


async def test_run_answers_with_its_sources_and_what_it_cost(client: httpx.AsyncClient) -> None:
    request = a_request()
    response = await client.post("/executions", json=request)
    assert response.status_code == 200
    body = response.json()
    assert body["run_id"] == request["run_id"]
    assert "Orphan spans" in body["answer"]
    assert [source["id"] for source in body["sources"]] == ["orphan-span", "trace"]
    assert body["sources"][0] == {"id": "orphan-span", "title": "Orphan spans", "score": 2.5}
    assert body["tokens"]["input"] > 0
    assert body["tokens"]["output"] > 0
    assert isinstance(body["cost_usd"], float)


async def test_same_question_gets_the_same_answer_and_price_in_every_run(client: httpx.AsyncClient) -> None:
    first = (await client.post("/executions", json=a_request())).json()
    second = (await client.post("/executions", json=a_request())).json()
    assert first["run_id"] != second["run_id"]
    assert first | {"run_id": ""} == second | {"run_id": ""}


async def test_another_seed_takes_other_token_counts(open_app: OpenApp) -> None:
    tokens = []
    for seed in (1, 2):
        async with open_app(LLM_SEED=seed) as client:
            tokens.append((await client.post("/executions", json=a_request())).json()["tokens"])
    assert tokens[0]["output"] != tokens[1]["output"]


async def test_run_is_stored_with_its_usage_event_and_wakes_the_consumer(
    client: httpx.AsyncClient, database: Connection, inbox: asyncio.Queue[str]
) -> None:
    request = a_request(tenant="globex", agent="writer")
    body = (await client.post("/executions", json=request)).json()
    execution = dict(await database.fetchrow("SELECT * FROM executions"))
    event = dict(await database.fetchrow("SELECT * FROM usage_events"))
    assert execution["answer"] == body["answer"]
    assert json.loads(execution["sources"]) == body["sources"]
    assert execution["status"] == "ok"
    assert float(execution["cost_usd"]) == float(event["cost_usd"]) == body["cost_usd"]
    expected = {
        "tenant_id": "globex",
        "agent_id": "writer",
        "team": "marketing",
        "provider": "simulated",
        "model": "sim-small",
        "input_tokens": body["tokens"]["input"],
        "output_tokens": body["tokens"]["output"],
        "consumed_at": None,
    }
    assert {key: event[key] for key in expected} == expected
    assert str(event["run_id"]) == request["run_id"]
    assert await asyncio.wait_for(inbox.get(), 5) == str(event["id"])


async def test_usage_event_carries_the_context_of_its_producer_span(
    client: httpx.AsyncClient, database: Connection, telemetry: Telemetry
) -> None:
    headers = {"baggage": "test.id=t-1,other=x"}
    await client.post("/executions", json=a_request(), headers=headers)
    context = telemetry.span("send usage_events").get_span_context()
    assert context is not None
    event = await database.fetchrow("SELECT traceparent, baggage FROM usage_events")
    assert event["traceparent"][:52] == f"00-{context.trace_id:032x}-{context.span_id:016x}"
    assert set(event["baggage"].split(",")) == {"test.id=t-1", "other=x", "tenant.id=acme"}
    assert await database.fetchval("SELECT trace_id FROM executions") == f"{context.trace_id:032x}"


async def test_same_run_id_again_gives_the_stored_answer_and_no_second_event(
    client: httpx.AsyncClient, database: Connection, telemetry: Telemetry
) -> None:
    request = a_request()
    first = await client.post("/executions", json=request)
    telemetry.clear()
    second = await client.post("/executions", json=request)
    assert second.status_code == 200
    assert second.json() == first.json()
    assert await counts(database) == (1, 1)
    assert telemetry.points("agent.execution") == []
    assert [log.message for log in telemetry.logs()] == ["run replayed"]


async def test_same_run_id_many_times_at_once_runs_once(
    client: httpx.AsyncClient, database: Connection, telemetry: Telemetry
) -> None:
    request = a_request()
    responses = await asyncio.gather(*(client.post("/executions", json=request) for _ in range(5)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.text for response in responses}) == 1
    assert await counts(database) == (1, 1)
    assert [point.value for point in telemetry.points("agent.execution")] == [1]


async def test_run_stored_by_another_process_in_the_meantime_is_the_one_that_counts(
    open_app: OpenApp, database: Connection
) -> None:
    request = a_request()

    async def search(_: httpx.Request) -> httpx.Response:
        # The other process is done while this one still searches.
        await database.execute(
            "INSERT INTO executions VALUES ($1, 'acme', 'researcher', $2, 'theirs', '[]', 1, 1, 0.1, 'ok')",
            request["run_id"],
            request["question"],
        )
        return search_answer(_)

    async with open_app(search=search) as client:
        response = await client.post("/executions", json=request)
    assert response.json()["answer"] == "theirs"
    assert await counts(database) == (1, 0)


async def test_run_id_of_another_question_is_refused(client: httpx.AsyncClient, database: Connection) -> None:
    request = a_request()
    await client.post("/executions", json=request)
    response = await client.post("/executions", json=request | {"question": "Something else?"})
    assert response.status_code == 409
    assert await counts(database) == (1, 1)


# Each makes storing fail at another point: the second insert, and the commit after both.
FAILURES = {
    "insert": "CREATE TRIGGER broken BEFORE INSERT ON usage_events EXECUTE FUNCTION fail()",
    "commit": (
        "CREATE CONSTRAINT TRIGGER broken AFTER INSERT ON usage_events DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION fail()"
    ),
}


@pytest.mark.parametrize("trigger", FAILURES.values(), ids=FAILURES.keys())
async def test_failure_while_storing_leaves_neither_execution_nor_event_nor_wake_up(
    trigger: str,
    client: httpx.AsyncClient,
    database: Connection,
    inbox: asyncio.Queue[str],
    telemetry: Telemetry,
) -> None:
    await database.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the disk is on fire'; END $$"
    )
    await database.execute(trigger)
    request = a_request()
    response = await client.post("/executions", json=request)
    assert response.status_code == 500
    assert "fire" not in response.text
    assert await counts(database) == (0, 0)
    [point] = telemetry.points("agent.execution")
    assert point.attributes["status"] == "error"
    exceptions = [event for span in telemetry.spans() for event in span.events if event.name == "exception"]
    assert len(exceptions) == 1

    await database.execute("DROP TRIGGER broken ON usage_events")
    assert (await client.post("/executions", json=request)).status_code == 200
    assert await counts(database) == (1, 1)
    assert await asyncio.wait_for(inbox.get(), 5)
    assert inbox.empty()
