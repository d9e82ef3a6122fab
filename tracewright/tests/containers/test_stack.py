"""The containers themselves, where Docker and the images are; and what is said where they are not."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import docker
import httpx
import pytest
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config

from tracewright.containers import ContainersMissing, ContainerStack, Images
from tracewright.contracts.settle import until
from tracewright.signals import LogRecord, Resource, Span, SpanKind, otlp
from tracewright.signals.quickwit import Quickwit
from tracewright.signals.tee import Tee
from tracewright.signals.tempo import Tempo

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
FOUND_S = 60.0
NO_DOCKER = "tcp://127.0.0.1:1"


def absent() -> str:
    """Why the containers cannot be started here; empty where they can."""
    try:
        client = docker.from_env()
        for image in (Images().collector, Images().tempo, Images().quickwit):
            client.images.get(image)
    except ImageNotFound as error:
        return f"an image is not here, and tests download none: {error.explanation}"
    except DockerException as error:
        return f"no Docker: {error}"
    return ""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> ContainerStack:
    why = absent()
    if why:
        pytest.skip(why)
    # Its image cleans up after a test run that was killed; it may not be here.
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    return ContainerStack()


def test_what_is_exported_is_found_in_both_stores_and_on_file(stack: ContainerStack) -> None:
    now_ns = time.time_ns()
    shop = Resource({"service.name": "shop"})
    span = Span(TRACE_ID, SPAN_ID, "", "GET /", SpanKind.SERVER, now_ns, now_ns + 1_000_000, resource=shop)
    log = LogRecord(now_ns + 1, "served", TRACE_ID, SPAN_ID, "INFO", 9, resource=shop)
    with stack:
        where = stack.endpoints
        for path, request in (("traces", otlp.write_spans([span])), ("logs", otlp.write_logs([log]))):
            sent = httpx.post(f"{where.otlp_http}/v1/{path}", json=request, trust_env=False)
            assert sent.is_success, sent.text
        tempo, quickwit = Tempo(where.tempo or ""), Quickwit(where.quickwit or "", where.quickwit_index)
        tee = Tee(Path(where.tee_dir or ""))
        seen: dict[str, object] = {}

        def missing() -> str:
            seen.setdefault("file", [one.name for one in tee.spans()] or None)
            seen["tempo"] = [one.name for one in tempo.trace(TRACE_ID)]
            seen["quickwit"] = [one.message for one in quickwit.logs_of_trace(TRACE_ID)]
            return ", ".join(name for name, found in seen.items() if not found)

        waited, _ = until("stored", missing, str, FOUND_S)
        assert waited.met, f"{waited}: {seen}"
        folder = Path(where.tee_dir or "")
    assert seen == {"file": ["GET /"], "tempo": ["GET /"], "quickwit": ["served"]}
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="have not been started"):
        _ = stack.endpoints


@pytest.mark.usefixtures("stack")
def test_container_that_does_not_get_ready_is_named_with_its_last_lines() -> None:
    # The collector's image takes none of Tempo's flags, so it ends at once.
    broken = ContainerStack(Images(tempo=Images().collector), start_s=1.0)
    with (
        pytest.raises(TimeoutError, match=r"(?s)collector-contrib.* at /ready.*its last lines:\n.*unknown"),
        broken,
    ):
        pass


def test_missing_docker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_DOCKER)
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    with pytest.raises(ContainersMissing, match="no Docker answers"), ContainerStack():
        pass


def test_missing_package_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "testcontainers.core.network", None)
    with (
        pytest.raises(ContainersMissing, match=r"pip install 'tracewright\[containers\]'"),
        ContainerStack(),
    ):
        pass


def test_fixture_fails_with_the_reason(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_DOCKER)
    pytester.makepyfile(
        """
        def test_needs_containers(tracewright_containers):
            raise AssertionError("not reached")
        """
    )
    result = pytester.runpytest("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no containers: no Docker answers*"])


def test_contracts_are_driven_against_what_a_conftest_starts_with_the_containers(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_DOCKER)
    pytester.mkdir("contracts").joinpath("page.yaml").write_text(
        "journey: page\nhttp: {path: /}\nspans:\n  page: {service: shop, name: GET /, kind: server}\n",
        encoding="utf-8",
    )
    pytester.makeconftest(
        """
        from tracewright.containers.fixture import containers_of

        def pytest_tracewright_endpoints(config):
            return containers_of(config).endpoints
        """
    )
    result = pytester.runpytest("-p", "no:cacheprovider", "-p", "no:asyncio", "-k", "no_orphans")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no containers: no Docker answers*"])
