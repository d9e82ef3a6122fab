"""Real-user monitoring: what people wait for in the page."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import SERIES, label, to_dashboard, to_logs, to_traces
from grafana.dashboards.panels import Limits, Row, choice, lines, number, page, records, traces
from grafana.dashboards.sources import log_count, log_lines, log_percentile, promql, traceql
from grafana.dashboards.terms import ERROR_LIMITS, SPANS, quantile, rate, ratio

WEB = 'service_name="frontend-web", tenant_id=~"$tenant"'
CLICKS = f'{WEB}, span_name=~"click .+"'
CALLS = f'{WEB}, span_kind="SPAN_KIND_CLIENT"'
LOADS = 'service_name="frontend-web", span_name="documentLoad"'
NAME = "attributes.browser.web_vital.name"
VALUE = "attributes.browser.web_vital.value"
VITALS = f"{NAME}:*"
# The web vitals' own limits between good, to be improved, and poor; times in milliseconds.
GOOD = {"lcp": Limits(2500, 4000), "inp": Limits(200, 500), "cls": Limits(0.1, 0.25)}


def build() -> Dashboard:
    """The dashboard."""
    loads = to_traces("Page loads", '{ name = "documentLoad" }')
    vitals = to_logs("Measured values", f'{NAME}:"{SERIES}"')
    click = to_traces("Traces of this click", f'{{ name = "{label("span_name")}" }}')
    return page(
        "browser",
        "Real-user monitoring",
        "Do people wait for the page, or meet errors in it?",
        [choice("tenant", "Tenant", f'{SPANS}_count{{service_name="frontend-web"}}', "tenant_id")],
        [
            Row(
                "Do people wait, or meet errors?",
                [
                    number(
                        "Largest paint",
                        "3 of 4 page loads show their main content within this time (LCP).",
                        log_percentile(f"{NAME}:lcp", VALUE, 75),
                        "ms",
                        loads,
                        limits=GOOD["lcp"],
                    ),
                    number(
                        "Answer to input",
                        "3 of 4 visits see the page react to a click within this time (INP).",
                        log_percentile(f"{NAME}:inp", VALUE, 75),
                        "ms",
                        to_logs("Measured values", f"{NAME}:inp"),
                        limits=GOOD["inp"],
                    ),
                    number(
                        "Layout shift",
                        "3 of 4 visits see the content jump no more than this, as a share of the window (CLS).",
                        log_percentile(f"{NAME}:cls", VALUE, 75),
                        "none",
                        to_logs("Measured values", f"{NAME}:cls"),
                        limits=GOOD["cls"],
                    ),
                    number(
                        "Page loads",
                        "Loads of the page a minute.",
                        promql(f"60 * {rate(f'{SPANS}_count', LOADS)}", "loads"),
                        "opm",
                        loads,
                    ),
                    number(
                        "Failed clicks",
                        "Share of the page's own requests that failed.",
                        promql(
                            ratio(
                                rate(f"{SPANS}_count", f'{CALLS}, status_code="STATUS_CODE_ERROR"'),
                                rate(f"{SPANS}_count", CALLS),
                            ),
                            "failed",
                        ),
                        "percentunit",
                        to_traces(
                            "Failed clicks", '{ resource.service.name = "frontend-web" && status = error }'
                        ),
                        limits=ERROR_LIMITS,
                    ),
                    number(
                        "Poor values",
                        "Values in the time range that the browser rated poor, of all web vitals.",
                        log_count("attributes.browser.web_vital.rating:poor"),
                        "short",
                        to_logs("Poor values", "attributes.browser.web_vital.rating:poor"),
                        total=True,
                        limits=Limits(1, 10),
                    ),
                ],
            ),
            Row(
                "What do they wait for?",
                [
                    lines(
                        "Times of the page",
                        "3 of 4 visits are at least this fast: first byte, first and largest paint, answer to input.",
                        [log_percentile(f"{VITALS} AND NOT {NAME}:cls", VALUE, 75, NAME)],
                        "ms",
                        vitals,
                    ),
                    lines(
                        "Clicks",
                        "From the click to the answer: 95 of 100 are faster. Each dot opens a trace.",
                        [promql(quantile(0.95, SPANS, CLICKS, "span_name"), "{{span_name}}", exemplar=True)],
                        "s",
                        click,
                    ),
                    lines(
                        "Loading the page",
                        "95 of 100 are faster: the whole load, and the document alone.",
                        [
                            promql(
                                quantile(
                                    0.95,
                                    SPANS,
                                    'service_name="frontend-web", span_name=~"document.+"',
                                    "span_name",
                                ),
                                "{{span_name}}",
                                exemplar=True,
                            )
                        ],
                        "s",
                        click,
                    ),
                ],
            ),
            Row(
                "What happened to one of them?",
                [
                    traces(
                        "Latest visits",
                        "Page loads and clicks, newest first; the id opens browser and servers in one trace.",
                        traceql(
                            '{ resource.service.name = "frontend-web" && (name = "documentLoad" || name =~ "click .*") }'
                        ),
                        to_dashboard("Logs and traces", "logs-traces"),
                    ),
                    lines(
                        "Visits by rating",
                        "Measured values by how the browser rates them.",
                        [log_count(VITALS, "attributes.browser.web_vital.rating")],
                        "short",
                        to_logs("Measured values", VITALS),
                        bars=True,
                        stacked=True,
                    ),
                    records(
                        "Events of the browser",
                        "What the page reported, newest first.",
                        log_lines('service_name:"frontend-web"', 50),
                        to_logs("All of them", 'service_name:"frontend-web"'),
                    ),
                ],
            ),
        ],
    )
