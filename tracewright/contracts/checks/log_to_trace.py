"""Every log record of the probe names a stored span of its own service, and lies inside it.

From a log line one click leads to the trace, if its ids are right. A record without ids was logged without
context; one with the ids of another service's span, or outside of its span's time, was logged with a
context that was kept too long. After a span that is declared `asynchronous` records may still come: a page
reports on its loading long after it. A record that comes twice is a log that is exported on two ways.

Rule: OpenTelemetry's log data model: `trace_id` and `span_id` of a record are those of the span that was
current at the log call.

Usual cause: a log call to which the context was not passed, a logger that writes later from another thread,
or ids copied from the incoming headers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding, inconclusive, not_judged
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract, name_matches
from tracewright.signals import LogRecord, Span

# Log and span take their times from different calls (and, in a browser, from a clock of whole milliseconds).
TOLERANCE_NS = 10_000_000
MILLISECOND_NS = 1_000_000
WITHOUT_CONTEXT = "a log call without context: the request's context was not passed to the logger"


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All records that lead to no span, to a wrong one, or that should lead to one and do not."""
    if not capture.run.sees_logs:
        return [not_judged("log store and no copy of its logs")]
    error = capture.run.errors.get("quickwit")
    findings = (
        [inconclusive("Quickwit", f"cannot say what it stored: {error}", "the log store is down")]
        if error
        else []
    )
    by_id = capture.by_id()
    aliases = match(capture, contract).aliases
    lasting = {key for key, alias in aliases.items() if contract.spans[alias].asynchronous}
    for log in capture.logs:
        findings.extend(_of_log(log, by_id, lasting))
    findings.extend(_twice(capture))
    findings.extend(
        Finding(
            str(log),
            "was written while the probe was under way and names no trace",
            expected="trace_id and span_id",
            seen="none",
            cause=WITHOUT_CONTEXT,
            evidence=join(log, None),
        )
        for log in _without_trace(capture, contract)
    )
    return findings


def _of_log(
    log: LogRecord, by_id: dict[tuple[str, str], Span], lasting: set[tuple[str, str]]
) -> Iterator[Finding]:
    if not log.trace_id:
        yield Finding(
            str(log),
            "names no trace",
            expected="trace_id",
            seen="none",
            cause=WITHOUT_CONTEXT,
            evidence=join(log, None),
        )
        return
    span = by_id.get((log.trace_id, log.span_id))
    if span is None:
        yield Finding(
            str(log),
            f"names span {log.span_id or '(none)'}, which is no span of trace {log.trace_id}",
            expected="a captured span",
            seen="no such span",
            cause="the span was not recorded or not exported, or the record took ids from somewhere else",
            evidence=join(log, None),
        )
        return
    if span.service != log.service:
        yield Finding(
            str(log),
            f"names a span of {span.service}",
            expected=f"a span of {log.service}",
            seen=str(span),
            cause="ids copied from the incoming headers in place of the current span",
            span=span.key,
            evidence=join(log, span),
        )
    before = log.time_ns < span.start_ns - TOLERANCE_NS
    if before or (log.time_ns > span.end_ns + TOLERANCE_NS and span.key not in lasting):
        distance_ms = (span.start_ns - log.time_ns if before else log.time_ns - span.end_ns) / 1e6
        yield Finding(
            str(log),
            f"lies {distance_ms:.1f} ms {'before' if before else 'after'} its span",
            expected=f"inside the span (± {TOLERANCE_NS / 1e6:.0f} ms)",
            seen=clock(log.time_ns),
            cause="a context that outlived its span, or a log time that is not the time of the call",
            span=span.key,
            evidence=join(log, span),
        )


def _twice(capture: Capture) -> Iterator[Finding]:
    """Records that came more than once. Of a clock of whole milliseconds two may well have the same time."""
    seen = Counter(
        (log.trace_id, log.span_id, log.service, log.message, log.time_ns)
        for log in capture.logs
        if log.time_ns % MILLISECOND_NS
    )
    for (trace_id, span_id, service, message, time_ns), times in seen.items():
        if times > 1:
            yield Finding(
                f"{service} {message[:80]!r}",
                f"came {times} times with the time {clock(time_ns)}",
                expected="once",
                seen=f"{times} times",
                cause="two handlers or exporters on one logger, or a stream that is collected a second time",
                span=(trace_id, span_id),
            )


def join(log: LogRecord, span: Span | None) -> tuple[str, ...]:
    """A record and the span that it names, beside each other."""
    ids = f"trace {log.trace_id or '(none)'}  span {log.span_id or '(none)'}"
    return (
        f"  record  {clock(log.time_ns)}  {log}  {ids}",
        f"► span    {clock(span.start_ns)} … {clock(span.end_ns)}  {span}"
        if span
        else "► span    none that was captured",
    )


def clock(time_ns: int) -> str:
    """The time of day in UTC, to the microsecond."""
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%H:%M:%S.%f}"


def _without_trace(capture: Capture, contract: Contract) -> Iterator[LogRecord]:
    for log in capture.run.logs:
        if (
            not log.trace_id
            and log.service in contract.services
            and capture.probe.started_ns - TOLERANCE_NS <= log.time_ns
            and log.time_ns <= capture.probe.ended_ns + TOLERANCE_NS
            and not any(name_matches(pattern, log.message) for pattern in contract.untraced_logs)
        ):
            yield log
