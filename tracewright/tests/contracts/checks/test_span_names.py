from __future__ import annotations

import pytest

from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw


def tolerant(contract: Contract) -> Contract:
    return contract.model_copy(update={"internal": {"frontend": ["/run .*/"]}})


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("span_names", draw(good), tolerant(contract)) == []


def test_undeclared_internal_span_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("span_names", draw(good), contract)
    assert (finding.detail, finding.seen) == ("has an undeclared name", "run handler")


@pytest.mark.parametrize(
    "name",
    [
        "GET /runs/0af76519-16cd-43dd-8448-eb211c80319c",
        "GET /runs/12345",
        "GET /traces/0af7651916cd43dd",
        "GET /search?q=span",
        "GET http://127.0.0.1/runs",
    ],
)
def test_name_with_an_id_or_a_query_is_reported(name: str, good: str, contract: Contract) -> None:
    twin = good.replace("run handler", f"run {name}")
    (finding,) = judged("span_names", draw(twin), tolerant(contract))
    assert finding.expected == "a name that other requests share"


@pytest.mark.parametrize("name", ["GET /api/v1/{index}/search", "chat gpt-4o", "SELECT feedback", "GET /*"])
def test_bounded_name_is_no_finding(name: str, good: str, contract: Contract) -> None:
    assert judged("span_names", draw(good.replace("run handler", f"run {name}")), tolerant(contract)) == []
