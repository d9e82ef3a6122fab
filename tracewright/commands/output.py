"""What the harness' commands print: results on stdout, remarks on stderr, colours on a terminal only."""

from __future__ import annotations

from collections.abc import Iterable

import typer
from rich.console import Console
from rich.text import Text

USAGE_ERROR = 2
# By the first sign of a line, as `render` and `Report.summary` write them.
_STYLES = {"✗": "red", "✓": "green", "–": "yellow", "►": "bold red", "↻": "red", "⇢": "cyan", "•": "bold"}

out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)


def show(lines: Iterable[str]) -> None:
    """Prints rendered lines."""
    for line in lines:
        out.print(Text(line, style=_STYLES.get(line.lstrip()[:1], "")))


def note(text: str) -> None:
    """Prints a remark that is no result."""
    err.print(Text(text, style="dim"))


def refuse(text: str) -> typer.Exit:
    """Prints what is wrong with the call; raise what it returns."""
    err.print(Text(text, style="red"))
    return typer.Exit(USAGE_ERROR)
