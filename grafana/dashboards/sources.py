"""The data sources by uid, and a query for each of them. The uids are those of `../provisioning/datasources`."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import prometheus, tempo
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode
from grafana_foundation_sdk.models.tempo import SearchTableType

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
TEMPO = DataSourceRef(type_val="tempo", uid="tempo")
QUICKWIT = DataSourceRef(type_val="quickwit-quickwit-datasource", uid="quickwit")

# What Quickwit's time field is called, and the field under which the plugin finds it.
LOG_TIME = "timestamp_nanos"


class QuickwitQuery(Dataquery, Builder[Dataquery]):
    """A query of Quickwit's plugin, for which the SDK has no type.

    `metrics` and `bucket_aggs` are as the plugin's editor saves them: metrics without buckets are lists of
    records (`logs`, `raw_data`).
    """

    def __init__(
        self, query: str, metrics: list[dict[str, Any]], bucket_aggs: list[dict[str, Any]], *, alias: str = ""
    ) -> None:
        self.query = query
        self.metrics = metrics
        self.bucket_aggs = bucket_aggs
        self.alias = alias
        self.ref = "A"

    def build(self) -> Dataquery:
        """Itself: there is nothing more to it."""
        return self

    def ref_id(self, ref_id: str) -> QuickwitQuery:
        """Names the query within its panel."""
        self.ref = ref_id
        return self

    def to_json(self) -> dict[str, object]:
        """As it is stored in the dashboard."""
        return {
            "refId": self.ref,
            "datasource": QUICKWIT,
            "query": self.query,
            "alias": self.alias,
            "metrics": self.metrics,
            "bucketAggs": self.bucket_aggs,
            "timeField": LOG_TIME,
        }


def promql(expr: str, legend: str = "", *, exemplar: bool = False) -> prometheus.Dataquery:
    """A line (or lines) over the time range. `exemplar` asks for the dots that lead to a trace."""
    return (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(expr)
        .legend_format(legend or "__auto")
        .range()
        .exemplar(exemplar)
        .editor_mode(QueryEditorMode.CODE)
    )


def promql_now(expr: str, legend: str = "", *, table: bool = False) -> prometheus.Dataquery:
    """The value at the end of the time range, for single numbers and tables."""
    query = (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(expr)
        .legend_format(legend or "__auto")
        .instant()
        .exemplar(False)
        .editor_mode(QueryEditorMode.CODE)
    )
    return query.format(PromQueryFormat.TABLE) if table else query


def traceql(query: str, limit: int = 20) -> tempo.TempoQuery:
    """The newest traces that a TraceQL query finds, as a table."""
    return (
        tempo.TempoQuery()
        .datasource(TEMPO)
        .query_type("traceql")
        .query(query)
        .limit(limit)
        .table_type(SearchTableType.TRACES)
        .filters([])
    )


def service_map() -> tempo.TempoQuery:
    """The service graph; Tempo's data source reads it from Prometheus."""
    return tempo.TempoQuery().datasource(TEMPO).query_type("serviceMap").service_map_query("").filters([])


def log_lines(query: str, limit: int = 100) -> QuickwitQuery:
    """The newest log records that a Quickwit query finds."""
    return QuickwitQuery(query, [{"type": "logs", "id": "1", "settings": {"limit": str(limit)}}], [])


def log_count(query: str, by: str | None = None) -> QuickwitQuery:
    """How many records over time, in one line or one for each value of the field `by`."""
    return QuickwitQuery(query, [{"type": "count", "id": "1"}], [*_terms(by), _over_time()], alias=_alias(by))


def log_percentile(query: str, field: str, percent: int, by: str | None = None) -> QuickwitQuery:
    """A percentile of a numeric field over time, in one line or one for each value of the field `by`."""
    metric = {"type": "percentiles", "id": "1", "field": field, "settings": {"percents": [str(percent)]}}
    return QuickwitQuery(query, [metric], [*_terms(by), _over_time()], alias=_alias(by))


def _alias(by: str | None) -> str:
    return f"{{{{term {by}}}}}" if by else ""


def _terms(field: str | None) -> list[dict[str, Any]]:
    settings = {"size": "10", "order": "desc", "orderBy": "_count", "min_doc_count": "1"}
    return [{"type": "terms", "id": "2", "field": field, "settings": settings}] if field else []


def _over_time() -> dict[str, Any]:
    settings = {"interval": "auto", "min_doc_count": "0", "trimEdges": "0"}
    return {"type": "date_histogram", "id": "3", "field": LOG_TIME, "settings": settings}
