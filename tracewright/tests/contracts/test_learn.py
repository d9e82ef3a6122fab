"""What a contract learned from a trace says, and that it holds for that trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.findings import Verdict
from tracewright.contracts.learn import LearnError, Seen, learn, pattern, traces_of
from tracewright.contracts.load import parse_contract
from tracewright.contracts.model import Contract
from tracewright.signals import LogRecord, Resource, Span
from tracewright.tests.drawing import TRACE_ID, draw
from tracewright.verify import judged

SERVED = "+http.request.method=POST +url.path=/orders +http.response.status_code=200"
ORDER = f"""
shop server POST /orders                0..100  ; id=shop log {SERVED} +test.id=test-1
  shop internal handle                  1..99   ; +test.id=test-1
    shop client POST                    5..40   ; +test.id=test-1
      stock server POST /reservations   10..35  ; log +test.id=test-1
    shop client POST                    50..90  ; +test.id=test-1
      payments server POST /charges     55..85  ; log +test.id=test-1
    shop producer send orders           91..95  ; id=send +test.id=test-1
---
mail consumer process orders            96..99  ; link=send log +test.id=test-1
  mail client SEND mail                 97..98  ; +test.id=test-1
"""


def learned(run: RunCapture, **changed: Any) -> str:
    """What is learned from a drawing; `changed` are further arguments."""
    seen = Seen(TRACE_ID, run.spans, run.logs, frozenset({"shop", "other"}))
    return learn(seen, **{"journey": "drawn", "to": lambda service: None, **changed})


# What is not drawn: resources and attributes.
UNDRAWN = {"attributes", "resource"}


def with_test_id(run: RunCapture) -> RunCapture:
    """The same, with the test's id on the log records, too."""
    logs = tuple(replace(log, attributes={"test.id": "test-1"}) for log in run.logs)
    return replace(run, logs=logs, stored_logs=logs)


def red(run: RunCapture, contract: Contract) -> set[str]:
    """The checks of structure that a learned contract turns red."""
    report = judged(run, {"drawn": contract})
    return {r.check for r in report.results if r.verdict is Verdict.FAIL and r.check not in UNDRAWN}


def test_contract_holds_what_cannot_be_derived_and_nothing_else() -> None:
    data = yaml.safe_load(learned(with_test_id(draw(ORDER)), body={"item": "mug"}))
    assert data == {
        "journey": "drawn",
        "http": {"method": "POST", "path": "/orders", "json": {"item": "mug"}},
        "spans": {
            "shop": {"service": "shop", "name": "POST /orders", "kind": "server", "logs": True},
            "to-stock": {"service": "shop", "name": "POST", "kind": "client", "parent": "shop", "count": 2},
            "stock": {
                "service": "stock",
                "name": "POST /reservations",
                "kind": "server",
                "parent": "to-stock",
                "logs": True,
            },
            "payments": {
                "service": "payments",
                "name": "POST /charges",
                "kind": "server",
                "parent": "to-stock",
                "logs": True,
            },
            "send-orders": {"service": "shop", "name": "send orders", "kind": "producer", "parent": "shop"},
            "process-orders": {
                "service": "mail",
                "name": "process orders",
                "kind": "consumer",
                "link": "send-orders",
                "logs": True,
            },
            "send-mail": {
                "service": "mail",
                "name": "SEND mail",
                "kind": "client",
                "parent": "process-orders",
            },
        },
        "request_metrics": ["shop"],
        "baggage": ["test.id"],
        "internal": {"shop": ["handle"]},
    }


def test_contract_holds_for_the_trace_that_it_was_learned_from_and_not_for_a_broken_one() -> None:
    run = with_test_id(draw(ORDER))
    contract = parse_contract(learned(run).replace("request_metrics: [shop]\n", ""), Path("learned.yaml"))
    assert red(run, contract) == set()
    lost = replace(run, spans=tuple(span for span in run.spans if span.name != "POST /reservations"))
    assert red(lost, contract) == {"complete", "log_to_trace"}


def test_errors_are_learned_where_they_are() -> None:
    run = draw(
        """
        shop server POST /orders     0..100  ; error=500 log +http.request.method=POST +url.path=/orders
          shop internal charge       10..90  ; error=Declined exception
        """.replace("        ", "")
    )
    spans = yaml.safe_load(learned(run))["spans"]
    assert spans["shop"]["error"] == "500"
    assert (spans["charge"]["error"], spans["charge"]["exception"]) == ("Declined", True)


