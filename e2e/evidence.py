"""A pytest plugin: keeps, of each failed test, what the components logged meanwhile and the runs it judged.

Runs are found as pytest's `--showlocals` would show them: the reports in the frames of the failed test. Red
contracts share one run, whose capture the harness keeps itself; of them all, the logs are kept once.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest

from tracewright.plugin import ContractItem
from tracewright.report import keep
from tracewright.verify import Report

# The folder with a log file per component, once there is a stack.
LOGS = pytest.StashKey[Path]()
FAILURES = Path("test-results") / "failures"
POSITIONS = pytest.StashKey[Mapping[str, int]]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Notes how long each log is."""
    folder = item.config.stash.get(LOGS, None)
    item.stash[POSITIONS] = {f.name: f.stat().st_size for f in logs_in(folder)} if folder else {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Names what was kept in the failure itself."""
    outcome = yield
    if outcome.failed and call.excinfo is not None:
        contract = isinstance(item, ContractItem)
        name = "contracts" if contract else item.nodeid
        folder = FAILURES / re.sub(r"[^\w.-]+", "-", name).strip("-")
        if not contract:
            for number, report in enumerate(reports_in(call.excinfo), 1):
                keep(report, folder / f"run-{number}")
        logs = item.config.stash.get(LOGS, None)
        if logs and not (contract and (folder / "logs").exists()):
            keep_logs(logs, {} if contract else item.stash[POSITIONS], folder / "logs")
        if folder.exists():
            outcome.sections.append(("kept", str(folder)))
    return outcome


def logs_in(folder: Path) -> Sequence[Path]:
    """The log files, by name."""
    return sorted(folder.glob("*.log"))


def keep_logs(logs: Path, since: Mapping[str, int], folder: Path) -> None:
    """Copies what each component has logged from `since` (bytes by file name) on."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in logs_in(logs):
        begin = since.get(file.name, 0)
        with file.open("rb") as log:
            # A component that was started anew may have begun its log anew.
            log.seek(begin if begin <= file.stat().st_size else 0)
            (folder / file.name).write_bytes(log.read())


def reports_in(failure: pytest.ExceptionInfo[BaseException]) -> list[Report]:
    """The reports that the failed test held, each once, the outermost first."""
    found: list[Report] = []
    for entry in failure.traceback:
        for value in entry.frame.f_locals.values():
            if isinstance(value, Report) and not any(value is one for one in found):
                found.append(value)
    return found
