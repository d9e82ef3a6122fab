"""The two servers of the receiver, and the folder that they write to."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

from tracewright.receiver.http import HttpServer
from tracewright.receiver.wire import SERVICES, Service, Undecodable

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024 * 1024
GRPC_THREADS = 4
Listener = Callable[[str, Mapping[str, Any]], None]


class PortTaken(OSError):
    """Somebody listens there already, or the port is not ours to take; the text names it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """`4318`, `:4318` (both on the loopback interface) or `0.0.0.0:4318`. Raises `ValueError`."""
        host, _, port = text.rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{text!r}: expected PORT, :PORT or HOST:PORT")
        return cls(host.strip("[]") or LOOPBACK, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class OtlpReceiver:
    """A context manager; while it is entered, it takes OTLP and appends it to `folder`, if there is one.

    `http` and `grpc` are where it listens (`None`: not at all), and afterwards where it does listen.
    `listener` is told the signal and the OTLP/JSON of each request, on the thread that took it.
    Entering raises `PortTaken`.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        http: Address | None = None,
        grpc: Address | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.folder = folder
        self.http = http
        self.grpc = grpc
        self._listener = listener
        self._writing = threading.Lock()
        self._http_server: HttpServer | None = None
        self._grpc_server: Any = None

    def __enter__(self) -> OtlpReceiver:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            if self.http is not None:
                self._serve_http(self.http)
            if self.grpc is not None:
                self._serve_grpc(self.grpc)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def take(self, service: Service, request: Mapping[str, Any]) -> None:
        """Returns when the request is in the folder's file, and the listener has had it."""
        if self.folder is not None:
            line = json.dumps(request, separators=(",", ":")) + "\n"
            path = self.folder / f"{service.signal}.jsonl"
            with self._writing, path.open("a", encoding="utf-8") as file:
                file.write(line)
        if self._listener is not None:
            self._listener(service.signal, request)

    def _serve_http(self, address: Address) -> None:
        try:
            self._http_server = HttpServer(address.host, address.port, self.take, MAX_BODY_BYTES)
        except OSError as error:
            raise PortTaken(f"{address}: {_why(error)}") from error
        self._http_server.start()
        self.http = Address(address.host, self._http_server.port)

    def _serve_grpc(self, address: Address) -> None:
        server = grpc.server(
            ThreadPoolExecutor(GRPC_THREADS, thread_name_prefix="otlp-grpc"),
            # A second receiver on the same port is an error, and no lottery.
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_BODY_BYTES)],
        )
        for service in SERVICES.values():
            server.add_generic_rpc_handlers((self._handler(service),))
        try:
            port = server.add_insecure_port(str(address))
        except RuntimeError as error:
            raise PortTaken(f"{address}: somebody listens there already") from error
        server.start()
        self._grpc_server = server
        self.grpc = Address(address.host, port)

    def _handler(self, service: Service) -> grpc.GenericRpcHandler:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                self.take(service, service.from_protobuf(body))
            except Undecodable as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            return service.response().SerializeToString()

        return grpc.method_handlers_generic_handler(
            service.grpc_name, {"Export": grpc.unary_unary_rpc_method_handler(export)}
        )

    def _stop(self) -> None:
        if self._http_server is not None:
            self._http_server.stop()
        if self._grpc_server is not None:
            self._grpc_server.stop(grace=1.0).wait()


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "somebody listens there already"
    return error.strerror or str(error)
