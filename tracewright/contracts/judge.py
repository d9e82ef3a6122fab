"""Phase three: every check on every probe of a captured run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tracewright.contracts.capture import Capture, RunCapture
from tracewright.contracts.checks import CHECKS, Check, no_loss
from tracewright.contracts.findings import Finding, Verdict, inconclusive, not_judged, verdict_of
from tracewright.contracts.model import Contract


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check says of one probe. `journey` is the probe's label; `id` is how reports name it."""

    journey: str
    check: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    trace_id: str

    @property
    def id(self) -> str:
        """For example `agent-run[no_orphans]`."""
        return f"{self.journey}[{self.check}]"


def judge_one(capture: Capture, contract: Contract, check: Check) -> CheckResult:
    """One check on one probe, by the contract for its drive. A capture without a span passes nothing.

    A finding that names no cause of its own gets the usual one of its check.
    """
    probe = capture.probe
    findings: tuple[Finding, ...]
    if check.needs_spans and not capture.run.sees_spans and not probe.error:
        findings = (not_judged("trace store and no copy of its spans"),)
    elif capture.spans or check.empty_capture:
        findings = tuple(_told(finding, capture, check) for finding in check.run(capture, contract))
    else:
        why = probe.error or f"no span of trace {probe.trace_id or '(none)'} was captured"
        findings = (inconclusive(probe.label, f"nothing to judge: {why}"),)
    return CheckResult(probe.label, check.id, verdict_of(findings), findings, probe.trace_id)


def _told(finding: Finding, capture: Capture, check: Check) -> Finding:
    """The finding with the usual cause where it names none; inconclusive where what is absent may be lost."""
    if finding.kind is not Verdict.FAIL:
        return finding
    if finding.absent and (counter := no_loss.lost(capture.run).get(finding.absent)):
        why = f"the pipeline lost data meanwhile ({counter}): absence cannot be proven"
        return replace(finding, kind=Verdict.INCONCLUSIVE, cause=why)
    return finding if finding.cause else replace(finding, cause=check.usual_cause)


def judge(
    run: RunCapture, contracts: Mapping[str, Contract], checks: Iterable[str] | None = None
) -> tuple[CheckResult, ...]:
    """All checks (or the named ones) that apply, on all probes, in the order of the probes.

    `contracts` by journey.
    """
    chosen = [CHECKS[name] for name in checks] if checks is not None else list(CHECKS.values())
    return tuple(
        judge_one(run.of(probe), view, check)
        for probe in run.probes
        for view in [contracts[probe.journey].driven(probe.drive)]
        for check in chosen
        if check.applies(view)
    )
