from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracewright.contracts.load import parse_contract
from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw

CLICK = """
web internal click Go 0..100 ; log
  web client POST     1..99
    api server POST / 5..90
"""


@pytest.fixture
def clicked() -> Contract:
    return parse_contract(
        """
journey: drawn
browser: {click: Go, request: /}
spans:
  click: {service: web, name: click Go, kind: internal, drive: browser}
  fetch: {service: web, name: POST, kind: client, parent: click, drive: browser}
  back: {service: api, name: POST /, kind: server, parent: fetch}
events: [browser.web_vital]
""",
        Path("drawn.yaml"),
    )


def test_good_capture_passes(clicked: Contract) -> None:
    run = draw(CLICK, drive="browser")
    vital = replace(run.logs[0], event_name="browser.web_vital")
    assert judged("rum_joined", replace(run, logs=(vital,)), clicked) == []


def test_event_that_did_not_arrive_is_reported(clicked: Contract) -> None:
    (finding,) = judged("rum_joined", draw(CLICK, drive="browser"), clicked)
    assert finding.subject == "browser event browser.web_vital"


def test_browser_and_servers_in_two_traces_are_reported(clicked: Contract) -> None:
    run = draw(CLICK, drive="browser")
    split = tuple(replace(s, trace_id="f" * 32) if s.service == "api" else s for s in run.spans)
    details = [f.detail for f in judged("rum_joined", replace(run, spans=split), clicked)]
    assert "has no span of the servers" in details


def test_probe_over_http_has_no_browser_to_judge(good: str, contract: Contract) -> None:
    assert judged("rum_joined", draw(good), contract) == []


@pytest.fixture
def throwing() -> Contract:
    return parse_contract(
        """
journey: drawn
browser: {click: Throw, trace_link: /traces/}
spans:
  click: {service: web, name: click Throw, kind: internal, error: Boom, exception: true, logs: true}
events: [exception]
""",
        Path("drawn.yaml"),
    )


THROW = "web internal click Throw 0..100 ; error=Boom exception log"


def test_journey_that_stays_in_the_browser_has_no_servers_to_join(throwing: Contract) -> None:
    run = draw(THROW, drive="browser")
    (log,) = run.logs
    assert judged("rum_joined", replace(run, logs=(replace(log, event_name="exception"),)), throwing) == []
    assert judged("status", run, throwing) == []


def test_exception_that_was_recorded_twice_in_the_browser_is_reported(throwing: Contract) -> None:
    run = draw(THROW, drive="browser")
    (log,) = run.logs
    twice = (replace(log, event_name="exception"),) * 2
    (finding,) = judged("rum_joined", replace(run, logs=twice), throwing)
    assert finding.detail == "was recorded more than once"


def test_exception_that_the_browser_did_not_record_is_reported(throwing: Contract) -> None:
    run = draw(THROW.replace("exception ", ""), drive="browser")
    assert [f.subject for f in judged("rum_joined", run, throwing)] == ["browser event exception"]
    (finding,) = judged("status", run, throwing)
    assert finding.detail == "has the wrong number of exception events"
