"""Runs the project's checks: `checks.py [lint] [docker] [unit] [e2e] [e2e-compose] [fmt]`, as they are given.

Steps of one phase run two at a time (the machine that we plan for has two cores), those that keep both cores
busy alone; each writes a log file and, where it has tests, a JUnit file under `test-results/`. Ends with one
line that counts the tests.
Exit code 1 when a step failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape

from tracewright.endpoints import Endpoints
from tracewright.stack.units import BUN as BUN_TEMPLATE
from tracewright.stack.units import INSTALL_FRONTEND

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "test-results"
TRACEWRIGHT = ROOT / ".venv/bin/tracewright"
TOOLS = ROOT / ".tracewright/tools"
GO_TOOLS = TOOLS / "go"
BUN = BUN_TEMPLATE.format(tools=TOOLS)
COLLECTOR = ROOT / ".tracewright/build/bin/collector"
# The flags of tracewright/stack/units.py, to share its cache.
GO_BUILD = "CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -gcflags=all=-dwarf=false"
PROMTOOL = "-tags remove_all_sd,enable_dns_sd github.com/prometheus/prometheus/cmd/promtool"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
AMTOOL = "github.com/prometheus/alertmanager/cmd/amtool"
AT_ONCE = 2
# A step that ends so has said why the rest of its phase cannot run here (EX_TEMPFAIL of sysexits.h).
SKIP_REST = 75
TAIL_LINES = 60

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Step:
    """One shell line, run by bash from `cwd`.

    `junit`: the step writes `test-results/<junit>`. `cargo`: what it prints is cargo's, and is turned into
    that file. `live`: its output is shown while it runs. `alone`: it runs after the others, in several
    processes. `database`: it gets a real PostgreSQL, named by `DATABASE_URL`.
    """

    name: str
    command: str
    cwd: str = "."
    junit: str | None = None
    cargo: bool = False
    live: bool = False
    alone: bool = False
    database: bool = False
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """Tests of one JUnit file; `failures` says which failed, a line each."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.failures + other.failures,
        )


def junit_path(name: str) -> str:
    """The absolute path of one JUnit file, quoted for the shell."""
    return shlex.quote(str(RESULTS / name))


