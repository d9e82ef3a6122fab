"""Judging a drawing with one check, as all the checks' tests do."""

from __future__ import annotations

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract


def judged(check: str, run: RunCapture, contract: Contract) -> list[Finding]:
    """The check's findings on the run's first probe."""
    return CHECKS[check].run(run.of(run.probes[0]), contract.driven(run.probes[0].drive))


def said(findings: list[Finding]) -> list[str]:
    """The findings in short: subject without its span id, and what is wrong with it."""
    return [f"{finding.subject} {finding.detail}" for finding in findings]
