"""`tracewright contract learn`: a first contract from a trace that exists."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer

from tracewright.addressing import addressed
from tracewright.commands import options
from tracewright.commands.output import note, refuse
from tracewright.commands.request import read_body
from tracewright.contracts import archive
from tracewright.contracts.checks.red_equals_spans import REQUEST_COUNT, service_of
from tracewright.contracts.learn import Seen, learn, traces_of
from tracewright.contracts.load import parse_contract
from tracewright.contracts.settle import Deadlines, holds, until
from tracewright.endpoints import Endpoints
from tracewright.signals import Span, otlp
from tracewright.signals.prometheus import Prometheus
from tracewright.signals.quickwit import Quickwit
from tracewright.signals.tee import TeeFile
from tracewright.signals.tempo import Tempo

REQUEST_METRIC = "http.server.request.duration"
EXAMPLES = (
    "Examples:\n\n"
    "  tracewright contract learn 4bf92f3577b34da6a3ce929d0e0e4736 --tempo http://localhost:3200"
    " --quickwit http://localhost:7280 > contracts/order.yaml\n\n"
    "  tracewright contract learn 4bf92f3577b34da6a3ce929d0e0e4736 --capture spans.jsonl -o order.yaml\n\n"
    "Then: tracewright contract check order.yaml, and add what one trace cannot tell: the request's body (not"
    " recorded in a trace; --data gives it), budgets, required attributes, business metrics.\n\n"
    "Exit codes: 0 written, 2 there is no such trace or no contract can be made of it."
)


def command(
    trace_id: Annotated[str, typer.Argument(metavar="TRACE_ID", help="32 hex digits.")],
    tempo: options.Tempo = None,
    quickwit: options.Quickwit = None,
    index: options.Index = None,
    prometheus: options.Prometheus = None,
    endpoints: options.EndpointsFile = None,
    capture: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file of OTLP/JSON lines, as the collector's file exporter writes it, or a folder with "
            "traces.jsonl and logs.jsonl (a kept capture is one), in place of a backend.",
        ),
    ] = None,
    journey: Annotated[
        str, typer.Option(metavar="NAME", help="The journey's name (default: made of its first span).")
    ] = "",
    data: options.Data = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write the contract there; a file is not replaced."
        ),
    ] = None,
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for the trace at most.")
    ] = Deadlines().traces_s,
) -> None:
    """Write a first contract from a trace: its spans, their edges, logs and errors, and how it is driven."""
    try:
        if not re.fullmatch(r"[0-9a-f]{32}", trace_id):
            raise ValueError(f"{trace_id!r} is no trace id: 32 hex digits, not all of them 0")
        if output is not None and output.exists():
            raise ValueError(f"{output} is there already: name another file, or remove it")
        known = Endpoints() if endpoints is None else Endpoints.load(endpoints)
        stack = addressed(known, tempo=tempo, quickwit=quickwit, index=index, prometheus=prometheus)
        seen = _captured(trace_id, capture) if capture else _stored(trace_id, stack, deadline)
        text = learn(
            seen,
            journey=journey,
            to=lambda service: _target(stack, service),
            body=None if data is None else read_body(data),
        )
        contract = parse_contract(text, output or Path("learned.yaml"))
    except httpx.HTTPError as error:
        asked = f"{error.request.url}: " if isinstance(error, httpx.RequestError) else ""
        raise refuse(f"{asked}{str(error) or type(error).__name__}") from error
    except (ValueError, OSError) as error:
        raise refuse(str(error)) from error
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        note(f"{output}: journey {contract.journey}, {len(contract.spans)} declared spans")
    if contract.http is not None and contract.http.method not in ("GET", "DELETE") and data is None:
        note(f"a trace does not hold the body of a {contract.http.method}: give it with --data")
    if seen.logs is None:
        note("no log records were read, so no span is declared to log: give --quickwit")


def _stored(trace_id: str, stack: Endpoints, deadline_s: float) -> Seen:
    """What the backends have of the trace, once it no longer grows."""
    if not stack.tempo:
        raise ValueError("nothing has the trace: give --tempo, --endpoints or --capture")
    tempo = Tempo(stack.tempo)
    spans: list[Span] = []

    def read() -> int:
        linked = tempo.traces_linking_to(trace_id)
        spans[:] = [span for key in dict.fromkeys([trace_id, *linked]) for span in tempo.trace(key)]
        return len(spans)

    found, _ = until("trace", read, lambda number: "" if number else "no span of it", deadline_s)
    if not found.met:
        raise ValueError(f"{stack.tempo} has no trace {trace_id} ({found.seconds:.1f} s)")
    holds("trace", read, Deadlines().quiet_s, deadline_s)
    tempo.close()
    logs = None
    if stack.quickwit:
        quickwit = Quickwit(stack.quickwit, stack.quickwit_index)
        logs = [log for key in {s.trace_id for s in spans} for log in quickwit.logs_of_trace(key)]
        quickwit.close()
    counted: frozenset[str] = frozenset()
    if stack.prometheus:
        metrics = Prometheus(stack.prometheus)
        counted = frozenset(service_of(sample.labels) for sample in metrics.latest([REQUEST_COUNT]))
        metrics.close()
    return Seen(trace_id, spans, logs, counted)


def _captured(trace_id: str, path: Path) -> Seen:
    """What a capture has of the trace."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    try:
        requests = [request for file in files for request in TeeFile(file).requests()]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no file of OTLP/JSON lines: {error}") from error
    if not requests:
        raise ValueError(f"{path}: holds no OTLP/JSON lines")
    traces = traces_of(trace_id, (span for request in requests for span in otlp.read_spans(request)))
    logs = [log for request in requests for log in otlp.read_logs(request)]
    points = [point for request in requests for point in otlp.read_metrics(request)]
    counted = {point.resource.service for point in points if point.name == REQUEST_METRIC}
    if (path / "run.json").is_file():
        samples = archive.load(path).metrics_after or ()
        counted |= {service_of(sample.labels) for sample in samples if sample.name == REQUEST_COUNT}
    return Seen(
        trace_id,
        [span for trace in traces.values() for span in trace],
        [log for log in logs if log.trace_id in traces] if logs else None,
        frozenset(counted),
    )


def _target(stack: Endpoints, service: str) -> str | None:
    """The name by which a contract's `to` reaches a service, where it is not where requests enter."""
    if service == "frontend":
        return None
    return next((n for n in (service, service.replace("-", "_")) if stack.base_url(n)), None)
