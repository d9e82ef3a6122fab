"""`tracewright flags`: shows and switches the deliberate telemetry faults of a stack."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console as RichConsole

from tracewright.stack.console import Console
from tracewright.stack.flags import Fault, FlagFile, FlagsError, Switch, load_faults
from tracewright.stack.paths import StackPaths

EXAMPLES = (
    "Examples:\n\n"
    "  tracewright flags                                             what there is, and what is on\n\n"
    "  tracewright flags on telemetry-go-context-lost                for everybody\n\n"
    "  tracewright flags on telemetry-go-context-lost --tenant acme  for one tenant (may be repeated)\n\n"
    "  tracewright flags off telemetry-go-context-lost\n\n"
    "  tracewright flags reset                                       everything off\n\n"
    "  tracewright flags on NAME --file flags/fleet.flagd.json       the stack in containers\n\n"
)


class Action(StrEnum):
    """What can be done."""

    LIST = "list"
    ON = "on"
    OFF = "off"
    RESET = "reset"


def act(
    root: Path, action: Action, flag: str | None, *, tenants: tuple[str, ...], stack: str, file: Path | None
) -> int:
    """Does it, prints what is on then, and returns the exit code: 2 for a wrong command, 1 for a failure."""
    console = Console()
    try:
        switches = FlagFile(file or StackPaths(root, stack).flags, load_faults(root))
        if (flag is None) == (action in (Action.ON, Action.OFF)):
            wanted = "needs the name of a flag" if flag is None else "takes no flag"
            known = ", ".join(switches.catalogue)
            console.error(f"`tracewright flags {action}` {wanted}; there are: {known}")
            return 2
        if action is Action.RESET:
            switches.write({})
        elif flag is not None:
            switches.switch(flag, Switch(tenants) if action is Action.ON else None)
        show(console.out, switches.catalogue, switches.read())
    except FlagsError as error:
        console.error(str(error))
        return 1
    return 0


def show(out: RichConsole, catalogue: Mapping[str, Fault], switched_on: Mapping[str, Switch]) -> None:
    """A line per flag: whether it is on and for whom, and what it breaks."""
    width = max(len(name) for name in catalogue)
    for name, fault in catalogue.items():
        switch = switched_on.get(name)
        mark, style = ("off", "dim") if switch is None else (str(switch), "bold red")
        out.print(f"{name:{width}}  [{style}]{mark}[/]  {fault.does}", soft_wrap=True, highlight=False)


ActionArgument = Annotated[Action, typer.Argument(help="What to do.")]
FlagArgument = Annotated[str | None, typer.Argument(help="Which flag, for on and off.")]
Tenants = Annotated[
    list[str] | None, typer.Option("--tenant", help="On for this tenant only; may be repeated.")
]
OtherFile = Annotated[
    Path | None, typer.Option("--file", help="Another flag file than that of a native stack.")
]
