"""SIGTERM loses nothing: a service that is stopped right after it answered has exported all three signals."""

from __future__ import annotations

import pytest

from e2e.driving import verify_breaking
from e2e.running_stack import RunningStack
from tracewright.contracts.settle import Deadlines
from tracewright.verify import ProbePlan

JOURNEYS = {
    "frontend": "data-go-service",
    "go-service": "data-go-service",
    "python-service": "data-python-service",
    "rust-service": "data-rust-service",
}


@pytest.mark.parametrize("service", JOURNEYS)
def test_service_that_is_stopped_after_its_answer_has_flushed(service: str, stack: RunningStack) -> None:
    try:
        report = verify_breaking(
            stack.endpoints,
            [ProbePlan(JOURNEYS[service])],
            after_driving=lambda: stack.stop(service),
            deadlines=Deadlines(),
        )
    finally:
        stack.start(service)
    assert report.ok, report.render()
