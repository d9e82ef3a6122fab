"""The same with real children: one dies, one ignores TERM, one never gets ready, a launcher is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tracewright.stack.component import ComponentState, StackEvent
from tracewright.stack.errors import ComponentFailed, PortTaken
from tracewright.stack.ports import free_ports, is_free
from tracewright.stack.process import MARKER, Launch, Process, exit_reason, lives, marked, tail
from tracewright.tests.stack.fakes import make_stack, real_component, write_root


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """No test may leave a process of its stack."""
    yield
    left = [
        process for folder in (tmp_path / ".tracewright" / "stacks").glob("*") for process in marked(folder)
    ]
    for process in left:
        process.kill()
    assert left == []


async def test_a_stack_of_real_processes_starts_and_leaves_nothing(tmp_path: Path) -> None:
    table = (real_component("db"), real_component("web", "db"))
    async with make_stack(write_root(tmp_path, table), table, name="test", free_ports=True) as stack:
        web = stack.child("web")
        assert web is not None
        assert os.getsid(web.pid) == web.pid
        assert await stack.answer(table[1]) is None
        assert web.memory().rss > 1_000_000
        assert "hello from web" in (stack.paths.logs / "web.log").read_text()
    assert not psutil.pid_exists(web.pid)
    assert marked(stack.paths.folder) == []


async def test_a_child_that_dies_is_reported_with_its_last_lines_and_its_log(tmp_path: Path) -> None:
    table = (real_component("db"), real_component("web", "db", env={"DIE": "1"}))
    stack = make_stack(write_root(tmp_path, table), table, name="test", free_ports=True)
    with pytest.raises(ComponentFailed) as caught:
        await stack.start()
    assert caught.value.tail == ("hello from web", "cannot go on: the disk is on fire")
    message = str(caught.value)
    assert "web ended with exit code 3 before it was ready" in message
    assert str(tmp_path / ".tracewright/stacks/test/logs/web.log") in message


async def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    table = (real_component("web", command=("/no/such/program",)),)
    with pytest.raises(ComponentFailed, match=r"web could not be run: .*/no/such/program"):
        await make_stack(write_root(tmp_path, table), table, free_ports=True).start()


async def test_a_child_that_ignores_term_is_killed_and_named(tmp_path: Path) -> None:
    table = (real_component("web", env={"IGNORE_TERM": "1"}, stop_timeout_s=0.3),)
    events: list[StackEvent] = []
    async with make_stack(write_root(tmp_path, table), table, name="test", free_ports=True, events=events):
        pass
    assert events[-1].state is ComponentState.STOPPED
    assert events[-1].detail.startswith("needed SIGKILL")


async def test_a_child_that_is_never_ready_is_reported_with_its_answer(tmp_path: Path) -> None:
    table = (real_component("web", env={"STATUS": "503"}, start_timeout_s=8.0),)
    with pytest.raises(ComponentFailed, match=r"web was not ready after 8 s.*503 warming up"):
        await make_stack(write_root(tmp_path, table), table, free_ports=True).start()


async def test_what_a_child_left_behind_is_ended_with_it(tmp_path: Path) -> None:
    table = (real_component("web", env={"CHILD": "1"}),)
    async with make_stack(write_root(tmp_path, table), table, name="test", free_ports=True) as stack:
        web = stack.child("web")
        assert web is not None
        tree = web.tree()
        assert len(tree) == 2
        await stack.kill("web")
        assert not any(lives(process) for process in tree)


async def test_a_component_comes_back_on_its_port_after_a_kill(tmp_path: Path) -> None:
    table = (real_component("db"), real_component("web", "db"))
    async with make_stack(write_root(tmp_path, table), table, name="test", free_ports=True) as stack:
        port = stack.variables["WEB_PORT"]
        await stack.kill("web")
        assert await stack.answer(table[1]) is not None
        await stack.start_component("web")
        assert stack.variables["WEB_PORT"] == port
        assert await stack.answer(table[1]) is None


async def test_a_taken_port_names_its_holder_and_the_variable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        table = (real_component("web"),)
        stack = make_stack(write_root(tmp_path, table, first_port=port), table)
        with pytest.raises(PortTaken) as caught:
            await stack.start()
    message = str(caught.value)
    assert f"port {port} for web is held by " in message
    assert f"(pid {os.getpid()})" in message
    assert "WEB_PORT=" in message


LAUNCHER = """
    import asyncio, os, signal, sys
    from pathlib import Path
    from tracewright.stack.commands import _run
    from tracewright.tests.stack.fakes import make_stack, real_component
    table = (real_component("db"), real_component("web", "db", env={env}))
    stack = make_stack(Path(sys.argv[1]), table)
    async def main():
        await stack.start()
        print("started", flush=True)
        if {crash}:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0
    sys.exit(_run(main()))
