"""Breaking the stack during a run turns the verdict red, with a message that names the place.

Mending turns it green.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.database import write_locked
from e2e.driving import verify_breaking
from e2e.running_stack import RunningStack
from tracewright.contracts.findings import Verdict
from tracewright.verify import ProbePlan, Report, verify

PLANS = [ProbePlan("agent-run")]


@contextmanager
def mended(stack: RunningStack, component: str) -> Iterator[None]:
    """Afterwards the component runs again and a run is green."""
    try:
        yield
    finally:
        if not stack.runs(component):
            stack.start(component)
    report = verify(stack.endpoints, PLANS)
    assert report.ok, report.render()


def red(report: Report) -> dict[str, Verdict]:
    assert not report.ok
    return {result.check: result.verdict for result in report.results if result.verdict.red}


def test_killed_store_is_named(stack: RunningStack) -> None:
    with mended(stack, "store"):
        report = verify_breaking(stack.endpoints, PLANS, after_driving=lambda: stack.kill("store"))
        assert red(report)["complete"] is Verdict.INCONCLUSIVE
        assert "Tempo cannot say what it stored" in report.render()
        assert "Quickwit cannot say what it stored" in report.render()


def test_killed_collector_is_named(stack: RunningStack) -> None:
    with mended(stack, "otel-collector"):
        report = verify_breaking(stack.endpoints, PLANS, before_driving=lambda: stack.kill("otel-collector"))
        assert red(report)["no_loss"] is Verdict.INCONCLUSIVE
        assert "otel-collector its counters could not be read after the run" in report.render()


def test_killed_prometheus_is_named(stack: RunningStack) -> None:
    with mended(stack, "prometheus"):
        report = verify_breaking(stack.endpoints, PLANS, after_driving=lambda: stack.kill("prometheus"))
        assert red(report)["red_equals_spans"] is Verdict.INCONCLUSIVE
        assert "Prometheus cannot say what it counted" in report.render()


@pytest.mark.parametrize("service", ["rust-service", "python-service", "go-service"])
def test_killed_service_is_named(service: str, stack: RunningStack) -> None:
    with mended(stack, service):
        report = verify_breaking(stack.endpoints, PLANS, before_driving=lambda: stack.kill(service))
        assert red(report)["complete"] is Verdict.FAIL
        assert "503 in place of 200" in report.render()
        assert f"no span of {service} arrived" in report.render()


def test_killed_frontend_is_named(stack: RunningStack) -> None:
    with mended(stack, "frontend"):
        report = verify_breaking(stack.endpoints, PLANS, before_driving=lambda: stack.kill("frontend"))
        assert red(report)["complete"] is Verdict.FAIL
        assert "POST http://127.0.0.1" in report.render()


def test_consumer_killed_before_it_counts_leaves_a_gap_that_is_named(stack: RunningStack) -> None:
    """The event waits in the queue; its span is missing until a consumer is back."""
    with mended(stack, "go-service"), write_locked(stack.endpoints, "budgets"):
        report = verify_breaking(stack.endpoints, PLANS, after_driving=lambda: stack.kill("go-service"))
        assert red(report)["complete"] is Verdict.FAIL
        assert "process (go-service 'process usage_events'" in report.render()
