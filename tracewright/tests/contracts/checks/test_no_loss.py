from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.capture import RunCapture, Sampling
from tracewright.contracts.catalog import MetricShape
from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.model import Contract
from tracewright.signals import Sample
from tracewright.signals.loss import RECEIVED, SDKS, LossReading
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw

REFUSED = Sample("otelcol_receiver_refused_spans_total", {"receiver": "otlp"}, 3)


def reading(passed: float, *losses: Sample) -> LossReading:
    return LossReading("otel-collector", losses, dict.fromkeys(RECEIVED, passed))


def watched(good: str, before: LossReading, after: LossReading) -> RunCapture:
    shapes = (MetricShape("go-service", "runs", "counter", "1", ()),)
    return replace(draw(good), losses_before=(before,), losses_after=(after,), metric_shapes=shapes)


def beside(run: RunCapture, before: LossReading, after: LossReading) -> RunCapture:
    """The run with one more source."""
    return replace(run, losses_before=(*run.losses_before, before), losses_after=(*run.losses_after, after))


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


def test_loss_of_a_store_is_reported_beside_its_other_counters(good: str, contract: Contract) -> None:
    kept = Sample("tempo_discarded_spans_total", {"reason": "trace_too_large"}, 4)
    lost = Sample("tempo_discarded_spans_total", {"reason": "rate_limited"}, 2)
    run = beside(
        watched(good, reading(1), reading(2)),
        LossReading("tempo", (kept,), {"tempo_distributor_spans_received_total": 5}),
        LossReading("tempo", (kept, lost), {"tempo_distributor_spans_received_total": 12}),
    )
    (finding,) = judged("no_loss", run, contract)
    assert finding.subject == 'tempo: tempo_discarded_spans_total{reason="rate_limited"}'
    assert [line[0] for line in finding.evidence] == ["►", " "]


def test_store_that_counts_nothing_is_inconclusive(good: str, contract: Contract) -> None:
    blind = LossReading("tempo", (), {"tempo_distributor_spans_received_total": None})
    run = beside(watched(good, reading(1), reading(2)), blind, blind)
    assert verdict_of(judged("no_loss", run, contract)) is Verdict.INCONCLUSIVE


def test_store_without_a_page_of_counters_is_not_judged(good: str, contract: Contract) -> None:
    closed = LossReading("tempo", unserved=True)
    run = beside(watched(good, reading(1), reading(2)), closed, closed)
    assert verdict_of(judged("no_loss", run, contract)) is Verdict.NOT_JUDGED


def test_store_is_not_asked_for_traces_that_were_sampled_away(good: str, contract: Contract) -> None:
    still = LossReading("tempo", (), {"tempo_distributor_spans_received_total": 5})
    run = beside(watched(good, reading(1), reading(2)), still, still)
    assert verdict_of(judged("no_loss", run, contract)) is Verdict.INCONCLUSIVE
    run = replace(run, sampling=Sampling(10.0), stored_spans=frozenset())
    assert judged("no_loss", run, contract) == []


def test_signals_that_nobody_sends_are_not_asked_for(contract: Contract) -> None:
    spans_only = LossReading("otel-collector", (), {RECEIVED[0]: 1, RECEIVED[1]: None, RECEIVED[2]: None})
    after = replace(spans_only, witnesses={**spans_only.witnesses, RECEIVED[0]: 9})
    silent = {alias: rule.model_copy(update={"logs": False}) for alias, rule in contract.spans.items()}
    run = replace(watched("frontend server POST /api/runs 0..100", spans_only, after), metric_shapes=None)
    assert judged("no_loss", run, contract.model_copy(update={"spans": silent})) == []


def test_loss_that_an_sdk_counts_is_reported(good: str, contract: Contract) -> None:
    full = Sample("otel_sdk_processor_span_processed_total", {"error_type": "queue_full"}, 3)
    run = beside(watched(good, reading(1), reading(2)), LossReading(SDKS), LossReading(SDKS, (full,)))
    (finding,) = judged("no_loss", run, contract)
    assert finding.seen == "+3"
    assert finding.cause == "a queue is full, or the export was refused"


def test_span_and_record_that_were_cut_short_are_reported(good: str, contract: Contract) -> None:
    run = watched(good, reading(1), reading(2))
    run = replace(
        run,
        spans=(replace(run.spans[0], dropped=2), *run.spans[1:]),
        logs=(replace(run.logs[0], dropped=1), *run.logs[1:]),
    )
    findings = judged("no_loss", run, contract)
    assert [finding.seen for finding in findings] == ["2 dropped by the SDK", "1 dropped by the SDK"]
    assert findings[0].span == run.spans[0].key
