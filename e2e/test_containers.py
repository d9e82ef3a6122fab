"""What only containers do: come back by themselves after a crash, keep their data through `down` and `up`;
and what is sent while a backend is down waits for it.
"""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from e2e.compose_stack import ComposeStack, long_running
from e2e.database import query
from e2e.driving import verify_breaking
from e2e.running_stack import wake
from tracewright.contracts.findings import Verdict
from tracewright.contracts.settle import Deadlines, until
from tracewright.signals.prometheus import Prometheus
from tracewright.signals.quickwit import Quickwit
from tracewright.signals.tempo import Tempo
from tracewright.verify import ProbePlan, Report, verify

PLANS = [ProbePlan("agent-run"), ProbePlan("agent-run", "globex")]
FOUND_S = 30.0
# What the collector sends to; it tries again after 5 s at the latest.
BACKENDS = ("tempo", "quickwit", "prometheus")
WAITING = Deadlines(traces_s=60.0, logs_s=60.0)
RUNS = "SELECT run_id FROM executions"


@pytest.fixture(scope="module")
def before(containers: ComposeStack) -> Report:
    """A run before anything was broken: what a crash must not take away again."""
    return green(containers)


def green(stack: ComposeStack) -> Report:
    report = verify(stack.endpoints, PLANS)
    assert report.ok, report.render()
    return report


def test_each_container_that_runs_is_among_those_that_are_crashed(containers: ComposeStack) -> None:
    assert set(containers.components) == set(long_running()) - set(containers.left_out)


@pytest.mark.parametrize("component", long_running())
def test_a_container_that_crashes_comes_back_and_everything_is_found(
    component: str, containers: ComposeStack, before: Report
) -> None:
    """It starts again after 100 ms, then 200 ms, ...; then its health check has to see it."""
    if component in containers.left_out:
        pytest.skip(f"{component} does not run: its image is not here, and cannot be pulled")
    began = containers.started_at(component)
    containers.crash(component)
    containers.wait_healthy(component, started_after=began)
    for name in containers.components:
        containers.wait_healthy(name)
    wake(containers.endpoints, component)
    green(containers)
    findable(containers, before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_comes_while_a_backend_is_down_waits_and_is_found(
    backend: str, containers: ComposeStack
) -> None:
    """Its own counters begin anew with it, so what is compared with them cannot be judged in this run."""
    report = verify_breaking(
        containers.endpoints,
        PLANS,
        before_driving=lambda: containers.kill(backend),
        after_driving=lambda: containers.start(backend),
        deadlines=WAITING,
    )
    red = {result.check: result.verdict for result in report.results if result.verdict.red}
    assert red.keys() <= {"no_loss", "service_graph"}, report.render()
    assert set(red.values()) <= {Verdict.INCONCLUSIVE}, report.render()
    findable(containers, report)


def test_down_and_up_keep_the_data(containers: ComposeStack, before: Report) -> None:
    counted = executions(containers)
    runs = query(containers.endpoints, RUNS)
    containers.down()
    containers.up()
    findable(containers, before)
    assert executions(containers) >= counted
    assert runs
    assert set(runs) <= set(query(containers.endpoints, RUNS))
    green(containers)


def findable(stack: ComposeStack, report: Report) -> None:
    """Everything that the stores had of an earlier run can be found in them."""
    spans = report.run.stored_spans or frozenset()
    logs = Counter(log.trace_id for log in report.run.stored_logs or ())
    assert spans
    assert logs
    tempo = Tempo(str(stack.endpoints.tempo))
    quickwit = Quickwit(str(stack.endpoints.quickwit), stack.endpoints.quickwit_index)

    def missing() -> str:
        try:
            found = {span.key for trace in {trace for trace, _ in spans} for span in tempo.trace(trace)}
            records = Counter({trace: len(quickwit.logs_of_trace(trace)) for trace in logs})
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        lost = [f"spans {spans - found}"] if spans - found else []
        return ", ".join([*lost, *(f"logs of {trace}" for trace in logs - records)])

    waited, _ = until("earlier telemetry", missing, lambda text: text, FOUND_S)
    assert waited.met, str(waited)


def executions(stack: ComposeStack) -> float:
    """How many executions Prometheus has counted in this session, in processes that are gone too."""
    prometheus = Prometheus(str(stack.endpoints.prometheus))
    return sum(sample.value for sample in prometheus.query("sum(max_over_time(agent_execution_total[1h]))"))
