"""Sensitivity: each telemetry fault turns exactly its checks red, and nothing is red when all are off.

`flags/faults.yaml` says which. A flag is switched on for one probe alone, by that probe's `test.id`, so that
one run holds all faults and each red has one cause. A fault whose check compares the whole run gets a run of
its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.faulty_runs import FaultyRuns, Outcome
from e2e.native_stack import NativeStack
from e2e.running_stack import RunningStack
from tracewright.stack.flags import load_faults

FAULTS = load_faults(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def runs(stack: RunningStack) -> Iterator[FaultyRuns]:
    if not isinstance(stack, NativeStack):
        pytest.skip("in containers the flag file is the repository's own, which a test must not change")
    with FaultyRuns(stack, FAULTS) as made:
        yield made


@pytest.mark.parametrize("name", FAULTS)
def test_fault_turns_exactly_its_checks_red(name: str, runs: FaultyRuns) -> None:
    fault = FAULTS[name]
    outcome = runs.with_fault(name)
    expected = {journey: sorted(checks) for journey, checks in fault.red.items()}
    assert outcome.red() == expected, outcome.report.render()


def test_bystanders_of_a_fault_stay_green(runs: FaultyRuns) -> None:
    assert runs.bystanders().red() == {}, runs.bystanders().report.render()


def test_everything_is_green_when_all_faults_are_off(runs: FaultyRuns) -> None:
    outcome: Outcome = runs.without_faults()
    assert outcome.red() == {}, outcome.report.render()
