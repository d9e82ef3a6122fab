"""A trace is kept whole or not at all, and one with an error or a slow span is always kept.

Sampling by the span, or by each service for itself, leaves traces with holes that look like lost context. A
share that is drawn before the error is known loses just the traces that somebody will look for. What was
exported is compared with what the trace store gives back, a decision for each trace id: a message that is
consumed in a trace of its own has a decision of its own. Where everything is kept, everything has to be
there. How many of the others were kept is chance, and not judged.

Rule: OpenTelemetry's tail sampling decides once, on the whole trace, and later spans follow the decision; W3C
Trace Context hands one sampled flag down to all of a trace.

Usual cause: a sampler that ignores its parent's decision, several collectors that each see a part of the
trace, a decision that does not wait for the last spans, or a policy without an exception for errors.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracewright.contracts.capture import PROBE_SERVICE, Capture
from tracewright.contracts.findings import Finding, inconclusive, not_judged
from tracewright.contracts.model import Contract
from tracewright.signals import Span, StatusCode

NOT_IN_STORE = "the store has no span of the trace"


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All traces that were kept in part, and all that had to be kept and were not."""
    run = capture.run
    error = run.errors.get("tempo")
    if error:
        return [inconclusive("Tempo", f"cannot say what it stored: {error}", "the trace store is down")]
    if run.stored_spans is None:
        return [not_judged("Tempo")]
    if not run.whole:
        return [not_judged("copy of what was exported (a file tee), to compare with what was kept")]
    return [
        finding
        for trace_id in sorted({span.trace_id for span in capture.all_spans})
        for finding in _of_trace(trace_id, capture)
    ]


def must_be_kept(span: Span, slow_ms: float | None) -> str:
    """Why the trace of this span has to be kept whatever its chances; empty when nothing says so."""
    took_ms = (span.end_ns - span.start_ns) / 1e6
    if span.status is StatusCode.ERROR:
        return "it has an error"
    if slow_ms is not None and took_ms >= slow_ms:
        return f"it has a span of {took_ms:.0f} ms ({slow_ms:g} ms and more are slow)"
    return ""


def _of_trace(trace_id: str, capture: Capture) -> Iterator[Finding]:
    run = capture.run
    spans = [s for s in run.spans if s.trace_id == trace_id and s.service != PROBE_SERVICE]
    kept = [span for span in spans if span.key in (run.stored_spans or ())]
    lost = [span for span in spans if span.key not in (run.stored_spans or ())]
    if not lost:
        return
    evidence = tuple(f"{'► lost' if span in lost else '  kept'}  {span}" for span in spans)
    if kept:
        yield Finding(
            f"trace {trace_id}",
            f"was kept in part: {len(kept)} of {len(spans)} spans",
            expected="all spans or none",
            seen=f"without {lost[0]}",
            span=lost[0].key,
            evidence=evidence,
        )
        return
    for span in spans:
        why = must_be_kept(span, run.sampling.slow_ms)
        if why or run.sampling.whole:
            yield Finding(
                f"trace {trace_id}",
                f"was not kept although {why or 'all traces are'}",
                expected="all of its spans in the store",
                seen=NOT_IN_STORE,
                span=span.key,
                evidence=evidence,
            )
            return
