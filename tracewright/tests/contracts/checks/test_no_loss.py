from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.model import Contract
from tracewright.signals import Sample
from tracewright.signals.loss import RECEIVED, LossReading
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw

REFUSED = Sample("otelcol_receiver_refused_spans_total", {"receiver": "otlp"}, 3)


def reading(passed: float, *losses: Sample) -> LossReading:
    return LossReading("otel-collector", losses, dict.fromkeys(RECEIVED, passed))


def watched(good: str, before: LossReading, after: LossReading) -> RunCapture:
    return replace(draw(good), losses_before=(before,), losses_after=(after,))


def test_good_capture_passes_with_an_old_loss(good: str, contract: Contract) -> None:
    run = watched(good, reading(1, REFUSED), reading(2, REFUSED))
    assert judged("no_loss", run, contract) == []


def test_loss_counter_that_moved_is_reported(good: str, contract: Contract) -> None:
    run = watched(good, reading(1, REFUSED), reading(2, replace(REFUSED, value=5)))
    (finding,) = judged("no_loss", run, contract)
    assert finding.subject == 'otel-collector: otelcol_receiver_refused_spans_total{receiver="otlp"}'
    assert finding.seen == "+2"


def test_loss_counter_that_is_new_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("no_loss", watched(good, reading(1), reading(2, REFUSED)), contract)
    assert finding.seen == "+3"


def test_missing_counter_is_inconclusive(good: str, contract: Contract) -> None:
    blind = replace(reading(2), witnesses={**reading(2).witnesses, RECEIVED[0]: None})
    findings = judged("no_loss", watched(good, reading(1), blind), contract)
    assert verdict_of(findings) is Verdict.INCONCLUSIVE
    assert findings[0].subject == "otel-collector: otelcol_receiver_accepted_spans"


def test_counters_that_did_not_move_at_all_are_inconclusive(good: str, contract: Contract) -> None:
    assert verdict_of(judged("no_loss", watched(good, reading(1), reading(1)), contract)) is (
        Verdict.INCONCLUSIVE
    )


def test_restarted_collector_is_inconclusive(good: str, contract: Contract) -> None:
    findings = judged("no_loss", watched(good, reading(5), reading(1)), contract)
    assert {f.detail for f in findings} == {"went down"}


def test_collector_that_does_not_answer_is_inconclusive(good: str, contract: Contract) -> None:
    dead = LossReading("otel-collector", error="http://127.0.0.1:8888/metrics: connection refused")
    findings = judged("no_loss", watched(good, reading(1), dead), contract)
    assert verdict_of(findings) is Verdict.INCONCLUSIVE
    assert "connection refused" in findings[0].detail


def test_stack_without_collector_metrics_is_not_judged(good: str, contract: Contract) -> None:
    assert verdict_of(judged("no_loss", draw(good), contract)) is Verdict.NOT_JUDGED
