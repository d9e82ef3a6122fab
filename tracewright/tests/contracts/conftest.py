"""The journey that every check's test begins with: good as it is, and broken by each twin in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.contracts.load import parse_contract
from tracewright.contracts.model import Contract

CONTRACT = """
journey: drawn
http: {path: /api/runs, method: POST}
spans:
  front: {service: frontend, name: POST /api/runs, kind: server, logs: true}
  call: {service: frontend, name: POST, kind: client, parent: front}
  gate: {service: go-service, name: POST /runs, kind: server, parent: call, logs: true}
  llm: {service: go-service, name: /chat sim-.*/, kind: client, parent: gate, count: 2..3}
  send: {service: go-service, name: send usage_events, kind: producer, parent: gate}
  process: {service: worker, name: process usage_events, kind: consumer, link: send, logs: true}
"""

GOOD = """
frontend server POST /api/runs                0..100 ; log
  frontend internal run handler               5..99
    frontend client POST                     10..90
      go-service server POST /runs           20..80 ; log
        go-service client chat sim-large     30..40
        go-service client chat sim-small     40..50
        go-service producer send usage_events 60..70 ; id=sent
---
worker consumer process usage_events         110..130 ; link=sent log
"""


@pytest.fixture
def contract() -> Contract:
    return parse_contract(CONTRACT, Path("drawn.yaml"))


@pytest.fixture
def good() -> str:
    return GOOD
