"""Bodies over the limit are refused while they are read, with or without a `Content-Length`.

FastAPI's own `max_body_size` answers such requests outside of the application's error handlers, as plain text
and without the trace.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024


class BodyLimitMiddleware:
    """Raises 413 from `receive`, so that the route is known by then."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        announced_bytes = int(announced) if announced.isdecimal() else 0
        counted_bytes = 0

        async def limited_receive() -> Message:
            nonlocal counted_bytes
            if announced_bytes > MAX_BODY_BYTES:
                raise _too_large()
            message = await receive()
            counted_bytes += len(message.get("body", b""))
            if counted_bytes > MAX_BODY_BYTES:
                raise _too_large()
            return message

        await self.app(scope, limited_receive, send)


def _too_large() -> HTTPException:
    return HTTPException(
        413, f"The body is larger than {MAX_BODY_BYTES} bytes.", headers={"connection": "close"}
    )
