"""Findings as GitHub's workflow commands, so that they stand at the contract's line in a pull request.

Format: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tracewright.contracts.findings import Finding, Verdict
from tracewright.contracts.judge import CheckResult
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract
from tracewright.verify import Report

_DECLARED = re.compile(r"declared at (?P<file>[^()]+?):(?P<line>\d+)")
# Where a check's declaration stands when a finding names no span: the first of these that the contract has.
SECTIONS = {
    "red_equals_spans": ("metrics", "request_metrics"),
    "exemplars": ("exemplars",),
    "baggage": ("baggage",),
    "rum_joined": ("events", "browser"),
    "latency_budget": ("budget_ms",),
    "noise": ("internal",),
}


def github_annotations(report: Report, root: Path) -> Iterator[str]:
    """One `::error …` line for each finding, what is the same for several probes once.

    `root` is the folder that file names are relative to (the checkout). An inconclusive finding is an error
    too: it is red.
    """
    told: set[str] = set()
    redact = report.redactor.text
    for result in report.results:
        if not result.verdict.red or report.follows(result):
            continue
        contract = report.contract_of(result)
        for finding in result.findings:
            if finding.kind is Verdict.NOT_JUDGED:
                continue
            command = _command(
                {
                    "file": _relative(contract, root),
                    "line": str(line_of(report, result, contract, finding)),
                    "title": f"{contract.journey}[{result.check}] {finding.kind}",
                },
                redact(_message(finding)),
            )
            # Ids and times differ from probe to probe; the sentence without them is the finding.
            same = re.sub(r"[0-9a-f]{16,}|\d{6,}", "#", command)
            if same not in told:
                told.add(same)
                yield command


def line_of(report: Report, result: CheckResult, contract: Contract, finding: Finding) -> int:
    """The line of the declaration that a finding is about; the journey's own when there is none nearer."""
    declared = _DECLARED.search(finding.expected)
    if declared and contract.source is not None and declared["file"] == str(contract.source):
        return int(declared["line"])
    alias = finding.alias
    if not alias and finding.span is not None:
        capture = report.capture_of(result)
        alias = match(capture, contract).aliases.get(finding.span, "")
    places = [("spans", alias)] if alias else [(section,) for section in SECTIONS.get(result.check, ())]
    lines = [contract.line(*place) for place in places]
    return next((line for line in lines if line), contract.line("journey") or 1)


def _message(finding: Finding) -> str:
    lines = [f"{finding.subject} {finding.detail}"]
    named = (("expected", finding.expected), ("seen", finding.seen), ("usual cause", finding.cause))
    return "\n".join([*lines, *(f"{name}: {text}" for name, text in named if text)])


def _relative(contract: Contract, root: Path) -> str:
    if contract.source is None:
        return ""
    path = contract.source.resolve()
    return str(path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path)


def _command(properties: dict[str, str], message: str) -> str:
    given = ",".join(f"{name}={_escaped_property(text)}" for name, text in properties.items() if text)
    return f"::error {given}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
