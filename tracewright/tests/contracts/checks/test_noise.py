from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.model import Contract
from tracewright.signals import Sample
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("noise", draw(good), contract) == []


def test_traced_health_check_is_reported_wherever_it_is(good: str, contract: Contract) -> None:
    twin = draw(good + "---\ngo-service server GET /metrics 0..1 ; +url.path=/metrics\n")
    (finding,) = judged("noise", twin, contract)
    assert finding.detail == "traces a request for /metrics"


def test_span_per_function_is_reported(good: str, contract: Contract) -> None:
    helpers = "".join(f"    frontend internal helper {n} 6..7\n" for n in range(10))
    (finding,) = judged("noise", draw(good.replace("---", helpers + "---")), contract)
    assert (finding.detail, finding.seen) == ("has too many undeclared internal spans", "11")


def test_label_without_bounds_is_reported(good: str, contract: Contract) -> None:
    series = tuple(Sample("requests_total", {"path": f"/{n}"}, 1) for n in range(51))
    (finding,) = judged("noise", replace(draw(good), metrics_after=series), contract)
    assert (finding.subject, finding.seen) == ("requests_total{path}", "51")
