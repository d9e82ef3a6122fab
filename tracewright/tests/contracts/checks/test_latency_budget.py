from __future__ import annotations

from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("latency_budget", draw(good), contract.model_copy(update={"budget_ms": 100})) == []


def test_journey_over_its_budget_is_reported_at_its_entry(good: str, contract: Contract) -> None:
    (finding,) = judged("latency_budget", draw(good), contract.model_copy(update={"budget_ms": 99}))
    assert finding.subject.startswith("frontend 'POST /api/runs'")
    assert (finding.expected, finding.seen) == ("at most 99 ms (declared at drawn.yaml:5)", "100.0 ms")


def test_span_over_its_own_budget_is_reported(good: str, contract: Contract) -> None:
    spans = {**contract.spans, "llm": contract.spans["llm"].model_copy(update={"budget_ms": 5})}
    findings = judged("latency_budget", draw(good), contract.model_copy(update={"spans": spans}))
    assert [f.seen for f in findings] == ["10.0 ms", "10.0 ms"]
