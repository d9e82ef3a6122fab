"""The launcher's commands: translate options into calls and results into an exit code; `console.py`
prints.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from tracewright.stack import doctor as doctor_module
from tracewright.stack import flags_command
from tracewright.stack import status as status_module
from tracewright.stack.builder import Builder, BuildResults
from tracewright.stack.component import Component
from tracewright.stack.console import Console
from tracewright.stack.errors import StackBusy, StackError
from tracewright.stack.paths import REPO_ROOT, BuildPaths, StackPaths, stack_names
from tracewright.stack.proof import prove
from tracewright.stack.stack import DEFAULT_NAME, Stack, StackOptions, needed_builds
from tracewright.stack.toolchain import Toolchain
from tracewright.stack.units import UNITS

# Longer than a stack takes to stop when one component has to be killed.
TAKE_OVER_S = 60.0

app = typer.Typer(
    pretty_exceptions_show_locals=False,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Starts the whole fleet on this machine, without Docker, and proves that its telemetry is whole.",
    epilog="First time: [bold]tracewright doctor[/], then [bold]tracewright up[/]. The page is at http://127.0.0.1:3001.",
)

Name = Annotated[str, typer.Option("--name", help="Which stack: each has its own ports, data and logs.")]


@app.command(
    epilog="Examples:\n\n"
    "  tracewright up                                 everything, on the ports of .env\n\n"
    "  tracewright up postgres store                  only these and what they need\n\n"
    "  tracewright up --name try --free-ports --tee   a second stack beside the first\n\n"
    "  FRONTEND_PORT=3101 tracewright up              one port moved\n\n"
)
def up(
    components: Annotated[list[str] | None, typer.Argument(help="Only these and what they need.")] = None,
    name: Name = DEFAULT_NAME,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Free ports instead of those of .env.")
    ] = False,
    tee: Annotated[bool, typer.Option("--tee", help="Keep a raw copy of all telemetry.")] = False,
    fast_flush: Annotated[
        bool, typer.Option("--fast-flush", help="Export every second, not every five.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay in the foreground; Ctrl-C stops all.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Drive one agent run per tenant and judge it.")
    ] = True,
) -> None:
    """Build what is out of date, start what does not run, and prove one agent run per tenant.

    Run it again after a change: it builds and restarts what has changed, and leaves the rest alone.
    """
    options = StackOptions(
        name=name,
        free_ports=free_ports,
        tee=tee,
        fast_flush=fast_flush,
        components=tuple(components or ()),
        root=REPO_ROOT,
    )
    raise typer.Exit(_run(_up(options, Console(), wait=wait, verify=verify)))


@app.command()
def down(
    name: Name = DEFAULT_NAME,
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove the stack's data, too.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every stack of this clone.")] = False,
) -> None:
    """Stop everything in reverse order, also what a crashed launcher left behind."""
    names = stack_names(REPO_ROOT) if every else [name]
    raise typer.Exit(_run(_down(names, Console(), volumes=volumes)))


@app.command()
def status(
    name: Name = DEFAULT_NAME, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Show what runs, its health and its memory. Exits with 1 when not everything is ready."""
    raise typer.Exit(_run(_status(name, Console(), as_json=as_json)))


@app.command(
    epilog="Examples:\n\n"
    "  tracewright logs                     which logs there are, with their last lines\n\n"
    "  tracewright logs go-service -f       follow one\n\n"
    "  tracewright logs otel-collector -n 200\n\n"
)
def logs(
    component: Annotated[str | None, typer.Argument(help="Whose log; all if left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines to begin with.")] = 20,
    name: Name = DEFAULT_NAME,
) -> None:
    """Print the logs of one component, or of all."""
    folder = StackPaths(REPO_ROOT, name).logs
    files = sorted(folder.glob("*.log")) if component is None else [folder / f"{component}.log"]
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        known = ", ".join(file.stem for file in sorted(folder.glob("*.log"))) or "none"
        Console().error(f"there is no log of {component or 'any component'} in {folder}; there are: {known}")
        raise typer.Exit(1)
    # tail(1) follows files by name through rotation and is on every system that the stack runs on.
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, files)]
    try:
        raise typer.Exit(subprocess.call(command))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command(epilog=flags_command.EXAMPLES)
def flags(
    action: flags_command.ActionArgument = flags_command.Action.LIST,
    flag: flags_command.FlagArgument = None,
    tenant: flags_command.Tenants = None,
    name: Name = DEFAULT_NAME,
    file: flags_command.OtherFile = None,
) -> None:
    """Switch a deliberate telemetry defect in a running stack: it shows within a second, nothing restarts.

    flags/README.md says what each breaks and which checks must turn red. A page in a browser has to be loaded
    anew.
    """
    tenants = tuple(tenant or ())
    raise typer.Exit(flags_command.act(REPO_ROOT, action, flag, tenants=tenants, stack=name, file=file))


