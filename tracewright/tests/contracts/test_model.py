from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.load import parse_contract
from tracewright.contracts.match import match
from tracewright.contracts.model import SpanRule, name_matches
from tracewright.tests.drawing import draw

BOTH = """
journey: run
http: {path: /runs}
browser: {click: Run, request: /runs}
spans:
  click: {service: page, name: click Run, kind: internal, drive: browser}
  fetch: {service: page, name: GET, kind: client, parent: click, drive: browser}
  front: {service: web, name: GET /runs, kind: server, parent: fetch}
  first: {service: web, name: GET, kind: client, parent: front}
  back: {service: api, name: GET /, kind: server, parent: first}
  second: {service: web, name: GET, kind: client, parent: step}
  step: {service: web, name: step, kind: internal, parent: front}
"""


def test_one_contract_serves_browser_and_http() -> None:
    contract = parse_contract(BOTH, Path("run.yaml"))
    assert contract.drives == ("http", "browser")
    assert contract.driven("browser").entry == "click"
    over_http = contract.driven("http")
    assert over_http.entry == "front"
    assert "fetch" not in over_http.spans
    assert over_http.services == {"web", "api"}


@pytest.mark.parametrize(
    ("count", "least", "most"), [("1", 1, 1), ("0..", 0, None), ("2..3", 2, 3), ("1..", 1, None)]
)
def test_count_is_a_range(count: str, least: int, most: int | None) -> None:
    rule = SpanRule.model_validate({"service": "a", "name": "b", "kind": "server", "count": count})
    assert (rule.least, rule.most) == (least, most)


def test_name_is_a_text_or_an_expression_between_slashes() -> None:
    assert name_matches("GET /*", "GET /*")
    assert not name_matches("GET /*", "GET /x")
    assert name_matches("/chat sim-.*/", "chat sim-large")
    assert not name_matches("/chat/", "chat sim-large")


def test_spans_of_one_shape_are_told_apart_by_where_they_hang() -> None:
    contract = parse_contract(BOTH, Path("run.yaml")).driven("http")
    run: RunCapture = draw("""
web server GET /runs 0..100
  web internal step 1..50
    web client GET 2..40 ; id=below-step
  web client GET 51..90 ; id=below-front
    api server GET / 52..80
""")
    spans = match(run.of(run.probes[0]), contract).spans
    assert [span.start_ns for span in spans["second"]] < [span.start_ns for span in spans["first"]]
    assert [len(found) for found in spans.values()] == [1] * 5
