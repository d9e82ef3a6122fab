"""Drive every probe, settle once, judge all: the harness as one function call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import httpx

from tracewright.browser import BrowserDriver, PageSeen
from tracewright.contracts import archive
from tracewright.contracts.capture import Capture, Probe, RunCapture
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Finding, Verdict
from tracewright.contracts.judge import CheckResult, judge
from tracewright.contracts.load import load_contracts
from tracewright.contracts.model import Contract, Drive
from tracewright.contracts.observe import Observer
from tracewright.contracts.redaction import Redactor
from tracewright.contracts.render import render_result
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.probe import drive_http

CONTRACTS_FOLDER = Path("e2e") / "contracts"
PROBES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """One journey to drive."""

    journey: str
    tenant: str = "acme"
    drive: Drive = "http"

    @property
    def label(self) -> str:
        """How reports name the probe: the journey, and what is not the default."""
        tenant = "" if self.tenant == "acme" else f"/{self.tenant}"
        return f"{self.journey}{tenant}{'' if self.drive == 'http' else '@' + self.drive}"


@dataclass(frozen=True)
class Report:
    """What a run came to.

    `seen` counts traces, spans, logs and metric series; `traces` are trace ids by label. `seconds` tells how
    long each phase took, of those that there were; `pages` are what a browser showed, by label.
    """

    run: RunCapture
    contracts: Mapping[str, Contract]
    results: tuple[CheckResult, ...]
    seen: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    pages: Mapping[str, PageSeen] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether something was judged, and nothing is red."""
        return self.judged and not any(result.verdict.red for result in self.results)

    @property
    def judged(self) -> bool:
        """Whether the stack could tell anything at all."""
        return any(result.verdict is not Verdict.NOT_JUDGED for result in self.results)

    @property
    def traces(self) -> dict[str, str]:
        """Trace ids by the probe's label."""
        return {probe.label: probe.trace_id for probe in self.run.probes}

    def result(self, label: str, check: str) -> CheckResult:
        """One result. Raises `KeyError` when the check does not apply to that probe."""
        for result in self.results:
            if (result.journey, result.check) == (label, check):
                return result
        raise KeyError(f"{label}[{check}]")

    @cached_property
    def redactor(self) -> Redactor:
        """Takes credentials out of what is shown of this run."""
        return Redactor(probe.secret for probe in self.run.probes)

    def probe_of(self, result: CheckResult) -> Probe:
        """The probe that a result is on."""
        return next(probe for probe in self.run.probes if probe.label == result.journey)

    def capture_of(self, result: CheckResult) -> Capture:
        """What the result's check looked at."""
        return self.run.of(self.probe_of(result))

    def contract_of(self, result: CheckResult) -> Contract:
        """The contract that the result's check looked at, as it holds for the probe's drive."""
        probe = self.probe_of(result)
        return self.contracts[probe.journey].driven(probe.drive)

    def render_one(self, result: CheckResult) -> str:
        """One red result with its tree; credentials are shown as hashes."""
        return self.redactor.text(render_result(result, self.capture_of(result)))

    def render(self) -> str:
        """Everything that is red, with its tree, what is the same for several probes once.

        Then a line per probe.
        """
        lines: list[str] = []
        told: set[tuple[str, tuple[Finding, ...]]] = set()
        for result in self.results:
            key = (result.check, result.findings)
            if result.verdict.red and key not in told and not self.follows(result):
                told.add(key)
                lines.append(self.render_one(result) + "\n")
        lines.extend(self.summary())
        return "\n".join(lines)

    def summary(self) -> list[str]:
        """A line per probe, one of totals, and how the waiting ended where it did not end well."""
        lines = []
        for probe in self.run.probes:
            own = [result for result in self.results if result.journey == probe.label]
            red = [f"{result.check} {result.verdict}" for result in own if result.verdict.red]
            unjudged = [result.check for result in own if result.verdict is Verdict.NOT_JUDGED]
            text = ", ".join(red) or f"{len(own) - len(unjudged)} checks passed"
            if red and not self._captured(probe):
                text = "nothing was captured"
            mark = "✗" if red else "✓"
            if len(unjudged) == len(own):
                mark, text = "–", "nothing was judged"
            if unjudged:
                text += f" (not judged: {', '.join(unjudged)})"
            lines.append(f"{mark} {probe.label}: {text}   trace {probe.trace_id or '(none)'}")
        counts = ", ".join(f"{count} {name}" for name, count in self.seen.items())
        lines.append(f"seen: {counts}")
        lines.extend(f"settling: {waited}" for waited in self.run.waited if not waited.met)
        return lines

    def _captured(self, probe: Probe) -> bool:
        return any(span.trace_id == probe.trace_id for span in self.run.spans)

    def follows(self, result: CheckResult) -> bool:
        """Whether a result only says that there was nothing to judge; `complete` tells why."""
        return not self._captured(self.probe_of(result)) and not CHECKS[result.check].empty_capture


