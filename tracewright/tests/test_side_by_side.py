"""How the end-to-end suite is shared out between two stacks."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from e2e import conftest
from e2e.compose_stack import ComposeStack
from e2e.native_stack import stop_left
from e2e.side_by_side import APART, FIRST, LAST, piece_of
from tracewright.plugin import ContractItem
from tracewright.stack.paths import StackPaths
from tracewright.stack.process import MARKER, Launch, Process
from tracewright.tests.test_plugin import FAST

E2E = Path(__file__).parents[2] / "e2e"
CONFTEST = """
from e2e import side_by_side

def pytest_xdist_make_scheduler(config, log):
    return side_by_side.Pieces(config, log)

def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        side_by_side.longest_first(items)
"""
# Each test writes down in which process it ran, and when.
TEST = """
import os, pathlib, time
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_it(number):
    line = f"{{time.monotonic_ns()}} {{os.environ['PYTEST_XDIST_WORKER']}} {name} {{number}}\\n"
    with pathlib.Path("ran").open("a") as file:
        file.write(line)
"""


def test_run_over_all_contracts_and_who_asks_about_it_are_one_piece() -> None:
    run = [
        "e2e/contracts/agent-run.yaml::agent-run[edges]",
        "e2e/contracts/page-load.yaml::page-load[status]",
        "e2e/test_memory.py::test_resident_memory",
    ]
    assert {piece_of(nodeid) for nodeid in run} == {"contracts"}
    askers = [file.name for file in E2E.glob("test_*.py") if "telemetry: Report" in file.read_text()]
    assert askers == ["test_memory.py"]


def test_a_file_is_one_piece_unless_its_tests_share_nothing() -> None:
    assert piece_of("e2e/test_faults.py::test_a[x::y]") == piece_of("e2e/test_faults.py::test_b")
    assert piece_of("e2e/test_breaking.py::test_a") != piece_of("e2e/test_breaking.py::test_b")
    for name in APART:
        assert 'fixture(scope="module")' not in (E2E / name).read_text(), name


def test_files_that_are_named_are_there() -> None:
    assert [n for n in (*APART, *FIRST, *LAST) if n != "contracts" and not (E2E / n).exists()] == []


def test_pages_that_are_left_come_before_containers_that_crash() -> None:
    assert FIRST.index("test_leaving.py") < FIRST.index("test_containers.py")


def test_two_processes_never_share_containers_that_run_already(monkeypatch: pytest.MonkeyPatch) -> None:
    class Running(ComposeStack):
        def __init__(self, name: str) -> None:
            self.is_own = False

        def __enter__(self) -> Running:
            return self

    monkeypatch.setitem(conftest.KINDS, "compose", Running)
    options = {"--stack": "compose", "--tracewright-endpoints": None}
    config: Any = SimpleNamespace(
        stash=pytest.Stash(), workerinput={"workerid": "gw0"}, getoption=options.__getitem__
    )
    for _ in range(2):
        with pytest.raises(pytest.UsageError, match="docker compose up"):
            conftest.own_stack(config)
    del config.workerinput
    assert isinstance(conftest.own_stack(config), Running)


def test_no_stack_starts_while_the_contracts_are_driven(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One that did took the cores that two requests needed to be within their budgets."""
    starting = FileLock(tmp_path / "starting.lock")
    monkeypatch.setattr(conftest, "STARTING", starting)
    contract = ContractItem.from_parent(request.session, name="run[status]", label="run", check="status")
    for item, held in ((contract, True), (request.node, False)):
        running = conftest.pytest_runtest_call(item)
        next(running)
        assert starting.is_locked is held
        with pytest.raises(StopIteration):
            running.send(None)
        assert not starting.is_locked


def test_pieces_stay_together_the_long_ones_begin_and_every_test_runs_once(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(CONFTEST)
    counts = {"test_bad_input": 5, "test_breaking": 4, "test_faults": 3, "test_judged": 2, "test_memory": 1}
    for name, count in counts.items():
        path = pytester.mkdir("e2e") / f"{name}.py" if name == "test_bad_input" else Path(f"e2e/{name}.py")
        path.write_text(TEST.format(name=name, count=count), encoding="utf-8")
    result = pytester.runpytest_subprocess(*FAST, "-n", "2")
    result.assert_outcomes(passed=sum(counts.values()))
    ran = [line.split() for line in sorted(Path("ran").read_text().splitlines())]
    processes = {name: {process for _, process, one, _ in ran if one == name} for name in counts}
    assert [name for name in counts if name != "test_breaking" and len(processes[name]) > 1] == []
    assert processes["test_memory"] != processes["test_faults"]
    order = ["test_memory", "test_faults", "test_breaking", "test_judged", "test_bad_input"]
    for process in ("gw0", "gw1"):
        places = [order.index(name) for _, one, name, _ in ran if one == process]
        assert places == sorted(places)


def test_what_an_interrupted_process_left_of_its_stack_is_stopped(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()

    def running(name: str) -> Process:
        paths = StackPaths(tmp_path, name)
        paths.logs.mkdir(parents=True)
        command = (sys.executable, "-c", "import time; time.sleep(600)")
        return Process.spawn(Launch(command, {MARKER: str(paths.folder)}, tmp_path, paths.logs / "it.log"))

    left, other = running("e2e-gw1"), running("e2e")
    try:
        stop_left("e2e-*", tmp_path)
        assert (left.alive, other.alive) == (False, True)
    finally:
        other.signal(signal.SIGKILL)
