"""A private native stack for the suite, on an event loop of its own, so that plain tests can break it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import psutil

from e2e.running_stack import STARTING, wake
from tracewright.endpoints import Endpoints
from tracewright.stack.paths import REPO_ROOT, StackPaths
from tracewright.stack.stack import Stack, StackOptions

Result = TypeVar("Result")

START_S = 900.0
ACTION_S = 120.0


class NativeStack:
    """A context manager around `Stack`, with blocking methods.

    `name` is the stack's folder under `.tracewright/stacks`, `components` limits it to these and what they
    need.
    """

    def __init__(self, name: str, components: tuple[str, ...] = ()) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"stack {name}", daemon=True)
        options = StackOptions(name=name, free_ports=True, tee=True, fast_flush=True, components=components)
        self._stack = Stack(options)

    def __enter__(self) -> NativeStack:
        self._thread.start()
        try:
            with STARTING:
                self._do(self._stack.__aenter__(), START_S)
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._do(self._stack.__aexit__(None, None, None), ACTION_S)
        finally:
            self._end_loop()

    @property
    def endpoints(self) -> Endpoints:
        """Where it answers."""
        return self._stack.endpoints

    @property
    def logs(self) -> Path:
        """The folder with a log file per component."""
        return self._stack.paths.logs

    @property
    def flags(self) -> Path:
        """The flag file, which the fleet reads while it runs."""
        return self._stack.paths.flags

    @property
    def components(self) -> tuple[str, ...]:
        """The names of all components."""
        return tuple(component.name for component in self._stack.components)

    def pid(self, component: str) -> int:
        """The process id of a living component."""
        child = self._stack.child(component)
        assert child is not None, f"{component} does not run"
        return child.pid

    def kill(self, component: str) -> None:
        """Ends it at once, as a crash would."""
        self._do(self._stack.kill(component), ACTION_S)

    def stop(self, component: str) -> None:
        """Stops it as `down` does: SIGTERM first."""
        self._do(self._stack.stop_component(component), ACTION_S)

    def start(self, component: str) -> None:
        """Starts it again; returns when it is ready and, if it is a service, was asked something."""
        self._do(self._stack.start_component(component), ACTION_S)
        wake(self.endpoints, component)

    def runs(self, component: str) -> bool:
        """Whether it has a living process."""
        return self._stack.child(component) is not None

    def freeze(self, component: str) -> None:
        """It is there and accepts connections, but does nothing."""
        os.kill(self.pid(component), signal.SIGSTOP)

    def thaw(self, component: str) -> None:
        """Goes on where `freeze` stopped it."""
        os.kill(self.pid(component), signal.SIGCONT)

    def memory_bytes(self) -> dict[str, int]:
        """What each component uses; pages that several processes share count once."""
        return {name: resident_bytes(self.pid(name)) for name in self.components}

    def _do(self, work: Coroutine[Any, Any, Result], limit_s: float) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def named_or_own(endpoints: Path | None, name: str) -> Iterator[Endpoints]:
    """The running stack that an endpoints file names, or one of its own while it is entered."""
    if endpoints is not None:
        yield Endpoints.load(endpoints)
    else:
        with NativeStack(name) as own:
            yield own.endpoints


def stop_left(names: str, root: Path = REPO_ROOT) -> None:
    """Stops what still runs of the stacks whose names match, and whose processes are gone."""
    for folder in StackPaths(root, names).folder.parent.glob(names):
        asyncio.run(Stack(StackOptions(name=folder.name, root=root)).stop())


def resident_bytes(pid: int) -> int:
    """Of a process and its children; what PostgreSQL's processes share counts once."""
    process = psutil.Process(pid)
    return sum(
        getattr(one.memory_full_info(), "pss", 0) or one.memory_info().rss
        for one in (process, *process.children(recursive=True))
    )
