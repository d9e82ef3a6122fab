"""Each fault breaks what it says for whom it is on, and nothing for anybody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from openfeature import api
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext
from python_service.faults import Fault
from python_service.flagfile import FlagFile

from .otlp_memory import Telemetry
from .support import OpenApp, a_request

TOOL = "execute_tool knowledge_search"


@pytest.fixture
async def client(open_app: OpenApp) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app() as opened:
        yield opened


@contextmanager
def on(fault: Fault, folder: Path) -> Iterator[None]:
    """Switched on for the test `broken` alone."""
    flag = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"if": [{"in": [{"var": "test"}, ["broken"]]}, "on", "off"]},
    }
    path = folder / "flags.json"
    path.write_text(json.dumps({"flags": {fault: flag}}))
    api.set_provider_and_wait(FlagFile(path))
    try:
        yield
    finally:
        api.clear_providers()


class Asked:
    """What the same request left behind with the fault (`broken`) and without it (`whole`)."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.spans = {span.name: span for span in telemetry.spans()}
        self.loose = [log.message for log in telemetry.logs() if not log.trace_id]
        self.exceptions = sum(event.name == "exception" for s in telemetry.spans() for event in s.events)
        points = telemetry.points("llm.tokens")
        self.tokens = sum(point.value for point in points)

    def parent(self, name: str) -> str | None:
        """The name of the captured span above one."""
        above = self.spans[name].parent
        return next((n for n, s in self.spans.items() if above and ids(s).span_id == above.span_id), None)


def ids(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


async def ask(fault: Fault, client: httpx.AsyncClient, telemetry: Telemetry, folder: Path) -> list[Asked]:
    path = "/error" if fault is Fault.EXCEPTION_NOT_RECORDED else "/executions"
    seen = []
    with on(fault, folder):
        for test in ("broken", "whole"):
            telemetry.clear()
            headers = {"baggage": f"test.id={test}"}
            if path == "/error":
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 500
            else:
                answer = await client.post(path, json=a_request(), headers=headers)
                assert answer.status_code == 200
            seen.append(Asked(telemetry))
    return seen


async def test_log_without_context(client: httpx.AsyncClient, telemetry: Telemetry, tmp_path: Path) -> None:
    broken, whole = await ask(Fault.LOG_WITHOUT_CONTEXT, client, telemetry, tmp_path)
    assert (broken.loose, whole.loose) == (["search planned"], [])


async def test_exception_not_recorded(
    client: httpx.AsyncClient, telemetry: Telemetry, tmp_path: Path
) -> None:
    broken, whole = await ask(Fault.EXCEPTION_NOT_RECORDED, client, telemetry, tmp_path)
    assert (broken.exceptions, whole.exceptions) == (0, 1)


async def test_orphan_span(client: httpx.AsyncClient, telemetry: Telemetry, tmp_path: Path) -> None:
    broken, whole = await ask(Fault.ORPHAN_SPAN, client, telemetry, tmp_path)
    assert broken.spans[TOOL].parent is not None
    assert broken.parent(TOOL) is None
    trace_ids = {ids(span).trace_id for span in broken.spans.values()}
    assert len(trace_ids) == 1
    assert whole.parent(TOOL) == "invoke_agent researcher"


async def test_span_never_ended(client: httpx.AsyncClient, telemetry: Telemetry, tmp_path: Path) -> None:
    broken, whole = await ask(Fault.SPAN_NEVER_ENDED, client, telemetry, tmp_path)
    assert whole.spans.keys() - broken.spans.keys() == {TOOL}


async def test_tokens_counted_twice(client: httpx.AsyncClient, telemetry: Telemetry, tmp_path: Path) -> None:
    broken, whole = await ask(Fault.TOKENS_COUNTED_TWICE, client, telemetry, tmp_path)
    assert broken.tokens == 2 * whole.tokens > 0


async def test_deprecated_attributes(client: httpx.AsyncClient, telemetry: Telemetry, tmp_path: Path) -> None:
    broken, whole = await ask(Fault.DEPRECATED_ATTRIBUTES, client, telemetry, tmp_path)
    old, stable = {"db.system", "db.statement"}, {"db.system.name", "db.query.text"}
    for asked, there, absent in ((broken, old, stable), (whole, stable, old)):
        attributes = set(asked.spans["SELECT agents"].attributes or {})
        assert attributes >= there
        assert not attributes & absent
