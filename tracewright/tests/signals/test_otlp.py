from __future__ import annotations

import base64

import pytest

from tracewright.signals import AttributeValue, SpanKind, StatusCode, otlp
from tracewright.tests.drawing import draw

TREE = """
api server GET /x 0..9 ; error=500 exception log +n=1 +s=x
  api producer send q 1..2 ; id=sent
---
worker consumer process q 3..4 ; link=sent log
"""


def test_spans_and_logs_survive_writing_and_reading() -> None:
    run = draw(TREE)
    assert tuple(otlp.read_spans(otlp.write_spans(run.spans))) == run.spans
    assert tuple(otlp.read_logs(otlp.write_logs(run.logs))) == run.logs


@pytest.mark.parametrize(
    "value", ["text", True, False, 7, -(2**62), 1.5, b"\x00\xff", ("a", 1, (True,)), {"a": {"b": 1}}, None]
)
def test_attribute_value_survives_writing_and_reading(value: AttributeValue) -> None:
    assert otlp.read_value(otlp.write_value(value)) == value


def test_tempos_answer_with_base64_ids_and_enum_names_is_read() -> None:
    answer = {
        "batches": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]},
                "scopeSpans": [
                    {
                        "scope": {},
                        "spans": [
                            {
                                "traceId": base64.b64encode(bytes.fromhex("00" * 8 + "1f" * 8)).decode(),
                                "spanId": base64.b64encode(bytes.fromhex("ab" * 8)).decode(),
                                "name": "GET /x",
                                "kind": "SPAN_KIND_SERVER",
                                "startTimeUnixNano": "5",
                                "status": {"code": "STATUS_CODE_ERROR"},
                            }
                        ],
                    }
                ],
            }
        ]
    }
    (span,) = otlp.read_spans(answer)
    assert (span.trace_id, span.span_id, span.parent_span_id) == ("00" * 8 + "1f" * 8, "ab" * 8, "")
    assert (span.kind, span.status, span.service) == (SpanKind.SERVER, StatusCode.ERROR, "api")


def test_broken_id_stays_broken_and_an_all_zero_one_is_none() -> None:
    assert otlp.read_id("xyz") == "xyz"
    assert otlp.read_id("0" * 16) == ""
    assert otlp.read_id("ABCDEF0123456789") == "abcdef0123456789"


def test_log_without_a_time_gets_its_observed_time() -> None:
    record = {
        "observedTimeUnixNano": "7",
        "severityNumber": "SEVERITY_NUMBER_WARN2",
        "body": {"stringValue": "x"},
    }
    (log,) = otlp.read_logs({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    assert (log.time_ns, log.severity_number, log.message, log.service) == (7, 13, "x", "")


def test_histogram_point_gives_its_count_and_exemplars() -> None:
    point = {"count": "3", "sum": 1.5, "exemplars": [{"traceId": "ab" * 16}]}
    metric = {"name": "d", "unit": "s", "histogram": {"dataPoints": [point]}}
    (read,) = otlp.read_metrics({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
    assert (read.value, read.total, read.exemplar_trace_ids) == (3.0, 1.5, ("ab" * 16,))


def test_what_an_sdk_had_no_room_for_is_counted_and_written_back() -> None:
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "droppedAttributesCount": 1,
        "droppedEventsCount": 2,
        "droppedLinksCount": 3,
        "events": [{"name": "e", "droppedAttributesCount": 4}],
    }
    (read,) = otlp.read_spans({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    assert read.dropped == 10
    assert [again.dropped for again in otlp.read_spans(otlp.write_spans([read]))] == [10]

    record = {"body": {"stringValue": "x"}, "droppedAttributesCount": 2}
    (log,) = otlp.read_logs({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    assert [again.dropped for again in otlp.read_logs(otlp.write_logs([log]))] == [2]
