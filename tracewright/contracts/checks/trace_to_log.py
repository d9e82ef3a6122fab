"""Every span that is declared as logging is found by the query that a trace page's link to its logs sends.

The link asks the log store for `trace_id:<id>`. A record counts for its span, and for the declared span
above it when it was written in an undeclared internal span of the same service.

Rule: OpenTelemetry's log data model; the query is the one that a trace view's link sends.

Usual cause: a log call without context, logs that are not exported, or a record that the index refused.
"""

from __future__ import annotations

from collections import Counter

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding, inconclusive, not_judged
from tracewright.contracts.match import ancestors, match
from tracewright.contracts.model import Contract
from tracewright.signals import LogRecord


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All logging spans of which the log store gives no record, and all records that it lost."""
    error = capture.run.errors.get("quickwit")
    if error:
        return [inconclusive("Quickwit", f"cannot say what it stored: {error}", "the log store is down")]
    stored = capture.stored_logs
    if stored is None:
        return [not_judged("Quickwit")]
    matching = match(capture, contract)
    by_id = capture.by_id()
    logging = set()
    for log in stored:
        span = by_id.get((log.trace_id, log.span_id))
        if span is None:
            continue
        logging.add(span.key)
        for above in (span, *ancestors(span, by_id)):
            if above.service != span.service:
                break
            logging.add(above.key)
            if above.key in matching.aliases:
                break
    findings = [
        Finding(
            str(span),
            f"has no log record under trace_id:{span.trace_id}",
            expected=f"at least one (declared at {contract.place('spans', alias, 'logs')})",
            seen=f"{len(stored)} records of the trace, none of this span",
            cause="a log call without context, logs not exported, or a record that the index refused",
            span=span.key,
            alias=alias,
            absent="logs",
        )
        for alias, rule in contract.spans.items()
        if rule.logs
        for span in matching.spans[alias]
        if span.key not in logging
    ]
    # Clocks are coarse (a browser's counts milliseconds): of two equal records both have to be there.
    found = Counter(map(_key, stored))
    exported = Counter(_key(log) for log in capture.logs if log.trace_id)
    findings.extend(
        Finding(
            str(log),
            f"was exported but Quickwit does not give it for trace_id:{log.trace_id}",
            expected=f"{exported[_key(log)]} such record" + "s" * (exported[_key(log)] > 1),
            seen=str(found[_key(log)]),
            cause="the collector's exporter to Quickwit failed, or the index refused the record",
            span=(log.trace_id, log.span_id),
        )
        for log in {_key(log): log for log in capture.logs if log.trace_id}.values()
        if found[_key(log)] < exported[_key(log)]
    )
    return findings


def _key(log: LogRecord) -> tuple[str, str, int]:
    return (log.trace_id, log.span_id, log.time_ns)
