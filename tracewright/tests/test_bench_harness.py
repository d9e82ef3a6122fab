"""`make bench-harness` replays 500 spans in which every check that can be judged passes."""

from __future__ import annotations

from pathlib import Path

from e2e.bench_harness import LARGE, SPANS, large, replays, shown
from tracewright.contracts.load import parse_contract
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
