"""For the tests of the launcher: a clock that jumps, a host with scripted processes, small real programs."""

from __future__ import annotations

import asyncio
import selectors
import signal
import sys
import textwrap
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tracewright.stack.builder import BuildResults
from tracewright.stack.component import Check, Component, HttpReady, StackEvent, Variables
from tracewright.stack.errors import PortTaken
from tracewright.stack.host import Child
from tracewright.stack.process import COMPONENT_MARKER, Launch, Memory
from tracewright.stack.stack import Stack, StackOptions
from tracewright.stack.state import Record

T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time: when nothing is to do, the clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.now_s = 0.0

    def time(self) -> float:
        return self.now_s


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0 if timeout is not None else None)
        if not found and timeout:
            self._loop.now_s += timeout
        return found


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs the work on a jumping clock."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)


@dataclass
class Script:
    """What a component does: ready after `ready_s`, ends after `ends_s` (with a code), heeds TERM or not."""

    ready_s: float = 1.0
    ends_s: float | None = None
    code: int = 0
    stop_s: float = 0.1
    heeds_term: bool = True


class ScriptedChild:
    """A process that follows a script."""

    def __init__(self, host: ScriptedHost, name: str, pid: int, script: Script) -> None:
        self.name = name
        self.pid = pid
        self.started = 1000.0 + pid
        self.log_start = 0
        self.signals: list[str] = []
        self._host = host
        self._script = script
        self._loop = asyncio.get_running_loop()
        self.born_s = self._loop.time()
        self._ended = asyncio.Event()
        self._code: int | None = None
        if script.ends_s is not None:
            self._loop.call_later(script.ends_s, self._end, script.code)

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    @property
    def ready(self) -> bool:
        return self.alive and self._loop.time() >= self.born_s + self._script.ready_s

    async def wait(self) -> int | None:
        await self._ended.wait()
        return self._code

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number.name)
        self._host.log.append(f"{number.name} {self.name}")
        if number is signal.SIGKILL:
            self._end(-9)
        elif self._script.heeds_term:
            self._loop.call_later(self._script.stop_s, self._end, 0)

    def tree(self) -> list[psutil.Process]:
        return []

    def memory(self) -> Memory:
        return Memory(0, 0)

    def _end(self, code: int) -> None:
        if self.alive:
            self._code = code
            self._ended.set()


@dataclass
class ScriptedHost:
    """Starts scripted processes and keeps a log of what happened to them."""

    scripts: dict[str, Script] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    children: dict[str, ScriptedChild] = field(default_factory=dict)

    def spawn(self, launch: Launch) -> Child:
        name = launch.env[COMPONENT_MARKER]
        self.log.append(f"spawn {name}")
        child = ScriptedChild(self, name, 100 + len(self.log), self.scripts.get(name, Script()))
        self.children[name] = child
        return child

    def find(self, record: Record) -> Child | None:
        for child in self.children.values():
            if child.pid == record.pid and child.alive:
                return child
        return None

    async def probe(self, check: Check, variables: Variables) -> str | None:
        assert isinstance(check, HttpReady)
        name = check.path.strip("/")
        child = self.children.get(name)
        return None if child is not None and child.ready else f"{name} says not yet"

    def require_free(self, components: Iterable[Component], numbers: Mapping[str, int]) -> None:
        for component in components:
            for variable in component.ports:
                if variable in self.taken:
                    raise PortTaken(f"{variable} is held by {self.taken[variable]}")

    def marked(self, folder: Path) -> list[psutil.Process]:
        return []


def component(name: str, *needs: str, **more: Any) -> Component:
    """A component whose readiness path is its name."""
    port = f"{name.upper()}_PORT"
    settings: dict[str, Any] = {"command": (name,), "ports": (port,), "ready": (HttpReady(port, f"/{name}"),)}
    return Component(name=name, needs=needs, **(settings | more))


def write_root(root: Path, table: Iterable[Component], *, first_port: int = 21_000) -> Path:
    """A folder with the `.env` that the table needs."""
    names = [variable for row in table for variable in row.ports]
    root.mkdir(parents=True, exist_ok=True)
    (root / ".env").write_text(
        "".join(f"{name}={first_port + number}\n" for number, name in enumerate(names))
    )
    return root


async def nothing_to_build(components: tuple[Component, ...]) -> BuildResults:
    return BuildResults({}, {})


def make_stack(
    root: Path,
    table: tuple[Component, ...],
    *,
    host: ScriptedHost | None = None,
    events: list[StackEvent] | None = None,
    prepare: Callable[[tuple[Component, ...]], Awaitable[BuildResults]] = nothing_to_build,
    **options: Any,
) -> Stack:
    """A stack on a table of its own; without a host it starts real processes."""
    listener = events.append if events is not None else lambda event: None
    return Stack(
        StackOptions(root=root, **options), table=table, host=host, listener=listener, prepare=prepare
    )


# A program that answers 200 on every path; its behaviour comes through the environment.
SERVER = textwrap.dedent("""
    import http.server, os, signal, subprocess, sys, time
    print("hello from", os.environ["NAME"], flush=True)
    if os.environ.get("IGNORE_TERM"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ.get("CHILD"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if os.environ.get("DIE"):
        print("cannot go on: the disk is on fire", file=sys.stderr, flush=True)
        sys.exit(3)
    status = int(os.environ.get("STATUS", "200"))
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"warming up" if status != 200 else b"ok")
        def log_message(self, *args):
            pass
    http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
""")


def real_component(name: str, *needs: str, env: Mapping[str, str] | None = None, **more: Any) -> Component:
    """A component that runs `SERVER`."""
    port = f"{name.upper()}_PORT"
    settings: dict[str, Any] = {
        "command": (sys.executable, "-S", "-c", SERVER.replace("{", "{{").replace("}", "}}")),
        "ports": (port,),
        "ready": (HttpReady(port, "/"),),
        "env": {"NAME": name, "PORT": "{" + port + "}", **(env or {})},
        "stop_timeout_s": 2.0,
        "start_timeout_s": 30.0,
    }
    return Component(name=name, needs=needs, **(settings | more))
