"""Logs and traces: where a search begins."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import SERIES, to_dashboard, to_logs, to_traces
from grafana.dashboards.panels import Limits, Row, lines, log_choice, number, page, records, traces
from grafana.dashboards.sources import log_count, log_lines, promql, traceql
from grafana.dashboards.terms import SPANS

CHOSEN = "(service_name:$service) AND (severity_text:$level)"
ERRORS = "(service_name:$service) AND severity_number:>=17"


def build() -> Dashboard:
    """The dashboard."""
    chosen = to_logs("Search in Explore", CHOSEN)
    errors = to_logs("All errors", "severity_number:>=17")
    return page(
        "logs-traces",
        "Logs and traces",
        "What was said, and in which request?",
        [log_choice("service", "Service", "service_name"), log_choice("level", "Level", "severity_text")],
        [
            Row(
                "How much is said, and how much of it is bad?",
                [
                    number(
                        "Records",
                        "Log records of the chosen services.",
                        log_count(CHOSEN),
                        "short",
                        total=True,
                        link=chosen,
                    ),
                    number(
                        "Errors",
                        "Error records of the chosen services.",
                        log_count(ERRORS),
                        "short",
                        total=True,
                        link=errors,
                        limits=Limits(1, 10),
                    ),
                    number(
                        "Without a trace",
                        "Records that name no trace: start-up, or lost context.",
                        log_count("(service_name:$service) AND NOT trace_id:*"),
                        "short",
                        total=True,
                        link=to_logs("Records without a trace", "NOT trace_id:*"),
                    ),
                    number(
                        "Spans",
                        "Spans a second that the collector counted.",
                        promql(f"sum(rate({SPANS}_count[$__rate_interval]))", "spans"),
                        "ops",
                        to_dashboard("Telemetry pipeline", "pipeline"),
                    ),
                ],
            ),
            Row(
                "When, and where?",
                [
                    lines(
                        "Records by level",
                        "Log records over time by level.",
                        [log_count(CHOSEN, "severity_text")],
                        "short",
                        to_logs("Records of this level", f"severity_text:{SERIES}"),
                        bars=True,
                        stacked=True,
                    ),
                    lines(
                        "Records by service",
                        "Log records over time by service.",
                        [log_count(CHOSEN, "service_name")],
                        "short",
                        to_logs("Records of this service", f'service_name:"{SERIES}"'),
                        bars=True,
                        stacked=True,
                    ),
                ],
            ),
            Row(
                "Which request was it?",
                [
                    records(
                        "Records",
                        "Newest first. Opened, each has a link to its trace.",
                        log_lines(CHOSEN, 100),
                        chosen,
                    ),
                    traces(
                        "Failed requests",
                        "Traces with an error, newest first; the id opens the trace, and from there its logs.",
                        traceql("{ status = error }"),
                        to_traces("Search in Explore", "{ status = error }"),
                    ),
                ],
            ),
        ],
    )
