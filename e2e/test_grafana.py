"""Grafana itself, by clicking: each dashboard opens, and the ways between the signals lead where they say.

Runs where a Grafana answers: the suite's own in containers, or `GRAFANA_URL`. Screenshots go to
`test-results/grafana/`. What its panels ask is proven without it, in test_dashboards.py.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from e2e.driving import CONTRACTS
from tracewright.browser import find_chromium
from tracewright.contracts.capture import Probe
from tracewright.contracts.settle import until
from tracewright.endpoints import Endpoints
from tracewright.grafana.model import Dashboard, load_dashboards
from tracewright.probe import drive_http
from tracewright.signals.quickwit import Quickwit
from tracewright.verify import by_journey

pytestmark = pytest.mark.grafana

FOLDER = Path(__file__).parents[1] / "grafana"
SCREENSHOTS = Path("test-results") / "grafana"
PAGES = load_dashboards(FOLDER / "dashboards")
JOURNEY = "agent-run"
WAIT_MS = 30_000
# A page of 36 units of Grafana's grid at once: panels out of sight ask nothing.
WINDOW = {"width": 1600, "height": 1800}
# Alertmanager has no health call of its own.
HEALTHY = ("prometheus", "tempo", "quickwit")


@pytest.fixture(scope="module")
def grafana(endpoints: Endpoints, http: httpx.Client) -> str:
    """Its address; skips where there is none."""
    url = os.environ.get("GRAFANA_URL") or endpoints.grafana
    if not url:
        pytest.skip(
            "this stack has no Grafana (it is native, or the image is missing); GRAFANA_URL names one"
        )
    try:
        http.get(f"{url}/api/health").raise_for_status()
    except httpx.HTTPError as error:
        pytest.skip(f"no Grafana answers at {url}: {error}")
    return url.rstrip("/")


@pytest.fixture(scope="module")
def probe(grafana: str, endpoints: Endpoints, http: httpx.Client) -> Probe:
    """Runs that every page can show, the last of which can be found in the log store."""
    contract = by_journey(CONTRACTS)[JOURNEY]
    assert endpoints.quickwit
    logs = Quickwit(endpoints.quickwit, endpoints.quickwit_index)
    for _ in range(5):
        driven = drive_http(contract, endpoints, http, tenant="acme", label=JOURNEY)
        assert not driven.error
    waited, _ = until(
        "logs of the run",
        lambda: {log.service for log in logs.logs_of_trace(driven.trace_id)},
        lambda services: "" if "rust-service" in services else f"only from {sorted(services)}",
        30.0,
    )
    assert waited.met, str(waited)
    return driven


@pytest.fixture(scope="module")
def browser_page(probe: Probe) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]  # a plain dict is one
        page.set_default_timeout(WAIT_MS)
        yield page
        browser.close()


@pytest.fixture
def page(browser_page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The browser's page; what it shows at the end is kept."""
    yield browser_page
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9-]+", "-", request.node.name.lower()).strip("-")
    browser_page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_data_sources_and_correlations_are_provisioned(grafana: str, http: httpx.Client) -> None:
    sources = {source["uid"]: source["type"] for source in http.get(f"{grafana}/api/datasources").json()}
    assert set(HEALTHY) | {"alertmanager"} <= set(sources)
    found = http.get(f"{grafana}/api/datasources/correlations").json()["correlations"]
    assert {(way["sourceUID"], way["targetUID"]) for way in found} == {
        ("tempo", "quickwit"),
        ("tempo", "prometheus"),
    }


@pytest.mark.parametrize("uid", HEALTHY)
def test_data_source_is_healthy(grafana: str, http: httpx.Client, uid: str) -> None:
    answer = http.get(f"{grafana}/api/datasources/uid/{uid}/health")
    assert answer.json().get("status") == "OK", answer.text


@pytest.mark.parametrize("board", PAGES, ids=lambda board: board.uid)
def test_dashboard_opens_without_an_error(grafana: str, page: Page, board: Dashboard) -> None:
    page.goto(f"{grafana}/d/{board.uid}?kiosk&from=now-15m&to=now")
    for panel in board.panels:
        expect(page.get_by_test_id(f"data-testid Panel header {panel.title}").first).to_be_visible()
    expect(page.get_by_label("Panel loading bar")).to_have_count(0)
    expect(page.get_by_test_id("data-testid Panel status error")).to_have_count(0)


def test_from_a_log_line_to_its_trace_to_its_logs(grafana: str, page: Page, probe: Probe) -> None:
    metrics = [{"type": "logs", "id": "1", "settings": {"limit": "100"}}]
    query = {"query": f"trace_id:{probe.trace_id}", "metrics": metrics, "bucketAggs": []}
    page.goto(explore(grafana, "quickwit", "quickwit-quickwit-datasource", query))
    page.get_by_text("run finished").first.click()
    page.get_by_role("link", name="Open trace in Tempo").first.click()
    expect(span_of(page, "go-service")).to_be_visible()
    span_of(page, "go-service").click()
    page.get_by_text("Logs of this trace").first.click()
    expect(page.get_by_text("search finished").first).to_be_visible()


def test_from_a_span_to_the_metrics_of_its_service(grafana: str, page: Page, probe: Probe) -> None:
    page.goto(explore(grafana, "tempo", "tempo", {"queryType": "traceql", "query": probe.trace_id}))
    span_of(page, "go-service").click()
    page.get_by_text("Spans of this service").first.click()
    expect(page.get_by_text("traces_span_metrics_duration_seconds_count").first).to_be_visible()
    expect(page.get_by_text("POST /runs").first).to_be_visible()


def test_from_an_exemplar_to_its_trace(grafana: str, page: Page) -> None:
    page.goto(f"{grafana}/d/api?kiosk&from=now-15m&to=now")
    dots = page.get_by_test_id("data-testid Exemplar marker")
    expect(dots.first).to_be_visible()
    dots.last.hover()
    page.get_by_role("link", name="Open trace").first.click()
    expect(span_of(page, "service").first).to_be_visible()


def explore(grafana: str, uid: str, kind: str, query: Mapping[str, object]) -> str:
    """Explore with one query, over the last quarter of an hour."""
    now_ms = int(time.time() * 1000)
    span = {"from": str(now_ms - 900_000), "to": str(now_ms)}
    asked = {"refId": "A", "datasource": {"type": kind, "uid": uid}, **query}
    panes = {"a": {"datasource": uid, "queries": [asked], "range": span}}
    return f"{grafana}/explore?schemaVersion=1&orgId=1&panes={quote(json.dumps(panes))}"


def span_of(page: Page, service: str) -> Locator:
    """The first span of a service in the trace view."""
    return page.locator("[data-testid='span-view'], [class*='span-name']").filter(has_text=service).first
