"""SLOs: whether the fleet keeps what it promises. The ratios are recorded by ../../prometheus/rules/slo.yml."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import label, to_dashboard, to_traces
from grafana.dashboards.panels import Column, Limits, Row, choice, lines, number, page, rows
from grafana.dashboards.sources import promql, promql_now

# What is promised: these shares of requests. The rules hold the same numbers, and a test compares them.
AVAILABILITY = 0.99
LATENCY = 0.95
SERVICE = 'service_name=~"$service"'
FAILED = "service:http_requests_failed:ratio_rate"
SLOW = "service:http_requests_slow:ratio_rate"
BURN_LIMITS = Limits(1, 14.4)
FRONT = 'service_name="frontend"'


def left(ratio: str, objective: float) -> str:
    """The share of the error budget of the last hour that is left; below zero it is overdrawn."""
    return f"1 - {ratio}1h{{{FRONT}}} / {1 - objective:g}"


def build() -> Dashboard:
    """The dashboard."""
    failed = to_traces(
        "Failed requests",
        f'{{ resource.service.name = "{label("service_name")}" && kind = server && status = error }}',
    )
    slow = to_traces(
        "Requests of this service",
        f'{{ resource.service.name = "{label("service_name")}" && kind = server }}',
    )
    api = to_dashboard("Requests by route", "api", service=label("service_name"))
    return page(
        "slo",
        "SLOs",
        f"Do {AVAILABILITY:.0%} of requests succeed, and {LATENCY:.0%} of them within half a second?",
        [choice("service", "Service", "service:http_requests_failed:ratio_rate5m", "service_name")],
        [
            Row(
                "Does the front door keep its promises?",
                [
                    number(
                        "Available",
                        f"Share of the front door's requests in the last hour without a 5xx; promised: {AVAILABILITY:.0%}. "
                        "Routes that fail on purpose do not count.",
                        promql(f"1 - {FAILED}1h{{{FRONT}}}", "{{service_name}}"),
                        "percentunit",
                        failed,
                        limits=Limits(AVAILABILITY + 0.005, AVAILABILITY, falling=True),
                    ),
                    number(
                        "Budget of failures left",
                        "What is left of the failures that the last hour may have; below zero the promise is broken.",
                        promql(left(FAILED, AVAILABILITY), "{{service_name}}"),
                        "percentunit",
                        failed,
                        limits=Limits(0.5, 0, falling=True),
                    ),
                    number(
                        "Fast",
                        f"Share of the front door's requests in the last hour within half a second; promised: {LATENCY:.0%}.",
                        promql(f"1 - {SLOW}1h{{{FRONT}}}", "{{service_name}}"),
                        "percentunit",
                        slow,
                        limits=Limits(LATENCY + 0.02, LATENCY, falling=True),
                    ),
                    number(
                        "Budget of slowness left",
                        "What is left of the slow answers that the last hour may have.",
                        promql(left(SLOW, LATENCY), "{{service_name}}"),
                        "percentunit",
                        slow,
                        limits=Limits(0.5, 0, falling=True),
                    ),
                    number(
                        "Objectives at risk",
                        "Alerts on objectives that fire now.",
                        promql_now(
                            'count(ALERTS{alertstate="firing", objective!=""}) or vector(0)', "firing"
                        ),
                        "none",
                        to_dashboard("Fleet overview", "fleet"),
                        limits=Limits(1, 1),
                    ),
                ],
                spans=(5, 5, 5, 5, 4),
            ),
            Row(
                "How fast is the budget spent?",
                [
                    lines(
                        "Failures against the promise",
                        "How many times faster than allowed the failures come: at 1 the budget just lasts, at 14.4 it is gone in two days of a month.",
                        [
                            promql(
                                f"{FAILED}5m{{{SERVICE}}} / {1 - AVAILABILITY:g}", "{{service_name}} 5 min"
                            ),
                            promql(f"{FAILED}1h{{{SERVICE}}} / {1 - AVAILABILITY:g}", "{{service_name}} 1 h"),
                        ],
                        "none",
                        failed,
                    ),
                    lines(
                        "Slowness against the promise",
                        "How many times more slow answers than allowed.",
                        [
                            promql(f"{SLOW}5m{{{SERVICE}}} / {1 - LATENCY:g}", "{{service_name}} 5 min"),
                            promql(f"{SLOW}1h{{{SERVICE}}} / {1 - LATENCY:g}", "{{service_name}} 1 h"),
                        ],
                        "none",
                        slow,
                    ),
                ],
            ),
            Row(
                "Which service spends it?",
                [
                    rows(
                        "Services",
                        "The last hour of each service behind the front door.",
                        ["service_name"],
                        [
                            Column("Requests", f"service:http_requests:rate1h{{{SERVICE}}}", "reqps"),
                            Column("Available", f"1 - {FAILED}1h{{{SERVICE}}}", "percentunit"),
                            Column("Fast", f"1 - {SLOW}1h{{{SERVICE}}}", "percentunit"),
                        ],
                        to_dashboard("Its requests by route", "api", service="${__data.fields.service_name}"),
                    ),
                    lines(
                        "Requests",
                        "Requests a second of the last five minutes: a ratio of few requests says little.",
                        [promql(f"service:http_requests:rate5m{{{SERVICE}}}", "{{service_name}}")],
                        "reqps",
                        api,
                    ),
                ],
            ),
        ],
    )
