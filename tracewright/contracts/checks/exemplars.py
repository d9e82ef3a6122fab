"""The declared histograms carry an exemplar of the run, and its trace can be opened.

The dot on a latency graph is the way from a number to an example of it. It leads nowhere when the trace was
sampled away, or when the exemplar was lost between the SDK, the collector and Prometheus.

Rule: OpenTelemetry's exemplars (filter `trace_based`), stored by Prometheus with
`--enable-feature=exemplar-storage` under the label `trace_id`.

Usual cause: exemplars that are off in the SDK, in the collector's connector or in Prometheus, or a trace that
was sampled away.
"""

from __future__ import annotations

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding, inconclusive, not_judged
from tracewright.contracts.model import Contract


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All declared histograms without an exemplar that leads to a trace of the run."""
    run = capture.run
    error = run.errors.get("prometheus")
    if error:
        return [inconclusive("Prometheus", f"cannot say what it holds: {error}", "Prometheus is down")]
    if run.exemplars is None:
        return [not_judged("Prometheus")]
    traces = {span.trace_id for span in run.spans}
    asked = {probe.trace_id for probe in run.probes}
    opened = None if run.stored_spans is None else {trace_id for trace_id, _ in run.stored_spans}
    findings = []
    for index, name in enumerate(contract.exemplars):
        seen = run.exemplars.get(name, frozenset())
        place = contract.place("exemplars", index)
        if not seen & traces:
            findings.append(
                Finding(
                    name,
                    "has no exemplar of a trace of this run",
                    expected=f"at least one (declared at {place})",
                    seen=f"{len(seen)} exemplars",
                    cause="exemplars are off in the SDK, the connector or Prometheus, or were sampled away",
                )
            )
        elif opened is not None and seen & asked and not seen & opened:
            findings.append(
                Finding(
                    name,
                    "has exemplars, but Tempo gives none of their traces",
                    expected=f"a trace that opens (declared at {place})",
                    seen=", ".join(sorted(seen & asked)[:3]),
                    cause="the trace was not stored",
                )
            )
    return findings
