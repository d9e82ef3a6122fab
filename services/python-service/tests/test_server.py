"""The service as a process, started by its one command: what it exports, how it starts and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import httpx
import pytest
from python_service.errors import DependencyError
from python_service.server import wait_for_database

from .otlp_sink import Sink, otlp_sink, plain
from .support import SCHEMA, a_request, closed_port, free_port, settings_for

COMMAND = [sys.executable, "-m", "python_service"]
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01", "baggage": "test.id=t-1,secret=canary"}


def environment(database_url: str, sink_url: str, **changes: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return env | {
        "PORT": str(free_port()),
        "DATABASE_URL": database_url,
        "RUST_SERVICE_URL": sink_url,
        "LATENCY_SCALE": "0",
        "DEPENDENCY_TIMEOUT_MS": "60000",  # for a busy machine
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink_url,
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=tracewright,service.instance.id=one",
        # Nothing leaves by itself: what arrives was flushed at the end.
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        "OTEL_BLRP_SCHEDULE_DELAY": "600000",
        "OTEL_METRIC_EXPORT_INTERVAL": "600000",
        **changes,
    }


class Service:
    """A running process. Its standard output goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, output: Path) -> None:
        self.process = process
        self.url = url
        self._output = output

    async def ready(self) -> None:
        deadline_s = monotonic() + START_TIMEOUT_S
        async with httpx.AsyncClient() as client:
            while True:
                assert self.process.poll() is None, f"it died: {self._output.read_text()}"
                assert monotonic() < deadline_s, "it did not start in time"
                try:
                    if (await client.get(self.url)).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    async def written(self, message: str) -> None:
        deadline_s = monotonic() + START_TIMEOUT_S
        while message not in self._output.read_text():
            assert monotonic() < deadline_s, f"it did not log {message!r}"
            await asyncio.sleep(0.02)

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, STOP_TIMEOUT_S)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._output.read_text().splitlines()]


@contextmanager
def process(env: dict[str, str], output: Path) -> Iterator[Service]:
    with output.open("wb") as stdout, subprocess.Popen(COMMAND, env=env, stdout=stdout) as child:
        try:
            yield Service(child, f"http://127.0.0.1:{env['PORT']}/", output)
        finally:
            child.kill()


@asynccontextmanager
async def running(env: dict[str, str], output: Path) -> AsyncIterator[Service]:
    with process(env, output) as service:
        await service.ready()
        yield service


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink() as opened:
        yield opened


