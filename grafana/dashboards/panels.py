"""The few kinds of panels that the dashboards are made of, and the page that holds them.

A page is three rows, each with a question for a heading; the first row answers in single numbers. Each panel
has a sentence, a unit and a link. Ids are row × 100 + place in the row, so that adding at the end of a row
moves no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    logs,
    nodegraph,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    LogsSortOrder,
    StackingMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.dashboards.sources import PROMETHEUS, QUICKWIT, TEMPO, promql_now, service_map

STAT_HEIGHT = 4
PANEL_HEIGHT = 8
WIDTH = 24

Link = dashboard.DashboardLink
Query = Any


@dataclass(frozen=True)
class Limits:
    """From which value on a number is shown in yellow, and in red. `falling`: below it, rather."""

    warn: float
    bad: float
    falling: bool = False

    def build(self) -> dashboard.ThresholdsConfig:
        """As Grafana's thresholds, which always rise."""
        if self.falling:
            steps = [("red", None), ("yellow", self.bad), ("green", self.warn)]
        else:
            steps = [("green", None), ("yellow", self.warn), ("red", self.bad)]
        return (
            dashboard.ThresholdsConfig()
            .mode(ThresholdsMode.ABSOLUTE)
            .steps([Threshold(value=value, color=color) for color, value in steps])
        )


def asked(query: Query) -> DataSourceRef:
    """The data source of a query. Panels name it too: else Grafana would ask its default one."""
    source = query.build().to_json()["datasource"]
    assert isinstance(source, DataSourceRef)
    return source


def number(
    title: str,
    sentence: str,
    query: Query,
    unit: str,
    link: Link,
    *,
    limits: Limits | None = None,
    total: bool = False,
) -> stat.Panel:
    """One value: the last of its query, or their sum, with its course behind it where the query has one."""
    panel = (
        stat.Panel()
        .title(title)
        .description(sentence)
        .datasource(asked(query))
        .with_target(query.ref_id("A"))
        .unit(unit)
        .data_links([link])
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE if limits else BigValueColorMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["sum" if total else "lastNotNull"]))
        .height(STAT_HEIGHT)
    )
    return panel.thresholds(limits.build()) if limits else panel


def lines(
    title: str,
    sentence: str,
    queries: Sequence[Query],
    unit: str,
    link: Link,
    *,
    stacked: bool = False,
    bars: bool = False,
) -> timeseries.Panel:
    """Values over time, a line for each series."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(sentence)
        .datasource(asked(queries[0]))
        .unit(unit)
        .data_links([link])
        .min(0)
        .fill_opacity(60 if bars else 10)
        .line_width(0 if bars else 1)
        .draw_style(GraphDrawStyle.BARS if bars else GraphDrawStyle.LINE)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .height(PANEL_HEIGHT)
    )
    for index, query in enumerate(queries):
        panel = panel.with_target(query.ref_id(chr(ord("A") + index)))
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return panel


def bars(title: str, sentence: str, query: Query, unit: str, link: Link, limits: Limits) -> bargauge.Panel:
    """The last value of each series as a bar, against limits."""
    return (
        bargauge.Panel()
        .title(title)
        .description(sentence)
        .datasource(asked(query))
        .with_target(query.ref_id("A"))
        .unit(unit)
        .min(0)
        .thresholds(limits.build())
        .data_links([link])
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(PANEL_HEIGHT)
    )


@dataclass(frozen=True)
class Column:
    """A column of a table: its PromQL, and how its values are read."""

    name: str
    expr: str
    unit: str


def rows(
    title: str, sentence: str, keys: Sequence[str], columns: Sequence[Column], link: Link
) -> table.Panel:
    """A line for each combination of the labels `keys`, a column for each query."""
    panel = (
        table.Panel()
        .title(title)
        .description(sentence)
        .datasource(PROMETHEUS)
        .unit("none")
        .data_links([link])
        .height(PANEL_HEIGHT)
    )
    names: dict[str, str] = {}
    for index, column in enumerate(columns):
        ref = chr(ord("A") + index)
        names[f"Value #{ref}"] = column.name
        panel = panel.with_target(promql_now(column.expr, table=True).ref_id(ref)).override_by_name(
            column.name, [DynamicConfigValue(id_val="unit", value=column.unit)]
        )
    order = {name: place for place, name in enumerate([*keys, *names])}
    return panel.with_transformation(DataTransformerConfig(id_val="merge", options={})).with_transformation(
        DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names},
        )
    )


def traces(title: str, sentence: str, query: Query, link: Link) -> table.Panel:
    """The newest traces of a query; the trace id opens the trace."""
    return (
        table.Panel()
        .title(title)
        .description(sentence)
        .datasource(TEMPO)
        .with_target(query.ref_id("A"))
        .unit("none")
        .links([link])
        .height(PANEL_HEIGHT)
    )


def records(title: str, sentence: str, query: Query, link: Link) -> logs.Panel:
    """The newest log records of a query; opened, each has a link to its trace."""
    return (
        logs.Panel()
        .title(title)
        .description(sentence)
        .datasource(QUICKWIT)
        .with_target(query.ref_id("A"))
        .unit("none")
        .links([link])
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(LogsSortOrder.DESCENDING)
        .height(PANEL_HEIGHT)
    )


def graph(title: str, sentence: str, link: Link) -> nodegraph.Panel:
    """Who calls whom, from the service graph's series."""
    return (
        nodegraph.Panel()
        .title(title)
        .description(sentence)
        .datasource(TEMPO)
        .with_target(service_map().ref_id("A"))
        .unit("none")
        .links([link])
        .height(PANEL_HEIGHT)
    )


def choice(name: str, title: str, metric: str, label: str) -> dashboard.QueryVariable:
    """A choice among the values of a label; all of them unless somebody chooses."""
    query = f"label_values({metric}, {label})"
    return (
        dashboard.QueryVariable(name)
        .label(title)
        .datasource(PROMETHEUS)
        .query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def log_choice(name: str, title: str, field: str) -> dashboard.QueryVariable:
    """A choice among the values of a log field. Its query uses it as `field:$name`, in brackets."""
    return (
        dashboard.QueryVariable(name)
        .label(title)
        .datasource(QUICKWIT)
        .query(f'{{"find": "terms", "field": "{field}"}}')
        .definition(f'{{"find": "terms", "field": "{field}"}}')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value("*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


TENANT = ("tenant", "Tenant", "http_server_request_duration_seconds_count", "tenant_id")
SERVICE = ("service", "Service", "http_server_request_duration_seconds_count", "service_name")


@dataclass(frozen=True)
class Row:
    """A question, and the panels that answer it, side by side.

    `spans` are their widths in 24ths; equal widths where it is left out.
    """

    question: str
    panels: Sequence[Any]
    spans: Sequence[int] = ()


def page(
    uid: str, title: str, question: str, variables: Sequence[Builder[Any]], content: Sequence[Row]
) -> Dashboard:
    """A dashboard. `question` is what it is for; `uid` is its address and the name of its file."""
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(f"{question} Made by `make dashboards` from grafana/dashboards; changes here are lost.")
        .tags(["tracewright"])
        .time("now-30m", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["tracewright"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in variables:
        board = board.with_variable(variable)
    for number_, row in enumerate(content, start=1):
        board = board.with_row(dashboard.Row(row.question).id(number_ * 100))
        widths = row.spans or [WIDTH // len(row.panels)] * len(row.panels)
        for place, (panel, width) in enumerate(zip(row.panels, widths, strict=True), start=1):
            board = board.with_panel(panel.id(number_ * 100 + place).span(width))
    return board.build()
