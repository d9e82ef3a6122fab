"""verify() against a fake stack: everything real but the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracewright.contracts import archive
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Verdict
from tracewright.contracts.load import parse_contract
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.tests.fake_stack import CONTRACT, FakeStack
from tracewright.verify import ProbePlan, Report, judged, verify

# Patient with what comes late on a busy machine; what does not come at all is given up soon.
QUICK = Deadlines(traces_s=60, logs_s=60, metrics_s=60, quiet_s=0.2, idle_s=2)
# For a stack that is gone: nothing of it comes late.
HASTY = Deadlines(traces_s=2, logs_s=2, metrics_s=2, quiet_s=0.2)
RUN = parse_contract(CONTRACT, Path("run.yaml"))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[FakeStack]:
    with FakeStack(tmp_path) as stack:
        yield stack


def verified(endpoints: Endpoints, *plans: ProbePlan, deadlines: Deadlines = QUICK) -> Report:
    return verify(endpoints, plans or [ProbePlan("run")], contracts=[RUN], deadlines=deadlines)


def red(report: Report) -> dict[str, Verdict]:
    return {result.check: result.verdict for result in report.results if result.verdict.red}


def test_good_stack_is_green_with_every_check_judged(stack: FakeStack) -> None:
    report = verified(stack.endpoints, ProbePlan("run"), ProbePlan("run", tenant="globex"))
    assert report.ok, report.render()
    assert all(result.verdict is Verdict.PASS for result in report.results)
    assert [result.id for result in report.results[:2]] == ["run[complete]", "run[no_orphans]"]
    assert set(report.traces) == {"run", "run/globex"}
    assert report.seen == {"traces": 2, "spans": 6, "logs": 2, "metric series": 1}


def test_good_stack_is_green_without_a_tee(stack: FakeStack) -> None:
    stack.tee = False
    report = verified(stack.endpoints)
    assert report.ok, report.render()


def test_second_run_is_not_disturbed_by_the_first(stack: FakeStack) -> None:
    assert verified(stack.endpoints).ok
    assert verified(stack.endpoints).ok


def test_log_without_context_turns_both_directions_red(stack: FakeStack) -> None:
    stack.log_with_context = False
    assert set(red(verified(stack.endpoints))) == {"log_to_trace", "trace_to_log"}


def test_log_without_context_is_seen_without_a_tee(stack: FakeStack) -> None:
    stack.log_with_context, stack.tee = False, False
    assert set(red(verified(stack.endpoints))) == {"log_to_trace", "trace_to_log"}


def test_double_count_turns_the_counts_red(stack: FakeStack) -> None:
    stack.counts_twice = True
    report = verified(stack.endpoints)
    assert set(red(report)) == {"red_equals_spans"}
    assert 'runs_total{status="ok"}' in report.render()


def test_span_that_the_store_lost_turns_complete_red(stack: FakeStack) -> None:
    stack.span_lost_in_store = True
    assert set(red(verified(stack.endpoints))) == {"complete", "sampling"}


def test_wrong_status_turns_complete_red_with_the_answer(stack: FakeStack) -> None:
    stack.status = 503
    report = verified(stack.endpoints)
    assert "503 in place of 200" in report.render()
    assert red(report)["complete"] is Verdict.FAIL


def test_stack_that_does_not_answer_is_a_red_report(stack: FakeStack) -> None:
    endpoints = stack.endpoints
    stack.__exit__(None, None, None)
    report = verified(endpoints, deadlines=HASTY)
    assert not report.ok
    verdicts = red(report)
    assert verdicts["complete"] is Verdict.FAIL
    assert verdicts["no_orphans"] is Verdict.INCONCLUSIVE
    assert verdicts["red_equals_spans"] is Verdict.INCONCLUSIVE
    assert verdicts["no_loss"] is Verdict.INCONCLUSIVE


def test_backends_that_a_stack_lacks_are_not_judged(stack: FakeStack) -> None:
    given = stack.endpoints
    report = verified(Endpoints(frontend=given.frontend, tee_dir=given.tee_dir))
    unjudged = {result.check for result in report.results if result.verdict is Verdict.NOT_JUDGED}
    assert unjudged == {
        "trace_to_log",
        "red_equals_spans",
        "service_graph",
        "sampling",
        "no_loss",
    }
    assert report.ok


def test_saved_capture_is_judged_the_same(stack: FakeStack, tmp_path: Path) -> None:
    stack.log_with_context = False
    report = verified(stack.endpoints)
    archive.save(report.run, tmp_path / "kept")
    again = judged(archive.load(tmp_path / "kept"), {"run": RUN})
    assert again.results == report.results


def test_each_check_alone_says_what_it_says_among_all(stack: FakeStack) -> None:
    stack.log_with_context, stack.counts_twice = False, True
    report = verified(stack.endpoints)
    for check in CHECKS:
        alone = judged(report.run, {"run": RUN}, [check])
        assert alone.results == tuple(result for result in report.results if result.check == check)
    assert {result.check for result in report.results if result.verdict.red} == {
        "log_to_trace",
        "trace_to_log",
        "red_equals_spans",
    }


def test_unknown_journey_and_check_are_named(stack: FakeStack) -> None:
    with pytest.raises(ValueError, match="no contract for journey 'walk'"):
        verified(stack.endpoints, ProbePlan("walk"))
    with pytest.raises(ValueError, match="no check 'no_orphan'"):
        verify(stack.endpoints, [ProbePlan("run")], contracts=[RUN], checks=["no_orphan"])
    assert "no_orphans" in CHECKS
