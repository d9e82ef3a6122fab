from __future__ import annotations

from dataclasses import replace

import pytest

from tracewright.contracts.capture import RunCapture, Sampling
from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged, said
from tracewright.tests.drawing import TRACE_ID, draw, trace_id

TENTH = Sampling(10.0, slow_ms=2000.0)
JOURNEY = f"trace {TRACE_ID}"


def kept(run: RunCapture, *traces: str) -> RunCapture:
    """A run of a stack that keeps a tenth, and of it just these traces."""
    stored = frozenset(span.key for span in run.spans if span.trace_id in traces)
    return replace(run, stored_spans=stored, sampling=TENTH)


def test_trace_that_was_kept_and_one_that_was_not_pass(good: str, contract: Contract) -> None:
    run = draw(good)
    assert judged("sampling", run, contract) == []
    assert judged("sampling", kept(run), contract) == []
    assert judged("sampling", kept(run, TRACE_ID), contract) == []
    assert judged("sampling", kept(run, trace_id(1)), contract) == []


def test_trace_with_one_span_less_is_reported_with_the_lost_one_marked(good: str, contract: Contract) -> None:
    run = kept(draw(good), TRACE_ID, trace_id(1))
    lost = run.spans[3]
    run = replace(run, stored_spans=(run.stored_spans or frozenset()) - {lost.key})
    (finding,) = judged("sampling", run, contract)
    assert said([finding]) == [f"{JOURNEY} was kept in part: 6 of 7 spans"]
    assert finding.span == lost.key
    assert [line for line in finding.evidence if line.startswith("►")] == [f"► lost  {lost}"]


def test_lost_span_is_reported_where_everything_is_kept(good: str, contract: Contract) -> None:
    run = draw(good)
    run = replace(run, stored_spans=(run.stored_spans or frozenset()) - {run.spans[0].key})
    assert said(judged("sampling", run, contract)) == [f"{JOURNEY} was kept in part: 6 of 7 spans"]


def test_whole_trace_is_missed_where_everything_is_kept(good: str, contract: Contract) -> None:
    run = replace(draw(good), stored_spans=frozenset())
    assert f"{JOURNEY} was not kept although all traces are" in said(judged("sampling", run, contract))


def test_dropped_error_is_reported_at_its_span(good: str, contract: Contract) -> None:
    run = kept(draw(good.replace("20..80 ; log", "20..80 ; error=500 log")))
    (finding,) = judged("sampling", run, contract)
    assert said([finding]) == [f"{JOURNEY} was not kept although it has an error"]
    assert finding.span == run.spans[3].key


@pytest.mark.parametrize(("took_ms", "reported"), [(1999, False), (2000, True)])
def test_dropped_slow_trace_is_reported(took_ms: int, reported: bool, good: str, contract: Contract) -> None:
    run = kept(draw(good.replace("10..90", f"10..{10 + took_ms}")))
    assert bool(judged("sampling", run, contract)) is reported


def test_slowness_counts_only_where_a_limit_is_known(good: str, contract: Contract) -> None:
    run = replace(kept(draw(good.replace("10..90", "10..9000"))), sampling=Sampling(10.0))
    assert judged("sampling", run, contract) == []


def test_message_in_a_trace_of_its_own_has_a_decision_of_its_own(good: str, contract: Contract) -> None:
    run = kept(draw(good.replace("link=sent log", "link=sent log error=500")), TRACE_ID)
    assert said(judged("sampling", run, contract)) == [
        f"trace {trace_id(1)} was not kept although it has an error"
    ]


def test_sampled_trace_is_no_finding_of_complete(good: str, contract: Contract) -> None:
    assert judged("complete", kept(draw(good)), contract) == []


def test_absent_trace_of_a_sampled_stack_without_a_tee_is_inconclusive(contract: Contract) -> None:
    run = replace(kept(draw("")), whole=False)
    assert verdict_of(judged("complete", run, contract)) is Verdict.INCONCLUSIVE


def test_stack_without_tempo_or_tee_is_not_judged(good: str, contract: Contract) -> None:
    for run in (replace(draw(good), stored_spans=None), replace(draw(good), whole=False)):
        assert verdict_of(judged("sampling", run, contract)) is Verdict.NOT_JUDGED


def test_tempo_that_does_not_answer_is_inconclusive(good: str, contract: Contract) -> None:
    run = replace(draw(good), errors={"tempo": "ConnectError"})
    assert verdict_of(judged("sampling", run, contract)) is Verdict.INCONCLUSIVE
