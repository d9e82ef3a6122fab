"""The metrics that dashboards and rules name, against those that the services emit.

These are in `e2e/metrics.yaml`, in OTLP's spelling. What programs expose by themselves is in no list of
ours; whether it exists is asked on a running stack (`e2e/test_dashboards.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tracewright.grafana.backends import Window
from tracewright.grafana.model import load_dashboards
from tracewright.grafana.template import fill

ROOT = Path(__file__).parents[2]
CATALOG: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "e2e" / "metrics.yaml").read_text(encoding="utf-8")
)
VALUES = {**Window(0, 1800).macros, "tenant": ".*", "service": ".*", "job": ".*", "exporter": ".*"}
UNITS = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "usd": "usd", "%": "percent"}
# From the resource (prometheus.yml promotes it), from Prometheus itself, and the buckets' limit.
EVERYWHERE = {"service_name", "service_instance_id", "job", "instance", "le", "__name__"}
# Exposed by programs at /metrics, or made by Prometheus.
SCRAPED = re.compile(
    r"up|ALERTS|"
    r"(otelcol|prometheus|node|process|nodejs|go|tokio|tracewright_store|tempo|quickwit|pg|traces_service_graph)_\w+"
)


def spelled(name: str, entry: dict[str, Any]) -> Iterator[str]:
    """A metric's names in Prometheus (`UnderscoreEscapingWithSuffixes`)."""
    unit = UNITS.get(entry.get("unit", ""), "")
    base = re.sub(r"\W", "_", name)
    base += f"_{unit}" if unit and not base.endswith(f"_{unit}") else ""
    if entry["type"] == "histogram":
        yield from (f"{base}_{part}" for part in ("bucket", "sum", "count"))
    else:
        yield f"{base}_total" if entry["type"] == "counter" else base


EMITTED: dict[str, set[str]] = {}
for _metrics in CATALOG.values():
    for _name, _entry in _metrics.items():
        _labels = {re.sub(r"\W", "_", x) for x in [*_entry.get("labels", ()), *_entry.get("sometimes", ())]}
        for _spelling in spelled(_name, _entry):
            EMITTED.setdefault(_spelling, set()).update(_labels)


def rules() -> list[dict[str, Any]]:
    files = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


RECORDED = {rule["record"] for rule in rules() if "record" in rule}
EXPRESSIONS = [
    *(
        (f"{panel.place} {target['refId']}", fill(target["expr"], VALUES))
        for page in load_dashboards(ROOT / "grafana" / "dashboards")
        for panel in page.panels
        for target in panel.targets
        if "expr" in target
    ),
    *((rule.get("record") or rule["alert"], rule["expr"]) for rule in rules()),
]
SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\{(?P<labels>[^}]*)\}")
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
NO_METRICS = re.compile(
    r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
)
NAME = re.compile(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()")
WORDS = {"and", "or", "unless", "bool", "offset"}


def unknown(expr: str) -> list[str]:
    """The metrics that nothing emits, and the labels (`metric.label`) that a metric has not."""
    promql_parser.parse(expr)
    names = set(NAME.findall(NO_METRICS.sub(" ", TEXT.sub('""', expr)))) - WORDS
    wrong = {n for n in names if n not in EMITTED and n not in RECORDED and not SCRAPED.fullmatch(n)}
    for selector in SELECTOR.finditer(expr):
        labels = EMITTED.get(selector["name"])
        if labels is not None:
            asked = set(LABEL.findall(selector["labels"])) - EVERYWHERE
            wrong |= {f"{selector['name']}.{label}" for label in asked - labels}
    return sorted(wrong)


@pytest.mark.parametrize(("place", "expr"), EXPRESSIONS, ids=[place for place, _ in EXPRESSIONS])
def test_every_metric_and_label_is_one_that_is_emitted(place: str, expr: str) -> None:
    assert unknown(expr) == [], place


@pytest.mark.parametrize(
    ("expr", "wrong"),
    [
        ("sum(gateway_active_connection)", ["gateway_active_connection"]),
        ('sum by (x) (rate(gateway_requests_total{state="200"}[5m]))', ["gateway_requests_total.state"]),
        ("service:http_requests:rate5m / service:http:rate5m > 0.5", ["service:http:rate5m"]),
    ],
    ids=["metric", "label", "rule"],
)
def test_broken_twin_is_caught(expr: str, wrong: list[str]) -> None:
    assert unknown(expr) == wrong
