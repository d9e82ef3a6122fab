"""Every refused request is a problem document with the trace, logged once, and stores nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from python_service.body_limit import MAX_BODY_BYTES

from .otlp_memory import Telemetry
from .support import Connection, a_request

JSON = {"content-type": "application/json"}


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    assert body["trace_id"] == response.headers["traceresponse"].split("-")[1]
    return body


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"not json", b'{"question": "\xff"}', b"[" * 5000, b"\x00"],
    ids=["cut off", "empty", "text", "not utf-8", "deeply nested", "nul"],
)
async def test_malformed_json_is_400(content: bytes, client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    assert_problem(await client.post("/executions", content=content, headers=JSON), 400)


@pytest.mark.parametrize("field", ["run_id", "tenant", "agent", "question"])
async def test_missing_field_is_422_and_named(
    field: str, client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    request = a_request()
    del request[field]
    body = assert_problem(await client.post("/executions", json=request), 422)
    assert [error["field"] for error in body["errors"]] == [field]
    assert field in body["detail"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run_id", "not-a-uuid"),
        ("run_id", 7),
        ("tenant", ""),
        ("tenant", None),
        ("tenant", "x" * 65),
        ("agent", ["researcher"]),
        ("agent", "nul\x00"),
        ("question", ""),
        ("question", "   "),
        ("question", "x" * 2001),
        ("question", 42),
        ("question", "nul\x00"),
        ("question", "\ud800"),
    ],
    ids=ascii,
)
async def test_wrong_field_is_422_and_named(
    field: str, value: object, client: httpx.AsyncClient, telemetry: Telemetry, database: Connection
) -> None:
    # Not `json=`: httpx refuses to encode half a character, a hostile client does not.
    content = json.dumps(a_request(**{field: value}))
    body = assert_problem(await client.post("/executions", content=content, headers=JSON), 422)
    assert [error["field"] for error in body["errors"]] == [field]
    assert await database.fetchval("SELECT count(*) FROM executions") == 0


async def test_body_that_is_not_an_object_is_422(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    body = assert_problem(await client.post("/executions", json=[1, 2]), 422)
    assert [error["field"] for error in body["errors"]] == ["body"]


async def test_question_of_2000_characters_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.post("/executions", json=a_request(question="ü" * 2000))
    assert response.status_code == 200


@pytest.mark.parametrize("change", [{"tenant": "initech"}, {"agent": "oracle"}])
async def test_unknown_tenant_or_agent_is_404(
    change: dict[str, str], client: httpx.AsyncClient, telemetry: Telemetry, database: Connection
) -> None:
    assert_problem(await client.post("/executions", json=a_request(**change)), 404)
    assert await database.fetchval("SELECT count(*) FROM executions") == 0


async def test_body_over_the_limit_is_413(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    content = b" " * (MAX_BODY_BYTES + 1)
    assert_problem(await client.post("/executions", content=content, headers=JSON), 413)
    assert telemetry.spans()[-1].name == "POST /executions"


async def test_chunked_body_over_the_limit_is_413(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    sent_bytes = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent_bytes
        while True:
            sent_bytes += 1024
            yield b" " * 1024

    assert_problem(await client.post("/executions", content=endless(), headers=JSON), 413)
    assert sent_bytes <= MAX_BODY_BYTES + 2 * 1024


async def test_body_of_exactly_the_limit_is_read(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    content = b" " * MAX_BODY_BYTES
    assert_problem(await client.post("/executions", content=content, headers=JSON), 400)


@pytest.mark.parametrize("path", ["/nope", "/executions/", "/a/b/c", "/docs"])
async def test_unknown_path_is_404_under_one_bounded_name(
    path: str, client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    assert_problem(await client.get(path), 404)
    [span] = telemetry.spans()
    assert span.name == "GET /*"
    assert span.attributes is not None
    assert span.attributes["http.route"] == "/*"
    assert [point.attributes["http.route"] for point in telemetry.points("http.server.request.duration")] == [
        "/*"
    ]


async def test_wrong_method_is_405_and_says_which_is_right(
    client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    response = await client.delete("/executions")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST"
    assert telemetry.span("DELETE /executions")


async def test_invented_method_does_not_become_a_name(
    client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    assert_problem(await client.request("BREW", "/coffee"), 404)
    [span] = telemetry.spans()
    assert span.name == "HTTP /*"
    [point] = telemetry.points("http.server.request.duration")
    assert point.attributes["http.request.method"] == "_OTHER"


async def test_refused_request_is_no_error_of_the_service(
    client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    await client.post("/executions", json=a_request(tenant="initech"))
    assert all(span.status.is_ok or span.status.is_unset for span in telemetry.spans())
    [log] = telemetry.logs()
    assert (log.level, log.message) == ("INFO", "request refused")
    assert log.trace_id == telemetry.spans()[0].get_span_context().trace_id  # type: ignore[union-attr]
