from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw, stored


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("trace_to_log", draw(good), contract) == []


def test_log_in_an_undeclared_internal_span_counts_for_the_span_above(good: str, contract: Contract) -> None:
    run = draw(good)
    inner = replace(run.logs[0], span_id=run.spans[1].span_id)
    assert judged("trace_to_log", stored(replace(run, logs=(inner, *run.logs[1:]))), contract) == []


def test_silent_span_is_reported_with_its_declaration(good: str, contract: Contract) -> None:
    (finding,) = judged("trace_to_log", draw(good.replace("20..80 ; log", "20..80")), contract)
    assert finding.detail.startswith("has no log record under trace_id:")
    assert finding.expected == "at least one (declared at drawn.yaml:7)"


def test_log_that_the_store_lost_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    assert run.stored_logs is not None
    twin = replace(run, logs=(*run.logs, replace(run.logs[0], time_ns=run.logs[0].time_ns + 1)))
    (finding,) = judged("trace_to_log", twin, contract)
    assert "Quickwit does not give it" in finding.detail


def test_store_that_does_not_answer_is_inconclusive(good: str, contract: Contract) -> None:
    twin = replace(draw(good), errors={"quickwit": "connection refused"})
    assert verdict_of(judged("trace_to_log", twin, contract)) is Verdict.INCONCLUSIVE


def test_stack_without_a_log_store_is_not_judged(good: str, contract: Contract) -> None:
    assert verdict_of(judged("trace_to_log", replace(draw(good), stored_logs=None), contract)) is (
        Verdict.NOT_JUDGED
    )
