"""Builds: what decides them, how many at once, and what a failure says."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from tracewright.stack.builder import Builder, BuildEvent, BuildState, jobs_for
from tracewright.stack.errors import BuildFailed
from tracewright.stack.hashing import hash_files
from tracewright.stack.paths import BuildPaths
from tracewright.stack.process import marked, tail
from tracewright.stack.toolchain import Toolchain
from tracewright.stack.units import UNITS, Unit


class OneVersion(Toolchain):
    """The tools of this machine, of a version that the test says."""

    def __init__(self, version: str = "1.0") -> None:
        super().__init__()
        self.told = version

    def version_line(self, tool: str) -> str:
        return f"{tool} {self.told}"


def shell(name: str, script: str, *, cold_s: int = 1, folder: bool = False) -> Unit:
    return Unit(
        name=name,
        tool="go",
        sources=(name,),
        commands=(("sh", "-c", script.replace("OUT", f"{{out}}/{name}")),),
        outputs={f"{{out}}/{name}": f"{name}-program"},
        cold_s=cold_s,
        folder=folder,
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "one" / "main.c", "int main;")
    write(tmp_path / "two" / "main.c", "int main;")
    return tmp_path


def builder(
    root: Path, *units: Unit, events: list[BuildEvent] | None = None, version: str = "1.0"
) -> Builder:
    listener = events.append if events is not None else lambda event: None
    return Builder(BuildPaths(root), units=units, toolchain=OneVersion(version), listener=listener, cores=2)


async def built(root: Path, *units: Unit, version: str = "1.0") -> list[str]:
    """Builds and says which units were built."""
    events: list[BuildEvent] = []
    await builder(root, *units, events=events, version=version).build([unit.name for unit in units])
    return [event.unit for event in events if event.state is BuildState.BUILT]


async def test_a_unit_is_built_once_and_again_when_a_source_changes(root: Path) -> None:
    one, two = shell("one", "cp main.c OUT || echo made > OUT"), shell("two", "echo made > OUT")
    assert sorted(await built(root, one, two)) == ["one", "two"]
    assert (root / ".tracewright/build/bin/one-program").read_text() == "made\n"
    assert await built(root, one, two) == []
    write(root / "two" / "main.c", "int changed;")
    assert await built(root, one, two) == ["two"]


async def test_a_new_tool_version_a_lost_result_or_another_command_builds_again(root: Path) -> None:
    one = shell("one", "echo made > OUT")
    await built(root, one)
    assert await built(root, one, version="1.1") == ["one"]
    (root / ".tracewright/build/bin/one-program").unlink()
    assert await built(root, one, version="1.1") == ["one"]
    assert await built(root, shell("one", "echo other > OUT"), version="1.1") == ["one"]


async def test_tests_docs_and_what_tools_make_decide_nothing(root: Path) -> None:
    before = hash_files(root, ["one"])
    for name in ("README.md", "main_test.go", "tests/x.c", "node_modules/y/z.js", "__pycache__/a.pyc"):
        write(root / "one" / name, "x")
    assert hash_files(root, ["one"]) == before
    write(root / "one" / "new.c", "")
    assert hash_files(root, ["one"]) != before


async def test_results_have_digests_of_their_content(root: Path) -> None:
    one = shell("one", "echo made > OUT")
    first = await builder(root, one).build(["one-program"])
    write(root / "one" / "main.c", "int changed;")
    second = await builder(root, one).build(["one-program"])
    assert first.digests == second.digests
    assert set(first.digests) == {"one-program"}


async def test_a_folder_keeps_the_versions_that_stacks_may_run_on(root: Path) -> None:
    one = shell("one", "mkdir OUT && cp main.c OUT/page || echo page > OUT/page", folder=True)
    folders: list[Path] = []
    for number in range(5):
        write(root / "one" / "main.c", f"int version{number};")
        folders.append(Path((await builder(root, one).build(["one"])).paths["one-program"]))
        os.utime(folders[-1], (number, number))
    assert [folder.exists() for folder in folders] == [False, False, True, True, True]
    assert (folders[-1] / "page").exists()


async def test_a_failure_shows_the_end_of_the_output_and_stops_the_others(root: Path) -> None:
    slow = shell("one", "sleep 600", cold_s=5)
    bad = shell(
        "two", "for i in $(seq 40); do echo line $i; done; echo 'main.c:1: no such thing' >&2; exit 2"
    )
    began = time.monotonic()
    with pytest.raises(BuildFailed) as caught:
        await builder(root, slow, bad).build(["one", "two"])
    assert time.monotonic() - began < 300
    assert caught.value.tail[-1] == "main.c:1: no such thing"
    assert "two did not build (exit code 2)" in str(caught.value)
    assert caught.value.log in str(caught.value)
    assert "line 1" in tail(Path(caught.value.log), lines=100)


async def test_a_command_that_is_not_there_is_a_failed_build(root: Path) -> None:
    unit = Unit("one", "go", ("one",), (("no-such-compiler", "x"),), {"{out}/one": "one"}, 1)
    with pytest.raises(BuildFailed, match="no-such-compiler"):
        await builder(root, unit).build(["one"])


async def test_the_longest_starts_first_and_lines_are_reported(root: Path) -> None:
    events: list[BuildEvent] = []
    units = [shell("one", "echo hello; echo x > OUT", cold_s=1), shell("two", "echo x > OUT", cold_s=9)]
    await builder(root, *units, events=events).build(["one", "two"])
    assert [event.unit for event in events if event.state is BuildState.WAITING] == ["two", "one"]
    assert ("one", "hello") in [(event.unit, event.line) for event in events]


async def test_two_launchers_build_once(root: Path) -> None:
    counter, go_on = root / "counter", root / "go-on"
    script = f"echo x >> {counter}; while [ ! -e {go_on} ]; do sleep 0.05; done; echo made > OUT"
    one = shell("one", script)
    events: list[BuildEvent] = []

    def waiting() -> list[str]:
        return [event.line for event in events if event.state is BuildState.WAITING and event.line]

    work = asyncio.gather(*(builder(root, one, events=events).build(["one"]) for _ in range(3)))
    async with asyncio.timeout(120):
        while len(waiting()) < 2:  # noqa: ASYNC110 - threads report it
            await asyncio.sleep(0.01)
        go_on.touch()
        await work
    assert counter.read_text() == "x\n"
    assert waiting() == [f"another launcher (pid {os.getpid()}) works on the builds"] * 2


async def test_a_cancelled_build_leaves_no_compiler_behind(root: Path) -> None:
    events: list[BuildEvent] = []
    one = shell("one", "echo begun; sleep 600; echo made > OUT")
    work = asyncio.ensure_future(builder(root, one, events=events).build(["one"]))
    async with asyncio.timeout(120):
        while not any(event.line == "begun" for event in events):  # noqa: ASYNC110 - a thread reports it
            await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert marked(BuildPaths(root).folder) == []
    assert not (root / ".tracewright/build/one.json").exists()


def test_jobs_share_the_cores_and_one_unit_gets_all() -> None:
    assert jobs_for([UNITS[0]], 8) == {"rust": 8}
    shares = jobs_for(UNITS, 2)
    assert shares["rust"] == 2
    assert shares["node-exporter"] == shares["prometheus"] == 1
    assert jobs_for(UNITS, 1) == {unit.name: 1 for unit in UNITS}


def test_units_are_listed_longest_first() -> None:
    assert [unit.cold_s for unit in UNITS] == sorted((unit.cold_s for unit in UNITS), reverse=True)


def test_deciding_that_nothing_is_to_do_is_quick() -> None:
    paths = BuildPaths(Path(__file__).resolve().parents[3])
    toolchain = OneVersion()
    # Of this process alone: what else the machine does meanwhile is no fault of it.
    began = time.process_time()
    for unit in UNITS:
        Builder(paths, toolchain=toolchain).hash(unit)
    assert time.process_time() - began < 1.0
