"""How long the harness takes: `make bench-harness`, or `python -m e2e.bench_harness --runs 5`.

Three tables. The replay of a capture of 500 spans, as a command of its own, from its start to its end; from a
request to its verdict, for each journey alone and for all together, by phase; each check on all probes of one
run. Every figure is of several runs, one after the other: the least, the median and the most.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from e2e.driving import CONTRACTS
from e2e.native_stack import named_or_own
from tracewright.contracts import archive
from tracewright.contracts.capture import Probe, RunCapture
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.judge import judge
from tracewright.contracts.load import load_contracts
from tracewright.contracts.model import Contract
from tracewright.contracts.settle import Waited
from tracewright.endpoints import Endpoints
from tracewright.signals import AttributeValue, LogRecord, Resource, Span, SpanKind
from tracewright.verify import ProbePlan, Report, verify

STACK_NAME = "bench-harness"
SPANS = 500
STEP_NS = 1_000_000
BEGIN_NS = 1_800_000_000_000_000_000
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PROBE_SPAN_ID = "b7ad6b7169203331"
IDENTITY = {
    "service.namespace": "bench",
    "service.version": "1",
    "service.instance.id": "one",
    "deployment.environment.name": "bench",
}
ANSWERED: dict[str, AttributeValue] = {
    "http.request.method": "GET",
    "http.response.status_code": 200,
    "server.address": "127.0.0.1",
    "server.port": 80,
    "test.id": "test-1",
}
LARGE = """
journey: large
http: {path: /large}
spans:
  shop: {service: shop, name: GET /large, kind: server, logs: true}
  call: {service: shop, name: GET /item, kind: client, parent: shop, count: "1.."}
  item: {service: stock, name: GET /item, kind: server, parent: call, count: "1..", logs: true}
  price: {service: stock, name: GET /price, kind: client, parent: item, count: "1.."}
"""


def main() -> int:
    """Measures, and prints the tables. 1 when a run is red: figures of such a run say nothing."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench_harness", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--endpoints", type=Path, help="a running stack; without it a stack of its own is started"
    )
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="tracewright-bench-") as folder:
        replayed, unreplayed = replays(Path(folder), options.runs)
    console.print(shown("replay of 500 spans, seconds", "of which", replayed))
    contracts = load_contracts(CONTRACTS)
    with named_or_own(options.endpoints, STACK_NAME) as endpoints:
        phases, reports = journeys(endpoints, contracts, options.runs)
    console.print(shown("from request to verdict, seconds", "journey", phases))
    checks = each_check(reports[-1].run, contracts, options.runs)
    console.print(shown(f"a check on {len(reports[-1].run.probes)} probes, milliseconds", "check", checks))
    red = [report for report in reports if not report.ok]
    for report in red:
        console.print(report.render(), markup=False)
    return 1 if red or unreplayed else 0


def replays(folder: Path, runs: int) -> tuple[dict[str, list[float]], bool]:
    """The command with everything, Python's own start included; whether one failed."""
    (folder / "large.yaml").write_text(LARGE, encoding="utf-8")
    archive.save(large(SPANS), folder / "capture")
    command = [sys.executable, "-m", "tracewright", "verify", "large.yaml", "--replay", "capture"]
    failed = False

    def replayed() -> None:
        nonlocal failed
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            failed = True
            print(done.stdout, done.stderr, sep="\n")

    return {
        "the command, as typed": timed(replayed, runs),
        "reading the capture": timed(lambda: archive.load(folder / "capture"), runs),
        "Python alone": timed(lambda: subprocess.run([sys.executable, "-c", ""], check=True), runs),
    }, failed


def journeys(
    endpoints: Endpoints, contracts: Sequence[Contract], runs: int
) -> tuple[dict[str, list[float]], list[Report]]:
    """Seconds of each journey alone, then of all together with their phases; the reports on the latter."""
    plans = [ProbePlan(contract.journey, drive=drive) for contract in contracts for drive in contract.drives]
    seconds: dict[str, list[float]] = {}
    for plan in plans:
        seconds[plan.label] = [
            sum(verify(endpoints, [plan], contracts=contracts).seconds.values()) for _ in range(runs)
        ]
        # Minutes pass until the table.
        print(f"{plan.label}: {runs} runs, {sum(seconds[plan.label]):.0f} s", file=sys.stderr, flush=True)
    together = [verify(endpoints, plans, contracts=contracts) for _ in range(runs)]
    seconds[f"all {len(plans)} together"] = [sum(report.seconds.values()) for report in together]
    for phase in together[0].seconds:
        seconds[f"  {phase}"] = [report.seconds[phase] for report in together]
    return seconds, together