@app.command()
def doctor() -> None:
    """Name each prerequisite that is missing or too old, and the command that gets it. Exits with 1 if
    there is one.
    """
    findings = doctor_module.examine(REPO_ROOT)
    Console().doctor(findings)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def build(
    units: Annotated[list[str] | None, typer.Argument(help="Only these build units.")] = None,
) -> None:
    """Build what is out of date, and start nothing."""
    known = [unit.name for unit in UNITS]
    console = Console()
    for unit in units or ():
        if unit not in known:
            console.error(f"there is no build unit {unit!r}: the units are {', '.join(known)}")
            raise typer.Exit(2)
    raise typer.Exit(_run(_build(units or known, console)))


async def _build(results: list[str], console: Console) -> int:
    toolchain = Toolchain()
    doctor_module.require(doctor_module.examine(REPO_ROOT, toolchain))
    with console:
        await Builder(BuildPaths(REPO_ROOT), toolchain=toolchain, listener=console.on_build).build(results)
    console.note("everything is up to date")
    return 0


async def _up(options: StackOptions, console: Console, *, wait: bool, verify: bool) -> int:
    toolchain = Toolchain()
    doctor_module.require(await asyncio.to_thread(doctor_module.examine, options.root, toolchain))

    async def prepare(components: tuple[Component, ...]) -> BuildResults:
        builder = Builder(BuildPaths(options.root), toolchain=toolchain, listener=console.on_build)
        return await builder.build(needed_builds(components))

    stack = Stack(options, listener=console.on_component, prepare=prepare)
    with stack.exclusive():
        with console:
            await stack.start()
        try:
            code = await _present(stack, console, verify=verify)
            return await _stay(stack, console) or code if wait else code
        finally:
            if wait:
                await asyncio.shield(stack.stop())


async def _present(stack: Stack, console: Console, *, verify: bool) -> int:
    """Proves the stack, if all of it runs, and shows what there is; the exit code of the proof."""
    whole = len(stack.components) == len(stack.table)
    proof = await prove(stack, console.note) if verify and whole else None
    console.status(await status_module.rows(stack), seconds=stack.seconds)
    if proof is not None:
        console.out.print(proof.render(), markup=False)
    console.urls(stack.endpoints)
    return 0 if proof is None or proof.ok else 1


async def _stay(stack: Stack, console: Console) -> int:
    """Until Ctrl-C; reports each component that ends by itself. Exit code 1 when there was one."""
    code = 0
    try:
        while any(stack.child(component.name) for component in stack.components):
            console.note("running; Ctrl-C stops everything")
            console.error(str(await stack.first_death()))
            code = 1
    except asyncio.CancelledError:
        console.note("stopping")
    return code


async def _down(names: list[str], console: Console, *, volumes: bool) -> int:
    for name in names:
        stack = Stack(StackOptions(name=name, root=REPO_ROOT), listener=console.on_component)
        await _take_over(stack, console)
        with stack.exclusive(), console:
            await stack.stop()
            if volumes:
                stack.remove_data()
        console.note(f"the stack {name!r} is stopped" + (", its data removed" if volumes else ""))
    return 0


async def _take_over(stack: Stack, console: Console) -> None:
    """Makes a launcher that still works on the stack (`up --wait`, a test run) end, and waits for it."""
    deadline_s = time.monotonic() + TAKE_OVER_S
    asked = False
    while True:
        try:
            with stack.exclusive():
                return
        except StackBusy as busy:
            if busy.pid is None or time.monotonic() > deadline_s:
                raise
            if not asked:
                console.note(f"{busy}; asking it to end")
                os.kill(busy.pid, signal.SIGTERM)
                asked = True
            await asyncio.sleep(0.2)


async def _status(name: str, console: Console, *, as_json: bool) -> int:
    stack = Stack(StackOptions(name=name, root=REPO_ROOT))
    stack.attach()
    rows = await status_module.rows(stack)
    if as_json:
        sys.stdout.write(json.dumps(status_module.as_json(name, rows), indent=2) + "\n")
    else:
        console.status(rows)
    return 0 if all(row.ready for row in rows) else 1


def _run(work: Coroutine[Any, Any, int]) -> int:
    """Runs the work; SIGINT and SIGTERM cancel it once, so that it can stop what it has started."""

    async def main() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        interrupted: list[signal.Signals] = []

        def interrupt(number: signal.Signals) -> None:
            if not interrupted:
                task.cancel()
            interrupted.append(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt, number)
        try:
            return await task
        except asyncio.CancelledError:
            return 128 + interrupted[0] if interrupted else 1
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    try:
        return asyncio.run(main())
    except StackError as error:
        Console().error(str(error))
        return 1
