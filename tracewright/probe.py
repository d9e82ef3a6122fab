"""Drives journeys over HTTP, each under a trace id of its own.

The probe's span is the declared remote parent of whatever the request starts. It is exported too where the
stack takes OTLP over HTTP, so that the stored trace is whole; the judgement does not depend on it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tracewright.contracts.capture import PROBE_SERVICE, UNWANTED_BAGGAGE_KEY, Probe
from tracewright.contracts.model import Contract, HttpRequest
from tracewright.endpoints import Endpoints
from tracewright.signals import Resource, Span, SpanKind, StatusCode, otlp

REQUEST_TIMEOUT_S = 20.0
BODY_SHOWN = 200


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The ids that a probe sends along, and the headers that carry them."""

    trace_id: str
    span_id: str
    test_id: str
    secret: str

    @classmethod
    def new(cls) -> TraceContext:
        """Fresh random ids."""
        return cls(
            trace_id=secrets.token_hex(16),
            span_id=secrets.token_hex(8),
            test_id=f"probe-{secrets.token_hex(6)}",
            secret=f"canary{secrets.token_hex(16)}",
        )

    @property
    def headers(self) -> dict[str, str]:
        """`traceparent` (sampled), `baggage`, and a token where clients carry their credentials."""
        return {
            "traceparent": f"00-{self.trace_id}-{self.span_id}-01",
            "baggage": f"test.id={self.test_id},{UNWANTED_BAGGAGE_KEY}={self.secret}",
            "authorization": f"Bearer {self.secret}",
            "cookie": f"session={self.secret}",
        }


def drive_http(
    contract: Contract,
    endpoints: Endpoints,
    http: httpx.Client,
    *,
    tenant: str,
    label: str,
    context: TraceContext | None = None,
) -> Probe:
    """Sends the contract's request. A refusal, a time-out or another status is the probe's `error`.

    `context` are the probe's ids where somebody has to know them beforehand; else they are fresh ones.
    """
    request = contract.http
    if request is None:
        raise ValueError(f"{contract.place('journey')}: {contract.journey} is not driven over HTTP")
    context = context or TraceContext.new()
    started_ns = time.time_ns()
    probe = Probe(
        journey=contract.journey,
        drive="http",
        trace_id=context.trace_id,
        span_id=context.span_id,
        test_id=context.test_id,
        tenant=tenant,
        started_ns=started_ns,
        ended_ns=started_ns,
        label=label,
        secret=context.secret,
    )
    base_url = endpoints.base_url(request.to)
    if base_url is None:
        return replace(probe, error=f"the stack has no {request.to}")
    url = f"{base_url}{filled(request.path, tenant)}"
    try:
        answer = http.request(
            request.method,
            url,
            headers={**context.headers, **_lowered(filled(request.headers, tenant))},
            json=filled(request.json_body, tenant),
            timeout=REQUEST_TIMEOUT_S,
        )
    except httpx.HTTPError as error:
        return replace(
            probe,
            ended_ns=time.time_ns(),
            error=f"{request.method} {url}: {type(error).__name__}: {error}",
        )
    probe = replace(probe, ended_ns=time.time_ns(), status=answer.status_code)
    export_span(endpoints, http, probe, request)
    if answer.status_code != request.status:
        shown = answer.text[:BODY_SHOWN]
        return replace(
            probe,
            error=f"{request.method} {url}: {answer.status_code} in place of {request.status}: {shown}",
        )
    return probe


def export_span(endpoints: Endpoints, http: httpx.Client, probe: Probe, request: HttpRequest) -> None:
    """Sends the probe's own span to the collector, if the stack takes OTLP/HTTP and takes it now."""
    if endpoints.otlp_http is None:
        return
    failed = probe.status is None or probe.status >= httpx.codes.INTERNAL_SERVER_ERROR
    span = Span(
        trace_id=probe.trace_id,
        span_id=probe.span_id,
        parent_span_id="",
        name=request.method,
        kind=SpanKind.CLIENT,
        start_ns=probe.started_ns,
        end_ns=probe.ended_ns,
        status=StatusCode.ERROR if failed else StatusCode.UNSET,
        attributes={
            "http.request.method": request.method,
            "http.response.status_code": probe.status or 0,
            "test.id": probe.test_id,
        },
        resource=Resource({"service.name": PROBE_SERVICE, "service.namespace": "tracewright"}),
        scope="tracewright.probe",
    )
    try:
        http.post(f"{endpoints.otlp_http}/v1/traces", json=otlp.write_spans([span]))
    except httpx.HTTPError:
        # The judgement does without this span; that the collector is away is for `no_loss` to say.
        return


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def filled(template: Any, tenant: str) -> Any:
    """The template with `{tenant}` replaced in every text of it."""
    if isinstance(template, str):
        return template.replace("{tenant}", tenant)
    if isinstance(template, dict):
        return {key: filled(value, tenant) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, tenant) for value in template]
    return template
