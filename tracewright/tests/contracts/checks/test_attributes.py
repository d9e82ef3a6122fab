from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.contracts.load import parse_contract
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw

HTTP = "+http.request.method=GET +http.response.status_code=200 +server.address=a"
GOOD = f"""
py server GET /data 0..9 ; {HTTP} +http.route=/data +url.path=/data +url.scheme=http
  py client GET 1..2 ; {HTTP} +url.full=http://b/ +server.port=80
  py client SELECT x 2..3 ; +db.system.name=postgresql +db.operation.name=SELECT +db.collection.name=x \
+db.query.summary=x +db.query.text=x +server.address=a
  py client chat m 3..4 ; +gen_ai.operation.name=chat +gen_ai.provider.name=p +gen_ai.request.model=m \
+gen_ai.usage.input_tokens=1 +gen_ai.usage.output_tokens=2
  py producer send q 4..5 ; +messaging.system=postgresql +messaging.destination.name=q \
+messaging.operation.name=send +messaging.operation.type=send
"""


@pytest.fixture
def declared() -> Contract:
    return parse_contract(
        """
journey: drawn
http: {path: /data}
spans:
  back: {service: py, name: GET /data, kind: server, attributes: {http.route: /data}}
""",
        Path("drawn.yaml"),
    )


def test_good_capture_passes(declared: Contract) -> None:
    assert judged("attributes", draw(GOOD), declared) == []


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (GOOD.replace(" +http.route=/data", ""), "http.route is missing"),
        (GOOD.replace(" +db.collection.name=x", ""), "db.collection.name is missing"),
        (GOOD.replace(" +gen_ai.usage.input_tokens=1", ""), "gen_ai.usage.input_tokens is missing"),
        (GOOD.replace(" +messaging.operation.type=send", ""), "messaging.operation.type is missing"),
        (GOOD.replace("+server.port=80", "+server.port=eighty"), "server.port is empty or of the wrong type"),
        (
            GOOD.replace("+url.scheme=http", "+url.scheme=http +http.method=GET"),
            "carries the deprecated http.method",
        ),
        (
            GOOD.replace("+db.query.text=x", "+db.query.text=x +db.statement=x"),
            "carries the deprecated db.statement",
        ),
    ],
)
def test_what_the_conventions_require_is_reported(broken: str, detail: str, declared: Contract) -> None:
    assert detail in [finding.detail for finding in judged("attributes", draw(broken), declared)]


def test_value_that_the_contract_declares_is_compared(declared: Contract) -> None:
    (finding,) = judged("attributes", draw(GOOD.replace("+http.route=/data", "+http.route=/*")), declared)
    assert (finding.detail, finding.seen) == ("http.route is not as declared", "/*")


def test_client_without_an_answer_needs_no_status(declared: Contract) -> None:
    refused = GOOD.replace(
        "py client GET 1..2 ; +http.request.method=GET +http.response.status_code=200",
        "py client GET 1..2 ; error=ECONNREFUSED +http.request.method=GET",
    )
    assert judged("attributes", draw(refused), declared) == []
