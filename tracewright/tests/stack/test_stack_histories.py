"""What the stack does, told as histories of events on a clock that jumps: no process is started here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tracewright.stack.component import ComponentState, StackEvent
from tracewright.stack.errors import ComponentFailed, PortTaken, StackBusy, StackError
from tracewright.tests.stack.fakes import Script, ScriptedHost, component, make_stack, run, write_root

TABLE = (component("db"), component("disk"), component("api", "db", "disk"), component("web", "api"))


def test_components_start_when_what_they_need_is_ready(tmp_path: Path) -> None:
    events: list[StackEvent] = []
    host = ScriptedHost({"db": Script(ready_s=2), "disk": Script(ready_s=5), "api": Script(ready_s=1)})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host, events=events)

    run(stack.start())

    started = {event.component: event.at_s for event in events if event.state is ComponentState.STARTING}
    ready = {event.component: event.at_s for event in events if event.state is ComponentState.READY}
    assert started["db"] == started["disk"] == 0
    assert started["api"] == max(ready["db"], ready["disk"])
    assert started["web"] == ready["api"]
    assert ready["disk"] == pytest.approx(5, abs=0.3)
    assert stack.seconds["api"] == pytest.approx(1, abs=0.3)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    host = ScriptedHost()
    root = write_root(tmp_path, TABLE)

    async def twice() -> list[StackEvent]:
        await make_stack(root, TABLE, host=host).start()
        events: list[StackEvent] = []
        await make_stack(root, TABLE, host=host, events=events).start()
        return events

    events = run(twice())
    assert host.log == ["spawn db", "spawn disk", "spawn api", "spawn web"]
    assert {(event.state, event.detail) for event in events} == {(ComponentState.READY, "already running")}


def test_only_the_component_that_died_is_started_again(tmp_path: Path) -> None:
    host = ScriptedHost()
    root = write_root(tmp_path, TABLE)

    async def story() -> None:
        await make_stack(root, TABLE, host=host).start()
        host.children["disk"]._end(1)
        host.log.clear()
        await make_stack(root, TABLE, host=host).start()

    run(story())
    assert host.log == ["spawn disk"]


def test_a_component_whose_files_changed_is_restarted_alone(tmp_path: Path) -> None:
    table = (component("db"), component("api", "db", inputs=("api.conf",)))
    root = write_root(tmp_path, table)
    host = ScriptedHost()

    async def story() -> None:
        (root / "api.conf").write_text("a")
        await make_stack(root, table, host=host).start()
        (root / "api.conf").write_text("b")
        host.log.clear()
        await make_stack(root, table, host=host).start()

    run(story())
    assert host.log == ["SIGTERM api", "spawn api"]


def test_a_death_before_readiness_ends_the_start_and_stops_the_others(tmp_path: Path) -> None:
    events: list[StackEvent] = []
    host = ScriptedHost({"api": Script(ready_s=10, ends_s=3, code=3), "disk": Script(ready_s=0.5)})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host, events=events)

    with pytest.raises(ComponentFailed, match=r"api ended with exit code 3 before it was ready.*api\.log"):
        run(stack.start())

    failure = next(event for event in events if event.state is ComponentState.FAILED)
    assert (failure.component, failure.detail) == ("api", "ended with exit code 3 before it was ready")
    assert failure.at_s == pytest.approx(1 + 3, abs=0.3)
    assert host.log[-2:] == ["SIGTERM disk", "SIGTERM db"]
    assert "spawn web" not in host.log
    assert not any(child.alive for child in host.children.values())


def test_a_death_while_others_still_start_ends_the_start(tmp_path: Path) -> None:
    host = ScriptedHost({"db": Script(ready_s=1, ends_s=2, code=1), "disk": Script(ready_s=30)})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host)

    with pytest.raises(ComponentFailed, match="db ended with exit code 1 while the others were starting"):
        run(stack.start())
    assert not any(child.alive for child in host.children.values())


def test_a_component_that_is_never_ready_is_reported_with_its_last_answer(tmp_path: Path) -> None:
    host = ScriptedHost({"db": Script(ready_s=1e9)})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host)

    with pytest.raises(
        ComponentFailed, match="db was not ready after 60 s; the last answer was: db says not yet"
    ):
        run(stack.start())


def test_a_failed_start_leaves_alone_what_ran_before(tmp_path: Path) -> None:
    host = ScriptedHost()
    root = write_root(tmp_path, TABLE)

    async def story() -> None:
        await make_stack(root, TABLE, host=host, components=("db",)).start()
        host.scripts["disk"] = Script(ends_s=0.2)
        with pytest.raises(ComponentFailed):
            await make_stack(root, TABLE, host=host).start()

    run(story())
    assert host.children["db"].alive
    assert not host.children["disk"].alive


def test_stop_goes_in_reverse_and_says_who_needed_to_be_killed(tmp_path: Path) -> None:
    events: list[StackEvent] = []
    host = ScriptedHost({"api": Script(heeds_term=False)})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host, events=events)

    async def story() -> None:
        await stack.start()
        host.log.clear()
        await stack.stop()

    run(story())
    assert host.log == ["SIGTERM web", "SIGTERM api", "SIGKILL api", "SIGTERM disk", "SIGTERM db"]
    stopped = {event.component: event.detail for event in events if event.state is ComponentState.STOPPED}
    assert stopped["api"] == "needed SIGKILL: it did not stop within 10 s of SIGTERM"
    assert stopped["web"] == ""


def test_a_cancelled_start_stops_what_it_started(tmp_path: Path) -> None:
    host = ScriptedHost({"api": Script(ready_s=1e9)})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host)

    async def story() -> None:
        start = asyncio.ensure_future(stack.start())
        await asyncio.sleep(5)
        assert host.children["api"].alive
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start

    run(story())
    assert not any(child.alive for child in host.children.values())
    assert host.log[-3:] == ["SIGTERM api", "SIGTERM disk", "SIGTERM db"]


def test_a_taken_port_is_reported_before_anything_starts(tmp_path: Path) -> None:
    host = ScriptedHost(taken={"API_PORT": "nginx (pid 7)"})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host)

    with pytest.raises(PortTaken, match=r"API_PORT is held by nginx \(pid 7\)"):
        run(stack.start())
    assert host.log == []


def test_kill_and_start_again_of_one_component(tmp_path: Path) -> None:
    host = ScriptedHost()
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host, name="test")

    async def story() -> None:
        async with stack:
            host.log.clear()
            await stack.kill("disk")
            assert stack.child("disk") is None
            await stack.start_component("disk")
            await stack.restart("web")

    run(story())
    assert host.log[:4] == ["SIGKILL disk", "spawn disk", "SIGTERM web", "spawn web"]
    assert not any(child.alive for child in host.children.values())


def test_a_private_stack_is_not_shared(tmp_path: Path) -> None:
    host = ScriptedHost()
    root = write_root(tmp_path, TABLE)

    async def story() -> None:
        async with make_stack(root, TABLE, host=host, name="test"):
            with pytest.raises(StackBusy, match=r"another launcher \(pid \d+\) works on the stack 'test'"):
                await make_stack(root, TABLE, host=host, name="test").__aenter__()

    run(story())


def test_first_death_names_the_component(tmp_path: Path) -> None:
    host = ScriptedHost({"disk": Script(ends_s=100, code=137)})
    stack = make_stack(write_root(tmp_path, TABLE), TABLE, host=host)

    async def story() -> ComponentFailed:
        await stack.start()
        return await stack.first_death()

    failure = run(story())
    assert (failure.component, failure.reason) == ("disk", "ended with exit code 137 by itself")


def test_limiting_to_a_component_starts_what_it_needs(tmp_path: Path) -> None:
    host = ScriptedHost()
    run(make_stack(write_root(tmp_path, TABLE), TABLE, host=host, components=("api",)).start())
    assert host.log == ["spawn db", "spawn disk", "spawn api"]


def test_an_unknown_component_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no component 'apii': the components are db, disk, api, web"):
        make_stack(write_root(tmp_path, TABLE), TABLE, components=("apii",))
