"""What the tests share beside fixtures: a good request, a stub for rust-service, settings for a database."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import httpx
from python_service.settings import Settings

SCHEMA = Path(__file__).parents[3] / "postgres" / "schema.sql"

SEARCH_RESULTS = [
    {"id": "orphan-span", "title": "Orphan spans", "snippet": "An orphan names a parent.", "score": 2.5},
    {"id": "trace", "title": "What a trace is", "snippet": "The story of one request.", "score": 1.25},
]

Connection = asyncpg.Connection
Answer = Callable[[httpx.Request], httpx.Response]
OpenApp = Callable[..., Any]


def search_answer(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"query": "…", "results": SEARCH_RESULTS})


def settings_for(database_url: str, **changes: Any) -> Settings:
    env = {
        "DATABASE_URL": database_url,
        "RUST_SERVICE_URL": "http://rust-service",
        "LATENCY_SCALE": "0",
        "DEPENDENCY_TIMEOUT_MS": "60000",  # for a busy machine: what works may take as long as it does
    }
    return Settings.from_env(env | {name: str(value) for name, value in changes.items()})


def free_port() -> int:
    """For a process to listen on; not one that the system would give to others before that (from 32768)."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def a_request(**changes: Any) -> dict[str, Any]:
    """A good body for POST /executions, with a run id of its own."""
    return {
        "run_id": str(uuid4()),
        "tenant": "acme",
        "agent": "researcher",
        "question": "How do orphan spans happen?",
    } | changes
