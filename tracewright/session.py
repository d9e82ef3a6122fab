"""One run for a whole test session: contracts in, a report made once, results by name. Knows no pytest."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tracewright.contracts import archive
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.judge import CheckResult
from tracewright.contracts.load import load_contract
from tracewright.contracts.model import Contract, Drive
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.verify import ProbePlan, Report, rejudged, verify


class ContractSession:
    """Collects contracts, then drives and judges all of them at the first question.

    `endpoints` is called once, at that moment. With `replay` nothing is driven: the saved capture is judged.
    `shared` is a folder of several processes with the same contracts: one drives, all judge.
    """

    def __init__(
        self,
        endpoints: Callable[[], Endpoints],
        *,
        drives: Sequence[str] = ("http", "browser"),
        checks: Sequence[str] = tuple(CHECKS),
        deadlines: Deadlines | None = None,
        replay: Path | None = None,
        shared: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._endpoints = endpoints
        self._drives = tuple(drives)
        self._checks = tuple(checks)
        self.deadlines = deadlines
        self._replay = archive.load(replay) if replay else None
        self._contracts: dict[str, Contract] = {}
        self._shared = shared
        self._progress = progress
        self._report: Report | None = None
        self._failure: Exception | None = None

    def add(self, contract: Contract) -> list[tuple[str, str]]:
        """Takes a contract in; returns the (label, check) pairs that it will be judged by."""
        if contract.journey in self._contracts:
            raise ValueError(f"{contract.place('journey')}: {contract.journey} is declared twice")
        self._contracts[contract.journey] = contract
        driven: list[tuple[str, Drive]]
        if self._replay is not None:
            driven = [(p.label, p.drive) for p in self._replay.probes if p.journey == contract.journey]
        else:
            driven = [(plan.label, plan.drive) for plan in self._plans_of(contract)]
        return [
            (label, name)
            for label, drive in driven
            for name in self._checks
            if CHECKS[name].applies(contract.driven(drive))
        ]

    def _plans_of(self, contract: Contract) -> list[ProbePlan]:
        return [
            ProbePlan(contract.journey, tenant, drive)
            for drive in contract.drives
            if drive in self._drives
            for tenant in contract.tenants
        ]

    def report(self) -> Report:
        """The report, made at the first call. What prevented the run is raised at every call."""
        if self._failure is not None:
            raise self._failure
        if self._report is None:
            try:
                self._report = self._made()
            except Exception as error:
                self._failure = error
                raise
        return self._report

    def _made(self) -> Report:
        if self._replay is not None:
            return rejudged(self._replay, self._contracts, self._checks)
        if self._shared is None:
            return self._driven()
        # Two runs at a time would move each other's counters: the first process drives, the others judge
        # what it captured.
        from filelock import FileLock

        with FileLock(self._shared / "lock"):
            if not self._captured.exists():
                report = self._driven()
                archive.save(report.run, self._captured)
                (self._shared / "shown").write_bytes(pickle.dumps((report.seconds, report.pages)))
                declared = [contract.source for contract in self._contracts.values()]
                (self._shared / "contracts").write_text("\n".join(map(str, declared)), encoding="utf-8")
                return report
        return self._adopted()

    def adopt(self) -> None:
        """Makes the report of what another process captured into the shared folder, if one did."""
        if self._shared is not None and (self._shared / "contracts").exists():
            for line in (self._shared / "contracts").read_text(encoding="utf-8").splitlines():
                self.add(load_contract(Path(line)))
            self._report = self._adopted()

    def _adopted(self) -> Report:
        """What the process that drove captured, judged again, with what its browser showed."""
        assert self._shared is not None
        report = rejudged(archive.load(self._captured), self._contracts, self._checks)
        seconds, pages = pickle.loads((self._shared / "shown").read_bytes())  # noqa: S301 - written above
        return replace(report, seconds=seconds, pages=pages)

    @property
    def _captured(self) -> Path:
        assert self._shared is not None
        return self._shared / "capture"

    def _driven(self) -> Report:
        plans = [plan for contract in self._contracts.values() for plan in self._plans_of(contract)]
        return verify(
            self._endpoints(),
            plans,
            contracts=list(self._contracts.values()),
            checks=self._checks,
            deadlines=self.deadlines,
            progress=self._progress,
        )

    def result(self, label: str, check: str) -> CheckResult:
        """One check's result on one probe."""
        return self.report().result(label, check)

    @property
    def contracts(self) -> list[Contract]:
        """What was collected so far."""
        return list(self._contracts.values())

    @property
    def made(self) -> Report | None:
        """The report if there is one already."""
        return self._report