def test_work_that_outlives_its_parent_is_asynchronous() -> None:
    run = draw(
        """
        shop server GET /            0..100  ; +http.request.method=GET +url.path=/
          shop internal warm cache   90..150
        """.replace("        ", "")
    )
    assert yaml.safe_load(learned(run))["spans"]["warm-cache"]["asynchronous"] is True


def in_a_browser(run: RunCapture) -> RunCapture:
    """The same, with the page's own services said to be those of a browser."""
    page = Resource({"service.name": "page", "telemetry.sdk.language": "webjs"})

    def own(seen: Any) -> Any:
        return replace(seen, resource=page) if seen.service == "page" else seen

    spans: tuple[Span, ...] = tuple(own(span) for span in run.spans)
    logs: tuple[LogRecord, ...] = tuple(replace(own(log), event_name="click") for log in run.logs)
    return replace(run, spans=spans, logs=logs)


def test_click_gives_both_drives() -> None:
    run = draw(
        """
        page internal click Buy      0..100  ; log
          page client POST           1..90
            shop server POST /orders 10..80  ; +http.request.method=POST +url.path=/orders +url.query=a=1
        """.replace("        ", ""),
        drive="browser",
    )
    data = yaml.safe_load(learned(in_a_browser(run)))
    assert data["http"] == {"method": "POST", "path": "/orders?a=1"}
    assert data["browser"] == {"click": "Buy", "request": "/orders"}
    assert [(name, rule.get("drive")) for name, rule in data["spans"].items()] == [
        ("click-buy", "browser"),
        ("to-shop", "browser"),
        ("shop", None),
    ]
    assert data["events"] == ["click"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GET /orders/{id}", "GET /orders/{id}"),
        ("SELECT knowledge", "SELECT knowledge"),
        ("GET /orders/17/lines", r"/GET /orders/[\w-]+/lines/"),
        ("job 0af7651916cd43dd8448eb211c80319c", r"/job [\w-]+/"),
        ("run 6f9619ff-8b86-d011-b42d-00c04fc964ff (again)", r"/run [\w-]+ \(again\)/"),
        ("GET /find?q=a", "/GET /find.*/"),
        ("topic-a/v2", "topic-a/v2"),
    ],
)
def test_what_differs_between_requests_becomes_a_pattern(name: str, expected: str) -> None:
    assert pattern(name) == expected


def test_requests_of_the_same_shape_are_one_rule() -> None:
    run = draw(
        """
        shop server GET /            0..100  ; +http.request.method=GET +url.path=/
          shop client GET /item/17   1..10
          shop client GET /item/18   11..20
        """.replace("        ", "")
    )
    rule = yaml.safe_load(learned(run))["spans"]["get-item"]
    assert (rule["name"], rule["count"]) == (r"/GET /item/[\w-]+/", 2)


@pytest.mark.parametrize(
    ("drawing", "fault"),
    [
        ("shop internal tick 0..1", "nothing can drive it"),
        ("shop server GET / 0..9 ; parent=\nshop server GET / 1..9 ; parent=", "has not one beginning"),
    ],
)
def test_trace_that_makes_no_contract_is_refused(drawing: str, fault: str) -> None:
    with pytest.raises(LearnError, match=fault):
        learned(draw(drawing))


def test_unknown_trace_is_refused() -> None:
    with pytest.raises(LearnError, match="has no spans"):
        learn(Seen("1" * 32, draw(ORDER).spans), to=lambda service: None)


def test_traces_are_the_journeys_own_and_those_that_link_to_it() -> None:
    run = draw(ORDER + "---\nother server GET / 0..1 ; log")
    assert [{span.service for span in trace} for trace in traces_of(TRACE_ID, run.spans).values()] == [
        {"shop", "stock", "payments"},
        {"mail"},
    ]


def test_journey_is_named_by_its_entry_and_reached_by_its_name() -> None:
    text = learned(draw(ORDER), journey="", to=lambda service: f"the-{service}")
    data = yaml.safe_load(text)
    assert (data["journey"], data["http"]["to"]) == ("post-orders", "the-shop")