def each_check(run: RunCapture, contracts: Sequence[Contract], runs: int) -> dict[str, list[float]]:
    """Milliseconds of each check on all probes, the slowest first."""
    known = {contract.journey: contract for contract in contracts}

    def once(check: str) -> Callable[[], object]:
        return lambda: judge(run, known, [check])

    milliseconds = {check: [took * 1e3 for took in timed(once(check), runs)] for check in CHECKS}
    return dict(sorted(milliseconds.items(), key=lambda item: -statistics.median(item[1])))


def timed(work: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run."""
    taken = []
    for _ in range(runs):
        started_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started_s)
    return taken


def shown(title: str, what: str, rows: dict[str, list[float]]) -> Table:
    """Least, median and most of each row."""
    table = Table(title=title, title_justify="left")
    table.add_column(what)
    for heading in ("runs", "min", "median", "max"):
        table.add_column(heading, justify="right")
    for name, taken in rows.items():
        figures = (min(taken), statistics.median(taken), max(taken))
        table.add_row(name, str(len(taken)), *(f"{figure:.2f}" for figure in figures))
    return table


def large(spans: int) -> RunCapture:
    """A whole capture of one request with about that many spans, one log record for each server span."""
    shop, stock = (Resource({**IDENTITY, "service.name": name}) for name in ("shop", "stock"))
    items = (spans - 1) // 3
    end_ns = BEGIN_NS + (items + 1) * 10 * STEP_NS
    front = span(1, PROBE_SPAN_ID, "GET /large", SpanKind.SERVER, shop, BEGIN_NS, end_ns)
    made = [front]
    for number in range(items):
        begin_ns = BEGIN_NS + (number * 10 + 1) * STEP_NS
        number_of_first = 2 + number * 3
        shapes = (
            ("GET /item", SpanKind.CLIENT, shop),
            ("GET /item", SpanKind.SERVER, stock),
            ("GET /price", SpanKind.CLIENT, stock),
        )
        above = front.span_id
        for depth, (name, kind, resource) in enumerate(shapes):
            margin_ns = depth * STEP_NS
            below = span(
                number_of_first + depth,
                above,
                name,
                kind,
                resource,
                begin_ns + margin_ns,
                begin_ns + 8 * STEP_NS - margin_ns,
            )
            made.append(below)
            above = below.span_id
    logs = tuple(logged(made))
    probe = Probe(
        "large", "http", TRACE_ID, PROBE_SPAN_ID, "test-1", "acme", BEGIN_NS, end_ns, 200, label="large"
    )
    return replace(
        RunCapture((probe,), tuple(made), logs, waited=(Waited("made", True, 0.0, 1, 0.0),)),
        stored_spans=frozenset(one.key for one in made),
        stored_logs=logs,
    )


def span(
    number: int, above: str, name: str, kind: SpanKind, resource: Resource, begin_ns: int, end_ns: int
) -> Span:
    """One span of the made trace."""
    path = name.removeprefix("GET ")
    told: dict[str, AttributeValue] = (
        {"http.route": path, "url.path": path, "url.scheme": "http"}
        if kind is SpanKind.SERVER
        else {"url.full": f"http://127.0.0.1{path}"}
    )
    return Span(
        TRACE_ID,
        f"{number:016x}",
        above,
        name,
        kind,
        begin_ns,
        end_ns,
        attributes={**ANSWERED, **told},
        resource=resource,
    )


def logged(spans: Iterable[Span]) -> Iterable[LogRecord]:
    """A record in the middle of each server span."""
    for one in spans:
        if one.kind is SpanKind.SERVER:
            middle_ns = (one.start_ns + one.end_ns) // 2 + 1
            yield LogRecord(middle_ns, "served", one.trace_id, one.span_id, "INFO", 9, resource=one.resource)


if __name__ == "__main__":
    sys.exit(main())
