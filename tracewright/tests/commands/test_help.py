"""`--help` teaches: each command says what it does and shows calls of itself, each option explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tracewright.cli import LAUNCHER, app


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands(typer.main.get_group(app)))


def test_there_are_the_harness_commands_and_the_launchers() -> None:
    assert {" ".join(path) for path in ALL} >= {
        "verify",
        "otlp",
        "contract schema",
        "contract check",
        "contract learn",
        *LAUNCHER,
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_option_explains_itself(path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert command.help
    unexplained = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert unexplained == []


@pytest.mark.parametrize("path", [path for path in ALL if path[0] not in LAUNCHER], ids=" ".join)
def test_every_command_of_the_harness_shows_calls_of_itself(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"]).output
    assert "Examples:" in shown
    assert f"tracewright {' '.join(path)}" in shown.split("Examples:")[1]
