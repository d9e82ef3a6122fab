"""Asks a component whether it can do its work; the only place that polls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import httpx

from tracewright.stack.component import Check, HttpReady, Variables
from tracewright.stack.database import DatabaseError, connect

PROBE_TIMEOUT_S = 3.0
FIRST_PAUSE_S = 0.03
LONGEST_PAUSE_S = 0.25

Probe = Callable[[Check, Variables], Awaitable[str | None]]


class NotReady(Exception):
    """The deadline passed; the message is the last answer."""


async def probe(check: Check, variables: Variables) -> str | None:
    """Asks once: `None` when ready, else what came instead."""
    if isinstance(check, HttpReady):
        url = f"http://127.0.0.1:{variables[check.port]}{check.path}"
        try:
            # Plain HTTP on the own machine: reading the certificates would cost more than all the rest.
            async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False, verify=False) as client:  # noqa: S501 - plain HTTP
                answer = await client.get(url)
        except httpx.HTTPError as error:
            return f"GET {url}: {error or type(error).__name__}"
        return (
            None
            if answer.status_code == httpx.codes.OK
            else f"GET {url}: {answer.status_code} {answer.text[:200]}"
        )
    try:
        async with connect(check.url.format_map(variables)) as connection:
            await connection.value("SELECT 1")
    except DatabaseError as error:
        return f"SELECT 1: {error}"
    return None


async def until_ready(
    checks: Sequence[Check], variables: Variables, *, timeout_s: float, ask: Probe = probe
) -> None:
    """Asks until every check is content. Raises `NotReady` with the last answer after `timeout_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    for check in checks:
        pause_s = FIRST_PAUSE_S
        while (answer := await ask(check, variables)) is not None:
            if loop.time() + pause_s > deadline:
                raise NotReady(answer)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
