from __future__ import annotations

import time
from pathlib import Path

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.load import parse_contract
from tracewright.contracts.observe import Observer, counting_since
from tracewright.contracts.settle import Deadlines, Waited
from tracewright.signals import MetricPoint, Resource
from tracewright.signals.loss import SDKS
from tracewright.tests.fake_stack import CONTRACT, FakeStack

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


def test_baseline_waits_for_an_export_that_is_newer_than_what_arrived(tmp_path: Path) -> None:
    """An export that is tried again later would move the counter in the run."""
    old = time.time() - 60
    with FakeStack(tmp_path) as stack:
        stack.runs, stack.sampled_s = 1, lambda: old
        _, waited = baseline_of(stack, Deadlines(metrics_s=0.3, quiet_s=0.1))
        assert "the newest sample of fake is" in waited["counters at rest"].unmet
        stack.sampled_s = time.time
        _, waited = baseline_of(stack, Deadlines(quiet_s=0.1))
        assert waited["baseline at rest"].met


def baseline_of(stack: FakeStack, deadlines: Deadlines) -> tuple[RunCapture, dict[str, Waited]]:
    """What an observer has noted once it says that earlier traffic has come to rest, and how it waited."""
    contract = parse_contract(CONTRACT, stack.tee_dir / "run.yaml")
    with Observer(stack.endpoints, {contract.journey: contract}, deadlines) as observer:
        observer.baseline()
        run = observer.settle([])
    return run, {one.what: one for one in run.waited}


def test_baseline_begins_anew_when_spans_arrive_while_it_waits_for_the_counters(tmp_path: Path) -> None:
    """They would be in no capture, and yet move the counters in the run."""
    with FakeStack(tmp_path) as stack:
        stack.runs = 1
        began_s = time.time()

        def sampled_s() -> float:
            """The counters lag behind until the spans have come, long after the quiet time."""
            if not stack.spans and time.time() >= began_s + 0.5:
                stack.serve_run(f"00-{'a' * 32}-{'b' * 16}-01", "test.id=x")
            return time.time() if stack.spans else began_s - 60

        stack.sampled_s = sampled_s
        run, waited = baseline_of(stack, Deadlines(quiet_s=0.2))
        assert waited["baseline at rest"].met
        assert waited["baseline at rest"].changed_s > 0.2
        assert {sample.value for sample in run.metrics_before or ()} == {2.0}


def test_baseline_waits_until_the_collector_has_sent_everything_on(tmp_path: Path) -> None:
    """What it has still to send reaches the trace store in the run, and moves the service graph then."""
    with FakeStack(tmp_path) as stack:
        stack.queued = 3
        _, waited = baseline_of(stack, Deadlines(metrics_s=0.3, quiet_s=0.1))
        assert waited["counters at rest"].unmet == "otlp_grpc/tempo has 3 to send"


def test_baseline_waits_for_a_scrape_where_the_service_graph_has_no_edge_yet(tmp_path: Path) -> None:
    """The edges of a stack's first requests are in no series until then."""
    with FakeStack(tmp_path) as stack:
        stack.scraped_s = time.time() - 5
        deadlines = Deadlines(metrics_s=0.3, quiet_s=0.1)
        _, waited = baseline_of(stack, deadlines)
        assert waited["counters at rest"].unmet.startswith("the newest sample of the service graph is 5.")
        stack.scraped_s = time.time() + 60
        _, waited = baseline_of(stack, deadlines)
        assert waited["baseline at rest"].met


def test_loss_counters_have_as_long_as_the_metrics_to_answer(tmp_path: Path) -> None:
    """They are read once: on a busy machine a collector takes longer than any fixed few seconds."""
    contract = parse_contract(CONTRACT, tmp_path / "run.yaml")
    with FakeStack(tmp_path) as stack:
        stack.losses_take_s = 1.0
        for limit_s, read in ((0.2, False), (60.0, True)):
            deadlines = Deadlines(metrics_s=limit_s, quiet_s=0.1)
            with Observer(stack.endpoints, {contract.journey: contract}, deadlines) as observer:
                losses = [one for one in observer.settle([]).losses_after if one.source != SDKS]
            assert losses
            assert [not one.error for one in losses] == [read] * len(losses)
