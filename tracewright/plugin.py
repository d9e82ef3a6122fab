"""The pytest plugin: contract files become test items, one per probe and check.

Only translates: options and ini values into a `ContractSession`, its results into items, reports and an
exit code. A project that starts its own stack implements `pytest_tracewright_endpoints` in a conftest.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tracewright.addressing import addressed, receiving
from tracewright.browser import BrowserMissing
from tracewright.containers.fixture import tracewright_containers
from tracewright.contracts.archive import CaptureError
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Verdict
from tracewright.contracts.load import ContractError, load_contract
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.report import Links, github_annotations, keep, write_page
from tracewright.session import ContractSession
from tracewright.verify import ProbePlan, Report, verify

ENDPOINTS_VARIABLE = "TRACEWRIGHT_ENDPOINTS"
DRIVES = {"http": ("http",), "browser": ("browser",), "all": ("http", "browser")}
ANNOTATIONS = ("always", "auto", "never")
# Each is an option and an ini value: where the telemetry is, in place of an endpoints file.
ADDRESSES = (
    ("target", "URL", "where the contracts' requests are sent"),
    ("tempo", "URL", "where Tempo's API answers"),
    ("quickwit", "URL", "where Quickwit's API answers"),
    ("index", "NAME", "Quickwit's index with the logs"),
    ("prometheus", "URL", "where Prometheus' API answers"),
    ("collector", "URL", "where the collector shows its own metrics"),
    ("otlp", "[HOST:]PORT", "receive OTLP over HTTP here; no backend is needed then"),
    ("otlp-grpc", "[HOST:]PORT", "the same over gRPC"),
)
SESSION = pytest.StashKey[ContractSession]()
# A fixture is found where the plugin names it.
__all__ = ["tracewright_containers"]
SHARED = pytest.StashKey[Path]()
WORKER_INPUT = "tracewright"
RECEIVED = pytest.StashKey[Path]()
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
    for name, metavar, text in ADDRESSES:
        group.addoption(f"--tracewright-{name}", metavar=metavar, help=text)
        parser.addini(f"tracewright_{name.replace('-', '_')}", text, default=None)
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
        "--tracewright-report", metavar="DIR", help="write the run's HTML page there, as index.html"
    )
    group.addoption(
        "--tracewright-annotations",
        choices=sorted(ANNOTATIONS),
        default="auto",
        help="findings as GitHub annotations at the contract's line; auto: where GITHUB_ACTIONS is set "
        "(default: %(default)s)",
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
            shared=shared_folder(config),
            progress=lambda text: tell(config, text),
        )
    except CaptureError as error:
        raise pytest.UsageError(f"--tracewright-replay: {error}") from error
    if WORKER_INPUT not in getattr(config, "workerinput", {}):
        receive(config)


def shared_folder(config: pytest.Config) -> Path | None:
    """Under xdist, a folder that all of its processes see; the controller makes and removes it."""
    given = getattr(config, "workerinput", {}).get(WORKER_INPUT)
    if given:
        if given["received"]:
            config.stash[RECEIVED] = Path(given["received"])
        return Path(given["shared"])
    if getattr(config.option, "dist", "no") == "no":
        return None
    made = tempfile.TemporaryDirectory(prefix="tracewright-xdist-")
    config.add_cleanup(made.cleanup)
    config.stash[SHARED] = Path(made.name)
    return config.stash[SHARED]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of xdist where the run is shared, and where the controller receives OTLP."""
    received = node.config.stash.get(RECEIVED, None)
    node.workerinput[WORKER_INPUT] = {
        "shared": str(node.config.stash[SHARED]),
        "received": str(received) if received else "",
    }


def receive(config: pytest.Config) -> None:
    """Receives OTLP until the end of the session, where an address is given for it."""
    http, grpc = address(config, "otlp"), address(config, "otlp-grpc")
    if config.getoption("--tracewright-replay") or not (http or grpc):
        return
    opened = ExitStack()
    try:
        folder = opened.enter_context(receiving(http, grpc))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--tracewright-otlp: {error}") from error
    if folder is not None:
        config.stash[RECEIVED] = folder
    config.add_cleanup(opened.close)


