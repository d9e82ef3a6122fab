"""`tracewright contract`: the schema of contract files, and whether files hold together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tracewright.commands import learn
from tracewright.commands.output import err, refuse, show
from tracewright.contracts.load import ContractError, load_contract
from tracewright.contracts.schema import schema_text

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Contract files: learn a first one, check them, get their schema for an editor.",
)

SCHEMA_EXAMPLES = (
    "Examples:\n\n"
    "  tracewright contract schema > contracts/contract.schema.json\n\n"
    "Then begin each contract with: # yaml-language-server: $schema=contract.schema.json"
)
CHECK_EXAMPLES = (
    "Examples:\n\n"
    "  tracewright contract check contracts            every *.yaml of a folder\n\n"
    "  tracewright contract check order.yaml cart.yaml\n\n"
    "Exit codes: 0 all hold together, 1 one does not (each fault with file and line), 2 the call is wrong."
)


@app.command(epilog=SCHEMA_EXAMPLES)
def schema() -> None:
    """Print the JSON Schema of contract files: an editor completes and explains keys with it."""
    sys.stdout.write(schema_text())


@app.command(epilog=CHECK_EXAMPLES)
def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Contract files, or folders with some.")
    ],
) -> None:
    """Read contract files, and tell every fault with its file, line, value and the valid values."""
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if not files:
        raise refuse(f"{', '.join(map(str, paths))}: holds no contract (*.yaml)")
    faults: list[str] = []
    journeys: dict[str, Path] = {}
    for file in files:
        try:
            contract = load_contract(file)
        except ContractError as error:
            faults.extend(str(error).splitlines())
            continue
        first = journeys.setdefault(contract.journey, file)
        if first != file:
            faults.append(f"{contract.place('journey')}: {contract.journey} is declared in {first}, too")
    for fault in faults:
        err.print(fault, style="red")
    if faults:
        raise typer.Exit(1)
    show([f"✓ {len(files)} contracts hold together: {', '.join(journeys)}"])


app.command("learn", epilog=learn.EXAMPLES)(learn.command)
