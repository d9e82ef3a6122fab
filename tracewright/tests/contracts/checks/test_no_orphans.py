from __future__ import annotations

from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw, span_id


def test_good_capture_passes_with_the_probe_as_remote_parent(good: str, contract: Contract) -> None:
    assert judged("no_orphans", draw(good), contract) == []


def test_orphan_is_reported_with_its_missing_parent(good: str, contract: Contract) -> None:
    twin = draw(good.replace("POST /runs           20..80 ;", "POST /runs 20..80 ; parent=gone"))
    (finding,) = judged("no_orphans", twin, contract)
    assert f"names parent {span_id('gone')}" in finding.detail
    assert finding.span == twin.spans[3].key


def test_orphan_in_a_linked_trace_is_reported(good: str, contract: Contract) -> None:
    twin = draw(good.replace("link=sent log", "link=sent parent=gone"))
    (finding,) = judged("no_orphans", twin, contract)
    assert finding.subject.startswith("worker 'process usage_events'")


def test_span_whose_parent_is_in_another_trace_is_an_orphan(good: str, contract: Contract) -> None:
    twin = draw(good.replace("link=sent log", "link=sent parent=sent"))
    assert len(judged("no_orphans", twin, contract)) == 1