PHASES: dict[str, list[Step]] = {
    "lint": [
        Step("rust: clippy", "cargo clippy --workspace --all-targets --locked -- -D warnings"),
        Step(
            "prometheus: configuration and rules",
            f"(cd prometheus && {GO_BUILD} -o {GO_TOOLS}/promtool {PROMTOOL})"
            f" && {GO_TOOLS}/promtool check config --lint=none prometheus/prometheus.yml"
            f" && {GO_TOOLS}/promtool check rules prometheus/rules/*.yml"
            f" && {GO_TOOLS}/promtool test rules prometheus/tests/*.yml",
        ),
        Step("python: types", ".venv/bin/mypy tracewright grafana e2e loadtests .ci/checks.py"),
        Step(
            "python: types of the service",
            "../../.venv/bin/mypy python_service tests",
            cwd="services/python-service",
        ),
        Step(
            "alertmanager: configuration",
            f"(cd alertmanager && {GO_BUILD} -o {GO_TOOLS}/amtool {AMTOOL})"
            f" && {GO_TOOLS}/amtool check-config alertmanager/alertmanager.yml",
        ),
        Step(
            "collector: configuration",
            f"{TRACEWRIGHT} build collector && {COLLECTOR} validate --config collector/config.yaml"
            f" && {COLLECTOR} validate --config collector/config.yaml --config collector/tee.yaml"
            f" && {COLLECTOR} validate --config collector/config.yaml"
            f" --config tracewright/containers/overlay.yaml"
            f" && {COLLECTOR} validate --config collector/config.yaml --config collector/sampling-config.yaml"
            f" --config collector/tee.yaml",
            env={"COLLECTOR_TEE_DIR": "/tmp", "COLLECTOR_DATA_DIR": "/tmp"},  # noqa: S108 (nothing is written)
        ),
        Step("go: format, vet, and a context in each log call", "./lint.sh", cwd="services/go-service"),
        Step(
            "typescript: biome and types",
            f"{BUN} run lint && {BUN} run types",
            cwd="frontend",
        ),
        Step("python: lint and format", ".venv/bin/ruff check . && .venv/bin/ruff format --check ."),
        Step("rust: format", "cargo fmt --all --check"),
        Step(
            "go: format",
            'unformatted=$(gofmt -l collector compose); echo "$unformatted"; [ -z "$unformatted" ]',
        ),
        Step("dockerfiles", "git ls-files '*Dockerfile' | xargs .venv/bin/hadolint"),
        Step(
            "github workflows",
            f"go run {ACTIONLINT} && .venv/bin/zizmor --offline --quiet .github/workflows",
        ),
        Step("yaml", "git ls-files '*.yml' '*.yaml' | xargs .venv/bin/yamllint --strict"),
    ],
    "unit": [
        Step(
            "rust",
            "cargo test --workspace --locked --no-fail-fast",
            junit="rust.xml",
            cargo=True,
            database=True,
        ),
        Step(
            "python",
            # Half of their time these tests wait for processes of their own.
            f".venv/bin/python -m pytest -n 2 --dist=loadfile --junitxml={junit_path('python.xml')}",
            junit="python.xml",
            alone=True,
        ),
        # One package at a time: NOTIFY reaches all who listen in a database, whatever their schema.
        Step(
            "go",
            f"go tool -modfile=tools/go.mod gotestsum --junitfile {junit_path('go.xml')} -- -race -p 1 ./...",
            cwd="services/go-service",
            junit="go.xml",
            database=True,
        ),
        Step(
            "go: compose/usher",
            "go vet ./... && go tool -modfile=../../services/go-service/tools/go.mod gotestsum"
            f" --junitfile {junit_path('go-usher.xml')} -- ./...",
            cwd="compose/usher",
            junit="go-usher.xml",
        ),
        Step(
            "typescript",
            f"{BUN} test src --reporter=junit --reporter-outfile={junit_path('typescript.xml')}",
            cwd="frontend",
            junit="typescript.xml",
        ),
        Step(
            "typescript: the built server",
            f"{TRACEWRIGHT} build frontend"
            f" && {BUN} test tests --reporter=junit --reporter-outfile={junit_path('typescript-server.xml')}",
            cwd="frontend",
            junit="typescript-server.xml",
        ),
    ],
    "e2e": [
        Step("build", f"{TRACEWRIGHT} build", live=True),
        # On two stacks side by side: mostly it waits (e2e/side_by_side.py).
        Step(
            "e2e",
            f".venv/bin/python -m pytest e2e -n 2 --junitxml={junit_path('e2e.xml')}",
            junit="e2e.xml",
            live=True,
        ),
    ],
    # Before the browsers: a container that comes or goes for an image changes the network of open pages.
    "docker": [Step("docker", ".ci/containers docker", live=True)],
    # The same suite on docker-compose.yml; skipped without Docker. After $COMPOSE_END_BY no test begins.
    "e2e-compose": [
        Step("docker and images", ".ci/containers", live=True),
        Step(
            "e2e in containers",
            # Where `docker compose up` runs already, that one stack is judged.
            "[ -n \"$(docker compose ps --quiet)\" ] || two='-n 2'"
            "; E2E_END_BY=${COMPOSE_END_BY:-} .venv/bin/python -m pytest e2e --stack=compose ${two:-}"
            f" --junitxml={junit_path('e2e-compose.xml')}",
            junit="e2e-compose.xml",
            live=True,
        ),
    ],
    "fmt": [
        Step("python", ".venv/bin/ruff check --fix-only --quiet . ; .venv/bin/ruff format ."),
        Step("rust", "cargo fmt --all"),
        Step("go", "gofmt -w services collector compose"),
        Step("typescript", f"{BUN} run fmt", cwd="frontend"),
    ],
}


