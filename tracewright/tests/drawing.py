"""Draws captures as trees, so that a test shows the trace that it is about.

    frontend server POST /api/runs         0..100   ; id=a log
      frontend client POST                 10..90
        go-service server POST /runs       20..80   ; error=500 exception log
    ---
    go-service consumer process usage_events 90..95 ; link=a log

A line is service, kind, name, begin..end in milliseconds; a line of dashes begins a trace of its own.
Behind the semicolon: `id=` names the span (else it is numbered), `parent=` and `link=` name spans (or ids
that do not exist), `error=` sets status and error.type, `exception` adds an exception event, `log` a log
record in the middle of the span, `+key=value` an attribute.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from tracewright.contracts.capture import Probe, RunCapture
from tracewright.contracts.settle import Waited
from tracewright.signals import Event, Link, LogRecord, Resource, Span, SpanKind, StatusCode

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PROBE_SPAN_ID = "b7ad6b7169203331"
START_NS = 1_800_000_000_000_000_000
_LINE = re.compile(
    r"^(?P<indent> *)(?P<service>\S+) (?P<kind>internal|server|client|producer|consumer) (?P<name>.*?)"
    r" +(?P<begin>-?\d+)\.\.(?P<end>-?\d+)\s*(?:;(?P<options>.*))?$"
)


def span_id(name: str) -> str:
    """The 16 digits of a drawn span's name; a name of 16 hex digits is itself."""
    return name if re.fullmatch(r"[0-9a-f]{16}", name) else hashlib.sha256(name.encode()).hexdigest()[:16]


def trace_id(number: int) -> str:
    """The id of a drawing's trace: the probe's for 0, others for linked traces."""
    return TRACE_ID if number == 0 else hashlib.sha256(str(number).encode()).hexdigest()[:32]


def draw(text: str, *, drive: str = "http", tenant: str = "acme") -> RunCapture:
    """The capture of one probe, everything stored and settled, no metrics and no loss counters."""
    spans: list[Span] = []
    logs: list[LogRecord] = []
    trace, above, names = 0, list[tuple[int, str]](), dict[str, tuple[str, str]]()
    for number, line in enumerate(line for line in text.splitlines() if line.strip()):
        if set(line.strip()) == {"-"}:
            trace, above = trace + 1, []
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"cannot draw {line!r}")
        options = [option for option in (match["options"] or "").split() if option]
        valued = dict(option.split("=", 1) for option in options if "=" in option)
        depth = len(match["indent"])
        above = [item for item in above if item[0] < depth]
        own = span_id(valued.get("id", f"span-{number}"))
        names[valued.get("id", own)] = (trace_id(trace), own)
        default = above[-1][1] if above else (PROBE_SPAN_ID if trace == 0 and drive == "http" else "")
        parent = valued.get("parent")
        begin, end = (START_NS + int(match[edge]) * 1_000_000 for edge in ("begin", "end"))
        attributes: dict[str, str | int] = {
            key[1:]: int(value) if value.isdigit() else value
            for key, value in valued.items()
            if key.startswith("+")
        }
        if "error" in valued:
            attributes["error.type"] = valued["error"]
        exception = Event(
            "exception",
            begin,
            {
                "exception.type": "Boom",
                "exception.message": "it broke",
                "exception.stacktrace": "at line 1",
            },
        )
        resource = Resource({"service.name": match["service"]})
        span = Span(
            trace_id=trace_id(trace),
            span_id=own,
            parent_span_id=default if parent is None else span_id(parent) if parent else "",
            name=match["name"],
            kind=SpanKind(match["kind"]),
            start_ns=begin,
            end_ns=end,
            status=StatusCode.ERROR if "error" in valued else StatusCode.UNSET,
            attributes=attributes,
            events=(exception,) * options.count("exception"),
            links=tuple(
                Link(*names.get(name, (TRACE_ID, span_id(name))))
                for name in valued.get("link", "").split(",")
                if name
            ),
            resource=resource,
        )
        spans.append(span)
        above.append((depth, own))
        if "log" in options:
            logs.append(
                LogRecord(
                    (begin + end) // 2, f"{span.name} done", span.trace_id, own, "INFO", 9, resource=resource
                )
            )
    probe = Probe(
        journey="drawn",
        drive="browser" if drive == "browser" else "http",
        trace_id=TRACE_ID,
        span_id=PROBE_SPAN_ID if drive == "http" else "",
        test_id="test-1",
        tenant=tenant,
        started_ns=START_NS,
        ended_ns=START_NS + 200_000_000,
        status=200,
        label="drawn",
    )
    return stored(
        RunCapture((probe,), tuple(spans), tuple(logs), waited=(Waited("drawn", True, 0.0, 1, 0.0),))
    )


def stored(run: RunCapture) -> RunCapture:
    """The run with all of its spans and traced logs in the stores."""
    return replace(
        run,
        stored_spans=frozenset(span.key for span in run.spans),
        stored_logs=tuple(log for log in run.logs if log.trace_id),
    )
