"""Runs with faults switched on, for `test_faults.py`: what is driven, for whom a flag is on, what is red.

Three kinds of runs. In the first every fault that can be told apart is on, each for probes of its own. A
fault whose check compares a whole run has a run to itself. In the last all are off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType

import httpx

from e2e.driving import CONTRACTS
from e2e.native_stack import NativeStack
from tracewright.browser import BrowserDriver
from tracewright.contracts.capture import Probe
from tracewright.contracts.model import Drive
from tracewright.contracts.observe import Observer
from tracewright.contracts.settle import Deadlines, until
from tracewright.probe import TraceContext, drive_http
from tracewright.stack.flags import Fault, FlagFile, Switch
from tracewright.verify import PROBES_AT_ONCE, Report, by_journey, judged

# Faults make spans disappear: this is waited for those each time, from when nothing arrives any more.
WITH_FAULTS = Deadlines(idle_s=4.0)
RELOAD_S = 10.0
RELOADED = "flags read"
BROWSER = "@browser"


@dataclass(frozen=True)
class Planned:
    """One probe: of which fault (empty for none), which journey, and the ids that it will have."""

    fault: str
    journey: str
    drive: Drive
    ids: TraceContext = field(default_factory=TraceContext.new)

    @property
    def shown(self) -> str:
        """The journey as the catalogue names it."""
        return self.journey + (BROWSER if self.drive == "browser" else "")

    @property
    def label(self) -> str:
        """How reports name the probe."""
        return f"{self.fault} {self.shown}".strip()


@dataclass(frozen=True)
class Outcome:
    """What became of some of a run's probes."""

    report: Report
    probes: Sequence[Planned]

    def red(self) -> dict[str, list[str]]:
        """The red checks by journey, sorted; a journey without one is left out."""
        names = {planned.label: planned.shown for planned in self.probes}
        red: dict[str, set[str]] = defaultdict(set)
        for result in self.report.results:
            if result.journey in names and result.verdict.red:
                red[names[result.journey]].add(result.check)
        return {journey: sorted(checks) for journey, checks in red.items()}


class FaultyRuns:
    """Makes each run at the first question about it. A context manager: at its end all flags are off."""

    def __init__(self, stack: NativeStack, faults: Mapping[str, Fault]) -> None:
        self._stack = stack
        self._faults = faults
        self._contracts = by_journey(CONTRACTS)
        self._flags = FlagFile(stack.flags, faults)
        self._open = ExitStack()

    def __enter__(self) -> FaultyRuns:
        self._http = self._open.enter_context(httpx.Client(trust_env=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._switch({})
        self._open.close()

    def with_fault(self, name: str) -> Outcome:
        """The probes that the fault was on for; with one that shows everywhere, all of its run."""
        if self._faults[name].everywhere:
            probes = self._probes(name)
            others = [p for p in self._bystanders if p.shown not in self._faults[name].red]
            return self._run([*probes, *others], {name: Switch()})
        run = self._together
        return Outcome(run.report, [probe for probe in run.probes if probe.fault == name])

    def bystanders(self) -> Outcome:
        """The probes of the first run that no fault was on for."""
        run = self._together
        return Outcome(run.report, [probe for probe in run.probes if not probe.fault])

    def without_faults(self) -> Outcome:
        """Every journey that a fault shows in, with all faults off."""
        shown = {journey for fault in self._faults.values() for journey in fault.red}
        return self._run([self._planned("", journey) for journey in sorted(shown)], {}, Deadlines())

    @cached_property
    def _browser(self) -> BrowserDriver:
        return self._open.enter_context(BrowserDriver())

    @cached_property
    def _together(self) -> Outcome:
        targeted = [name for name, fault in self._faults.items() if not fault.everywhere]
        probes = [probe for name in targeted for probe in self._probes(name)]
        switched_on = {
            name: Switch(tests=tuple(probe.ids.test_id for probe in probes if probe.fault == name))
            for name in targeted
        }
        return self._run([*probes, *self._bystanders], switched_on)

    @cached_property
    def _bystanders(self) -> list[Planned]:
        return [self._planned("", name) for name, contract in self._contracts.items() if contract.http]

    def _probes(self, name: str) -> list[Planned]:
        return [self._planned(name, journey) for journey in self._faults[name].red]

    def _planned(self, fault: str, shown: str) -> Planned:
        journey = shown.removesuffix(BROWSER)
        return Planned(fault, journey, "browser" if shown.endswith(BROWSER) else "http")

    def _run(
        self, probes: Sequence[Planned], on: Mapping[str, Switch], deadlines: Deadlines = WITH_FAULTS
    ) -> Outcome:
        used = {probe.journey: self._contracts[probe.journey] for probe in probes}
        self._switch(on)
        with Observer(self._stack.endpoints, used, deadlines) as observer:
            observer.baseline()
            run = observer.settle(self._driven(probes))
        return Outcome(judged(run, used), probes)

    def _driven(self, probes: Sequence[Planned]) -> list[Probe]:
        """Drives them; first, one by one, those that may leave records that name nobody.

        Such a record counts against every probe that was under way.
        """
        endpoints = self._stack.endpoints
        # As a load balancer would: nobody may see it in the telemetry.
        self._http.get(f"{endpoints.frontend}/api/health").raise_for_status()

        def drive(planned: Planned) -> Probe:
            contract = self._contracts[planned.journey]
            if planned.drive == "browser":
                return self._browser.drive(
                    contract, endpoints, tenant="acme", label=planned.label, context=planned.ids
                )
            return drive_http(
                contract, endpoints, self._http, tenant="acme", label=planned.label, context=planned.ids
            )

        if any(probe.drive == "browser" for probe in probes):
            self._browser  # noqa: B018 - opened here, so that not every thread opens one
        alone = [probe for probe in probes if self._leaves_nameless_records(probe.fault)]
        driven = [drive(probe) for probe in alone]
        with ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe") as pool:
            return [*driven, *pool.map(drive, [probe for probe in probes if probe not in alone])]

    def _leaves_nameless_records(self, name: str) -> bool:
        return bool(name) and any("log_to_trace" in checks for checks in self._faults[name].red.values())

    def _switch(self, on: Mapping[str, Switch]) -> None:
        """Switches exactly these on, and waits until every service has read so."""
        readers = {fault.service for fault in self._faults.values()} & set(self._stack.components)
        before = {name: self._reloads(name) for name in readers}
        self._flags.write(on)

        def behind() -> list[str]:
            return [name for name in sorted(readers) if self._reloads(name) == before[name]]

        unmet: Callable[[list[str]], str] = ", ".join
        waited, _ = until("all services read the flags", behind, unmet, RELOAD_S)
        assert waited.met, str(waited)

    def _reloads(self, component: str) -> int:
        return (self._stack.logs / f"{component}.log").read_text(encoding="utf-8").count(RELOADED)
