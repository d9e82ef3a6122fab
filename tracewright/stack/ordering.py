"""Starts components as soon as what they need is ready, and gives up all together when one ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tracewright.stack.component import Component
from tracewright.stack.host import Child


async def bring_up_all(
    components: Sequence[Component],
    bring_up: Callable[[Component], Awaitable[Child]],
    fail_when_ended: Callable[[Component, Child], Awaitable[None]],
) -> None:
    """Returns when each component is ready.

    `bring_up` returns when its component is ready. `fail_when_ended` raises when a component ends: until the
    last one is ready the first ones must live, too. Raises the first exception of either, when all else is
    cancelled.
    """
    ready = {component.name: asyncio.Event() for component in components}
    watchers: list[asyncio.Task[None]] = []

    async def watch(component: Component, child: Child) -> None:
        await fail_when_ended(component, child)

    async def start(component: Component) -> None:
        for need in component.needs:
            await ready[need].wait()
        child = await bring_up(component)
        watchers.append(group.create_task(watch(component, child)))
        ready[component.name].set()

    async def finish() -> None:
        for event in ready.values():
            await event.wait()
        for watcher in watchers:
            watcher.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            for component in components:
                group.create_task(start(component), name=component.name)
            group.create_task(finish())
    except BaseExceptionGroup as failures:
        # Several may fail at once, mostly for one reason; the first one tells it.
        raise _first(failures) from None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
