"""The command `tracewright`: the harness everywhere, and in a clone of the project its launcher as well.

The launcher's modules are imported only when one of its commands is asked for: they are a third of the time
that `verify --replay` takes to start, and a plain installation lacks what they need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from tracewright.commands import contract, otlp, verify
from tracewright.commands.repository import IN_CLONE

if TYPE_CHECKING:
    from typer._click.core import Command, Context

# By name, so that nothing is imported for the question which commands there are.
LAUNCHER = ("up", "down", "status", "logs", "flags", "doctor", "build")


class Commands(TyperGroup):
    """The harness' commands, then the launcher's where there is a clone to start."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Names, in the order of the help page."""
        return [*(LAUNCHER if IN_CLONE else ()), *super().list_commands(ctx)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command of that name; `None` is an unknown one."""
        if IN_CLONE and cmd_name in LAUNCHER:
            from tracewright.stack.commands import app as launcher

            return typer.main.get_group(launcher).get_command(ctx, cmd_name)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    cls=Commands,
    pretty_exceptions_show_locals=False,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Trace contracts: drives a request under a trace id of its own and proves that its traces, logs and "
    "metrics are complete and agree.",
    epilog="The fleet: [bold]tracewright doctor[/], then [bold]tracewright up[/]." if IN_CLONE else None,
)


@app.callback()
def main() -> None:
    """Holds the options of all commands: there is none."""


app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command(epilog=otlp.EXAMPLES)(otlp.otlp)
app.add_typer(contract.app, name="contract")
