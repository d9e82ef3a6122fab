"""What the judgement adds to a check's own findings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Verdict
from tracewright.contracts.judge import CheckResult, judge_one
from tracewright.contracts.model import Contract
from tracewright.contracts.render import render_result
from tracewright.contracts.settle import Waited
from tracewright.signals import Sample
from tracewright.signals.loss import LossReading
from tracewright.tests.drawing import draw

REFUSED = {
    "traces": "otelcol_receiver_refused_spans_total",
    "logs": "otelcol_receiver_refused_log_records_total",
}


def judged(check: str, run: RunCapture, contract: Contract) -> CheckResult:
    return judge_one(run.of(run.probes[0]), contract, CHECKS[check])


def lossy(run: RunCapture, counter: str, by: float) -> RunCapture:
    before, after = (LossReading("otel-collector", (Sample(counter, {}, n),)) for n in (3, 3 + by))
    return replace(run, losses_before=(before,), losses_after=(after,))


@pytest.mark.parametrize(
    ("check", "signal"), [("complete", "traces"), ("no_orphans", "traces"), ("trace_to_log", "logs")]
)
def test_absence_cannot_be_proven_from_a_lossy_capture(
    check: str, signal: str, good: str, contract: Contract
) -> None:
    twin = "\n".join(line for line in good.splitlines() if "go-service server" not in line)
    run = replace(draw(twin.replace("20..80 ; log", "20..80")), stored_logs=())
    if check == "no_orphans":
        run = draw(good.replace("20..80 ;", "20..80 ; parent=gone"))
    assert judged(check, run, contract).verdict is Verdict.FAIL
    assert judged(check, lossy(run, REFUSED[signal], 0), contract).verdict is Verdict.FAIL
    result = judged(check, lossy(run, REFUSED[signal], 1), contract)
    assert Verdict.INCONCLUSIVE in {finding.kind for finding in result.findings}
    assert any(REFUSED[signal] in finding.cause for finding in result.findings)


def test_loss_of_another_signal_excuses_nothing(good: str, contract: Contract) -> None:
    run = draw(good.replace("20..80 ;", "20..80 ; parent=gone"))
    assert judged("no_orphans", lossy(run, REFUSED["logs"], 1), contract).verdict is Verdict.FAIL


def test_red_result_says_what_was_waited_for_in_vain(good: str, contract: Contract) -> None:
    waits = (Waited("quiet", True, 2.0, 20, 0.1), Waited("traces", False, 30.0, 300, 1.5, "llm 2 of 3", "7"))
    run = replace(draw(good.replace("20..80 ;", "20..80 ; parent=gone")), waited=waits)
    text = render_result(judged("no_orphans", run, contract), run.of(run.probes[0]))
    assert (
        "settling: traces: gave up after 30.0 s (300 polls, last change at 1.5 s, seen then: 7): llm 2 of 3"
        in text
    )
    assert "quiet" not in text
