"""Ends what runs: one component as a user would want it, one as a crash would, and what nobody recorded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable

import psutil

from tracewright.stack.component import Component
from tracewright.stack.host import Child
from tracewright.stack.process import end

# How long what a component started may take to follow it.
FOLLOW_S = 2.0


async def stop(component: Component, child: Child) -> str:
    """Asks it to stop, and kills it when its time is over; returns what was not as it should be."""
    tree = child.tree()
    child.signal(component.stop_signal)
    detail = ""
    try:
        await asyncio.wait_for(child.wait(), component.stop_timeout_s)
    except TimeoutError:
        child.signal(signal.SIGKILL)
        await child.wait()
        waited = f"{component.stop_timeout_s:.0f} s of {component.stop_signal.name}"
        detail = f"needed SIGKILL: it did not stop within {waited}"
    left = await end(tree, grace_s=FOLLOW_S)
    if left and not detail:
        detail = f"left {len(left)} process(es) behind, which were killed"
    return detail


async def kill(child: Child) -> None:
    """Ends it and all that it started at once; returns when they are gone."""
    tree = child.tree()
    child.signal(signal.SIGKILL)
    await end(tree, grace_s=0.0)
    await child.wait()


async def sweep(marked: Iterable[psutil.Process], keep: Iterable[Child]) -> None:
    """Ends those of the marked processes that belong to none of `keep`."""
    kept = {process.pid for child in keep for process in child.tree()}
    lost = [process for process in marked if process.pid not in kept]
    for process in lost:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGTERM)
    await end(lost, grace_s=FOLLOW_S)