def run(phase: str, step: Step) -> int:
    """Runs one step and prints how it went, of a failed one the end of its log. Returns its exit code."""
    log = RESULTS / f"{phase}-{re.sub(r'[^a-z0-9]+', '-', step.name)}.log"
    started = time.monotonic()
    with log.open("w+", encoding="utf-8") as output:
        child = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", step.command],
            cwd=ROOT / step.cwd,
            env={**os.environ, **step.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if step.live else output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in child.stdout or ():
            output.write(line)
            sys.stdout.write(line)
            sys.stdout.flush()
        exit_code = child.wait()
        output.seek(0)
        text = output.read()
    if step.cargo and step.junit:
        write_cargo_junit(text, RESULTS / step.junit)
    seconds = time.monotonic() - started
    label = f"{phase} · {step.name}"
    if exit_code == 0:
        console.print(f"[green]ok    [/] {label}  [dim]{seconds:.0f} s[/]")
        return exit_code
    if step.live and exit_code == SKIP_REST:
        console.print(f"[yellow]skip  [/] {label}")
        return exit_code
    console.print(
        f"[red]failed[/] {label}  {seconds:.0f} s, exit code {exit_code}; all of it: {log.relative_to(ROOT)}"
    )
    if not step.live:
        for line in text.splitlines()[-TAIL_LINES:]:
            console.print(f"       {line}", markup=False)
    return exit_code


def write_cargo_junit(text: str, path: Path) -> None:
    """Makes a JUnit file of what `cargo test` prints: a suite a program, a case a line `test NAME ... ok`."""
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", name="cargo")
    for line in text.splitlines():
        if started := re.match(r"\s+(?:Running|Doc-tests) (.+)", line):
            suite = ElementTree.SubElement(suites, "testsuite", name=started[1])
        elif result := re.match(r"test (.+) \.\.\. (ok|FAILED|ignored)(?:, (.*))?$", line):
            case = ElementTree.SubElement(suite, "testcase", classname=suite.get("name", ""), name=result[1])
            if result[2] == "FAILED":
                ElementTree.SubElement(case, "failure", message="see the log file of this step")
            elif result[2] == "ignored":
                ElementTree.SubElement(case, "skipped", message=result[3] or "")
    ElementTree.ElementTree(suites).write(path, encoding="unicode")


def count(path: Path) -> Counts:
    """Counts the cases of one JUnit file; a file that a crashed step never wrote counts as one failure."""
    if not path.exists():
        return Counts(failed=1, failures=(f"{path.name} was not written: the step ended before",))
    total = Counts()
    for case in ElementTree.parse(path).iter("testcase"):  # noqa: S314 (our own file)
        broken = next((child for child in case if child.tag in {"failure", "error"}), None)
        if broken is not None:
            total += Counts(failed=1, failures=(named(case, broken),))
        elif case.find("skipped") is not None:
            total += Counts(skipped=1)
        else:
            total += Counts(passed=1)
    return total


def named(case: ElementTree.Element, broken: ElementTree.Element) -> str:
    """One failed test with the first line of what it says."""
    where = " ".join(filter(None, (case.get("classname"), case.get("name"))))
    said = (broken.get("message") or broken.text or "").strip().splitlines()
    return f"{where}: {said[0]}" if said else where


@contextmanager
def database(wanted: bool) -> Iterator[dict[str, str]]:
    """A PostgreSQL of its own on a free port, as the environment that names it; it is gone afterwards."""
    if not wanted:
        yield {}
        return
    stack = ["--name", "unit"]
    try:
        subprocess.run([TRACEWRIGHT, "up", "postgres", "--free-ports", "--no-verify", *stack], check=True)
        url = Endpoints.load(ROOT / ".tracewright/stacks/unit/endpoints.json").database_url
        assert url is not None, "the stack has no database"
        yield {"DATABASE_URL": url}
    finally:
        subprocess.run([TRACEWRIGHT, "down", "--volumes", *stack], check=True)


def install_frontend() -> None:
    """Gets bun, and what `frontend/bun.lock` names: no step but a build would."""
    for command in INSTALL_FRONTEND:
        subprocess.run(
            [part.format(tools=TOOLS) for part in command],
            cwd=ROOT / "frontend",
            stdout=subprocess.DEVNULL,
            check=True,
        )


def run_phase(phase: str) -> list[Step]:
    """Runs the steps of one phase, those that are shown live one after the other. Returns what failed."""
    with database(any(step.database for step in PHASES[phase])) as env:
        return run_steps(
            phase,
            [replace(step, env={**env, **step.env}) if step.database else step for step in PHASES[phase]],
        )


def run_steps(phase: str, steps: Sequence[Step]) -> list[Step]:
    """Runs steps, two at a time unless some are shown live or want to be alone. Returns what failed."""
    console.print(f"[bold]{phase}[/]: {', '.join(step.name for step in steps)}")
    if any(step.live for step in steps):
        for step in steps:
            if exit_code := run(phase, step):
                return [] if exit_code == SKIP_REST else [step]
        return []
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        running = {pool.submit(run, phase, step): step for step in steps if not step.alone}
        failed = [running[done] for done in as_completed(running) if done.result()]
    return [*failed, *(step for step in steps if step.alone and run(phase, step))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the phases; a failed lint does not keep the tests from running, so one run tells everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("phases", nargs="+", choices=sorted(PHASES), metavar="|".join(PHASES))
    phases: list[str] = parser.parse_args(arguments).phases
    RESULTS.mkdir(exist_ok=True)
    GO_TOOLS.mkdir(parents=True, exist_ok=True)
    wanted = [step.junit for phase in phases for step in PHASES[phase] if step.junit]
    for name in wanted:
        (RESULTS / name).unlink(missing_ok=True)
    started = time.monotonic()
    if any(BUN in step.command for phase in phases for step in PHASES[phase]):
        install_frontend()
    failed = [f"{phase} · {step.name}" for phase in phases for step in run_phase(phase)]
    total = sum((count(RESULTS / name) for name in wanted), Counts())
    console.print(
        f"{' '.join(phases)}: {time.monotonic() - started:.0f} s, results in {RESULTS.relative_to(ROOT)}/"
    )
    if failed:
        console.print(f"[red]failed:[/] {', '.join(failed)}")
    # At the very end, where it is read first and cut off last.
    for failure in total.failures:
        console.print("[red]failed:[/]", escape(failure))
    if wanted:
        print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    if shutil.which("bash") is None:
        sys.exit("checks.py: bash is missing")
    sys.exit(main())
