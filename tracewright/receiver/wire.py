"""The three export services of OTLP: their names, paths and messages, and a message as OTLP/JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace

# JSON keys whose bytes OTLP/JSON spells in hex, where protobuf's own JSON has base64.
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
_COLLECTOR = "opentelemetry.proto.collector"


class Undecodable(ValueError):
    """A body that is no export request of its kind."""


@dataclass(frozen=True)
class Service:
    """One signal's export service. `field` is the one field of its request."""

    signal: str
    field: str
    grpc_name: str
    request: type[Message]
    response: type[Message]

    @property
    def path(self) -> str:
        """Where it is posted to over HTTP."""
        return f"/v1/{self.signal}"

    def from_protobuf(self, body: bytes) -> dict[str, Any]:
        """The request as OTLP/JSON. Raises `Undecodable`."""
        message = self.request()
        try:
            message.ParseFromString(body)
        except DecodeError as error:
            raise Undecodable(f"the body is no {self.request.DESCRIPTOR.full_name}: {error}") from error
        decoded: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
        for holder in _objects(decoded):
            for key in _IDS & holder.keys():
                holder[key] = base64.b64decode(holder[key]).hex()
        return decoded

    def from_json(self, body: bytes) -> dict[str, Any]:
        """The request as it was sent. Raises `Undecodable`."""
        try:
            decoded = json.loads(body)
        except ValueError as error:
            raise Undecodable(f"the body is no JSON: {error}") from error
        if not isinstance(decoded, dict) or not isinstance(decoded.get(self.field, []), list):
            raise Undecodable(
                f"the body is no {self.request.DESCRIPTOR.full_name}: `{self.field}` is no list"
            )
        return decoded


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects in a value but attributes: they are the bulk of it, and hold no ids."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key != "attributes":
                yield from _objects(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _service(signal: str, field: str, package: str, module: Any, kind: str) -> Service:
    return Service(
        signal,
        field,
        f"{_COLLECTOR}.{package}.v1.{kind}Service",
        getattr(module, f"Export{kind}ServiceRequest"),
        getattr(module, f"Export{kind}ServiceResponse"),
    )


SERVICES: Mapping[str, Service] = {
    service.signal: service
    for service in (
        _service("traces", "resourceSpans", "trace", trace, "Trace"),
        _service("logs", "resourceLogs", "logs", logs, "Logs"),
        _service("metrics", "resourceMetrics", "metrics", metrics, "Metrics"),
    )
}
