from __future__ import annotations

from tracewright.contracts.observe import counting_since
from tracewright.signals import MetricPoint, Resource

SECOND_NS = 1_000_000_000


def point(service: str, start_s: int, time_s: float, scope: str = "app") -> MetricPoint:
    return MetricPoint(
        "requests",
        "1",
        "sum",
        {},
        1.0,
        time_ns=int(time_s * SECOND_NS),
        start_ns=start_s * SECOND_NS,
        resource=Resource({"service.name": service}),
        scope=scope,
    )


def test_process_counts_since_the_earliest_start_in_its_newest_export() -> None:
    points = [point("api", 10, 20), point("api", 30, 41), point("api", 35, 41.1), point("web", 5, 40)]
    assert counting_since(points) == {"api": 30.0, "web": 5.0}


def test_what_the_collector_counts_of_a_services_spans_is_not_the_services() -> None:
    points = [point("api", 30, 41), point("api", 1, 42, "github.com/x/spanmetricsconnector")]
    assert counting_since(points) == {"api": 30.0}
