"""Grafana's dashboards without Grafana: every panel, variable, link and rule put to the backends.

`grafana/README.md` says how. Prints how many were asked and answered.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from e2e.driving import CONTRACTS
from tracewright.browser import BrowserDriver
from tracewright.contracts.model import Contract
from tracewright.contracts.settle import until
from tracewright.endpoints import Endpoints
from tracewright.grafana.answers import Answered
from tracewright.grafana.live import ask_everything, lines
from tracewright.probe import drive_http
from tracewright.verify import by_journey

FOLDER = Path(__file__).parents[1] / "grafana"
# A rate needs two samples of a series that is there already, and a recording rule an evaluation after that.
ROUNDS = 3
# What people do in the page: load it, and click.
IN_THE_BROWSER = ("page-load", "agent-run")
LIMIT_S = 120.0


@pytest.fixture(scope="module")
def traffic(endpoints: Endpoints, http: httpx.Client) -> Iterator[None]:
    """Every journey some times, from a browser too, and then on and on while the test asks."""
    contracts = by_journey(CONTRACTS)
    ended = threading.Event()
    with BrowserDriver() as browser:
        for _ in range(ROUNDS):
            drive_round(contracts, endpoints, http)
            for journey in IN_THE_BROWSER:
                browser.drive(contracts[journey], endpoints, tenant="acme", label=journey)

    def go_on() -> None:
        while not ended.is_set():
            drive_round(contracts, endpoints, http)

    driver = threading.Thread(target=go_on, name="traffic")
    driver.start()
    yield
    ended.set()
    driver.join()


def drive_round(contracts: dict[str, Contract], endpoints: Endpoints, http: httpx.Client) -> None:
    for contract in contracts.values():
        for tenant in contract.tenants if contract.http else ():
            drive_http(contract, endpoints, http, tenant=tenant, label=contract.journey)


@pytest.mark.usefixtures("traffic")
def test_everything_that_grafana_would_ask_is_answered(
    endpoints: Endpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    waited, answers = until("dashboards", lambda: ask_everything(endpoints, FOLDER), wrong, LIMIT_S)
    report = "\n".join(lines(answers))
    with capsys.disabled():
        print(f"\ndashboards: {report.splitlines()[-1]}")
    assert waited.met, report


def wrong(answers: list[Answered]) -> str:
    return ", ".join(answer.place for answer in answers if answer.problem)


# What is changed in the API page, once each, and the question that must notice.
TWINS = {
    "sum (rate(http_server_request_duration_seconds_count{": (
        "sum (rate(http_server_requests_count{",
        "api · Requests · A",
    ),
    "{{service_name}} {{http_route}}": ("{{service}} {{http_route}}", "api · Requests by route · A"),
    '"query": "label_values(http_server_request_duration_seconds_count, tenant_id)"': (
        '"query": "label_values(http_server_request_duration_seconds_count, tenant)"',
        "api · variable tenant",
    ),
    "/d/fleet?": ("/d/flete?", "api · Requests → Fleet overview"),
    "severity_text:ERROR": ("severity:ERROR", "api · Failed → Error records"),
    "span.http.route%20%3D": ("span.http.path%20%3D", "api · Requests by route → Traces of this route"),
    "kind = server && duration > 100ms }": ("kind = server &&& duration }", "api · Slowest requests · A"),
}


@pytest.mark.usefixtures("traffic")
def test_broken_twins_are_caught(endpoints: Endpoints, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    page = tmp_path / "dashboards" / "api.json"
    text = page.read_text(encoding="utf-8")
    for good, (broken, _) in TWINS.items():
        assert good in text
        text = text.replace(good, broken, 1)
    page.write_text(text, encoding="utf-8")
    caught = {answer.place for answer in ask_everything(endpoints, tmp_path) if answer.problem}
    assert {place for _, place in TWINS.values()} <= caught
