"""The journeys and checks again and again on one stack: `python -m e2e.repeat --runs 100 --burn-cores 2`.

Shows how often a verdict is wrong when nothing is broken. Ends with a table; exit code 1 when a check failed,
or was inconclusive, in any run. The capture and the page of each red run are kept in `test-results/repeat/`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from e2e.driving import CONTRACTS
from e2e.findable import percentile
from e2e.native_stack import named_or_own
from tracewright.contracts.findings import Verdict
from tracewright.contracts.load import load_contracts
from tracewright.endpoints import Endpoints
from tracewright.report import Links, keep, write_page
from tracewright.verify import ProbePlan, Report, verify

STACK_NAME = "repeat"
KEPT = Path("test-results") / "repeat"


def main() -> int:
    """Runs, and prints a line for each run and the table."""
    parser = argparse.ArgumentParser(prog="python -m e2e.repeat", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--burn-cores", type=int, default=0, metavar="N", help="cores kept busy meanwhile")
    parser.add_argument("--drive", choices=("http", "browser", "all"), default="all")
    parser.add_argument(
        "--endpoints", type=Path, help="a running stack; without it a stack of its own is started"
    )
    options = parser.parse_args()
    contracts = load_contracts(CONTRACTS)
    plans = [
        ProbePlan(contract.journey, tenant, drive)
        for contract in contracts
        for drive in contract.drives
        if options.drive in (drive, "all")
        for tenant in contract.tenants
    ]
    reports: list[Report] = []
    with named_or_own(options.endpoints, STACK_NAME) as endpoints, burning(options.burn_cores):
        for number in range(1, options.runs + 1):
            report = verify(endpoints, plans, contracts=contracts)
            reports.append(report)
            tell(number, report, endpoints)
    Console().print(table(reports, options.burn_cores))
    return 0 if reports and all(report.ok for report in reports) else 1


def tell(number: int, report: Report, endpoints: Endpoints) -> None:
    """A line for the run; of a red one what is red, with its capture and page kept."""
    seconds = ", ".join(f"{name} {took_s:.1f} s" for name, took_s in report.seconds.items())
    print(f"run {number}: {'green' if report.ok else 'RED'}  {seconds}", flush=True)
    if not report.ok:
        folder = KEPT / f"run-{number}"
        keep(report, folder)
        write_page(report, folder, links=Links.of(endpoints))
        print(report.render(), f"kept: {folder}", sep="\n", flush=True)


def table(reports: list[Report], burnt: int) -> Table:
    """What all runs came to."""
    kinds = Counter(result.verdict for report in reports for result in report.results)
    totals = [sum(report.seconds.values()) for report in reports]
    shown = Table(title=f"{len(plans_of(reports))} journeys, {burnt} cores burnt")
    for heading in ("runs", "red runs", "verdicts", "fail", "inconclusive", "p50 s", "p95 s"):
        shown.add_column(heading, justify="right")
    shown.add_row(
        str(len(reports)),
        str(sum(not report.ok for report in reports)),
        str(sum(kinds.values())),
        str(kinds[Verdict.FAIL]),
        str(kinds[Verdict.INCONCLUSIVE]),
        f"{percentile(totals, 50):.1f}",
        f"{percentile(totals, 95):.1f}",
    )
    return shown


def plans_of(reports: list[Report]) -> set[str]:
    """The labels of what was driven."""
    return {label for report in reports for label in report.traces}


@contextmanager
def burning(cores: int) -> Iterator[None]:
    """As many processes that never rest."""
    burners = [
        multiprocessing.get_context("spawn").Process(target=burn, args=(os.getpid(),), daemon=True)
        for _ in range(cores)
    ]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.terminate()
            burner.join()


def burn(parent: int) -> None:
    """Computes nothing until it is ended, or its parent is gone."""
    while os.getppid() == parent:
        until_s = time.monotonic() + 1
        while time.monotonic() < until_s:
            pass


if __name__ == "__main__":
    sys.exit(main())
