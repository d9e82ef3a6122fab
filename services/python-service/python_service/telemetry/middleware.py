"""What surrounds each request inside its server span.

It puts the trace into the answer, measures the request, and ends errors that nobody expected. The span is
FastAPI's.
"""

from __future__ import annotations

import logging
from time import perf_counter

from opentelemetry import trace
from opentelemetry.trace import Span
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from python_service import faults
from python_service.faults import Fault
from python_service.problems import internal_error
from python_service.telemetry.instruments import Instruments
from python_service.telemetry.tenant import TENANT, KnownTenants, current_tenant

UNTRACED_PATHS = frozenset({"/", "/metrics"})
UNKNOWN_ROUTE = "/*"

_KNOWN_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})

_logger = logging.getLogger(__name__)


def is_untraced(scope: Scope) -> bool:
    """Health checks and scrapes: asked every few seconds, by nobody in particular."""
    return scope["type"] != "http" or scope["path"] in UNTRACED_PATHS


class RequestMiddleware:
    """To be the outermost of the application's own middlewares."""

    def __init__(self, app: ASGIApp, *, instruments: Instruments, known_tenants: KnownTenants) -> None:
        self.app = app
        self._instruments = instruments
        self._known_tenants = known_tenants

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; raises only when the answer had begun before the failure."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_s = perf_counter()
        span = trace.get_current_span()
        status = 500
        response_started = False

        async def send_with_trace(message: Message) -> None:
            nonlocal status, response_started
            if message["type"] == "http.response.start":
                status = message["status"]
                response_started = True
                _name_unknown_route(scope, span)
                _add_traceresponse(message, span)
            await send(message)

        try:
            await self.app(scope, receive, send_with_trace)
        except Exception as exc:
            # The one place where an unexpected exception ends: recorded, logged and answered once. It is not
            # raised further, since uvicorn would log it again.
            if not faults.on(Fault.EXCEPTION_NOT_RECORDED):
                span.record_exception(exc)
            _logger.exception("request failed", extra={"http.route": _route(scope)})
            if response_started:
                raise
            await internal_error()(scope, receive, send_with_trace)
        finally:
            if not is_untraced(scope):
                self._measure(scope, status, perf_counter() - started_s)

    def _measure(self, scope: Scope, status: int, duration_s: float) -> None:
        attributes: dict[str, str | int] = {
            "http.request.method": scope["method"] if scope["method"] in _KNOWN_METHODS else "_OTHER",
            "http.response.status_code": status,
            "http.route": _route(scope),
            "network.protocol.version": scope["http_version"],
            "url.scheme": scope["scheme"],
        }
        if status >= 500:
            attributes["error.type"] = str(status)
        tenant = self._known_tenants.label(current_tenant())
        if tenant is not None:
            attributes[TENANT] = tenant
        self._instruments.request_served(duration_s, attributes)


def _route(scope: Scope) -> str:
    """The template of the route, known once the router has run; one name for all paths that have none."""
    return str(getattr(scope.get("route"), "path", UNKNOWN_ROUTE))


def _name_unknown_route(scope: Scope, span: Span) -> None:
    if "route" not in scope:
        method = scope["method"] if scope["method"] in _KNOWN_METHODS else "HTTP"
        span.update_name(f"{method} {UNKNOWN_ROUTE}")
        span.set_attribute("http.route", UNKNOWN_ROUTE)


def _add_traceresponse(message: Message, span: Span) -> None:
    context = span.get_span_context()
    if context.is_valid:
        trace_id, span_id = trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
        MutableHeaders(scope=message)["traceresponse"] = f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"
