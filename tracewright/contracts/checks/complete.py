"""Each declared span is there, as often as declared, and nothing more arrives after settling.

A trace that lacks a span still looks like a trace: nobody misses what they do not see. So the contract
names the spans, the collector's own copy says which of them were exported, and the trace store has to give
back every one of them.

Rule: OpenTelemetry's trace model: every span is exported once, when it has ended; a store gives back what it
has acknowledged.

Usual cause: a span that is never ended, a service that does not export or was stopped without a flush, or a
context that was lost on the way, so that the span is in another trace.
"""

from __future__ import annotations

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding, inconclusive
from tracewright.contracts.match import Matching, fits, match
from tracewright.contracts.model import Contract, SpanRule, name_matches

# An absence can be proven only from a capture that had stopped growing.
MUST_REST = frozenset({"baseline at rest", "quiet"})


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All missing, surplus, late and unfindable spans of the journey."""
    findings: list[Finding] = []
    if capture.probe.error:
        findings.append(
            Finding(
                f"{capture.probe.journey} by {capture.probe.drive}",
                f"the action itself failed: {capture.probe.error}",
                expected="the answer that the contract declares",
                seen=f"status {capture.probe.status}" if capture.probe.status else "no answer",
                cause="a service is down, or answers something else than the contract's status",
            )
        )
        if not capture.spans:
            return findings
    if not capture.spans and not capture.run.whole and not capture.run.sampling.whole:
        # The store is all that was read, and it keeps a share only: nobody can say what there was.
        why = "the trace was sampled away, or never came: without a file tee nobody can tell"
        return [inconclusive(capture.probe.label, why, "a stack that does not keep every trace")]
    matching = match(capture, contract)
    gone = {alias for alias, rule in contract.spans.items() if rule.least and not matching.spans[alias]}
    for alias, rule in contract.spans.items():
        seen = matching.spans[alias]
        above = rule.parent or rule.link
        if alias in gone and above in gone:
            continue  # What hangs below a missing span is told with it.
        if len(seen) < rule.least:
            findings.append(_missing(alias, rule, capture, contract, matching, gone))
        elif rule.most is not None and len(seen) > rule.most:
            findings.append(
                Finding(
                    _subject(alias, rule),
                    "is there too often",
                    expected=f"{rule.count} (declared at {contract.place('spans', alias)})",
                    seen=str(len(seen)),
                    cause="two instrumentations on one call, or a retry",
                    span=seen[-1].key,
                    alias=alias,
                )
            )
    for span in capture.all_spans:
        if span.key in capture.run.late:
            findings.append(
                Finding(
                    str(span),
                    "arrived after everything had settled",
                    expected="nothing more after the quiet time",
                    seen=f"a span of {(span.end_ns - span.start_ns) / 1e6:.1f} ms",
                    cause="a span that is ended late, or a flush interval longer than the quiet time",
                    span=span.key,
                )
            )
    findings.extend(_unfindable(capture))
    findings.extend(
        inconclusive(capture.probe.label, f"never came to rest: {waited}", "other traffic on the stack")
        for waited in capture.run.waited
        if waited.what in MUST_REST and not waited.met
    )
    return findings


def _subject(alias: str, rule: SpanRule) -> str:
    return f"{alias} ({rule.service} {rule.name!r} {rule.kind})"


def _missing(
    alias: str,
    rule: SpanRule,
    capture: Capture,
    contract: Contract,
    matching: Matching,
    gone: set[str],
) -> Finding:
    seen = matching.spans[alias]
    above = matching.spans.get(rule.parent or rule.link or "", ())
    below = sum(1 for other in gone if other != alias and _hangs_below(other, alias, contract))
    detail = "is there too seldom" if seen else "is missing"
    if below:
        detail += f", and with it the {below} declared below"
    return Finding(
        _subject(alias, rule),
        detail,
        expected=f"{rule.count} (declared at {contract.place('spans', alias)})",
        seen=str(len(seen)),
        cause=_cause(alias, rule, capture),
        span=above[0].key if above else None,
        alias=alias,
        absent="traces",
    )


def _cause(alias: str, rule: SpanRule, capture: Capture) -> str:
    for span in capture.all_spans:
        if span.service == rule.service and span.kind != rule.kind and name_matches(rule.name, span.name):
            return f"{span.service} sent it as {span.kind}"
    probe = capture.probe
    others = {other.trace_id for other in capture.run.probes} | capture.trace_ids
    for span in capture.run.spans:
        astray = span.trace_id not in others and probe.started_ns <= span.start_ns <= probe.ended_ns
        if astray and fits(rule, span):
            return (
                f"{span.service} began trace {span.trace_id} with it at that time: "
                f"the context was lost between {rule.parent or 'the probe'} and {alias}"
            )
    if any(span.service == rule.service for span in capture.all_spans):
        return "the span is not made on this path, is named otherwise, or was never ended"
    return f"no span of {rule.service} arrived: it is down, does not export, or got another trace id"


def _hangs_below(alias: str, top: str, contract: Contract) -> bool:
    rule = contract.spans[alias]
    above = rule.parent or rule.link
    return above is not None and (above == top or _hangs_below(above, top, contract))


def _unfindable(capture: Capture) -> list[Finding]:
    error = capture.run.errors.get("tempo")
    if error:
        return [inconclusive("Tempo", f"cannot say what it stored: {error}", "the trace store is down")]
    stored = capture.run.stored_spans
    if stored is None:
        return []
    return [
        Finding(
            str(span),
            f"was exported but Tempo does not give it for trace {span.trace_id}",
            expected="every exported span",
            seen=f"{len(stored & {s.key for s in capture.all_spans})} of {len(capture.all_spans)} spans",
            cause="the collector's exporter to Tempo failed, or the store lost it",
            span=span.key,
        )
        for span in capture.all_spans
        if span.key not in stored and not capture.run.sampled_away(span.trace_id)
    ]
