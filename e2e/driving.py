"""Driving journeys while the stack is being broken: the phases of `verify`, with something in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tracewright.contracts.observe import Observer
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.verify import ProbePlan, Report, by_journey, drive_all, judged

CONTRACTS = Path(__file__).parent / "contracts"
# A run that is expected to stay incomplete need not be waited for as long as one that is expected to settle.
SHORT = Deadlines(traces_s=4.0, logs_s=4.0, metrics_s=4.0)


def nothing() -> None:
    """Breaks nothing."""


def verify_breaking(
    endpoints: Endpoints,
    plans: Sequence[ProbePlan],
    *,
    before_driving: Callable[[], None] = nothing,
    after_driving: Callable[[], None] = nothing,
    deadlines: Deadlines = SHORT,
) -> Report:
    """As `verify`, with the stack broken after the baseline, or after the last request was answered."""
    contracts = by_journey(CONTRACTS)
    used = {plan.journey: contracts[plan.journey] for plan in plans}
    with Observer(endpoints, used, deadlines) as observer:
        observer.baseline()
        before_driving()
        probes = drive_all(endpoints, plans, used)
        after_driving()
        run = observer.settle(probes)
    return judged(run, used)
