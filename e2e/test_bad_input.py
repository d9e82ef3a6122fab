"""Bad input, over all services: the right status, a problem that names the fault, and a trace of its own."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tracewright.endpoints import Endpoints
from tracewright.probe import TraceContext

RUN = {"tenant": "acme", "agent": "researcher", "question": "What is a span?"}
EXECUTION = {**RUN, "run_id": "6f6a1f0e-3c1c-4a57-9b5c-1f2d3e4a5b6c"}
TRACERESPONSE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")
TOO_LARGE = "x" * (64 * 1024 + 1)


@dataclass(frozen=True)
class Bad:
    """One bad request. `names` is the field that the problem has to name."""

    to: str
    method: str
    path: str
    status: int
    body: Any = None
    raw: bytes | None = None
    names: str | None = None
    title: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        return f"{self.to}: {self.title or f'{self.method} {self.path}'} is {self.status}"


def of_runs(to: str, path: str, good: dict[str, str]) -> list[Bad]:
    """The faults that everything taking a run's JSON has to tell apart."""

    def without(key: str) -> dict[str, str]:
        return {name: value for name, value in good.items() if name != key}

    def post(
        status: int, title: str, body: Any = None, raw: bytes | None = None, names: str | None = None
    ) -> Bad:
        return Bad(to, "POST", path, status, body, raw, names, title)

    return [
        post(400, "malformed JSON", raw=b'{"tenant": "acme",'),
        post(400, "an empty body", raw=b""),
        post(422, "JSON that is no object", body=["acme"]),
        *(post(422, f"no {key}", body=without(key), names=key) for key in ("tenant", "agent", "question")),
        post(422, "a question that is a number", body={**good, "question": 7}, names="question"),
        post(422, "an empty question", body={**good, "question": ""}, names="question"),
        post(422, "a question of 2001 characters", body={**good, "question": "ü" * 2001}, names="question"),
        post(404, "an unknown tenant", body={**good, "tenant": "nobody"}),
        post(404, "an unknown agent", body={**good, "agent": "nobody"}),
        post(413, "a body over 64 KiB", body={**good, "question": TOO_LARGE}),
    ]


CASES = [
    *of_runs("frontend", "/api/runs", RUN),
    *of_runs("go_service", "/runs", RUN),
    *of_runs("python_service", "/executions", EXECUTION),
    Bad("python_service", "POST", "/executions", 422, {**EXECUTION, "run_id": "seven"}, names="run_id"),
    Bad("rust_service", "GET", "/search", 422, names="q", title="no q"),
    Bad("rust_service", "GET", "/search?q=", 422, names="q", title="an empty q"),
    Bad("rust_service", "GET", "/search?q=span&limit=0", 422, names="limit"),
    Bad("rust_service", "GET", "/search?q=span&limit=21", 422, names="limit"),
    Bad("rust_service", "GET", "/search?q=span&limit=many", 422, names="limit"),
    *(
        Bad(to, "GET", f"{prefix}/nothing/here", 404)
        for to, prefix in [
            ("frontend", "/api"),
            ("go_service", ""),
            ("python_service", ""),
            ("rust_service", ""),
        ]
    ),
    Bad("frontend", "GET", "/api/runs", 405),
    Bad("frontend", "GET", "/api/services/nobody/data", 404),
    Bad("go_service", "GET", "/runs", 405),
    Bad("python_service", "GET", "/executions", 405),
    Bad("rust_service", "POST", "/search", 405),
    *(Bad(to, "POST", "/data", 405) for to in ("go_service", "python_service", "rust_service")),
]


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: bad.id)
def test_bad_input_is_answered_with_a_problem(bad: Bad, endpoints: Endpoints, http: httpx.Client) -> None:
    context = TraceContext.new()
    headers = {**context.headers, **({"content-type": "application/json"} if bad.raw is not None else {})}
    answer = http.request(
        bad.method, f"{getattr(endpoints, bad.to)}{bad.path}", headers=headers, json=bad.body, content=bad.raw
    )
    assert answer.status_code == bad.status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == bad.status
    assert problem["title"]
    assert problem["type"] == "about:blank"
    assert problem["trace_id"] == context.trace_id
    traced = TRACERESPONSE.fullmatch(answer.headers["traceresponse"])
    assert traced, answer.headers["traceresponse"]
    assert traced[1] == context.trace_id
    assert traced[2] != context.span_id
    if bad.names:
        assert bad.names in [error["field"] for error in problem["errors"]], problem
    assert_tells_no_internals(answer.text)
    if bad.status == httpx.codes.METHOD_NOT_ALLOWED:
        assert answer.headers["allow"]


def test_same_run_id_for_another_request_is_refused(endpoints: Endpoints, http: httpx.Client) -> None:
    body = {**EXECUTION, "run_id": str(uuid.uuid4())}
    url = f"{endpoints.python_service}/executions"
    assert http.post(url, json=body).status_code == httpx.codes.OK
    assert http.post(url, json={**body, "question": "Another one?"}).is_client_error


def assert_tells_no_internals(text: str) -> None:
    """A client gets no stack, no SQL, no file of ours."""
    for word in (
        "Traceback",
        "site-packages",
        "SELECT ",
        "postgresql://",
        ".py",
        ".go:",
        ".rs:",
        "node_modules",
    ):
        assert word not in text, text
