from __future__ import annotations

from dataclasses import replace

import pytest

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.model import Contract
from tracewright.signals import Span
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw


def with_span(run: RunCapture, index: int, span: Span) -> RunCapture:
    return replace(run, spans=(*run.spans[:index], span, *run.spans[index + 1 :]))


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("well_formed", draw(good), contract) == []


@pytest.mark.parametrize("broken", ["abc", "0" * 16 + "x", ""])
def test_broken_span_id_is_reported(broken: str, good: str, contract: Contract) -> None:
    run = draw(good)
    details = [
        f.detail
        for f in judged("well_formed", with_span(run, 4, replace(run.spans[4], span_id=broken)), contract)
    ]
    assert details == ["has a broken id"]


def test_broken_parent_id_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = with_span(run, 4, replace(run.spans[4], parent_span_id="12"))
    assert [f.detail for f in judged("well_formed", twin, contract)] == ["has a broken parent id"]


def test_duplicate_is_reported_once(good: str, contract: Contract) -> None:
    run = draw(good)
    (finding,) = judged("well_formed", replace(run, spans=(*run.spans, run.spans[4])), contract)
    assert (finding.detail, finding.seen) == ("has the same id as another span of its trace", "2")


def test_cycle_is_reported_at_each_of_its_spans(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = with_span(run, 1, replace(run.spans[1], parent_span_id=run.spans[3].span_id))
    findings = judged("well_formed", twin, contract)
    assert [f.detail for f in findings] == ["is its own ancestor"] * 3


def test_span_that_ends_before_it_starts_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("well_formed", draw(good.replace("30..40", "40..30")), contract)
    assert finding.detail == "ends before it starts"


def test_span_without_a_name_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = with_span(run, 1, replace(run.spans[1], name=""))
    assert [f.detail for f in judged("well_formed", twin, contract)] == ["has no name"]
