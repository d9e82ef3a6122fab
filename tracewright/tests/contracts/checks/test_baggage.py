from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw

CARRIED = {"tenant.id": "acme", "test.id": "test-1"}


def carrying(good: str) -> RunCapture:
    run = draw(good)
    return replace(
        run,
        spans=tuple(replace(span, attributes={**span.attributes, **CARRIED}) for span in run.spans),
        logs=tuple(replace(log, attributes={**log.attributes, **CARRIED}) for log in run.logs),
    )


def declared(contract: Contract) -> Contract:
    return contract.model_copy(update={"baggage": ["tenant.id", "test.id"]})


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("baggage", carrying(good), declared(contract)) == []


def test_hop_that_drops_baggage_is_reported_for_span_and_log(good: str, contract: Contract) -> None:
    run = carrying(good)
    twin = replace(
        run,
        spans=(*run.spans[:3], replace(run.spans[3], attributes={}), *run.spans[4:]),
        logs=(run.logs[0], replace(run.logs[1], attributes={"tenant.id": "acme"}), *run.logs[2:]),
    )
    findings = judged("baggage", twin, declared(contract))
    assert [f.detail for f in findings] == [
        "tenant.id did not arrive",
        "test.id did not arrive",
        "test.id did not arrive",
    ]


def test_value_of_another_tenant_is_reported(good: str, contract: Contract) -> None:
    run = carrying(good)
    other = replace(run.spans[0], attributes={**CARRIED, "tenant.id": "globex"})
    (finding,) = judged("baggage", replace(run, spans=(other, *run.spans[1:])), declared(contract))
    assert (finding.detail, finding.expected, finding.seen) == ("tenant.id is another's", "acme", "globex")


def test_key_that_nobody_declared_is_reported_where_it_leaked(good: str, contract: Contract) -> None:
    run = carrying(good)
    leak = replace(run.spans[6], attributes={**CARRIED, "tracewright.unwanted": "x"})
    (finding,) = judged(
        "baggage", replace(run, spans=(*run.spans[:6], leak, *run.spans[7:])), declared(contract)
    )
    assert "carries tracewright.unwanted" in finding.detail
