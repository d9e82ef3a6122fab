"""What is wrong with an answer: nothing there, a legend without its label, a value that its unit forbids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tracewright.grafana.answers import Series
from tracewright.grafana.elastic import RECORDS
from tracewright.grafana.model import Panel, Target

_LEGEND = re.compile(r"\{\{(\w+)\}\}")
# Quantities that cannot be below zero. A share may be: a budget is overdrawn.
NEVER_NEGATIVE = frozenset({"s", "ms", "bytes", "reqps", "ops", "opm", "short", "currencyUSD"})
# A rate over few samples is extrapolated to the whole window and comes out a little too large.
SHARE_SLACK = 0.05
MOST_SERIES = 100


def problem_of(panel: Panel, target: Target, series: Sequence[Series]) -> str:
    """What is wrong with a panel's answer; empty when nothing is."""
    if not series:
        return "no data"
    if not lists(target) and not any(one.values for one in series):
        return "no data: nothing but NaN" if is_quiet(target, series) else "no data"
    if len(series) > MOST_SERIES:
        return f"{len(series)} series are too many for a picture (at most {MOST_SERIES})"
    return _legend(target, series) or _values(panel, series)


def is_quiet(target: Target, series: Sequence[Series]) -> bool:
    """Whether there are series with nothing but NaN, as of a quantile when nothing happened twice."""
    return target["datasource"]["type"] == "prometheus" and bool(series) and not any(s.values for s in series)


def lists(target: Target) -> bool:
    """Whether a query lists things (records, traces, edges) and draws no values."""
    metrics = target.get("metrics")
    return target["datasource"]["type"] == "tempo" or bool(metrics and metrics[0]["type"] in RECORDS)


def summary(series: Sequence[Series]) -> str:
    """What came back, in short."""
    newest = [one.values[-1] for one in series if one.values]
    if not newest:
        return f"{len(series)} found"
    return f"{len(series)} series, newest value {min(newest):g}" + (
        f" to {max(newest):g}" if max(newest) > min(newest) else ""
    )


def _legend(target: Mapping[str, object], series: Sequence[Series]) -> str:
    for label in _LEGEND.findall(str(target.get("legendFormat", ""))):
        if not any(one.labels.get(label) for one in series):
            there = ", ".join(sorted({key for one in series for key in one.labels})) or "none"
            return f"the legend names {label}, which no series has (labels: {there})"
    return ""


def _values(panel: Panel, series: Sequence[Series]) -> str:
    values = [value for one in series for value in one.values]
    if not values:
        return ""
    if panel.unit in NEVER_NEGATIVE and min(values) < 0:
        return f"{min(values):g} cannot be: the unit is {panel.unit}"
    # Where a limit is at 1 the panel knows what more than all of it means.
    if panel.unit == "percentunit" and max(values) > 1 + SHARE_SLACK and 1 not in panel.thresholds:
        return f"{max(values):g} is no share: the unit is percentunit"
    return ""
