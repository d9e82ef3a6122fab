from __future__ import annotations

from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("no_clock_skew", draw(good), contract) == []


def test_child_that_begins_before_its_parent_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("no_clock_skew", draw(good.replace("20..80", "-20..80")), contract)
    assert finding.detail.startswith("begins 30.0 ms before its parent frontend 'POST'")


def test_child_that_goes_on_after_its_parent_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("no_clock_skew", draw(good.replace("60..70", "60..99")), contract)
    assert finding.detail.startswith("ends 19.0 ms after its parent go-service")


def test_server_may_end_a_little_after_its_client(good: str, contract: Contract) -> None:
    assert judged("no_clock_skew", draw(good.replace("20..80", "20..120")), contract) == []
    assert judged("no_clock_skew", draw(good.replace("20..80", "20..900")), contract) != []


def test_span_that_is_declared_asynchronous_may_go_on(good: str, contract: Contract) -> None:
    spans = {**contract.spans, "send": contract.spans["send"].model_copy(update={"asynchronous": True})}
    tolerant = contract.model_copy(update={"spans": spans})
    assert judged("no_clock_skew", draw(good.replace("60..70", "60..99")), tolerant) == []


def test_page_load_may_begin_before_its_servers_span(good: str, contract: Contract) -> None:
    spans = {**contract.spans, "gate": contract.spans["gate"].model_copy(update={"asynchronous": True})}
    tolerant = contract.model_copy(update={"spans": spans})
    assert judged("no_clock_skew", draw(good.replace("20..80", "-20..80")), tolerant) == []
