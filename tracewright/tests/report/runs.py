"""A small run to report on: one contract, drawn traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.load import parse_contract
from tracewright.signals import Span
from tracewright.tests.drawing import draw
from tracewright.verify import Report, judged

CONTRACT = """\
journey: drawn
title: A shop sells
http: {path: /}
spans:
  shop: {service: shop, name: GET /, kind: server, logs: true}
  call: {service: shop, name: GET, kind: client, parent: shop}
  pay:
    service: payments
    name: POST /charge
    kind: server
    parent: call
budget_ms: 1000
"""
GOOD = """
shop server GET /              0..100 ; id=shop log
  shop client GET             10..90  ; id=call
    payments server POST /charge 20..80 ; id=pay
"""
ORPHAN = GOOD.replace("id=pay", "id=pay parent=00000000deadbeef")
CHECKS = ("complete", "no_orphans", "edges", "log_to_trace", "latency_budget", "no_secrets")
SECRET = "canary0123456789"


def unchanged(span: Span) -> Span:
    return span


def report_on(
    drawing: str,
    *,
    source: Path = Path("contracts/drawn.yaml"),
    change: Callable[[Span], Span] = unchanged,
    labels: tuple[str, ...] = ("drawn",),
) -> Report:
    run: RunCapture = draw(drawing)
    probe = replace(run.probes[0], secret=SECRET)
    probes = tuple(replace(probe, label=label) for label in labels)
    run = replace(run, probes=probes, spans=tuple(change(span) for span in run.spans))
    return judged(run, {"drawn": parse_contract(CONTRACT, source)}, CHECKS)
