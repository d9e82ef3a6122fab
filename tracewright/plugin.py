"""The pytest plugin: contract files become test items, one per probe and check.

Only translates: options and ini values into a `ContractSession`, its results into items, reports and an
exit code. A project that starts its own stack implements `pytest_tracewright_endpoints` in a conftest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tracewright.browser import BrowserMissing
from tracewright.contracts import archive
from tracewright.contracts.archive import CaptureError
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Verdict
from tracewright.contracts.load import ContractError, load_contract
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.session import ContractSession
from tracewright.verify import ProbePlan, Report, verify

ENDPOINTS_VARIABLE = "TRACEWRIGHT_ENDPOINTS"
DRIVES = {"http": ("http",), "browser": ("browser",), "all": ("http", "browser")}
SESSION = pytest.StashKey[ContractSession]()
DEFAULT_KEEP = Path("test-results") / "captures"


class Hooks:
    """What a conftest may implement."""

    @pytest.hookspec(firstresult=True)
    def pytest_tracewright_endpoints(self, config: pytest.Config) -> Endpoints | None:
        """Where the stack answers; called once, before the first contract is judged."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Makes the hook known."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """All options begin with `--tracewright-`."""
    group = parser.getgroup("tracewright", "trace contracts")
    group.addoption(
        "--tracewright-endpoints",
        metavar="FILE",
        help=f"endpoints.json of a running stack (default: ${ENDPOINTS_VARIABLE})",
    )
    group.addoption(
        "--tracewright-replay", metavar="DIR", help="judge this saved capture again; nothing is driven"
    )
    group.addoption(
        "--tracewright-keep",
        metavar="DIR",
        default=str(DEFAULT_KEEP),
        help="where the capture of a red run is kept (default: %(default)s)",
    )
    group.addoption(
        "--tracewright-drive",
        choices=sorted(DRIVES),
        default="all",
        help="which probes (default: %(default)s)",
    )
    group.addoption(
        "--tracewright-checks", metavar="NAMES", help="only these checks, separated by commas (default: all)"
    )
    group.addoption(
        "--tracewright-quiet-s",
        type=float,
        default=Deadlines().quiet_s,
        help="seconds without change that count as settled; more than the slowest export interval "
        "(default: %(default)s)",
    )
    parser.addini(
        "tracewright_contracts",
        "folders, relative to the root, whose *.yaml files are contracts",
        type="linelist",
        default=["e2e/contracts", "contracts"],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the session; a bad option is a usage error with the valid values."""
    names = config.getoption("--tracewright-checks")
    checks = tuple(CHECKS) if names is None else tuple(name.strip() for name in names.split(","))
    for name in checks:
        if name not in CHECKS:
            raise pytest.UsageError(
                f"--tracewright-checks: no check {name!r} (there are: {', '.join(CHECKS)})"
            )
    replay = config.getoption("--tracewright-replay")
    try:
        config.stash[SESSION] = ContractSession(
            lambda: endpoints_of(config),
            drives=DRIVES[config.getoption("--tracewright-drive")],
            checks=checks,
            deadlines=Deadlines(quiet_s=config.getoption("--tracewright-quiet-s")),
            replay=Path(replay) if replay else None,
        )
    except CaptureError as error:
        raise pytest.UsageError(f"--tracewright-replay: {error}") from error


def endpoints_of(config: pytest.Config) -> Endpoints:
    """The stack's endpoints, from a conftest or a file. Raises `pytest.UsageError`."""
    given = config.hook.pytest_tracewright_endpoints(config=config)
    if isinstance(given, Endpoints):
        return given
    raise pytest.UsageError(
        f"no stack to drive: give --tracewright-endpoints FILE (or ${ENDPOINTS_VARIABLE}), "
        "or implement pytest_tracewright_endpoints in conftest.py"
    )


@pytest.hookimpl(trylast=True)
def pytest_tracewright_endpoints(config: pytest.Config) -> Endpoints | None:
    """The default: the file that the option or the environment names."""
    named = config.getoption("--tracewright-endpoints") or os.environ.get(ENDPOINTS_VARIABLE)
    if not named:
        return None
    try:
        return Endpoints.load(Path(named))
    except (OSError, json.JSONDecodeError, TypeError) as error:
        raise pytest.UsageError(f"--tracewright-endpoints {named}: {error}") from error


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    """YAML files in the contract folders."""
    folders = [parent.config.rootpath / folder for folder in parent.config.getini("tracewright_contracts")]
    if file_path.suffix == ".yaml" and file_path.parent in folders:
        return ContractFile.from_parent(parent, path=file_path)
    return None


class ContractFile(pytest.File):
    """One contract."""

    def collect(self) -> Iterable[pytest.Item]:
        """An item for each probe and check. A contract that does not hold together is a collection error."""
        try:
            contract = load_contract(self.path)
            pairs = self.config.stash[SESSION].add(contract)
        except ContractError as error:
            raise self.CollectError(str(error)) from error
        except ValueError as error:
            raise self.CollectError(str(error)) from error
        for label, check in pairs:
            yield ContractItem.from_parent(self, name=f"{label}[{check}]", label=label, check=check)


class ContractItem(pytest.Item):
    """One check on one probe."""

    def __init__(self, *, label: str, check: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.label = label
        self.check = check

    def runtest(self) -> None:
        """Fails with the rendered findings; skips what the stack has no component for."""
        session = self.config.stash[SESSION]
        try:
            report = session.report()
        except BrowserMissing as error:
            pytest.fail(str(error), pytrace=False)
        result = report.result(self.label, self.check)
        if result.verdict.red:
            raise ContractBroken(report.render_one(result))
        if result.verdict is Verdict.NOT_JUDGED:
            pytest.skip("; ".join(finding.detail for finding in result.findings))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The findings alone: a traceback through the harness says nothing about the telemetry."""
        if isinstance(excinfo.value, ContractBroken | pytest.UsageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The contract's file."""
        return self.path, 0, self.name


class ContractBroken(Exception):
    """A red result, rendered."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line on what was seen; for a red run the capture is kept and the replay command printed."""
    report = config.stash[SESSION].made
    if report is None:
        return
    terminalreporter.section("trace contracts")
    for line in report.summary():
        terminalreporter.write_line(line)
    if not report.ok and not config.getoption("--tracewright-replay"):
        folder = Path(config.getoption("--tracewright-keep"))
        archive.save(report.run, folder)
        terminalreporter.write_line(f"capture kept; judge it again with: --tracewright-replay {folder}")


@pytest.fixture(scope="session")
def tracewright_endpoints(pytestconfig: pytest.Config) -> Endpoints:
    """Where the stack answers."""
    return endpoints_of(pytestconfig)


@pytest.fixture(scope="session")
def telemetry(pytestconfig: pytest.Config) -> Report:
    """The report of the session's run over all collected contracts: captures, traces by label, results."""
    return pytestconfig.stash[SESSION].report()


@pytest.fixture
def probe(pytestconfig: pytest.Config, tracewright_endpoints: Endpoints) -> Callable[..., Report]:
    """Drives one journey of the collected contracts and judges it: `probe("checkout", tenant="acme")`."""

    def drive(journey: str, **plan: Any) -> Report:
        session = pytestconfig.stash[SESSION]
        return verify(
            tracewright_endpoints,
            [ProbePlan(journey, **plan)],
            contracts=session.contracts or None,
            deadlines=session.deadlines,
        )

    return drive
