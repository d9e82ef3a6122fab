from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tracewright.grafana.answers import Series
from tracewright.grafana.judging import is_quiet, problem_of, summary
from tracewright.grafana.model import Panel

PROMQL: dict[str, Any] = {"datasource": {"type": "prometheus"}, "legendFormat": "{{service}}"}
PANEL = Panel("api", 101, "Failed", "timeseries", "", "percentunit", (), (PROMQL,), ())
GOOD = Series({"service": "a"}, (0.0, 0.5))


def test_good_answer_has_no_problem() -> None:
    assert problem_of(PANEL, PROMQL, [GOOD]) == ""
    assert summary([GOOD, Series({"service": "b"}, (0.25,))]) == "2 series, newest value 0.25 to 0.5"


@pytest.mark.parametrize(
    ("series", "problem"),
    [
        ([], "no data"),
        ([Series({"service": "a"})], "no data: nothing but NaN"),
        ([Series({"job": "a"}, (1.0,))], "the legend names service, which no series has (labels: job)"),
        ([Series({"service": "a"}, (1.2,))], "1.2 is no share: the unit is percentunit"),
        ([GOOD] * 101, "101 series are too many for a picture (at most 100)"),
    ],
    ids=["nothing", "NaN", "legend", "share", "too many"],
)
def test_twin_is_named(series: list[Series], problem: str) -> None:
    assert problem_of(PANEL, PROMQL, series) == problem


def test_share_above_one_is_right_where_the_panel_has_a_limit_at_one() -> None:
    over = [Series({"service": "a"}, (1.2,))]
    assert problem_of(replace(PANEL, thresholds=(0.8, 1)), PROMQL, over) == ""


def test_duration_below_zero_is_a_problem() -> None:
    assert problem_of(replace(PANEL, unit="s"), PROMQL, [Series({"service": "a"}, (-1.0,))])


def test_quantile_without_observations_is_quiet_and_a_missing_series_is_not() -> None:
    assert is_quiet(PROMQL, [Series({"service": "a"})])
    assert not is_quiet(PROMQL, [])
