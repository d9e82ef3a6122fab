"""OTLP over HTTP/1.1: `POST /v1/{traces,logs,metrics}`, protobuf or JSON, gzipped, chunked, from a page."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToJson

from tracewright.receiver.wire import SERVICES, Service, Undecodable

PROTOBUF, JSON = "application/x-protobuf", "application/json"
Taker = Callable[[Service, Mapping[str, Any]], None]


class HttpServer:
    """One listening server on a thread of its own. Making it raises `OSError` when the port is not free."""

    def __init__(self, host: str, port: int, take: Taker, max_body_bytes: int) -> None:
        self._server = _Server((host, port), _handler(take, max_body_bytes))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="otlp-http", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; requests that are under way are cut off."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def _handler(take: Taker, max_body_bytes: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Exporters come by every second; that is not worth a line."""

        def do_OPTIONS(self) -> None:
            self._answer(HTTPStatus.NO_CONTENT, "text/plain", b"")

        def do_POST(self) -> None:
            kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            try:
                body = self._body()  # read in any case: the connection goes on after a refusal
                service = SERVICES.get(self.path.removeprefix("/v1/"))
                if service is None or self.path != service.path:
                    known = ", ".join(service.path for service in SERVICES.values())
                    raise _Refused(HTTPStatus.NOT_FOUND, f"nothing at {self.path}; there is {known}")
                if kind == PROTOBUF:
                    take(service, service.from_protobuf(body))
                elif kind == JSON:
                    take(service, service.from_json(body))
                else:
                    raise _Refused(
                        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                        f"content-type {kind or '(none)'}: expected {PROTOBUF} or {JSON}",
                    )
            except _Refused as refused:
                self._answer(refused.status, "text/plain", str(refused).encode())
            except Undecodable as error:
                self._answer(HTTPStatus.BAD_REQUEST, "text/plain", str(error).encode())
            else:
                done = service.response()
                sent = MessageToJson(done).encode() if kind == JSON else done.SerializeToString()
                self._answer(HTTPStatus.OK, kind, sent)

        def _body(self) -> bytes:
            chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
            body = self._chunks() if chunked else self._sized()
            encoding = self.headers.get("content-encoding", "identity").lower()
            if encoding == "identity":
                return body
            if encoding != "gzip":
                raise _Refused(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-encoding {encoding}: expected gzip"
                )
            try:
                return gzip.decompress(body)
            except (OSError, EOFError, zlib.error) as error:
                raise _Refused(HTTPStatus.BAD_REQUEST, f"the body is not gzipped: {error}") from error

        def _sized(self) -> bytes:
            size = int(self.headers.get("content-length") or 0)
            self._limit(size)
            return self.rfile.read(size)

        def _chunks(self) -> bytes:
            parts: list[bytes] = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                self._limit(size + sum(map(len, parts)))
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return b"".join(parts)

        def _limit(self, size: int) -> None:
            if size > max_body_bytes:
                self.close_connection = True
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {max_body_bytes} bytes")

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            # A page exports from another origin.
            self.send_header("access-control-allow-origin", "*")
            self.send_header("access-control-allow-headers", "*")
            self.end_headers()
            self.wfile.write(body)

    return Handler
