from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.catalog import MetricShape
from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.load import ContractError, parse_contract
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged, said
from tracewright.tests.contracts.conftest import CONTRACT
from tracewright.tests.drawing import draw

CATALOG = """\
go-service:
  runs: {type: counter, unit: "{run}", labels: [method, status], sometimes: [tenant.id]}
  tokens: {type: counter, unit: "{token}", labels: [model], when: /chat sim-.*/}
  memory: {type: gauge, unit: By}
otel-collector:
  calls: {type: counter, unit: "", labels: [span.name]}
worker:
  events: {type: counter, unit: "{event}", when: process refunds}
"""
RUNS = MetricShape("go-service", "runs", "counter", "{run}", ("method", "status"))
TOKENS = MetricShape("go-service", "tokens", "counter", "{token}", ("model",))
MEMORY = MetricShape("go-service", "memory", "gauge", "By", ())
CALLS = MetricShape("otel-collector", "calls", "counter", "", ("span.name",))
GOOD = (RUNS, TOKENS, MEMORY, CALLS)


@pytest.fixture
def listed(tmp_path: Path) -> Contract:
    (tmp_path / "metrics.yaml").write_text(CATALOG, encoding="utf-8")
    return parse_contract(f"{CONTRACT}metric_catalog: metrics.yaml\n", tmp_path / "drawn.yaml")


def exported(good: str, *shapes: MetricShape) -> RunCapture:
    return replace(draw(good), metric_shapes=shapes)


def test_metrics_of_the_catalog_pass(good: str, listed: Contract) -> None:
    some_with_tenant = replace(RUNS, labels=("method", "status", "tenant.id"))
    assert judged("metric_catalog", exported(good, *GOOD, some_with_tenant), listed) == []


def test_metric_that_was_not_exported_is_named_with_its_line(good: str, listed: Contract) -> None:
    (finding,) = judged("metric_catalog", exported(good, RUNS, TOKENS, CALLS), listed)
    assert said([finding]) == ["go-service: memory was not exported"]
    assert finding.expected.startswith("gauge, unit By, labels (none) (declared at ")
    assert finding.expected.endswith("metrics.yaml:4)")


def test_service_without_any_metric_is_reported(good: str, listed: Contract) -> None:
    findings = judged("metric_catalog", exported(good, CALLS), listed)
    assert {finding.seen for finding in findings} == {"no metric of go-service"}
    assert len(findings) == 3


def test_metric_with_a_condition_is_missed_only_after_its_span(good: str, listed: Contract) -> None:
    (finding,) = judged("metric_catalog", exported(good, RUNS, MEMORY, CALLS), listed)
    assert said([finding]) == ["go-service: tokens was not exported"]
    without = good.replace("chat sim-", "think ")
    assert judged("metric_catalog", exported(without, RUNS, MEMORY, CALLS), listed) == []


def test_metric_that_nobody_listed_is_reported(good: str, listed: Contract) -> None:
    extra = MetricShape("go-service", "retries", "counter", "1", ("cause",))
    (finding,) = judged("metric_catalog", exported(good, *GOOD, extra), listed)
    assert said([finding]) == ["go-service: retries is not in the catalog"]
    assert finding.seen == "counter, unit 1, labels cause"


@pytest.mark.parametrize(
    ("twin", "what"),
    [
        (replace(RUNS, type="gauge"), "is a gauge"),
        (replace(RUNS, unit="1"), "has the unit 1"),
        (replace(RUNS, labels=("method",)), "lacks the label status"),
        (replace(RUNS, labels=("method", "status", "user")), "has the undeclared label user"),
    ],
    ids=["type", "unit", "label gone", "label new"],
)
def test_metric_that_changed_is_reported(twin: MetricShape, what: str, good: str, listed: Contract) -> None:
    findings = judged("metric_catalog", exported(good, twin, *GOOD), listed)
    assert said(findings) == [f"go-service: runs {what}"]
    assert findings[0].expected.startswith("counter, unit {run}, labels method, status, tenant.id?")


def test_label_of_a_series_that_stood_still_is_of_an_earlier_run(good: str, listed: Contract) -> None:
    old = replace(RUNS, labels=("method", "status", "user"), moved=False)
    assert judged("metric_catalog", exported(good, *GOOD, old), listed) == []


def test_services_that_take_no_part_are_left_alone(good: str, listed: Contract) -> None:
    stranger = MetricShape("billing", "invoices", "counter", "1", ())
    assert judged("metric_catalog", exported(good, *GOOD, stranger), listed) == []


def test_stack_without_a_tee_is_not_judged(good: str, listed: Contract) -> None:
    assert verdict_of(judged("metric_catalog", draw(good), listed)) is Verdict.NOT_JUDGED


def test_catalog_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    text = f"{CONTRACT}metric_catalog: metrics.yaml\n"
    missing = r"drawn\.yaml:\d+: metric_catalog: .*metrics\.yaml: No such file"
    with pytest.raises(ContractError, match=missing):
        parse_contract(text, tmp_path / "drawn.yaml")
    (tmp_path / "metrics.yaml").write_text("go-service: {runs: {type: clock, unit: s}}", encoding="utf-8")
    with pytest.raises(ContractError, match=r"go-service\.runs\.type: Input should be 'counter'"):
        parse_contract(text, tmp_path / "drawn.yaml")
