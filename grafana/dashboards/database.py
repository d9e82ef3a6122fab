"""Database performance: PostgreSQL as its clients see it, and as it sees itself."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import label, to_dashboard, to_logs, to_traces
from grafana.dashboards.panels import (
    SERVICE,
    TENANT,
    Column,
    Limits,
    Row,
    choice,
    lines,
    number,
    page,
    rows,
    traces,
)
from grafana.dashboards.sources import promql, traceql
from grafana.dashboards.terms import CHOSEN, ERROR_LIMITS, REQUESTS, SPANS, quantile, rate, ratio

# A query's span is a client span named after its operation and table.
QUERY = f'{CHOSEN}, span_kind="SPAN_KIND_CLIENT", span_name=~"(SELECT|INSERT|UPDATE|DELETE) .+"'
COUNT = f"{SPANS}_count"
BAD = f'{QUERY}, status_code="STATUS_CODE_ERROR"'
QUEUED = 'span_name="process usage_events"'
STATEMENT = "service_name, span_name"
SLOW_QUERY_S = Limits(warn=0.05, bad=0.25)


def build() -> Dashboard:
    """The dashboard."""
    one = to_traces(
        "Traces with this query",
        f'{{ resource.service.name = "{label("service_name")}" && name = "{label("span_name")}" }}',
    )
    slow = to_traces("Queries", '{ span.db.system.name = "postgresql" }')
    return page(
        "database",
        "Database performance",
        "Is the database slow, or is it asked too often?",
        [choice(*TENANT), choice(*SERVICE)],
        [
            Row(
                "Is the database slow, or asked too often?",
                [
                    number(
                        "Queries",
                        "Queries a second, as the chosen services sent them.",
                        promql(rate(COUNT, QUERY), "queries"),
                        "ops",
                        slow,
                    ),
                    number(
                        "p95",
                        "95 of 100 queries are answered within this time, as their callers wait for it.",
                        promql(quantile(0.95, SPANS, QUERY), "p95"),
                        "s",
                        slow,
                        limits=SLOW_QUERY_S,
                    ),
                    number(
                        "Failed",
                        "Share of queries that ended in an error.",
                        promql(ratio(rate(COUNT, BAD), rate(COUNT, QUERY)), "failed"),
                        "percentunit",
                        to_traces(
                            "Failed queries", '{ span.db.system.name = "postgresql" && status = error }'
                        ),
                        limits=ERROR_LIMITS,
                    ),
                    number(
                        "Queries a request",
                        "Queries for each request that the services answered. A rise without more traffic is a loop of queries.",
                        promql(f"{rate(COUNT, QUERY)} / {rate(f'{REQUESTS}_count', CHOSEN)}", "queries"),
                        "none",
                        to_dashboard("Requests by route", "api", tenant="$", service="$"),
                        limits=Limits(10, 30),
                    ),
                    number(
                        "Usage events",
                        "Events a second that the queue's consumer has counted.",
                        promql(rate(COUNT, QUEUED), "events"),
                        "ops",
                        to_traces("Events", '{ name = "process usage_events" }'),
                    ),
                    number(
                        "Time for one event",
                        "95 of 100 usage events are taken, charged and marked within this time.",
                        promql(quantile(0.95, SPANS, QUEUED), "p95"),
                        "s",
                        to_logs("Counted events", '"usage event counted"'),
                        limits=SLOW_QUERY_S,
                    ),
                ],
            ),
            Row(
                "Which query?",
                [
                    lines(
                        "Queries by statement",
                        "Queries a second, by service, operation and table.",
                        [promql(rate(COUNT, QUERY, STATEMENT), "{{service_name}} {{span_name}}")],
                        "ops",
                        one,
                        stacked=True,
                    ),
                    lines(
                        "Duration by statement",
                        "95 of 100 are answered within this time. Each dot opens a trace.",
                        [
                            promql(
                                quantile(0.95, SPANS, QUERY, STATEMENT),
                                "{{service_name}} {{span_name}}",
                                exemplar=True,
                            )
                        ],
                        "s",
                        one,
                    ),
                    lines(
                        "Connections and transactions",
                        "PostgreSQL's own count: connections open, transactions a second. Needs postgres-exporter.",
                        [
                            promql("sum(pg_stat_database_numbackends)", "connections"),
                            promql("sum(rate(pg_stat_database_xact_commit[$__rate_interval]))", "commits"),
                            promql(
                                "sum(rate(pg_stat_database_xact_rollback[$__rate_interval]))", "rollbacks"
                            ),
                        ],
                        "short",
                        to_dashboard("Machine", "system"),
                    ),
                ],
            ),
            Row(
                "Where is its time spent?",
                [
                    rows(
                        "Statements",
                        "Each statement: how often, how slow, and its share of all time spent in queries.",
                        ["service_name", "span_name"],
                        [
                            Column("Queries", rate(COUNT, QUERY, STATEMENT, "$__range"), "ops"),
                            Column("p95", quantile(0.95, SPANS, QUERY, STATEMENT, "$__range"), "s"),
                            Column(
                                "Share of time",
                                f"{rate(f'{SPANS}_sum', QUERY, STATEMENT, '$__range')} / scalar({rate(f'{SPANS}_sum', QUERY, window='$__range')})",
                                "percentunit",
                            ),
                        ],
                        to_traces("Traces with this query", '{ name = "${__data.fields.span_name}" }'),
                    ),
                    traces(
                        "Queries over 1 ms",
                        "Newest first; the id opens the trace.",
                        traceql(
                            '{ resource.service.name =~ "$service" && span.db.system.name = "postgresql" && duration > 1ms }'
                        ),
                        to_dashboard("Logs and traces", "logs-traces"),
                    ),
                ],
            ),
        ],
    )
