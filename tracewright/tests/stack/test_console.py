"""What people read: plain lines with times where nobody watches, no escape codes but on a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console as RichConsole

from tracewright.endpoints import Endpoints
from tracewright.stack.builder import BuildEvent, BuildState
from tracewright.stack.component import ComponentState, StackEvent
from tracewright.stack.console import MIB, Console
from tracewright.stack.doctor import Finding
from tracewright.stack.status import Row

ROWS = [
    Row("postgres", "ready", 11, 40 * MIB, 12 * MIB, 15432, 3.0),
    Row("store", "GET http://127.0.0.1:3200/ready: 503 [replaying]", 12, 80 * MIB, 70 * MIB, 3200, 3.0),
    Row("frontend", "stopped", None, None, None, 3001, None),
]


def consoles(*, terminal: bool) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    console = Console(
        out=RichConsole(file=out, force_terminal=terminal, width=120, highlight=False),
        err=RichConsole(file=err, force_terminal=terminal, width=120, highlight=False),
    )
    return console, out, err


def test_lines_carry_the_time_where_nobody_watches() -> None:
    console, _, err = consoles(terminal=False)
    with console:
        console.on_build(BuildEvent("store", BuildState.BUILDING))
        console.on_build(BuildEvent("store", BuildState.BUILDING, 1.0, "Compiling serde"))
        console.on_build(BuildEvent("store", BuildState.BUILT, 2.04))
        console.on_component(StackEvent("store", ComponentState.STARTING, 0.0))
        console.on_component(StackEvent("store", ComponentState.READY, 1.0, "already running"))
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in err.getvalue().splitlines()]
    assert [line.split(maxsplit=2) for line in lines] == [
        ["store", "building"],
        ["store", "built", "in 2.0 s"],
        ["store", "starting"],
        ["store", "ready", "already running"],
    ]
    assert all(re.match(r"\d\d:\d\d:\d\d store", line) for line in err.getvalue().splitlines())


def test_a_terminal_shows_what_is_being_built_and_its_last_line() -> None:
    console, _, err = consoles(terminal=True)
    with console:
        console.on_build(BuildEvent("store", BuildState.BUILDING, 0.0))
        console.on_build(BuildEvent("store", BuildState.BUILDING, 1.0, "Compiling serde v1"))
    assert "Compiling serde v1" in err.getvalue()


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console, out, _ = consoles(terminal=True)
    console.status(ROWS)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", out.getvalue())


def test_the_table_is_aligned_and_has_the_sum() -> None:
    console, out, _ = consoles(terminal=False)
    console.status(ROWS, seconds={"postgres": 1.24})
    lines = out.getvalue().splitlines()
    assert lines[0].split() == [
        "component",
        "health",
        "pid",
        "rss",
        "MiB",
        "pss",
        "MiB",
        "port",
        "start",
        "s",
    ]
    assert lines[1].split() == ["postgres", "ready", "11", "40", "12", "15432", "1.2"]
    assert "503 [replaying]" in lines[2]
    assert lines[3].split() == ["frontend", "stopped", "-", "-", "-", "3001", "-"]
    assert lines[4].split() == ["all", "120", "82"]


def test_messages_with_brackets_are_printed_as_they_are() -> None:
    console, _, err = consoles(terminal=False)
    console.error("web [bold] ended")
    assert err.getvalue() == "error: web [bold] ended\n"


def test_the_doctor_shows_the_remedy_of_what_is_missing_only() -> None:
    console, out, _ = consoles(terminal=False)
    console.doctor(
        [Finding("Go", "1.26.8", True, "brew"), Finding("Rust", "not found", False, "rustup update")]
    )
    good, bad = out.getvalue().splitlines()[1:]
    assert "brew" not in good
    assert bad.split() == ["missing", "Rust", "not", "found", "rustup", "update"]


def test_only_urls_of_what_runs_are_shown() -> None:
    console, out, _ = consoles(terminal=False)
    console.urls(Endpoints(frontend="http://127.0.0.1:3001"))
    assert out.getvalue().split() == ["page", "http://127.0.0.1:3001"]
