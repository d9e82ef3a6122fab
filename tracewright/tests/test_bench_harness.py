"""`make bench-harness` replays 500 spans in which every check that can be judged passes."""

from __future__ import annotations

from pathlib import Path

from e2e.bench_harness import LARGE, SPANS, each_check, journeys, large, replays, shown
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.load import parse_contract
from tracewright.tests.fake_stack import CONTRACT, FakeStack
from tracewright.verify import judged


def test_made_capture_is_whole() -> None:
    run = large(SPANS)
    assert SPANS - 3 < len(run.spans) <= SPANS
    report = judged(run, {"large": parse_contract(LARGE, Path("large.yaml"))})
    assert report.ok, report.render()


def test_replay_is_measured_as_the_command_that_is_typed(tmp_path: Path) -> None:
    seconds, failed = replays(tmp_path, 1)
    assert not failed
    assert list(seconds) == ["the command, as typed", "reading the capture", "Python alone"]
    table = shown("replay", "of which", {"row": [3.0, 1.0, 2.0]})
    assert [next(iter(column.cells)) for column in table.columns] == ["row", "3", "1.00", "2.00", "3.00"]


def test_journeys_are_measured_alone_and_together_and_each_check_on_what_was_seen(tmp_path: Path) -> None:
    contracts = [parse_contract(CONTRACT, tmp_path / "run.yaml")]
    with FakeStack(tmp_path) as stack:
        seconds, reports = journeys(stack.endpoints, contracts, 1)
    phases = ("baseline", "drive", "settle", "judge")
    assert list(seconds) == ["run", "all 1 together", *(f"  {phase}" for phase in phases)]
    assert [report.ok for report in reports] == [True], reports[0].render()
    assert each_check(reports[0].run, contracts, 1).keys() == CHECKS.keys()
