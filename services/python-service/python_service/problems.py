"""Errors as `application/problem+json` (RFC 9457), the same shape in every service of the fleet."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from python_service.errors import DependencyError, ServiceError

_logger = logging.getLogger(__name__)


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None) -> JSONResponse:
    """An error as the client sees it. `errors` names fields, with a message for each."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        body["trace_id"] = trace.format_trace_id(context.trace_id)
    if errors is not None:
        body["errors"] = errors
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def internal_error() -> JSONResponse:
    """What is told of an error that nobody expected: nothing but the trace to look at."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed; its logs have the reason.")


async def on_service_error(_: Request, exc: Exception) -> JSONResponse:
    """Log and answer a `ServiceError`."""
    assert isinstance(exc, ServiceError)
    if exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if not (isinstance(exc, DependencyError) and exc.recorded):
            trace.get_current_span().record_exception(exc)
        _logger.error("request failed", exc_info=exc, extra={"http.response.status_code": exc.status})
    else:
        _refused(exc.status, exc.detail)
    return problem(exc.status, exc.detail)


async def on_http_error(_: Request, exc: Exception) -> JSONResponse:
    """Answer what the framework refuses: unknown paths, wrong methods, bodies that cannot be read."""
    assert isinstance(exc, HTTPException)
    _refused(exc.status_code, exc.detail)
    response = problem(exc.status_code, exc.detail)
    response.headers.update(exc.headers or {})
    return response


async def on_invalid_request(request: Request, exc: Exception) -> JSONResponse:
    """Answer a body that is not JSON with 400, and one with missing or wrong fields with 422, naming them."""
    assert isinstance(exc, RequestValidationError)
    found = exc.errors()
    # FastAPI takes an absent body for a missing field; no text at all is no JSON either.
    sent = request.headers
    empty = (
        request.method == "POST"
        and "transfer-encoding" not in sent
        and sent.get("content-length", "0") == "0"
    )
    if empty or any(error["type"] == "json_invalid" for error in found):
        detail = "The body is not valid JSON."
        _refused(HTTPStatus.BAD_REQUEST, detail)
        return problem(HTTPStatus.BAD_REQUEST, detail)
    errors = [{"field": _field(error["loc"]), "message": error["msg"]} for error in found]
    detail = "Wrong or missing: " + ", ".join(error["field"] for error in errors)
    _refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors)


def _field(location: tuple[str | int, ...]) -> str:
    """`("body", "question")` is `question`; the body itself is `body`."""
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _refused(status: int, detail: str) -> None:
    _logger.info(
        "request refused", extra={"http.response.status_code": int(status), "problem.detail": detail}
    )
