"""Fleet overview: the first page to open."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import label, to_dashboard, to_logs, to_traces
from grafana.dashboards.panels import TENANT, Limits, Row, choice, graph, lines, number, page, records
from grafana.dashboards.sources import log_lines, promql, promql_now
from grafana.dashboards.terms import (
    ERROR_LIMITS,
    FAILED,
    HERE,
    LATENCY_LIMITS,
    REQUESTS,
    lost,
    quantile,
    rate,
    ratio,
)

COUNT = f"{REQUESTS}_count"
BAD = f"{HERE}, {FAILED}"


def build() -> Dashboard:
    """The dashboard."""
    to_api = to_dashboard("Requests by route", "api", tenant="$", service=label("service_name"))
    return page(
        "fleet",
        "Fleet overview",
        "Is the fleet healthy, and if not, where does it hurt?",
        [choice(*TENANT)],
        [
            Row(
                "Is the fleet healthy right now?",
                [
                    number(
                        "Components down",
                        "Components that Prometheus cannot scrape; each has an alert after 30 seconds.",
                        promql("count(up == 0) or vector(0)", "down"),
                        "none",
                        to_dashboard("Processes and machine", "system"),
                        limits=Limits(warn=1, bad=1),
                    ),
                    number(
                        "Requests",
                        "Requests a second that all services answered; a request through three services counts three times.",
                        promql(rate(COUNT, HERE), "requests"),
                        "reqps",
                        to_dashboard("Requests by route", "api", tenant="$"),
                    ),
                    number(
                        "Failed requests",
                        "Share of requests that were answered with a 5xx.",
                        promql(ratio(rate(COUNT, BAD), rate(COUNT, HERE)), "failed"),
                        "percentunit",
                        to_traces("Failed traces", "{ status = error }"),
                        limits=ERROR_LIMITS,
                    ),
                    number(
                        "Slowest twentieth",
                        "95 of 100 requests to the front door are answered within this time.",
                        promql(quantile(0.95, REQUESTS, f'{HERE}, service_name="frontend"'), "p95"),
                        "s",
                        to_traces("Slow traces", "{ kind = server && duration > 100ms }"),
                        limits=LATENCY_LIMITS,
                    ),
                    number(
                        "Alerts firing",
                        "Alerts that fire now, as Prometheus sees them; silences are in Alertmanager.",
                        promql_now('count(ALERTS{alertstate="firing"}) or vector(0)', "firing"),
                        "none",
                        to_dashboard("Objectives", "slo"),
                        limits=Limits(warn=1, bad=1),
                    ),
                    number(
                        "Telemetry lost",
                        "Spans, records and points that the collector refused or failed to deliver in the time range.",
                        promql_now(
                            lost(
                                "receiver_refused",
                                "receiver_failed",
                                "exporter_send_failed",
                                "exporter_enqueue_failed",
                            ),
                            "lost",
                        ),
                        "short",
                        to_dashboard("Telemetry pipeline", "pipeline"),
                        limits=Limits(warn=1, bad=1),
                    ),
                ],
            ),
            Row(
                "Which service hurts?",
                [
                    lines(
                        "Requests by service",
                        "Requests a second that each service answered.",
                        [promql(rate(COUNT, HERE, "service_name"), "{{service_name}}")],
                        "reqps",
                        to_api,
                    ),
                    lines(
                        "Failed requests by service",
                        "Share of each service's answers that were a 5xx. The one at the far end is usually the cause.",
                        [
                            promql(
                                ratio(
                                    rate(COUNT, BAD, "service_name"),
                                    rate(COUNT, HERE, "service_name"),
                                    "service_name",
                                ),
                                "{{service_name}}",
                            )
                        ],
                        "percentunit",
                        to_traces(
                            "Failed traces",
                            f'{{ resource.service.name = "{label("service_name")}" && status = error }}',
                        ),
                    ),
                    lines(
                        "Slowest twentieth by service",
                        "95 of 100 requests to each service are answered within this time. The dots are traces.",
                        [
                            promql(
                                quantile(0.95, REQUESTS, HERE, "service_name"),
                                "{{service_name}}",
                                exemplar=True,
                            )
                        ],
                        "s",
                        to_api,
                    ),
                ],
            ),
            Row(
                "Who calls whom, and what went wrong last?",
                [
                    graph(
                        "Service map",
                        "Calls between services and to the database, from the service graph of the traces. "
                        "A click on a service offers its traces and metrics.",
                        to_dashboard("Requests by route", "api", tenant="$"),
                    ),
                    records(
                        "Latest errors",
                        "Error records of all services, newest first; opened, each has a link to its trace.",
                        log_lines("severity_text:ERROR", 50),
                        to_logs("All errors", "severity_text:ERROR"),
                    ),
                ],
            ),
        ],
    )