async def test_sigterm_flushes_all_three_signals_of_the_last_request_and_exits_with_0(
    database_url: str, sink: Sink, tmp_path: Path
) -> None:
    async with running(environment(database_url, sink.url), tmp_path / "out") as service:
        async with httpx.AsyncClient(timeout=START_TIMEOUT_S) as client:
            response = await client.post(f"{service.url}executions", json=a_request(), headers=HEADERS)
        assert response.status_code == 200
        assert await service.stop() == 0
    lines = service.lines()

    spans = sink.spans()
    assert [span.name for span in spans] == [
        "POST /executions",
        "SELECT agents",
        "SELECT executions",
        "invoke_agent researcher",
        "chat sim-small",
        "execute_tool knowledge_search",
        "GET",
        "chat sim-large",
        "chat sim-large",
        "INSERT executions",
        "send usage_events",
        "INSERT usage_events",
    ]
    assert {span.trace_id.hex() for span in spans} == {TRACE_ID}
    for span in spans:
        found = plain(span.attributes)
        assert (found["tenant.id"], found["test.id"]) == ("acme", "t-1")
        assert "canary" not in str(found)

    client_span = next(span for span in spans if span.name == "GET")
    found = plain(client_span.attributes)
    assert found["url.full"] == f"{sink.url}/search"
    assert found["http.request.method"] == "GET"
    assert "http.method" not in found
    [search] = sink.searches
    assert search["traceparent"] == f"00-{TRACE_ID}-{client_span.span_id.hex()}-01"
    assert set(search["baggage"].split(",")) == {"test.id=t-1", "secret=canary", "tenant.id=acme"}

    logs = [log for log in sink.logs() if log.trace_id.hex() == TRACE_ID]
    assert [log.body.string_value for log in logs] == ["search planned", "knowledge searched", "run finished"]
    written = [line for line in lines if line.get("trace_id") == TRACE_ID]
    for log, line in zip(logs, written, strict=True):
        assert (line["message"], line["span_id"]) == (log.body.string_value, log.span_id.hex())
        assert plain(log.attributes)["tenant.id"] == line["tenant.id"] == "acme"
    # Nothing else but the words of uvicorn about its start and end, each once in both places.
    others = [line["message"] for line in lines if "trace_id" not in line]
    assert others == [log.body.string_value for log in sink.logs() if not log.trace_id]
    assert {line["logger"] for line in lines if "trace_id" not in line} == {"uvicorn.error"}

    metrics = sink.metrics()
    expected = {"http.server.request.duration", "agent.execution", "agent.execution.duration", "llm.tokens"}
    assert {name for name in metrics if not name.startswith("otel.sdk")} == expected
    [point] = metrics["agent.execution.duration"].histogram.data_points
    assert point.count == 1
    assert point.exemplars[0].trace_id.hex() == TRACE_ID

    resources = sink.resources()
    assert len({json.dumps(resource, sort_keys=True) for resource in resources}) == 1
    assert resources[0]["service.name"] == "python-service"
    assert resources[0]["service.instance.id"] == "one"


async def test_request_in_flight_at_sigterm_is_answered(
    database_url: str, sink: Sink, tmp_path: Path
) -> None:
    env = environment(database_url, sink.url, LATENCY_SCALE="3")
    async with (
        running(env, tmp_path / "out") as service,
        httpx.AsyncClient(timeout=START_TIMEOUT_S) as client,
    ):
        answer = asyncio.create_task(client.post(f"{service.url}executions", json=a_request()))
        await service.written("search planned")
        code = await service.stop()
        assert (await answer).status_code == 200
        assert code == 0
    assert "POST /executions" in [span.name for span in sink.spans()]


async def test_collector_that_is_down_does_not_keep_the_service_from_ending(
    database_url: str, tmp_path: Path
) -> None:
    with closed_port() as nobody:
        env = environment(database_url, f"http://127.0.0.1:{nobody}")
        async with running(env, tmp_path / "out") as service:
            async with httpx.AsyncClient(timeout=START_TIMEOUT_S) as client:
                assert (await client.get(f"{service.url}data")).status_code == 200
            assert await service.stop() == 0


async def test_wrong_setting_ends_the_start_with_one_line(tmp_path: Path) -> None:
    env = environment("postgresql://u:canary@127.0.0.1:1/db", "http://127.0.0.1:1", LATENCY_SCALE="fast")
    ended = await asyncio.to_thread(
        subprocess.run, COMMAND, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == "python-service: LATENCY_SCALE must be a number between 0 and 100, not 'fast'\n"


async def test_start_waits_for_a_database_that_comes_late(postgres_url: str, empty_database_url: str) -> None:
    settings = replace(settings_for(empty_database_url), database_start_timeout_s=60)
    waiting = asyncio.create_task(wait_for_database(settings))
    done, _ = await asyncio.wait({waiting}, timeout=0.5)
    assert not done
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(SCHEMA.read_text())
    await connection.close()
    await asyncio.wait_for(waiting, 60)


async def test_start_gives_up_on_a_database_that_does_not_come() -> None:
    with closed_port() as port:
        settings = replace(
            settings_for(f"postgresql://u:canary@127.0.0.1:{port}/db"), database_start_timeout_s=0.3
        )
        with pytest.raises(DependencyError, match=r"^postgres is not available$"):
            await wait_for_database(settings)
