"""A dependency that is down, or hangs, is a 503 within its time limit; nothing is half written."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest

from e2e.database import query
from e2e.running_stack import RunningStack

# DEPENDENCY_TIMEOUT_MS: 10 s at the frontend, 5 s at the gateway, 2 s behind it; one second for the rest.
LIMITS_S = {"go-service": 11.0, "python-service": 6.0, "rust-service": 6.0}
LIMIT_S = 6.0
Fault = Callable[[RunningStack, str], AbstractContextManager[None]]
RUN = {"tenant": "acme", "agent": "researcher", "question": "What is a span?"}


@contextmanager
def down(stack: RunningStack, component: str) -> Iterator[None]:
    stack.kill(component)
    try:
        yield
    finally:
        stack.start(component)


@contextmanager
def hanging(stack: RunningStack, component: str) -> Iterator[None]:
    """The process is there and accepts connections, but does nothing."""
    stack.freeze(component)
    try:
        yield
    finally:
        stack.thaw(component)


def unavailable(
    http: httpx.Client, method: str, url: str, json: object = None, limit_s: float = LIMIT_S
) -> None:
    started_s = time.monotonic()
    answer = http.request(method, url, json=json)
    took_s = time.monotonic() - started_s
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    assert answer.json()["status"] == httpx.codes.SERVICE_UNAVAILABLE
    assert took_s < limit_s, f"{method} {url} took {took_s:.1f} s"


@pytest.mark.parametrize("fault", [down, hanging], ids=["down", "hanging"])
@pytest.mark.parametrize("component", ["rust-service", "python-service", "go-service"])
def test_run_is_a_503_when_a_service_is(
    component: str, fault: Fault, stack: RunningStack, http: httpx.Client
) -> None:
    with fault(stack, component):
        unavailable(http, "POST", f"{stack.endpoints.frontend}/api/runs", RUN, LIMITS_S[component])
    assert http.post(f"{stack.endpoints.frontend}/api/runs", json=RUN).status_code == httpx.codes.OK


@pytest.mark.parametrize("component", ["go-service", "python-service", "rust-service"])
def test_data_button_is_a_503_when_its_service_is_down(
    component: str, stack: RunningStack, http: httpx.Client
) -> None:
    with down(stack, component):
        unavailable(http, "GET", f"{stack.endpoints.frontend}/api/services/{component}/data")


def test_everything_that_needs_the_database_is_a_503_when_it_is_down(
    stack: RunningStack, http: httpx.Client
) -> None:
    ends = stack.endpoints
    with down(stack, "postgres"):
        for url in (ends.go_service, ends.python_service, ends.rust_service):
            unavailable(http, "GET", f"{url}/data")
            health = http.get(f"{url}/")
            assert health.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert health.json()["status"] == "unavailable"
        unavailable(http, "POST", f"{ends.frontend}/api/runs", RUN)
    assert http.post(f"{ends.frontend}/api/runs", json=RUN).status_code == httpx.codes.OK


def test_failed_run_leaves_nothing_behind(stack: RunningStack, http: httpx.Client) -> None:
    run_id = str(uuid.uuid4())
    body = {**RUN, "run_id": run_id}
    url = f"{stack.endpoints.python_service}/executions"
    with down(stack, "rust-service"):
        unavailable(http, "POST", url, body)
        for table in ("executions", "usage_events"):
            counted = query(stack.endpoints, f"SELECT count(*) FROM {table} WHERE run_id = $1", run_id)
            assert counted == [(0,)], table
    assert http.post(url, json=body).status_code == httpx.codes.OK
