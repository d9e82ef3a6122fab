"""The journey and its spans stay within their declared budgets.

A budget is a ceiling for one run on a machine like that of CI: it finds the retry, the missing index and
the sequential calls, not the percent that a release cost.

Rule: the contract's own `budget_ms`, for the journey and for single spans.

Usual cause: a retry, a missing index, calls one after the other that could go side by side, or a dependency
that is slow; the span's longest child says where the time went.
"""

from __future__ import annotations

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All declared spans that took longer than their budget."""
    matching = match(capture, contract)
    budgets = {alias: rule.budget_ms for alias, rule in contract.spans.items() if rule.budget_ms}
    if contract.budget_ms:
        budgets.setdefault(contract.entry, contract.budget_ms)
    findings = []
    for alias, budget_ms in budgets.items():
        for span in matching.spans[alias]:
            took_ms = (span.end_ns - span.start_ns) / 1e6
            if took_ms > budget_ms:
                findings.append(
                    Finding(
                        str(span),
                        "is over its budget",
                        expected=f"at most {budget_ms:g} ms (declared at {contract.place('spans', alias)})",
                        seen=f"{took_ms:.1f} ms",
                        cause="the span's longest child says where the time went",
                        span=span.key,
                        alias=alias,
                    )
                )
    return findings
