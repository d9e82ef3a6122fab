"""What a request leaves behind: its spans, its metrics, its logs, and nothing that it should not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import baggage
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from .otlp_memory import Telemetry
from .support import OpenApp, a_request

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
BAGGAGE = "test.id=t-1,session.id=s-1,secret=canary"

# A researcher's run, as a person would draw it: indentation is parenthood, order is the order of starts.
RESEARCHER = """
SERVER    POST /executions
CLIENT      SELECT agents
CLIENT      SELECT executions
INTERNAL    invoke_agent researcher
CLIENT        chat sim-small
INTERNAL      execute_tool knowledge_search
CLIENT        chat sim-large
CLIENT        chat sim-large
CLIENT      INSERT executions
PRODUCER    send usage_events
CLIENT        INSERT usage_events
"""

DEPRECATED = {
    "http.method",
    "http.status_code",
    "http.target",
    "http.url",
    "http.scheme",
    "net.peer.name",
    "net.host.name",
    "db.system",
    "db.statement",
    "db.name",
    "db.operation",
    "gen_ai.system",
}


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def drawn(spans: list[ReadableSpan]) -> str:
    parents = {
        span.context.span_id: span.parent.span_id if span.parent else 0 for span in spans if span.context
    }

    def depth(span_id: int) -> int:
        return 1 + depth(parents[span_id]) if span_id in parents else 0

    return "\n".join(
        f"{span.kind.name:<10}{'  ' * (depth(span.context.span_id) - 1)}{span.name}"
        for span in spans
        if span.context
    )


@pytest.fixture
def traced(telemetry: Telemetry) -> Iterator[Telemetry]:
    yield telemetry
    for span in telemetry.spans():
        assert not DEPRECATED & attributes(span).keys()


async def test_run_of_each_agent_leaves_its_tree_of_spans(
    client: httpx.AsyncClient, traced: Telemetry
) -> None:
    response = await client.post("/executions", json=a_request(), headers={"traceparent": PARENT})
    assert response.status_code == 200
    assert drawn(traced.spans()) == RESEARCHER.strip()
    assert {f"{span.context.trace_id:032x}" for span in traced.spans() if span.context} == {TRACE_ID}

    for agent, chats in {"analyst": ["sim-large"] * 3, "writer": ["sim-small"]}.items():
        traced.clear()
        await client.post("/executions", json=a_request(agent=agent))
        names = [span.name for span in traced.spans() if span.name.startswith("chat")]
        assert names == ["chat sim-small", *(f"chat {model}" for model in chats)]


async def test_traceresponse_names_the_server_span(client: httpx.AsyncClient, traced: Telemetry) -> None:
    response = await client.post("/executions", json=a_request(), headers={"traceparent": PARENT})
    context = traced.span("POST /executions").get_span_context()
    assert context is not None
    assert response.headers["traceresponse"] == f"00-{TRACE_ID}-{context.span_id:016x}-01"


async def test_server_span_has_the_stable_attributes(client: httpx.AsyncClient, traced: Telemetry) -> None:
    await client.post("/executions", json=a_request())
    span = traced.span("POST /executions")
    expected = {
        "http.request.method": "POST",
        "http.route": "/executions",
        "http.response.status_code": 200,
        "url.path": "/executions",
        "url.scheme": "http",
        "server.address": "python-service",
        "tenant.id": "acme",
    }
    assert {key: attributes(span).get(key) for key in expected} == expected


async def test_query_spans_say_what_was_asked_but_no_values(
    client: httpx.AsyncClient, traced: Telemetry
) -> None:
    request = a_request()
    await client.post("/executions", json=request)
    found = attributes(traced.span("INSERT executions"))
    assert found["db.system.name"] == "postgresql"
    assert found["db.operation.name"] == "INSERT"
    assert found["db.collection.name"] == "executions"
    assert found["db.query.summary"] == "INSERT executions"
    assert found["db.query.text"].startswith("INSERT INTO executions")
    assert request["run_id"] not in str(found)


async def test_chat_spans_follow_the_genai_conventions_and_add_up_to_the_answer(
    client: httpx.AsyncClient, traced: Telemetry
) -> None:
    tokens = (await client.post("/executions", json=a_request())).json()["tokens"]
    chats = [attributes(span) for span in traced.spans() if span.name.startswith("chat")]
    for chat in chats:
        assert chat["gen_ai.operation.name"] == "chat"
        assert chat["gen_ai.provider.name"] == "simulated"
        assert chat["gen_ai.request.model"] == chat["gen_ai.response.model"]
        assert chat["gen_ai.response.finish_reasons"] == ("stop",)
    for direction in ("input", "output"):
        assert sum(chat[f"gen_ai.usage.{direction}_tokens"] for chat in chats) == tokens[direction]
    agent = attributes(traced.span("invoke_agent researcher"))
    assert agent["gen_ai.agent.id"] == "researcher"
    assert agent["gen_ai.operation.name"] == "invoke_agent"
    assert attributes(traced.span("execute_tool knowledge_search"))["gen_ai.tool.name"] == "knowledge_search"


async def test_producer_span_follows_the_messaging_conventions(
    client: httpx.AsyncClient, traced: Telemetry
) -> None:
    await client.post("/executions", json=a_request())
    span = traced.span("send usage_events")
    assert span.kind is SpanKind.PRODUCER
    found = attributes(span)
    assert found["messaging.system"] == "postgresql"
    assert found["messaging.destination.name"] == "usage_events"
    assert found["messaging.operation.type"] == "send"
    assert found["messaging.message.id"].isdecimal()


@pytest.mark.parametrize("value", [None, "true"])
async def test_what_people_write_is_on_spans_only_when_asked_for(
    value: str | None, open_app: OpenApp, traced: Telemetry
) -> None:
    changes = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": value} if value else {}
    async with open_app(**changes) as client:
        await client.post("/executions", json=a_request(question="What about xylophones?"))
    recorded = str([(span.name, attributes(span), span.events) for span in traced.spans()])
    assert ("xylophones" in recorded) is bool(value)
    assert "xylophones" not in str(traced.logs())


async def test_allowed_baggage_is_on_every_span_and_log_and_nothing_else_of_it(
    client: httpx.AsyncClient, traced: Telemetry
) -> None:
    await client.post("/executions", json=a_request(), headers={"baggage": BAGGAGE})
    records = [(span.name, attributes(span)) for span in traced.spans()]
    records += [(log.message, log.attributes) for log in traced.logs()]
    assert len(records) > 12
    for name, found in records:
        assert (name, found.get("tenant.id")) == (name, "acme")
        assert (found["test.id"], found["session.id"]) == ("t-1", "s-1")
    assert "canary" not in str(records)


async def test_baggage_goes_on_to_the_next_hop(open_app: OpenApp, telemetry: Telemetry) -> None:
    seen: dict[str, object] = {}

    def search(_: httpx.Request) -> httpx.Response:
        seen.update(baggage.get_all())
        return httpx.Response(200, json={"results": []})

    async with open_app(search=search) as client:
        await client.post("/executions", json=a_request(tenant="globex"), headers={"baggage": BAGGAGE})
    assert seen == {"test.id": "t-1", "session.id": "s-1", "secret": "canary", "tenant.id": "globex"}


async def test_next_request_does_not_inherit_the_tenant(
    client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    await client.post("/executions", json=a_request())
    telemetry.clear()
    await client.get("/data")
    assert "tenant.id" not in attributes(telemetry.span("GET /data"))


async def test_logs_tell_the_steps_of_a_run_inside_its_spans(
    client: httpx.AsyncClient, traced: Telemetry
) -> None:
    await client.post("/executions", json=a_request(), headers={"traceparent": PARENT})
    assert [log.message for log in traced.logs()] == ["search planned", "knowledge searched", "run finished"]
    spans = {span.context.span_id: span.name for span in traced.spans() if span.context}
    names = [spans[log.span_id] for log in traced.logs()]
    assert names == ["invoke_agent researcher", "invoke_agent researcher", "POST /executions"]
    assert {f"{log.trace_id:032x}" for log in traced.logs()} == {TRACE_ID}


async def test_error_is_recorded_once_where_it_happened(client: httpx.AsyncClient, traced: Telemetry) -> None:
    response = await client.get("/error")
    assert response.status_code == 500
    assert "asked for" not in response.text
    [span] = traced.spans()
    assert span.name == "GET /error"
    assert not span.status.is_ok
    assert attributes(span)["error.type"] == "500"
    [event] = span.events
    assert event.name == "exception"
    assert dict(event.attributes or {})["exception.type"] == "RuntimeError"
    [log] = traced.logs()
    assert log.level == "ERROR"
    assert log.attributes["exception.type"] == "RuntimeError"
    assert response.headers["traceresponse"].split("-")[1] == f"{log.trace_id:032x}"


@pytest.mark.parametrize("path", ["/", "/metrics"])
async def test_health_and_scrapes_leave_nothing(
    path: str, client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    response = await client.get(path, headers={"traceparent": PARENT})
    assert response.status_code == 200
    assert "traceresponse" not in response.headers
    assert telemetry.spans() == []
    assert telemetry.logs() == []
    assert telemetry.points("http.server.request.duration") == []


async def test_request_metric_carries_route_status_and_tenant(
    client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    await client.post("/executions", json=a_request(), headers={"baggage": BAGGAGE})
    [point] = telemetry.points("http.server.request.duration")
    assert point.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/executions",
        "network.protocol.version": "1.1",
        "url.scheme": "http",
        "tenant.id": "acme",
    }
    assert (point.unit, point.value) == ("s", 1)
    assert point.bounds[0] < 0.01
    assert point.bounds[-1] == 10


@pytest.mark.parametrize(
    ("header", "tenant"), [("tenant.id=globex", "globex"), ("tenant.id=initech", "unknown"), ("a=b", None)]
)
async def test_only_tenants_that_exist_become_labels(
    header: str, tenant: str | None, client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    await client.get("/error", headers={"baggage": header})
    [point] = telemetry.points("http.server.request.duration")
    assert point.attributes.get("tenant.id") == tenant
    assert point.attributes["error.type"] == "500"


async def test_business_metrics_count_a_run_once(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    body = (await client.post("/executions", json=a_request(), headers={"baggage": BAGGAGE})).json()
    points = list(telemetry._all_points())
    labels = {"agent_id": "researcher", "workspace": "acme", "status": "ok", "tenant.id": "acme"}
    [executions] = [point for point in points if point.metric == "agent.execution"]
    assert (executions.attributes, executions.value, executions.unit) == (labels, 1, "{execution}")
    [duration] = [point for point in points if point.metric == "agent.execution.duration"]
    assert (duration.attributes, duration.value, duration.unit) == (labels, 1, "s")
    tokens = [point for point in points if point.metric == "llm.tokens"]
    assert {(point.attributes["model"], point.attributes["direction"]) for point in tokens} == {
        (model, direction) for model in ("sim-small", "sim-large") for direction in ("input", "output")
    }
    for direction in ("input", "output"):
        counted = sum(point.value for point in tokens if point.attributes["direction"] == direction)
        assert counted == body["tokens"][direction]
    assert all(point.attributes["tenant.id"] == "acme" for point in tokens)
    assert not any("test.id" in point.attributes or "session.id" in point.attributes for point in points)