def tell(config: pytest.Config, text: str) -> None:
    """A line on the terminal, while the run goes on: of its phases, or of what was kept."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(config, "workerinput"):
        # A process of xdist has no terminal, but the error stream of the one that has it.
        capture = config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            print(f"trace contracts: {text}", file=sys.stderr)
    elif isinstance(reporter, pytest.TerminalReporter):
        reporter.ensure_newline()
        reporter.write_line(f"trace contracts: {text}")


def endpoints_of(config: pytest.Config) -> Endpoints:
    """The stack's endpoints, from a conftest or a file. Raises `pytest.UsageError`."""
    given = config.hook.pytest_tracewright_endpoints(config=config)
    if isinstance(given, Endpoints):
        return given
    raise pytest.UsageError(
        f"no stack to drive: give --tracewright-endpoints FILE (or ${ENDPOINTS_VARIABLE}), "
        "give --tracewright-target URL and where its telemetry is, "
        "or implement pytest_tracewright_endpoints in conftest.py"
    )


@pytest.hookimpl(trylast=True)
def pytest_tracewright_endpoints(config: pytest.Config) -> Endpoints | None:
    """The default: the file that the option or the environment names, and the addresses that are given."""
    named = config.getoption("--tracewright-endpoints") or os.environ.get(ENDPOINTS_VARIABLE)
    given = {name: address(config, name) for name, _, _ in ADDRESSES}
    if not named and not given["target"]:
        return None
    try:
        stack = addressed(
            Endpoints.load(Path(named)) if named else Endpoints(),
            targets=[given["target"]] if given["target"] else [],
            tempo=given["tempo"],
            quickwit=given["quickwit"],
            index=given["index"],
            prometheus=given["prometheus"],
            collector=given["collector"],
        )
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--tracewright-…: {error}") from error
    folder = config.stash.get(RECEIVED, None)
    return replace(stack, tee_dir=str(folder)) if folder else stack


def address(config: pytest.Config, name: str) -> str | None:
    """What an option says, or else the ini value of its name."""
    given: str | None = config.getoption(f"--tracewright-{name}")
    return given or config.getini(f"tracewright_{name.replace('-', '_')}") or None


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
        links = report_links(self.config).to(result.trace_id)
        self.user_properties.append(("trace_id", result.trace_id))
        self.user_properties.extend((f"open in {name}", url) for name, url in links.items())
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


def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    """A run in which no contract could be judged is no success, though nothing failed."""
    contracts = session.config.stash[SESSION]
    if SHARED in session.config.stash:
        contracts.adopt()
    report = contracts.made
    if report is not None and not report.judged and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A line per probe; the page is written; of a red run the capture is kept, the findings annotated."""
    report = config.stash[SESSION].made
    if report is None:
        return
    terminalreporter.section("trace contracts")
    for line in report.summary():
        terminalreporter.write_line(line)
    replay = replay_command(config)
    if not report.judged:
        terminalreporter.write_line(
            "nothing could be judged: give more of what shows the telemetry", red=True
        )
    elif not report.ok:
        if not config.getoption("--tracewright-replay"):
            for path in keep(report, Path(config.getoption("--tracewright-keep"))):
                terminalreporter.write_line(f"kept: {path}")
        terminalreporter.write_line(f"capture kept; judge it again with: {replay}")
        if annotated(config):
            for command in github_annotations(report, config.rootpath):
                terminalreporter.write_line(command)
    folder = config.getoption("--tracewright-report")
    if folder:
        page = write_page(
            report,
            Path(folder),
            links=report_links(config),
            replay="" if report.ok or not report.judged else replay,
        )
        terminalreporter.write_line(f"report: {page}")


def replay_command(config: pytest.Config) -> str:
    """What judges the kept capture again."""
    folders = [
        folder for folder in config.getini("tracewright_contracts") if (config.rootpath / folder).is_dir()
    ]
    kept = config.getoption("--tracewright-replay") or config.getoption("--tracewright-keep")
    return shlex.join(["pytest", *folders, "--tracewright-replay", kept])


def report_links(config: pytest.Config) -> Links:
    """Links into the stack that was driven; in a replay only into one that the options name."""
    replayed = config.getoption("--tracewright-replay") and not config.getoption("--tracewright-endpoints")
    return Links() if replayed else Links.of(endpoints_of(config))


def annotated(config: pytest.Config) -> bool:
    """Whether findings become workflow commands."""
    wanted = config.getoption("--tracewright-annotations")
    return wanted == "always" or (wanted == "auto" and os.environ.get("GITHUB_ACTIONS") == "true")


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
