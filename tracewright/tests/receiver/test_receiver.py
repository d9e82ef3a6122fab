"""The receiver, by real sockets: what arrives is in the folder as the collector would have written it."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tracewright.receiver import Address, OtlpReceiver, PortTaken
from tracewright.receiver.wire import SERVICES
from tracewright.signals import LogRecord, Resource, Span, SpanKind, StatusCode, otlp
from tracewright.signals.tee import Tee

SHOP = Resource({"service.name": "shop"})
SPAN = Span(
    "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7", "GET /", SpanKind.SERVER,
    1, 2, StatusCode.ERROR, attributes={"http.response.status_code": 500}, resource=SHOP, scope="tests",
)  # fmt: skip
LOG = LogRecord(3, "sold", SPAN.trace_id, SPAN.span_id, "INFO", 9, resource=SHOP)
METRICS = {
    "resourceMetrics": [
        {
            "resource": {"attributes": otlp.write_attributes(SHOP.attributes)},
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "sales",
                            "sum": {
                                "isMonotonic": True,
                                "dataPoints": [
                                    {"asInt": "7", "exemplars": [{"traceId": SPAN.trace_id, "asInt": "1"}]}
                                ],
                            },
                        }
                    ]
                }
            ],
        }
    ]
}
SENT: dict[str, dict[str, Any]] = {
    "traces": otlp.write_spans([SPAN]),
    "logs": otlp.write_logs([LOG]),
    "metrics": METRICS,
}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[OtlpReceiver]:
    free = Address.parse(":0")
    with OtlpReceiver(tmp_path / "tee", http=free, grpc=free) as receiver:
        yield receiver


def protobuf(signal: str) -> bytes:
    """The request in protobuf, from its OTLP/JSON."""
    from google.protobuf.json_format import ParseDict

    def based(value: Any) -> Any:
        import base64

        if isinstance(value, dict):
            return {
                key: base64.b64encode(bytes.fromhex(inner)).decode()
                if key in ("traceId", "spanId", "parentSpanId")
                else based(inner)
                for key, inner in value.items()
            }
        return [based(item) for item in value] if isinstance(value, list) else value

    return ParseDict(based(SENT[signal]), SERVICES[signal].request()).SerializeToString()


def post(receiver: OtlpReceiver, path: str, **rest: Any) -> httpx.Response:
    return httpx.post(f"http://{receiver.http}{path}", trust_env=False, **rest)


def received(
    receiver: OtlpReceiver,
) -> tuple[list[Span], list[LogRecord], list[tuple[str, float, tuple[str, ...]]]]:
    assert receiver.folder is not None
    tee = Tee(receiver.folder)
    return tee.spans(), tee.logs(), [(p.name, p.value, p.exemplar_trace_ids) for p in tee.metrics()]


ALL = ([SPAN], [LOG], [("sales", 7.0, (SPAN.trace_id,))])


def test_json_over_http_arrives(receiver: OtlpReceiver) -> None:
    for signal, request in SENT.items():
        answer = post(receiver, f"/v1/{signal}", json=request)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json() == {}
    assert received(receiver) == ALL


@pytest.mark.parametrize("encoding", ["identity", "gzip", "chunked"])
def test_protobuf_over_http_arrives(receiver: OtlpReceiver, encoding: str) -> None:
    for signal in SENT:
        body = protobuf(signal)
        headers = {"content-type": "application/x-protobuf"}
        content: Any = body
        if encoding == "gzip":
            headers["content-encoding"], content = "gzip", gzip.compress(body)
        if encoding == "chunked":
            content = iter([body[:10], body[10:]])
        answer = post(receiver, f"/v1/{signal}", content=content, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    assert received(receiver) == ALL


def test_grpc_arrives(receiver: OtlpReceiver) -> None:
    with grpc.insecure_channel(str(receiver.grpc)) as channel:
        for signal, service in SERVICES.items():
            export: Any = channel.unary_unary(f"/{service.grpc_name}/Export")
            assert export(protobuf(signal), timeout=60) == b""
    assert received(receiver) == ALL


def test_ids_are_written_in_hex_as_the_collector_does(receiver: OtlpReceiver) -> None:
    post(
        receiver, "/v1/traces", content=protobuf("traces"), headers={"content-type": "application/x-protobuf"}
    )
    assert receiver.folder is not None
    (line,) = (receiver.folder / "traces.jsonl").read_text().splitlines()
    (span,) = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (span["traceId"], span["spanId"]) == (SPAN.trace_id, SPAN.span_id)
    assert (span["parentSpanId"], span["kind"]) == (SPAN.parent_span_id, 2)


def test_sdks_own_exporter_gets_through(receiver: OtlpReceiver) -> None:
    provider = TracerProvider(resource=SdkResource({"service.name": "sdk"}))
    exporter = OTLPSpanExporter(endpoint=f"http://{receiver.http}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("outer") as outer:
        pass
    provider.shutdown()
    ((span,), _, _) = received(receiver)
    assert (span.service, span.name) == ("sdk", "outer")
    assert span.span_id == f"{outer.get_span_context().span_id:016x}"


@pytest.mark.parametrize(
    ("path", "content", "kind", "status", "message"),
    [
        ("/v1/profiles", b"{}", "application/json", 404, "nothing at /v1/profiles; there is /v1/traces"),
        ("/", b"{}", "application/json", 404, "nothing at /;"),
        ("/v1/traces", b"x", "text/plain", 415, "content-type text/plain: expected application/x-protobuf"),
        ("/v1/traces", b"{", "application/json", 400, "the body is no JSON"),
        ("/v1/traces", b"[]", "application/json", 400, "the body is no opentelemetry.proto.collector.trace"),
        ("/v1/logs", b"\xff\xff", "application/x-protobuf", 400, "the body is no opentelemetry.proto."),
    ],
)
def test_what_is_no_otlp_is_refused_with_the_reason_and_the_connection_goes_on(
    receiver: OtlpReceiver, path: str, content: bytes, kind: str, status: int, message: str
) -> None:
    with httpx.Client(base_url=f"http://{receiver.http}", trust_env=False) as http:
        answer = http.post(path, content=content, headers={"content-type": kind})
        assert (answer.status_code, message in answer.text) == (status, True), answer.text
        assert http.post("/v1/traces", json=SENT["traces"]).status_code == 200
    assert received(receiver)[0] == [SPAN]


def test_broken_gzip_is_refused(receiver: OtlpReceiver) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = post(receiver, "/v1/traces", content=b"{}", headers=headers)
    assert (answer.status_code, "the body is not gzipped" in answer.text) == (400, True)


def test_broken_grpc_body_is_an_invalid_argument(receiver: OtlpReceiver) -> None:
    with grpc.insecure_channel(str(receiver.grpc)) as channel:
        export: Any = channel.unary_unary(f"/{SERVICES['traces'].grpc_name}/Export")
        with pytest.raises(grpc.RpcError) as caught:
            export(b"\xff\xff", timeout=60)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_page_of_another_origin_may_send(receiver: OtlpReceiver) -> None:
    answer = httpx.options(f"http://{receiver.http}/v1/traces", trust_env=False)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_taken_port_is_named(tmp_path: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(PortTaken, match=f"{address}: somebody listens there already"):
            OtlpReceiver(
                tmp_path,
                http=address if kind == "http" else None,
                grpc=address if kind == "grpc" else None,
            ).__enter__()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("4318", Address("127.0.0.1", 4318)),
        (":4318", Address("127.0.0.1", 4318)),
        ("0.0.0.0:4318", Address("0.0.0.0", 4318)),
    ],
)
def test_address_is_read(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize("text", ["", "x", "localhost", ":70000", "http://127.0.0.1"])
def test_wrong_address_is_told_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected PORT, :PORT or HOST:PORT"):
        Address.parse(text)
