"""What a log store may drop or hide in silence is found: odd bodies, phrases, long values, one millisecond.

Quickwit drops a record whose body is neither text nor map while it answers 200, has no phrases and no order
below a millisecond in its own index. The collector and `quickwit/tracewright-logs.yaml` cure that.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import httpx
import pytest

from tracewright.contracts.settle import until
from tracewright.endpoints import Endpoints
from tracewright.signals import LogRecord
from tracewright.signals.quickwit import Quickwit

FOUND_S = 20.0
# Longer than the 254 bytes up to which a value can be searched for.
LONG = "x" * 300
BODIES: dict[str, dict[str, Any]] = {
    "text": {"stringValue": "connection refused by peer"},
    "int": {"intValue": "4711"},
    "bool": {"boolValue": True},
    "list": {"arrayValue": {"values": [{"stringValue": "apple"}, {"intValue": "7"}]}},
    "map": {"kvlistValue": {"values": [{"key": "message", "value": {"stringValue": "a map"}}]}},
}


@pytest.fixture(scope="module")
def run_id(endpoints: Endpoints) -> str:
    """Sends one record of each body, and waits until all of them can be found. The id that they share."""
    run_id = secrets.token_hex(8)
    # Two of one millisecond, the later one first.
    base_ns = time.time_ns() // 1_000_000 * 1_000_000
    records = [
        record(run_id, body, base_ns + 900 - number, kind)
        for number, (kind, body) in enumerate(BODIES.items())
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "log-store-test"}}]}
    request = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
    httpx.post(f"{endpoints.otlp_http}/v1/logs", json=request, trust_env=False).raise_for_status()

    def missing(found: list[LogRecord]) -> str:
        kinds = {log.attributes["kind"] for log in found}
        return ", ".join(sorted(set(BODIES) - kinds))

    waited, _ = until("records", lambda: search(endpoints, run_id), missing, FOUND_S)
    assert waited.met, str(waited)
    return run_id


def record(run_id: str, body: dict[str, Any], time_ns: int, kind: str) -> dict[str, Any]:
    attributes = {"probe": run_id, "kind": kind, "long": LONG}
    return {
        "timeUnixNano": str(time_ns),
        "severityNumber": 9,
        "severityText": "INFO",
        "body": body,
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }


def search(endpoints: Endpoints, run_id: str, more: str = "") -> list[LogRecord]:
    """Records of this run, oldest first."""
    store = Quickwit(str(endpoints.quickwit), endpoints.quickwit_index)
    return store.search(f'attributes.probe:"{run_id}"' + (f" AND {more}" if more else ""))


def test_a_record_is_found_whatever_its_body_is(endpoints: Endpoints, run_id: str) -> None:
    bodies = {str(log.attributes["kind"]): log.body for log in search(endpoints, run_id)}
    assert bodies["int"] == {"message": "4711"}
    assert bodies["bool"] == {"message": "true"}
    assert "apple" in str(bodies["list"])
    assert bodies["map"] == {"message": "a map"}


def test_a_phrase_in_a_body_is_found(endpoints: Endpoints, run_id: str) -> None:
    found = search(endpoints, run_id, 'body.message:"connection refused"')
    assert [log.attributes["kind"] for log in found] == ["text"]
    assert search(endpoints, run_id, 'body.message:"refused connection"') == []


def test_a_long_attribute_is_kept_whole(endpoints: Endpoints, run_id: str) -> None:
    assert {log.attributes["long"] for log in search(endpoints, run_id)} == {LONG}


def test_lines_of_one_millisecond_keep_their_order(endpoints: Endpoints, run_id: str) -> None:
    found = search(endpoints, run_id)
    assert [log.attributes["kind"] for log in found] == list(reversed(BODIES))
    assert [log.time_ns for log in found] == sorted(log.time_ns for log in found)
