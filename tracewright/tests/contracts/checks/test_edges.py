from __future__ import annotations

from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw


def test_good_capture_passes_with_an_undeclared_internal_span_on_an_edge(
    good: str, contract: Contract
) -> None:
    assert judged("edges", draw(good), contract) == []


def test_server_span_beside_its_client_is_reported(good: str, contract: Contract) -> None:
    twin = good.replace(
        "frontend client POST                     10..90", "frontend client POST 10..90 ; id=c"
    )
    twin = twin.replace(
        "frontend internal run handler               5..99", "frontend internal run handler 5..99 ; id=h"
    )
    twin = twin.replace("20..80 ;", "20..80 ; parent=h")
    (finding,) = judged("edges", draw(twin), contract)
    assert finding.detail == "hangs at the wrong place"
    assert (finding.expected, finding.seen) == ("below call (declared at drawn.yaml:7)", "below front")


def test_edge_that_leads_through_an_undeclared_client_is_reported(good: str, contract: Contract) -> None:
    twin = good.replace("internal run handler", "client GET")
    details = [finding.detail for finding in judged("edges", draw(twin), contract)]
    assert details == ["hangs at the wrong place", "is an undeclared client span"]


def test_consumer_without_its_link_is_reported(good: str, contract: Contract) -> None:
    # The link leads to another span of the trace: linked to the journey, but not to the producer.
    twin = good.replace("POST /runs           20..80 ;", "POST /runs 20..80 ; id=gate").replace(
        "link=sent", "link=gate"
    )
    (finding,) = judged("edges", draw(twin), contract)
    assert finding.detail == "does not link to send"


def test_undeclared_service_is_reported(good: str, contract: Contract) -> None:
    twin = good.replace("---", "          redis server GET 31..32\n---")
    (finding,) = judged("edges", draw(twin), contract)
    assert "is of redis, which the contract does not declare" in finding.detail
