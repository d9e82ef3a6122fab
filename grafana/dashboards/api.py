"""API performance: rate, errors and duration by service and route."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import label, to_dashboard, to_logs, to_traces
from grafana.dashboards.panels import SERVICE, TENANT, Column, Row, choice, lines, number, page, rows, traces
from grafana.dashboards.sources import promql, traceql
from grafana.dashboards.terms import (
    CHOSEN,
    ERROR_LIMITS,
    FAILED,
    LATENCY_LIMITS,
    REQUESTS,
    quantile,
    rate,
    ratio,
)

COUNT = f"{REQUESTS}_count"
BAD = f"{CHOSEN}, {FAILED}"
ROUTE = "service_name, http_route"
ONE_ROUTE = (
    f'{{ resource.service.name = "{label("service_name")}" && span.http.route = "{label("http_route")}" }}'
)


def build() -> Dashboard:
    """The dashboard."""
    to_fleet = to_dashboard("Fleet overview", "fleet", tenant="$")
    return page(
        "api",
        "API performance",
        "Do requests succeed, how fast, and which route is to blame?",
        [choice(*TENANT), choice(*SERVICE)],
        [
            Row(
                "Do requests succeed, and how fast?",
                [
                    number(
                        "Requests",
                        "Requests a second to the chosen services.",
                        promql(rate(COUNT, CHOSEN), "requests"),
                        "reqps",
                        to_fleet,
                    ),
                    number(
                        "Failed",
                        "Share of requests that were answered with a 5xx.",
                        promql(ratio(rate(COUNT, BAD), rate(COUNT, CHOSEN)), "failed"),
                        "percentunit",
                        to_logs("Error records", "severity_text:ERROR"),
                        limits=ERROR_LIMITS,
                    ),
                    *(
                        number(
                            f"p{percent}",
                            f"{percent} of 100 requests are answered within this time.",
                            promql(quantile(percent / 100, REQUESTS, CHOSEN), f"p{percent}"),
                            "s",
                            to_traces("Slow traces", "{ kind = server && duration > 100ms }"),
                            limits=LATENCY_LIMITS,
                        )
                        for percent in (50, 95, 99)
                    ),
                    number(
                        "Refused",
                        "Share of requests that were answered with a 4xx: the caller's fault, or a broken client.",
                        promql(
                            ratio(
                                rate(COUNT, f'{CHOSEN}, http_response_status_code=~"4.."'),
                                rate(COUNT, CHOSEN),
                            ),
                            "refused",
                        ),
                        "percentunit",
                        to_traces(
                            "Refused requests", "{ kind = server && span.http.response.status_code >= 400 }"
                        ),
                    ),
                ],
            ),
            Row(
                "Which route is busy, fails, is slow?",
                [
                    lines(
                        "Requests by route",
                        "Requests a second to each route of the chosen services.",
                        [promql(rate(COUNT, CHOSEN, ROUTE), "{{service_name}} {{http_route}}")],
                        "reqps",
                        to_traces("Traces of this route", ONE_ROUTE),
                        stacked=True,
                    ),
                    lines(
                        "Failed requests by route",
                        "5xx answers a second, by route and status. `/error` fails on purpose.",
                        [
                            promql(
                                rate(COUNT, BAD, f"{ROUTE}, http_response_status_code"),
                                "{{service_name}} {{http_route}} {{http_response_status_code}}",
                            )
                        ],
                        "reqps",
                        to_traces(
                            "Failed traces of this route", ONE_ROUTE.replace(" }", " && status = error }")
                        ),
                        bars=True,
                        stacked=True,
                    ),
                    lines(
                        "Duration by route",
                        "95 of 100 requests to the route are answered within this time. Each dot opens a trace.",
                        [
                            promql(
                                quantile(0.95, REQUESTS, CHOSEN, ROUTE),
                                "{{service_name}} {{http_route}}",
                                exemplar=True,
                            )
                        ],
                        "s",
                        to_traces("Traces of this route", ONE_ROUTE),
                    ),
                ],
            ),
            Row(
                "Where is the time spent?",
                [
                    rows(
                        "Routes",
                        "Each route of the chosen services: how often, how reliable, how fast.",
                        ["service_name", "http_route"],
                        [
                            Column("Requests", rate(COUNT, CHOSEN, ROUTE, "$__range"), "reqps"),
                            Column(
                                "Failed",
                                ratio(
                                    rate(COUNT, BAD, ROUTE, "$__range"),
                                    rate(COUNT, CHOSEN, ROUTE, "$__range"),
                                    ROUTE,
                                ),
                                "percentunit",
                            ),
                            Column("p95", quantile(0.95, REQUESTS, CHOSEN, ROUTE, "$__range"), "s"),
                        ],
                        to_dashboard(
                            "Only this service", "api", tenant="$", service="${__data.fields.service_name}"
                        ),
                    ),
                    traces(
                        "Slowest requests",
                        "Requests that took over 100 ms, newest first; the id opens the trace.",
                        traceql(
                            '{ resource.service.name =~ "$service" && kind = server && duration > 100ms }'
                        ),
                        to_dashboard("Logs and traces", "logs-traces"),
                    ),
                ],
            ),
        ],
    )
