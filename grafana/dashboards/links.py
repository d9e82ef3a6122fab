"""Ways that lead on: to another dashboard, and to traces or logs in Explore, for what was clicked.

`${…}` is Grafana's: it puts in the labels of the clicked series and the time range of the page.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from grafana_foundation_sdk.builders.dashboard import DashboardLink

from grafana.dashboards.sources import PROMETHEUS, QUICKWIT, TEMPO

# What Explore is told in the link has to survive: Grafana's own placeholders stay as they are.
_SAFE = "${}:_.~-"


# What the clicked series is called in the legend; for series whose label has dots in its name.
SERIES = "${__field.displayName}"


def label(name: str) -> str:
    """The clicked series' label, for use inside a query or an address."""
    return f"${{__field.labels.{name}}}"


def to_dashboard(title: str, uid: str, **variables: str) -> DashboardLink:
    """Another dashboard, at the same time range.

    A variable with the value `$` keeps what is chosen on this page.
    """
    chosen = [
        f"${{{name}:queryparam}}" if value == "$" else f"var-{name}={value}"
        for name, value in variables.items()
    ]
    return _link(title, f"/d/{uid}?{'&'.join([*chosen, '${__url_time_range}'])}")


def to_traces(title: str, query: str) -> DashboardLink:
    """The traces that a TraceQL query finds, in Explore."""
    return _explore(
        title, TEMPO.uid, {"queryType": "traceql", "query": query, "limit": 20, "tableType": "traces"}
    )


def to_logs(title: str, query: str) -> DashboardLink:
    """The log records that a Quickwit query finds, in Explore."""
    metrics = [{"type": "logs", "id": "1", "settings": {"limit": "100"}}]
    return _explore(title, QUICKWIT.uid, {"query": query, "metrics": metrics, "bucketAggs": []})


def to_metrics(title: str, expr: str) -> DashboardLink:
    """A PromQL query in Explore."""
    return _explore(title, PROMETHEUS.uid, {"expr": expr, "range": True, "editorMode": "code"})


def _explore(title: str, uid: str | None, query: dict[str, Any]) -> DashboardLink:
    kinds = {source.uid: source.type_val for source in (PROMETHEUS, TEMPO, QUICKWIT)}
    pane = {
        "datasource": uid,
        "queries": [{"refId": "A", "datasource": {"type": kinds[uid], "uid": uid}, **query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe=_SAFE)
    return _link(title, f"/explore?schemaVersion=1&panes={panes}&orgId=1")


def _link(title: str, url: str) -> DashboardLink:
    return DashboardLink(title).url(url).target_blank(False)
