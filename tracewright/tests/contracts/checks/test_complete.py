from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.model import Contract
from tracewright.contracts.settle import Waited
from tracewright.tests.contracts.checks.twins import judged, said
from tracewright.tests.drawing import draw


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("complete", draw(good), contract) == []


def test_missing_span_is_reported_with_its_declaration(good: str, contract: Contract) -> None:
    twin = "\n".join(line for line in good.splitlines() if "send usage_events" not in line)
    (finding,) = judged("complete", draw(twin), contract)
    (text,) = said([finding])
    assert text.startswith("send (go-service 'send usage_events' producer) is missing")
    assert finding.span == draw(twin).spans[3].key
    assert finding.expected == "1 (declared at drawn.yaml:9)"


def test_missing_service_is_named_as_the_cause(good: str, contract: Contract) -> None:
    twin = good.split("---")[0]
    (finding,) = judged("complete", draw(twin), contract)
    assert "no span of worker arrived" in finding.cause


def test_wrong_kind_is_named_as_the_cause(good: str, contract: Contract) -> None:
    twin = good.replace("producer send", "internal send")
    (finding,) = judged("complete", draw(twin), contract)
    assert finding.cause == "go-service sent it as internal"
    assert finding.span is not None


def test_span_that_is_there_twice_is_reported(good: str, contract: Contract) -> None:
    twin = good.replace("---", "        go-service producer send usage_events 71..72\n---")
    (finding,) = judged("complete", draw(twin), contract)
    assert (finding.detail, finding.seen) == ("is there too often", "2")


def test_span_that_is_there_too_seldom_is_reported(good: str, contract: Contract) -> None:
    twin = "\n".join(line for line in good.splitlines() if "sim-small" not in line)
    (finding,) = judged("complete", draw(twin), contract)
    assert (finding.detail, finding.seen) == ("is there too seldom", "1")


def test_span_that_arrives_after_settling_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = replace(run, late=frozenset({run.spans[3].key}))
    (finding,) = judged("complete", twin, contract)
    assert finding.detail == "arrived after everything had settled"
    assert finding.span == run.spans[3].key


def test_span_that_the_store_lost_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    assert run.stored_spans is not None
    twin = replace(run, stored_spans=run.stored_spans - {run.spans[0].key})
    (finding,) = judged("complete", twin, contract)
    assert "Tempo does not give it" in finding.detail


def test_store_that_does_not_answer_is_inconclusive(good: str, contract: Contract) -> None:
    twin = replace(draw(good), errors={"tempo": "connection refused"})
    assert verdict_of(judged("complete", twin, contract)) is Verdict.INCONCLUSIVE


def test_failed_action_is_the_first_finding(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = replace(run, probes=(replace(run.probes[0], error="503 in place of 200"),))
    (finding,) = judged("complete", twin, contract)
    assert "503 in place of 200" in finding.detail


def test_capture_that_never_came_to_rest_is_inconclusive(good: str, contract: Contract) -> None:
    restless = Waited("quiet", False, 30.0, 300, 29.9, "still changing")
    findings = judged("complete", replace(draw(good), waited=(restless,)), contract)
    assert verdict_of(findings) is Verdict.INCONCLUSIVE
    assert "last change at 29.9 s" in findings[0].detail


def test_branch_that_is_missing_is_one_finding_at_its_top(good: str, contract: Contract) -> None:
    twin = "\n".join(line for line in good.splitlines() if "go-service" not in line).split("---")[0]
    (finding,) = judged("complete", draw(twin), contract)
    assert finding.subject.startswith("gate ")
    assert finding.detail == "is missing, and with it the 3 declared below"


def test_branch_that_began_a_trace_of_its_own_is_named(good: str, contract: Contract) -> None:
    top = good.split("---")[0]
    branch = "".join(line[6:] + "\n" for line in top.splitlines() if "go-service" in line)
    twin = "\n".join(line for line in top.splitlines() if "go-service" not in line)
    run = draw(f"{twin}\n---\n{branch}")
    (finding,) = judged("complete", run, contract)
    assert finding.cause.endswith("the context was lost between call and gate")
