"""The collector is away under traffic: its senders hold what they have, and nothing is lost or doubled."""

from __future__ import annotations

import time
from collections import Counter

import httpx

from e2e.compose_stack import ComposeStack
from e2e.driving import CONTRACTS
from e2e.running_stack import RunningStack
from tracewright.contracts.capture import Probe
from tracewright.contracts.findings import Verdict
from tracewright.contracts.observe import Observer
from tracewright.contracts.settle import Deadlines
from tracewright.probe import drive_http
from tracewright.verify import by_journey, judged

JOURNEY = "agent-run"
# Left alone, the SDKs give up after 13 s at the latest (Node's).
AWAY_S = 20.0
# What docs/compose.md promises; and a container that is stopped has no address, either.
AWAY_IN_CONTAINERS_S = 60.0
BETWEEN_S = 2.0
# A sender tries again within 5 s; counters follow with the next export.
WAITING = Deadlines(traces_s=90.0, logs_s=90.0, metrics_s=90.0)
# They compare with the counters of a process that began anew, so they cannot be judged.
UNKNOWN = {"no_loss", "red_equals_spans"}


def test_what_comes_while_the_collector_is_away_is_held_and_arrives_once(stack: RunningStack) -> None:
    used = {JOURNEY: by_journey(CONTRACTS)[JOURNEY]}
    away_s = AWAY_IN_CONTAINERS_S if isinstance(stack, ComposeStack) else AWAY_S
    probes: list[Probe] = []
    with Observer(stack.endpoints, used, WAITING) as observer, httpx.Client(trust_env=False) as http:
        observer.baseline()
        stack.stop("otel-collector")
        try:
            back_s = time.monotonic() + away_s
            while time.monotonic() < back_s:
                tenant = ("acme", "globex")[len(probes) % 2]
                label = f"run {len(probes) + 1}"
                probes.append(drive_http(used[JOURNEY], stack.endpoints, http, tenant=tenant, label=label))
                # There is traffic all the time, so that each sender holds a batch and has more behind it.
                time.sleep(BETWEEN_S)
        finally:
            stack.start("otel-collector")
        run = observer.settle(probes)
    report = judged(run, used)

    red = {result.check: result.verdict for result in report.results if result.verdict.red}
    assert red.keys() <= UNKNOWN, report.render()
    assert set(red.values()) <= {Verdict.INCONCLUSIVE}, report.render()
    spans = Counter(span.key for span in run.spans)
    assert [key for key, times in spans.items() if times > 1] == []
    ours = {probe.trace_id for probe in probes}
    assert {key for key in spans if key[0] in ours} <= (run.stored_spans or set())
    sent, stored = (
        Counter((log.trace_id, log.span_id, log.time_ns) for log in logs if log.trace_id in ours)
        for logs in (run.logs, run.stored_logs or ())
    )
    assert sent
    assert sent == stored
