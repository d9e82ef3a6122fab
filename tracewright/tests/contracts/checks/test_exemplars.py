from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import TRACE_ID, draw

NAME = "http_server_request_duration_seconds_bucket"


def declared(contract: Contract) -> Contract:
    return contract.model_copy(update={"exemplars": [NAME]})


def test_good_capture_passes(good: str, contract: Contract) -> None:
    run = replace(draw(good), exemplars={NAME: frozenset({TRACE_ID, "f" * 32})})
    assert judged("exemplars", run, declared(contract)) == []


def test_histogram_without_an_exemplar_of_the_run_is_reported(good: str, contract: Contract) -> None:
    run = replace(draw(good), exemplars={NAME: frozenset({"f" * 32})})
    (finding,) = judged("exemplars", run, declared(contract))
    assert (finding.subject, finding.seen) == (NAME, "1 exemplars")


def test_exemplar_whose_trace_was_not_stored_is_reported(good: str, contract: Contract) -> None:
    run = replace(draw(good), exemplars={NAME: frozenset({TRACE_ID})}, stored_spans=frozenset())
    (finding,) = judged("exemplars", run, declared(contract))
    assert finding.detail == "has exemplars, but Tempo gives none of their traces"


def test_stack_without_prometheus_is_not_judged(good: str, contract: Contract) -> None:
    assert verdict_of(judged("exemplars", draw(good), declared(contract))) is Verdict.NOT_JUDGED


def test_exemplar_of_a_trace_that_nobody_asked_the_store_for_is_no_finding(
    good: str, contract: Contract
) -> None:
    run = draw(good + "---\ngo-service server GET /other 0..1\n")
    other = run.spans[-1].trace_id
    twin = replace(run, exemplars={NAME: frozenset({other})}, stored_spans=frozenset())
    assert judged("exemplars", twin, declared(contract)) == []
