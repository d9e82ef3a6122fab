"""`tracewright otlp`: receives OTLP and prints each trace as a tree, once it has come to rest."""

from __future__ import annotations

import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from tracewright.commands.output import note, refuse, show
from tracewright.contracts.capture import Probe, RunCapture
from tracewright.contracts.render import render_tree
from tracewright.signals import LogRecord, Span
from tracewright.signals import otlp as otlp_json

EXAMPLES = (
    "Examples:\n\n"
    "  tracewright otlp                                on 4318 (HTTP) and 4317 (gRPC), as SDKs expect it\n\n"
    "  tracewright otlp --http 14318 --no-grpc         HTTP alone, elsewhere\n\n"
    "  tracewright otlp --keep telemetry               also keep what arrives, as the collector's files\n\n"
    "Point a program at it: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"
    " OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
)
TRACES_KEPT = 1000
LOOK_EVERY_S = 0.1


def otlp(
    http: Annotated[
        str, typer.Option("--http", metavar="[HOST:]PORT", help="Where to take OTLP over HTTP.")
    ] = "4318",
    no_http: Annotated[bool, typer.Option("--no-http", help="Take none over HTTP.")] = False,
    grpc: Annotated[
        str, typer.Option("--grpc", metavar="[HOST:]PORT", help="Where to take OTLP over gRPC.")
    ] = "4317",
    no_grpc: Annotated[bool, typer.Option("--no-grpc", help="Take none over gRPC.")] = False,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Append what arrives to traces.jsonl, logs.jsonl, metrics.jsonl."),
    ] = None,
    quiet: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="How long a trace must not grow before it is printed."),
    ] = 1.0,
) -> None:
    """Receive OTLP without a collector, and print each trace as a tree. Ctrl-C ends it."""
    # Imported here: gRPC alone takes longer to import than a replay takes.
    from tracewright.receiver import Address, OtlpReceiver, PortTaken

    if no_http and no_grpc:
        raise refuse("--no-http and --no-grpc leave nothing to receive on")
    traces = Traces()
    with ExitStack() as opened:
        try:
            receiver = OtlpReceiver(
                keep,
                http=None if no_http else Address.parse(http),
                grpc=None if no_grpc else Address.parse(grpc),
                listener=traces.take,
            )
            opened.enter_context(receiver)
        except (ValueError, PortTaken) as error:
            raise refuse(f"cannot receive: {error}; --http and --grpc choose other ports") from error
        places = [f"OTLP/HTTP on http://{receiver.http}"] if receiver.http else []
        places += [f"OTLP/gRPC on {receiver.grpc}"] if receiver.grpc else []
        note(f"{', '.join(places)}; Ctrl-C ends")
        ended = _until_told()
        while not ended.wait(LOOK_EVERY_S):
            for lines in traces.at_rest(quiet):
                show(lines)
    for lines in traces.at_rest(0.0):
        show(lines)


def _until_told() -> threading.Event:
    """Set by Ctrl-C or SIGTERM, so that neither cuts a tree in two."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended


@dataclass
class _Trace:
    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    changed_s: float = 0.0
    printed: bool = False


class Traces:
    """What has arrived, by trace; the oldest are forgotten. `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, signal: str, request: Mapping[str, Any]) -> None:
        """One export request in OTLP/JSON; metrics have no place in a tree."""
        spans = otlp_json.read_spans(request) if signal == "traces" else []
        logs = otlp_json.read_logs(request) if signal == "logs" else []
        with self._lock:
            for span in spans:
                self._changed(span.trace_id).spans.append(span)
            for log in logs:
                if log.trace_id:
                    self._changed(log.trace_id).logs.append(log)
            while len(self._traces) > TRACES_KEPT:
                self._traces.popitem(last=False)

    def at_rest(self, quiet_s: float) -> list[list[str]]:
        """The trees of the traces with news that have not changed for `quiet_s`, oldest first."""
        now_s = self._clock()
        with self._lock:
            ready = [
                (trace_id, trace)
                for trace_id, trace in self._traces.items()
                if not trace.printed and trace.spans and now_s - trace.changed_s >= quiet_s
            ]
            for _, trace in ready:
                trace.printed = True
            return [draw(trace_id, trace.spans, trace.logs) for trace_id, trace in ready]

    def _changed(self, trace_id: str) -> _Trace:
        trace = self._traces.setdefault(trace_id, _Trace())
        trace.changed_s, trace.printed = self._clock(), False
        return trace


def draw(trace_id: str, spans: list[Span], logs: list[LogRecord]) -> list[str]:
    """A heading, and the trace as a tree."""
    begin, end = min(span.start_ns for span in spans), max(span.end_ns for span in spans)
    services = len({span.service for span in spans})
    probe = Probe("", "http", trace_id, "", "", "", begin, end)
    run = RunCapture((probe,), tuple(spans), tuple(logs))
    counts = f"{len(spans)} spans of {services} services, {len(logs)} logs"
    return [f"trace {trace_id}  {counts}, {(end - begin) / 1e6:.1f} ms", *render_tree(run.of(probe))]
