"""`GET /`, `/data` and `/metrics`."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from python_service.status import DATA_LIMIT

from .support import Connection, OpenApp, a_request


async def test_health_says_ok_when_the_database_answers(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    body = response.json()
    assert body.pop("version")
    assert body == {"service": "python-service", "status": "ok", "checks": {"postgres": "ok"}}


async def test_health_is_503_without_the_schema(client: httpx.AsyncClient, database: Connection) -> None:
    await database.execute("ALTER TABLE tenants RENAME TO gone")
    response = await client.get("/")
    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    await database.execute("ALTER TABLE gone RENAME TO tenants")
    assert (await client.get("/")).status_code == 200


async def test_data_lists_the_newest_executions_of_the_tenant_and_not_what_was_asked(
    client: httpx.AsyncClient,
) -> None:
    for tenant in ("acme", "globex"):
        await client.post("/executions", json=a_request(tenant=tenant, question="Where are my xylophones?"))
    everything = (await client.get("/data")).json()
    assert everything["service"] == "python-service"
    assert [item["tenant"] for item in everything["items"]] == ["globex", "acme"]
    assert everything["count"] == 2
    assert "xylophones" not in str(everything)
    own = (await client.get("/data", headers={"baggage": "tenant.id=acme"})).json()
    assert [item["tenant"] for item in own["items"]] == ["acme"]


@pytest.mark.parametrize("tenant", ["initech", "%00", "'; DROP TABLE executions; --"])
async def test_data_of_a_tenant_that_does_not_exist_is_empty(tenant: str, client: httpx.AsyncClient) -> None:
    await client.post("/executions", json=a_request())
    response = await client.get("/data", headers={"baggage": f"tenant.id={quote(tenant, safe='%')}"})
    assert response.status_code == 200
    assert response.json()["items"] == []


async def test_data_is_bounded(open_app: OpenApp, database: Connection) -> None:
    await database.execute(
        "INSERT INTO executions SELECT gen_random_uuid(), 'acme', 'writer', 'q', 'a', '[]', 1, 1, 0.1, 'ok'"
        f" FROM generate_series(1, {DATA_LIMIT + 5})"
    )
    async with open_app() as client:
        body = (await client.get("/data")).json()
    assert len(body["items"]) == body["count"] == DATA_LIMIT


async def test_metrics_are_of_the_process_only(client: httpx.AsyncClient) -> None:
    await client.post("/executions", json=a_request())
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    names = {line.split()[2] for line in response.text.splitlines() if line.startswith("# TYPE")}
    assert "process_resident_memory_bytes" in names
    assert all(name.startswith(("process_", "python_")) for name in names), names
