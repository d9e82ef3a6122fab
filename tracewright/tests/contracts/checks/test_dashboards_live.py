from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.model import Contract
from tracewright.grafana import Answered
from tracewright.tests.contracts.checks.twins import judged, said
from tracewright.tests.drawing import draw

GOOD = (
    Answered("api · Requests · A", "sum(rate(requests_total[20s]))", "1 series, newest value 2"),
    Answered("database · Connections · A", "sum(pg_up)", skipped="no postgres-exporter here"),
)


def declared(contract: Contract) -> Contract:
    return contract.model_copy(update={"grafana": "../grafana"})


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("dashboards_live", replace(draw(good), dashboards=GOOD), declared(contract)) == []


def test_panel_without_data_is_reported_with_its_query(good: str, contract: Contract) -> None:
    twin = (*GOOD, Answered("api · Failed · A", "sum(rate(request_total[20s]))", problem="no data"))
    (finding,) = judged("dashboards_live", replace(draw(good), dashboards=twin), declared(contract))
    assert said([finding]) == ["api · Failed · A no data"]
    assert "sum(rate(request_total[20s]))" in finding.cause


def test_quantile_of_what_happened_once_is_no_finding(good: str, contract: Contract) -> None:
    quiet = (*GOOD, Answered("api · p95 · A", "histogram_quantile(…)", problem="only NaN", quiet=True))
    assert judged("dashboards_live", replace(draw(good), dashboards=quiet), declared(contract)) == []


def test_run_of_some_journeys_is_not_judged(good: str, contract: Contract) -> None:
    assert verdict_of(judged("dashboards_live", draw(good), declared(contract))) is Verdict.NOT_JUDGED