def verify(
    endpoints: Endpoints,
    plans: Sequence[ProbePlan],
    *,
    contracts: Path | Sequence[Contract] | None = None,
    checks: Sequence[str] | None = None,
    deadlines: Deadlines | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Drives the plans, all together, waits until their telemetry has settled, and judges it.

    `contracts` is a folder or a list; by default `e2e/contracts` here or in a folder above. Without a file
    tee the backends' APIs are read. A stack that does not answer is a red report, not an exception;
    `ValueError` is for plans and checks that do not exist. `progress` is told each phase as it ends.
    """
    phases = Phases(progress)
    known = by_journey(contracts)
    for plan in plans:
        if plan.journey not in known:
            raise ValueError(f"no contract for journey {plan.journey!r} (there are: {', '.join(known)})")
    for check in checks or ():
        if check not in CHECKS:
            raise ValueError(f"no check {check!r} (there are: {', '.join(CHECKS)})")
    used = {plan.journey: known[plan.journey] for plan in plans}
    with ExitStack() as opened:
        browser = None
        observer = opened.enter_context(Observer(endpoints, used, deadlines or Deadlines()))
        with phases("baseline", "earlier traffic has come to rest"):
            if any(plan.drive == "browser" for plan in plans):
                browser = opened.enter_context(BrowserDriver())
            observer.baseline()
        with phases("drive", f"{len(plans)} probes"):
            probes = drive_all(endpoints, plans, used, browser)
        with phases("settle", "everything is there and at rest"):
            run = observer.settle(probes)
    with phases("judge", f"{len(checks or CHECKS)} checks"):
        report = judged(run, used, checks)
    return replace(report, seconds=phases.seconds, pages=browser.seen if browser else {})


class Phases:
    """Measures the parts of a run; `seconds` has those that have ended, by name."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def __call__(self, name: str, what: str) -> Iterator[None]:
        """Measures what runs inside, and tells it when it ends, for example `drive: 17 probes, 3.2 s`."""
        started_s = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started_s
        self._progress(f"{name}: {what}, {self.seconds[name]:.1f} s")


def drive_all(
    endpoints: Endpoints,
    plans: Sequence[ProbePlan],
    contracts: Mapping[str, Contract],
    browser: BrowserDriver | None = None,
) -> list[Probe]:
    """Drives all plans, several at a time; the probes come in the order of the plans."""
    with (
        httpx.Client(trust_env=False) as http,
        ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe") as pool,
    ):

        def drive(plan: ProbePlan) -> Probe:
            contract = contracts[plan.journey]
            if plan.drive == "browser":
                if browser is None:
                    raise ValueError(f"{plan.label} needs a browser")
                return browser.drive(contract, endpoints, tenant=plan.tenant, label=plan.label)
            return drive_http(contract, endpoints, http, tenant=plan.tenant, label=plan.label)

        return list(pool.map(drive, plans))


def judged(run: RunCapture, contracts: Mapping[str, Contract], checks: Sequence[str] | None = None) -> Report:
    """The report on a capture, fresh or saved."""
    traces = {probe.trace_id for probe in run.probes}
    linked = {span.trace_id for span in run.spans if any(link.trace_id in traces for link in span.links)}
    spans = [span for span in run.spans if span.trace_id in traces | linked]
    seen = {
        "traces": len({span.trace_id for span in spans}),
        "spans": len(spans),
        "logs": len([log for log in run.stored_logs or run.logs if log.trace_id in traces | linked]),
        "metric series": len(run.metrics_after or ()),
    }
    return Report(run, contracts, judge(run, contracts, checks), seen)


def replay(folder: Path, contracts: Path | Sequence[Contract], checks: Sequence[str] | None = None) -> Report:
    """Judges a kept capture again, without a stack: what it holds of the given contracts' journeys.

    Raises `CaptureError` when the folder holds no capture, or none of these journeys.
    """
    known = by_journey(contracts)
    run = archive.load(folder)
    held = dict.fromkeys(probe.journey for probe in run.probes)
    if known.keys().isdisjoint(held):
        raise archive.CaptureError(
            f"{folder}: holds no probe of {', '.join(known)} (it holds: {', '.join(held)})"
        )
    return rejudged(run, known, checks)


def rejudged(
    run: RunCapture, contracts: Mapping[str, Contract], checks: Sequence[str] | None = None
) -> Report:
    """The report on the probes of a saved capture that there are contracts for.

    Spans of the others stay: they moved the counters too.
    """
    known = tuple(probe for probe in run.probes if probe.journey in contracts)
    return judged(replace(run, probes=known), contracts, checks)


def by_journey(contracts: Path | Sequence[Contract] | None) -> dict[str, Contract]:
    """Contracts by journey. Raises `ValueError` when two are of one journey or no folder is found."""
    if contracts is None or isinstance(contracts, Path):
        contracts = load_contracts(contracts or find_contracts(Path.cwd()))
    known: dict[str, Contract] = {}
    for contract in contracts:
        if contract.journey in known:
            raise ValueError(f"{contract.place('journey')}: {contract.journey} is declared twice")
        known[contract.journey] = contract
    return known


def find_contracts(start: Path) -> Path:
    """`e2e/contracts` in a folder or in one above it. Raises `FileNotFoundError`."""
    for folder in (start, *start.parents):
        if (folder / CONTRACTS_FOLDER).is_dir():
            return folder / CONTRACTS_FOLDER
    raise FileNotFoundError(f"no {CONTRACTS_FOLDER} in {start} or above")
