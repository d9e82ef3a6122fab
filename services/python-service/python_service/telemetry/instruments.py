"""The metrics of this service. Seconds, with buckets for seconds; each is recorded in one place."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import metrics

# Bounds in seconds. The SDK's default ones are made for milliseconds: every request would fall into the first
# bucket.
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
EXECUTION_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)


class Instruments:
    """Made once per application from the meter provider that is installed then."""

    def __init__(self) -> None:
        meter = metrics.get_meter("python_service")
        self._request_duration = meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=REQUEST_BUCKETS_S,
        )
        self._execution_duration = meter.create_histogram(
            "agent.execution.duration",
            unit="s",
            description="Duration of agent executions, from the plan to the stored answer.",
            explicit_bucket_boundaries_advisory=EXECUTION_BUCKETS_S,
        )
        self._executions = meter.create_counter(
            "agent.execution", unit="{execution}", description="Agent executions, by outcome."
        )
        self._tokens = meter.create_counter(
            "llm.tokens", unit="{token}", description="Tokens that language models took in and gave out."
        )

    def request_served(self, duration_s: float, attributes: Mapping[str, str | int]) -> None:
        """One HTTP request was answered."""
        self._request_duration.record(duration_s, attributes)

    def execution_finished(self, duration_s: float, *, agent_id: str, tenant_id: str, status: str) -> None:
        """One execution ended; `status` is `ok` or `error`. A replayed answer is not an execution."""
        attributes = {"agent_id": agent_id, "workspace": tenant_id, "status": status, "tenant.id": tenant_id}
        self._execution_duration.record(duration_s, attributes)
        self._executions.add(1, attributes)

    def tokens_used(
        self, *, provider: str, model: str, tenant_id: str, input_tokens: int, output_tokens: int
    ) -> None:
        """One call of a model was paid for."""
        attributes = {"provider": provider, "model": model, "tenant.id": tenant_id}
        self._tokens.add(input_tokens, {**attributes, "direction": "input"})
        self._tokens.add(output_tokens, {**attributes, "direction": "output"})
