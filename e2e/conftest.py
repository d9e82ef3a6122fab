"""The suite's stack: private and on free ports, unless `--tracewright-endpoints` names a running one.

`--stack` says which kind: native processes, or containers. It starts at the first question and stops at the
end of the session. Tests that break it mend it again. With `-n 2` there are two (side_by_side.py).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from e2e import closing_time, compose_stack, evidence, native_stack, side_by_side
from e2e.compose_stack import ComposeStack
from e2e.native_stack import NativeStack
from e2e.running_stack import STARTING, RunningStack
from tracewright.endpoints import Endpoints
from tracewright.plugin import ContractItem

STACK = pytest.StashKey[NativeStack | ComposeStack]()
STACK_NAME = "e2e"
KINDS: dict[str, type[NativeStack] | type[ComposeStack]] = {"native": NativeStack, "compose": ComposeStack}
REPORT = "test-results/report"


def pytest_configure(config: pytest.Config) -> None:
    """The page of the run is written, and evidence of failures is kept, without being asked for."""
    config.pluginmanager.register(evidence, "tracewright-evidence")
    config.pluginmanager.register(closing_time, "tracewright-closing-time")
    config.option.tracewright_report = config.option.tracewright_report or REPORT
    if shares_out(config) and config.getoption("--tracewright-endpoints"):
        raise pytest.UsageError("-n: several processes need a stack each; this one is a single one")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack", choices=sorted(KINDS), default="native", help="native processes, or docker-compose.yml"
    )


def is_native(config: pytest.Config) -> bool:
    return bool(config.getoption("--stack") == "native")


def shares_out(config: pytest.Config) -> bool:
    """Whether this is the process of xdist that runs no test itself."""
    return bool(getattr(config.option, "dist", "no") != "no")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> side_by_side.Pieces:
    return side_by_side.Pieces(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        side_by_side.longest_first(items)


def stack_name(config: pytest.Config) -> str:
    worker = getattr(config, "workerinput", {}).get("workerid")
    return f"{STACK_NAME}-{worker}" if worker else STACK_NAME


def own_stack(config: pytest.Config) -> NativeStack | ComposeStack | None:
    """The suite's own stack, started at the first call; `None` where a running one was named."""
    if config.getoption("--tracewright-endpoints"):
        return None
    if STACK not in config.stash:
        new = KINDS[config.getoption("--stack")](stack_name(config))
        if isinstance(new, ComposeStack) and not new.is_own and stack_name(config) != STACK_NAME:
            # Each time it is asked for: two processes on one stack would judge each other's requests.
            raise pytest.UsageError(
                "-n: several processes need a stack each, and `docker compose up` is running one"
            )
        running = new.__enter__()
        config.stash[STACK] = running
        if isinstance(running, NativeStack):
            config.stash[evidence.LOGS] = running.logs
    return config.stash[STACK]


def pytest_tracewright_endpoints(config: pytest.Config) -> Endpoints | None:
    if shares_out(config):
        return Endpoints()  # the stacks belong to the others, and are gone when the run's page is written
    stack = own_stack(config)
    return stack.endpoints if stack else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Contracts have latency budgets: no other process starts a stack while they are driven."""
    with STARTING if isinstance(item, ContractItem) else nullcontext():
        return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Not later: xdist gives a process that has told its end few seconds more."""
    if STACK in session.config.stash:
        session.config.stash[STACK].__exit__(None, None, None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops the stacks of xdist's processes that were interrupted, or died."""
    if shares_out(config):
        kind = native_stack if is_native(config) else compose_stack
        kind.stop_left(f"{STACK_NAME}-*")


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> RunningStack:
    """A stack that may be broken. Each test leaves it as it found it."""
    running = own_stack(pytestconfig)
    if running is None or (isinstance(running, ComposeStack) and not running.is_own):
        pytest.skip("a stack that somebody else started is not broken on purpose")
    return running


@pytest.fixture(scope="session")
def containers(stack: RunningStack) -> ComposeStack:
    """The stack, where it is one of containers."""
    if not isinstance(stack, ComposeStack):
        pytest.skip("asks how containers behave: --stack=compose")
    return stack


@pytest.fixture(scope="session")
def endpoints(tracewright_endpoints: Endpoints) -> Endpoints:
    return tracewright_endpoints


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30.0, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def contracts_folder() -> Path:
    return Path(__file__).parent / "contracts"
