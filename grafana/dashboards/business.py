"""Business: what agents do, and what it costs."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import label, to_dashboard, to_logs, to_traces
from grafana.dashboards.panels import TENANT, Limits, Row, bars, choice, lines, number, page
from grafana.dashboards.sources import promql, promql_now
from grafana.dashboards.terms import HERE, LATENCY_LIMITS, quantile, rate, ratio

RUNS = "agent_execution_total"
DONE = f'{HERE}, status="ok"'
DURATION = "agent_execution_duration_seconds"
TOKENS = "llm_tokens_total"
USED = f"max by (tenant_id, team) (team_spend_usd{{{HERE}}}) / max by (tenant_id, team) (team_budget_usd{{{HERE}}})"
BUDGET_LIMITS = Limits(warn=0.8, bad=1)


def build() -> Dashboard:
    """The dashboard."""
    runs = to_traces("Runs of this agent", f'{{ span.gen_ai.agent.id = "{label("agent_id")}" }}')
    all_runs = to_traces("Runs", '{ name =~ "invoke_agent .*" }')
    calls = to_traces("Calls of this model", f'{{ span.gen_ai.request.model = "{label("model")}" }}')
    charges = to_traces("Charges", '{ name = "process usage_events" }')
    api = to_dashboard("Requests by route", "api", tenant="$", service="go-service")
    return page(
        "business",
        "Business",
        "What do the agents do, and do the teams stay within their budgets?",
        [choice(*TENANT)],
        [
            Row(
                "Do agents work, and within budget?",
                [
                    number(
                        "Runs",
                        "Questions answered, or failed, within the time range.",
                        promql_now(f"sum(increase({RUNS}{{{HERE}}}[$__range]))", "runs"),
                        "short",
                        all_runs,
                    ),
                    number(
                        "Runs that succeed",
                        "Share of runs that ended with an answer.",
                        promql(ratio(rate(RUNS, DONE), rate(RUNS, HERE)), "succeeded"),
                        "percentunit",
                        to_logs(
                            "Errors of the runtime", 'service_name:"python-service" AND severity_text:ERROR'
                        ),
                        limits=Limits(0.99, 0.95, falling=True),
                    ),
                    number(
                        "Slowest twentieth",
                        "95 of 100 runs are done within this time.",
                        promql(quantile(0.95, DURATION, HERE), "p95"),
                        "s",
                        all_runs,
                        limits=LATENCY_LIMITS,
                    ),
                    number(
                        "Tokens",
                        "Tokens read and written by models within the time range.",
                        promql_now(f"sum(increase({TOKENS}{{{HERE}}}[$__range]))", "tokens"),
                        "short",
                        to_traces("Model calls", '{ span.gen_ai.operation.name = "chat" }'),
                    ),
                    number(
                        "Spend",
                        "What all teams have spent, in US dollars, since their budgets began.",
                        promql(f"sum(max by (tenant_id, team) (team_spend_usd{{{HERE}}}))", "spend"),
                        "currencyUSD",
                        charges,
                    ),
                    number(
                        "Fullest budget",
                        "The share of its budget that the team nearest to the end has spent.",
                        promql(f"max({USED})", "used"),
                        "percentunit",
                        charges,
                        limits=BUDGET_LIMITS,
                    ),
                ],
            ),
            Row(
                "Who asks what, and how long does it take?",
                [
                    lines(
                        "Runs by agent",
                        "Runs a second, by agent and how they ended.",
                        [promql(rate(RUNS, HERE, "agent_id, status"), "{{agent_id}} {{status}}")],
                        "ops",
                        runs,
                        stacked=True,
                    ),
                    lines(
                        "Duration by agent",
                        "95 of 100 runs are done within this time. Each dot opens a run's trace.",
                        [promql(quantile(0.95, DURATION, HERE, "agent_id"), "{{agent_id}}", exemplar=True)],
                        "s",
                        runs,
                    ),
                    lines(
                        "Tokens by model",
                        "Tokens a second, by model and direction.",
                        [promql(rate(TOKENS, HERE, "model, direction"), "{{model}} {{direction}}")],
                        "short",
                        calls,
                        stacked=True,
                    ),
                ],
            ),
            Row(
                "Where does the money go?",
                [
                    bars(
                        "Budget used",
                        "Spend of each team against its budget: from 80 % on yellow, over it red.",
                        promql_now(USED, "{{tenant_id}} {{team}}"),
                        "percentunit",
                        charges,
                        BUDGET_LIMITS,
                    ),
                    lines(
                        "Spend by team",
                        "US dollars since the budgets began.",
                        [
                            promql(
                                f"max by (tenant_id, team) (team_spend_usd{{{HERE}}})",
                                "{{tenant_id}} {{team}}",
                            )
                        ],
                        "currencyUSD",
                        charges,
                    ),
                    lines(
                        "Gateway",
                        "Requests a second through the gateway by status, and requests in its hands.",
                        [
                            promql(rate("gateway_requests_total", HERE, "status"), "{{status}}"),
                            promql("sum(gateway_active_connections)", "active"),
                        ],
                        "short",
                        api,
                    ),
                ],
            ),
        ],
    )
