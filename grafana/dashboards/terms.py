"""Words that several dashboards share: selectors, ratios, quantiles. PromQL with Grafana's variables in it."""

from __future__ import annotations

from grafana.dashboards.panels import Limits

HERE = 'tenant_id=~"$tenant"'
CHOSEN = 'tenant_id=~"$tenant", service_name=~"$service"'
FAILED = 'http_response_status_code=~"5.."'
REQUESTS = "http_server_request_duration_seconds"
SPANS = "traces_span_metrics_duration_seconds"

# What the collector calls the items of each signal.
SIGNALS = {"spans": "traces", "log_records": "logs", "metric_points": "metrics"}

# Which share of failures is worth a look, and which is an incident.
ERROR_LIMITS = Limits(warn=0.01, bad=0.05)
# Seconds that an answer may take before a person notices, and before they leave.
LATENCY_LIMITS = Limits(warn=0.5, bad=2)


def rate(metric: str, selector: str, by: str = "", window: str = "$__rate_interval") -> str:
    """How many a second, in sum or by labels."""
    return f"sum{_by(by)} (rate({metric}{{{selector}}}[{window}]))"


def ratio(part: str, whole: str, by: str = "") -> str:
    """A share of 0..1 of two rates with the same labels; 0 where the part never happened."""
    nothing = f"({whole}) * 0"
    return f"(({part}) or ({nothing})) / ({whole})" if by else f"(({part}) or vector(0)) / ({whole})"


def quantile(q: float, histogram: str, selector: str, by: str = "", window: str = "$__rate_interval") -> str:
    """A quantile of a histogram in its own unit, in all or by labels."""
    labels = ", ".join(["le", *([by] if by else [])])
    return f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket{{{selector}}}[{window}])))"


def lost(*steps: str) -> str:
    """Items of all signals that steps of the collector gave up within the time range.

    Some of these counters begin with their first item, so each may be missing; they share their labels, so
    they are added rather than matched by name.
    """
    return " + ".join(
        f"(sum(increase(otelcol_{step}_{noun}_total[$__range])) or vector(0))"
        for step in steps
        for noun in SIGNALS
    )


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
