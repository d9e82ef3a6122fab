"""`tracewright verify`: one request (or a contract's own, or a kept capture), one verdict, one exit code."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tracewright import junit as junit_file
from tracewright.addressing import addressed, has_witness, receiving
from tracewright.browser import BrowserMissing
from tracewright.commands import options
from tracewright.commands.output import note, refuse, show
from tracewright.commands.request import parse_request
from tracewright.contracts import archive
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.load import load_contract, load_contracts
from tracewright.contracts.model import Contract
from tracewright.contracts.render import render_tree
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.report import Links, write_page
from tracewright.verify import ProbePlan, Report, replay
from tracewright.verify import verify as verify_plans

WITNESSES = "--tempo, --quickwit, --prometheus, --otlp or --endpoints"
DEFAULT_KEEP = Path("test-results") / "captures"
EXAMPLES = (
    "Examples:\n\n"
    "  tracewright verify order.yaml --request 'POST http://localhost:8000/orders' --data '{\"item\": 3}'"
    " --tempo http://localhost:3200\n\n"
    "  tracewright verify order.yaml --request http://localhost:8000/orders/3 --checks no_orphans,edges"
    " --tempo http://localhost:3200\n\n"
    "  tracewright verify contracts --target http://localhost:8000 --tempo http://localhost:3200"
    " --quickwit http://localhost:7280 --junit out.xml\n\n"
    "  tracewright verify contracts --replay test-results/captures\n\n"
    "Exit codes: 0 what was judged passed, 1 something is red, 2 nothing was judged or the call is wrong."
)


def verify(
    contracts: Annotated[
        list[Path], typer.Argument(metavar="CONTRACT...", help="Contract files, or folders with some.")
    ],
    request: Annotated[
        str | None,
        typer.Option(metavar="'METHOD URL'", help="The request to drive, in place of the contract's own."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="'NAME: VALUE'", help="A header of the request; may be repeated."),
    ] = None,
    data: options.Data = None,
    status: Annotated[
        int | None, typer.Option(min=100, max=599, help="The status that the request must be answered with.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]URL",
            help="Where a contract's own request is sent; with a name, what its `to` names.",
        ),
    ] = None,
    tempo: options.Tempo = None,
    quickwit: options.Quickwit = None,
    index: options.Index = None,
    prometheus: options.Prometheus = None,
    collector: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the collector shows its own metrics.")
    ] = None,
    otlp: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Receive OTLP over HTTP here; no backend is needed then."),
    ] = None,
    otlp_grpc: Annotated[
        str | None, typer.Option(metavar="[HOST:]PORT", help="The same over gRPC; both may be given.")
    ] = None,
    endpoints: options.EndpointsFile = None,
    checks: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these checks, separated by commas.")
    ] = None,
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for each signal at most.")
    ] = Deadlines().traces_s,
    quiet: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            help="How long nothing may change until it has settled: more than the slowest export interval.",
        ),
    ] = Deadlines().quiet_s,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="What {tenant} stands for (default: the contract's).")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit, too.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Write the HTML page there, as index.html."),
    ] = None,
    keep: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the capture of a red run is kept.")
    ] = DEFAULT_KEEP,
    replay_from: Annotated[
        Path | None,
        typer.Option("--replay", metavar="DIR", help="Judge this kept capture; nothing is driven."),
    ] = None,
) -> None:
    """Drive a request under a trace id of its own, wait until its telemetry has settled, and judge it.

    Backends that are not given are left out; the checks that need them say "not judged", never "passed".
    """
    chosen = _checks(checks)
    try:
        base_url, http = _request(request, header or [], data, status)
        loaded = _load(contracts, http)
        if replay_from is not None:
            report = replay(replay_from, loaded, chosen)
        else:
            stack = addressed(
                Endpoints() if endpoints is None else Endpoints.load(endpoints),
                targets=[*(target or ()), *([base_url] if base_url else ())],
                tempo=tempo,
                quickwit=quickwit,
                index=index,
                prometheus=prometheus,
                collector=collector,
            )
            with receiving(otlp, otlp_grpc) as folder:
                stack = replace(stack, tee_dir=str(folder) if folder else stack.tee_dir)
                if not has_witness(stack):
                    raise ValueError(f"nothing shows the telemetry: give {WITNESSES}")
                report = verify_plans(
                    stack,
                    _plans(loaded, tenant),
                    contracts=loaded,
                    checks=chosen,
                    deadlines=Deadlines(deadline, deadline, deadline, quiet),
                )
    except (ValueError, OSError, BrowserMissing) as error:
        raise refuse(str(error)) from error
    _present(report)
    if junit is not None:
        junit_file.write_junit(report, junit)
    again = shlex.join(["tracewright", "verify", *map(str, contracts), "--replay", str(replay_from or keep)])
    if page is not None:
        links = Links() if replay_from else Links.of(stack)
        note(f"report: {write_page(report, page, links=links, replay='' if report.ok else again)}")
    if not report.judged:
        raise refuse(f"nothing could be judged: give more of {WITNESSES}")
    if not report.ok and replay_from is None:
        archive.save(report.run, keep)
        note(f"capture kept; judge it again with: {again}")
    raise typer.Exit(0 if report.ok else 1)


def _checks(names: str | None) -> tuple[str, ...] | None:
    chosen = None if names is None else tuple(name.strip() for name in names.split(","))
    for name in chosen or ():
        if name not in CHECKS:
            raise refuse(f"--checks: no check {name!r} (there are: {', '.join(CHECKS)})")
    return chosen


def _request(
    request: str | None, headers: list[str], data: str | None, status: int | None
) -> tuple[str | None, dict[str, object] | None]:
    """The request's base URL, and the `http` block that it makes; nothing without a request."""
    if request is not None:
        base_url, http = parse_request(request, headers, data, status)
        return base_url, {**http, "to": "frontend"}
    if headers or data is not None or status is not None:
        raise ValueError("--header, --data and --status belong to a --request")
    return None, None


def _load(paths: list[Path], http: dict[str, object] | None) -> list[Contract]:
    """The contracts; a request on the command line goes over the `http` of the one contract it is for."""
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if http is not None and len(files) == 1:
        return [load_contract(files[0], http=http)]
    if http is not None:
        raise ValueError(f"--request is for one contract, here are {len(files)}")
    return [c for path in paths for c in (load_contracts(path) if path.is_dir() else [load_contract(path)])]


def _plans(contracts: list[Contract], tenant: str | None) -> list[ProbePlan]:
    plans = [
        ProbePlan(contract.journey, name)
        for contract in contracts
        if contract.http is not None
        for name in ([tenant] if tenant else contract.tenants)
    ]
    if not plans:
        raise ValueError("no contract says how it is driven over HTTP: give --request 'METHOD URL'")
    return plans


def _present(report: Report) -> None:
    """What is red with its tree; the tree alone where there is one probe and nothing is red."""
    if report.ok and len(report.run.probes) == 1:
        show(render_tree(report.run.of(report.run.probes[0])))
    show(report.render().splitlines())