"""


def launcher(root: Path, *, crash: bool, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    code = textwrap.dedent(LAUNCHER).format(crash=crash, env=env or {})
    return subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("record", ["kept", "lost"])
async def test_down_after_a_killed_launcher_leaves_nothing(tmp_path: Path, record: str) -> None:
    table = (real_component("db"), real_component("web", "db"))
    root = write_root(tmp_path, table, first_port=_free_pair())
    crashed = launcher(root, crash=True)
    assert await asyncio.to_thread(crashed.wait, 120) == -signal.SIGKILL
    assert crashed.stdout is not None
    crashed.stdout.close()

    stack = make_stack(root, table)
    left = marked(stack.paths.folder)
    assert len(left) == 2
    if record == "lost":
        stack.paths.state.unlink()

    await make_stack(root, table).stop()
    assert not any(lives(process) for process in left)


async def test_up_after_a_killed_launcher_takes_over_what_runs(tmp_path: Path) -> None:
    table = (real_component("db"), real_component("web", "db"))
    root = write_root(tmp_path, table, first_port=_free_pair())
    crashed = launcher(root, crash=True)
    await asyncio.to_thread(crashed.wait, 120)
    assert crashed.stdout is not None
    crashed.stdout.close()

    events: list[StackEvent] = []
    stack = make_stack(root, table, events=events)
    try:
        await stack.start()
        assert [event.detail for event in events] == ["already running", "already running"]
    finally:
        await stack.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_launcher_stops_what_it_started(tmp_path: Path, number: signal.Signals) -> None:
    table = (real_component("db"), real_component("web", "db"))
    root = write_root(tmp_path, table, first_port=_free_pair())
    waiting = launcher(root, crash=False, env={"STATUS": "503"})
    log = root / ".tracewright/stacks/default/logs/web.log"
    async with asyncio.timeout(120):
        while not log.exists() or not log.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)

    waiting.send_signal(number)
    assert await asyncio.to_thread(waiting.wait, 120) == 128 + number
    assert waiting.stdout is not None
    waiting.stdout.close()
    assert marked(make_stack(root, table).paths.folder) == []


async def test_a_process_of_another_start_time_is_not_ours(tmp_path: Path) -> None:
    launch = Launch(
        (sys.executable, "-c", "import time; time.sleep(60)"), {MARKER: "x"}, tmp_path, tmp_path / "log"
    )
    child = Process.spawn(launch)
    assert Process.find(child.pid, child.started) is not None
    assert Process.find(child.pid, child.started - 10) is None
    child.signal(signal.SIGKILL)
    assert exit_reason(await child.wait()) == "was ended by SIGKILL"
    assert Process.find(child.pid, child.started) is None


def test_the_tail_of_a_log_begins_where_this_life_began(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("old\n")
    start = log.stat().st_size
    log.write_text("old\nnew 1\n\nnew 2\n")
    assert tail(log, start=start) == ("new 1", "new 2")
    assert tail(log, lines=1) == ("new 2",)
    assert tail(tmp_path / "none.log") == ()


def _free_pair() -> int:
    """The first of two free neighbouring ports, for launchers that read their ports from a file."""
    while True:
        (port,) = free_ports(["FIRST"]).values()
        if is_free(port + 1):
            return port
