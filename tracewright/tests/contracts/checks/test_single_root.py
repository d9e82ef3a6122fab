from __future__ import annotations

from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged, said
from tracewright.tests.drawing import draw


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("single_root", draw(good), contract) == []


def test_second_root_is_reported(good: str, contract: Contract) -> None:
    twin = draw(good.replace("POST /runs           20..80 ;", "POST /runs 20..80 ; parent="))
    (finding,) = judged("single_root", twin, contract)
    assert finding.detail == "is a second root"
    assert finding.span == twin.spans[3].key


def test_span_that_hangs_directly_under_the_probe_is_a_second_root(good: str, contract: Contract) -> None:
    twin = draw(good.replace("20..80 ;", "20..80 ; parent=b7ad6b7169203331"))
    (finding,) = judged("single_root", twin, contract)
    assert finding.detail == "is a second root"


def test_entry_that_dropped_the_probes_span_is_reported(good: str, contract: Contract) -> None:
    twin = draw(good.replace("0..100 ;", "0..100 ; parent="))
    (finding,) = judged("single_root", twin, contract)
    assert finding.detail == "has no parent although the probe sent one"


def test_trace_without_its_entry_is_reported(good: str, contract: Contract) -> None:
    twin = draw(good.replace("frontend server POST /api/runs ", "frontend server GET / "))
    assert [line.split(" ", 1)[1] for line in said(judged("single_root", twin, contract))][-1] == (
        "does not begin the trace"
    )


def test_linked_trace_with_two_roots_is_reported(good: str, contract: Contract) -> None:
    twin = draw(good + "worker client UPDATE budgets 111..112\n")
    (finding,) = judged("single_root", twin, contract)
    assert finding.detail == "does not begin with one declared linking span"
