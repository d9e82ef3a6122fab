from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.contracts.load import parse_contract
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw

FAILING = """
frontend server GET /api/error  0..100 ; error=500
  frontend client GET          10..90 ; error=500
    py server GET /error       20..80 ; error=ValueError exception
"""


@pytest.fixture
def failing() -> Contract:
    return parse_contract(
        """
journey: drawn
http: {path: /api/error, status: 500}
spans:
  front: {service: frontend, name: GET /api/error, kind: server, error: "500"}
  call: {service: frontend, name: GET, kind: client, parent: front, error: "500"}
  back: {service: py, name: GET /error, kind: server, parent: call, error: /.+/, exception: true}
""",
        Path("drawn.yaml"),
    )


def test_good_captures_pass(good: str, contract: Contract, failing: Contract) -> None:
    assert judged("status", draw(good), contract) == []
    assert judged("status", draw(FAILING), failing) == []


def test_error_where_none_is_declared_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("status", draw(good.replace("30..40", "30..40 ; error=timeout")), contract)
    assert finding.detail == "reports an error where none is declared"


def test_failure_that_no_span_admits_is_reported(failing: Contract) -> None:
    findings = judged("status", draw(FAILING.replace("10..90 ; error=500", "10..90")), failing)
    assert [f.detail for f in findings] == ["failed and does not say so", "has no such error.type"]


def test_other_error_type_is_reported(failing: Contract) -> None:
    (finding,) = judged(
        "status", draw(FAILING.replace("10..90 ; error=500", "10..90 ; error=Timeout")), failing
    )
    assert (finding.detail, finding.seen) == ("has no such error.type", "'Timeout'")


def test_unrecorded_exception_is_reported(failing: Contract) -> None:
    (finding,) = judged("status", draw(FAILING.replace(" exception", "")), failing)
    assert (finding.detail, finding.seen) == ("has the wrong number of exception events", "0")


def test_exception_recorded_twice_on_one_span_is_reported(failing: Contract) -> None:
    (finding,) = judged("status", draw(FAILING.replace(" exception", " exception exception")), failing)
    assert finding.seen == "2"


def test_exception_recorded_again_further_up_is_reported(failing: Contract) -> None:
    (finding,) = judged(
        "status", draw(FAILING.replace("0..100 ; error=500", "0..100 ; error=500 exception")), failing
    )
    assert finding.expected == "0 (declared at drawn.yaml:5)"


def test_exception_on_an_undeclared_internal_span_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("status", draw(good.replace("5..99", "5..99 ; exception")), contract)
    assert finding.expected == "0 (an undeclared span)"
