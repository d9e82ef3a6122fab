"""The command line: what it says, and its exit codes. Stacks here are the real table in an empty clone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tracewright import cli
from tracewright.stack import commands
from tracewright.stack.fleet import fleet
from tracewright.stack.paths import StackPaths, stack_names
from tracewright.stack.ports import port_variables
from tracewright.stack.state import locked

runner = CliRunner()


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    names = port_variables(fleet())
    (tmp_path / ".env").write_text("".join(f"{name}={23_000 + i}\n" for i, name in enumerate(names)))
    monkeypatch.setattr(commands, "REPO_ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "flags", "doctor", "build"])
def test_every_command_explains_itself(command: str) -> None:
    result = runner.invoke(cli.app, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output) > 100


def test_status_of_a_stack_that_never_ran_is_stopped() -> None:
    result = runner.invoke(cli.app, ["status", "--json"])
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["ready"] is False
    assert {row["health"] for row in answer["components"]} == {"stopped"}
    assert [row["component"] for row in answer["components"]] == [row.name for row in fleet()]


def test_down_of_a_stack_that_never_ran_is_done_at_once() -> None:
    result = runner.invoke(cli.app, ["down", "--volumes"])
    assert result.exit_code == 0
    assert "the stack 'default' is stopped, its data removed" in result.stderr


def test_down_of_all_goes_through_every_stack(clone: Path) -> None:
    StackPaths(clone, "one").make()
    StackPaths(clone, "two").make()
    result = runner.invoke(cli.app, ["down", "--all"])
    assert [line.split("'")[1] for line in result.stderr.splitlines()] == stack_names(clone) == ["one", "two"]


def test_up_names_an_unknown_component() -> None:
    result = runner.invoke(cli.app, ["up", "postgress"])
    assert result.exit_code == 1
    assert "there is no component 'postgress': the components are postgres, store" in result.stderr


def test_up_says_who_works_on_the_stack(clone: Path) -> None:
    with locked(StackPaths(clone, "default").lock, "x"):
        result = runner.invoke(cli.app, ["up", "postgres"])
    assert result.exit_code == 1
    assert "works on the stack 'default'" in result.stderr


def test_up_names_a_wrong_port(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_PORT", "x")
    monkeypatch.setenv("TEMPO_PORT", "many")
    result = runner.invoke(cli.app, ["up", "postgres"])
    assert result.exit_code == 1
    assert "TEMPO_PORT='many': expected a port" in result.stderr


def test_build_names_an_unknown_unit() -> None:
    result = runner.invoke(cli.app, ["build", "rusty"])
    assert result.exit_code == 2
    assert "no build unit 'rusty': the units are rust" in result.stderr


def test_logs_of_nothing_say_what_there_is(clone: Path) -> None:
    folder = StackPaths(clone, "default").logs
    result = runner.invoke(cli.app, ["logs", "web"])
    assert (result.exit_code, "there are: none" in result.stderr) == (1, True)
    folder.mkdir(parents=True)
    (folder / "store.log").write_text("hello\n")
    result = runner.invoke(cli.app, ["logs", "web"])
    assert "there are: store" in result.stderr


def test_logs_prints_the_last_lines(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = StackPaths(clone, "default").logs
    folder.mkdir(parents=True)
    (folder / "store.log").write_text("one\ntwo\nthree\n")
    assert runner.invoke(cli.app, ["logs", "store", "-n", "2"]).exit_code == 0
    assert capfd.readouterr().out == "two\nthree\n"
