"""A stack that keeps a tenth of the traces: whole ones or none, every error, every slow one, and all counted.

The traces are made here and sent as two services would, each its half, the end of the story second. So the
decision has to hold for what came before it and for what comes after.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from e2e.native_stack import NativeStack
from tracewright.contracts.capture import Probe, RunCapture
from tracewright.contracts.findings import Verdict
from tracewright.contracts.judge import judge
from tracewright.contracts.load import parse_contract
from tracewright.contracts.observe import Observer
from tracewright.contracts.settle import Deadlines, until
from tracewright.endpoints import Endpoints
from tracewright.signals import Resource, Span, SpanKind, StatusCode, otlp
from tracewright.signals.prometheus import Prometheus

PERCENT = 10
SLOW_MS = 500
# So many that "none of them was kept" has a chance of one in a thousand million.
ORDINARY = 200
FAILED = 20
SLOW = 20
MS = 1_000_000
CONTRACT = parse_contract(
    """
journey: order
http: {method: POST, path: /orders}
spans:
  shop: {service: shop, name: POST /orders, kind: server}
  call: {service: shop, name: POST, kind: client, parent: shop}
  pay: {service: payments, name: POST /charge, kind: server, parent: call}
""",
    Path("order.yaml"),
)


@pytest.fixture(scope="module")
def sampled(pytestconfig: pytest.Config) -> Iterator[Endpoints]:
    """A collector with what it needs, and no fleet."""
    if pytestconfig.getoption("--stack") != "native":
        pytest.skip("starts a native stack of its own; Compose gives its collector the same overlay")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SAMPLING_PERCENT", str(PERCENT))
        environment.setenv("SAMPLING_SLOW_MS", str(SLOW_MS))
        with NativeStack("sampled", ("otel-collector",)) as stack:
            yield stack.endpoints


@pytest.fixture(scope="module")
def run(sampled: Endpoints) -> RunCapture:
    """All traces sent, the first halves first, and what became of them."""
    kinds = ["ordinary"] * ORDINARY + ["failed"] * FAILED + ["slow"] * SLOW
    with (
        httpx.Client(trust_env=False) as http,
        Observer(sampled, {CONTRACT.journey: CONTRACT}, Deadlines()) as observer,
    ):
        observer.baseline()
        orders = [order(kind, f"{kind}-{number}") for number, kind in enumerate(kinds)]
        for service in ("shop", "payments"):
            spans = [span for _, spans in orders for span in spans if span.service == service]
            http.post(f"{sampled.otlp_http}/v1/traces", json=otlp.write_spans(spans)).raise_for_status()
        return observer.settle([probe for probe, _ in orders])


def order(kind: str, label: str) -> tuple[Probe, list[Span]]:
    """One trace of two services; what makes it worth keeping happens in the second."""
    trace, probe_span, shop, call, pay = secrets.token_hex(16), *(secrets.token_hex(8) for _ in range(4))
    now = time.time_ns()
    took_ns = (SLOW_MS + 100 if kind == "slow" else 20) * MS
    front = Span(
        trace_id=trace,
        span_id=shop,
        parent_span_id=probe_span,
        name="POST /orders",
        kind=SpanKind.SERVER,
        start_ns=now,
        end_ns=now + 10 * MS,
        resource=Resource({"service.name": "shop"}),
    )
    client = replace(front, span_id=call, parent_span_id=shop, name="POST", kind=SpanKind.CLIENT)
    far = replace(
        front,
        span_id=pay,
        parent_span_id=call,
        name="POST /charge",
        end_ns=now + took_ns,
        status=StatusCode.ERROR if kind == "failed" else StatusCode.UNSET,
        resource=Resource({"service.name": "payments"}),
    )
    probe = Probe("order", "http", trace, probe_span, label, "acme", now, now + took_ns, label=label)
    return probe, [front, client, far]


def kept(run: RunCapture, kind: str) -> tuple[int, int]:
    """How many traces of a kind the store has, and how many there were."""
    stored = {trace_id for trace_id, _ in run.stored_spans or ()}
    sent = [probe.trace_id for probe in run.probes if probe.label.startswith(kind)]
    return len(stored & set(sent)), len(sent)


def test_each_trace_is_kept_whole_or_not_at_all(run: RunCapture) -> None:
    results = judge(run, {CONTRACT.journey: CONTRACT}, ["sampling", "complete"])
    red = [result for result in results if result.verdict is not Verdict.PASS]
    assert len(results) == 2 * len(run.probes)
    assert not red, red[:3]


def test_every_trace_with_an_error_and_every_slow_one_is_kept(run: RunCapture) -> None:
    assert kept(run, "failed") == (FAILED, FAILED)
    assert kept(run, "slow") == (SLOW, SLOW)


def test_only_a_share_of_the_others_is_kept(run: RunCapture) -> None:
    there, sent = kept(run, "ordinary")
    mean, spread = sent * PERCENT / 100, math.sqrt(sent * PERCENT / 100 * (1 - PERCENT / 100))
    print(f"kept {there} of {sent}; {mean:.0f} ± {2 * spread:.0f} in 19 of 20 runs")
    assert 0 < there < sent


def test_span_metrics_count_what_was_not_kept_too(run: RunCapture, sampled: Endpoints) -> None:
    assert sampled.prometheus
    prometheus = Prometheus(sampled.prometheus)

    def counted() -> dict[str, float]:
        samples = prometheus.query("sum by (service_name) (traces_span_metrics_calls_total)")
        return {sample.labels["service_name"]: sample.value for sample in samples}

    expected = {"shop": 2.0 * len(run.probes), "payments": 1.0 * len(run.probes)}
    waited, seen = until("span metrics", counted, lambda seen: "" if seen == expected else str(seen), 30.0)
    prometheus.close()
    assert waited.met, (waited, seen)
