"""The whole round against backends that are made up: one page, its link, a rule, the ways between sources."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tracewright.endpoints import Endpoints
from tracewright.grafana import Answered, ask_everything
from tracewright.grafana.live import lines

TRACE_ID = "ab" * 16
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
METRIC = {"__name__": "requests_total", "service": "shop"}
TREE = {"type": "vectorSelector", "matchers": [{"name": "__name__", "type": "=", "value": "up"}]}


class Backends(BaseHTTPRequestHandler):
    """Prometheus with one series, and a log store with one record."""

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test's output clean."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = parse_qs(url.query).get("query", [""])[0]
        rule = {"name": "Down", "type": "alerting", "query": "up == 0", "health": "ok"}
        answers: dict[str, Any] = {
            "/api/v1/query_range": {
                "result": [{"metric": METRIC, "values": [[1, "2"]]}] if "requests_" in asked else []
            },
            "/api/v1/query": {
                "result": [{"metric": METRIC, "value": [1, "2"]}] if "gone" not in asked else []
            },
            "/api/v1/label/service/values": ["shop"],
            "/api/v1/rules": {"groups": [{"name": "g", "rules": [rule]}]},
            "/api/v1/parse_query": TREE,
        }
        self._send({"data": answers[url.path]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._send(
            {"responses": [{"status": 200, "hits": {"hits": []}, "aggregations": {"": {"buckets": []}}}]}
        )

    def _send(self, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backends)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield Endpoints(prometheus=url, tempo=url, quickwit=url)
    server.shutdown()
    server.server_close()
    thread.join()


def folder_with(tmp_path: Path, expr: str, url: str, needs: str = "") -> Path:
    """One page with one panel."""
    panel = {
        "type": "stat",
        "id": 101,
        "title": "Requests",
        "fieldConfig": {"defaults": {"unit": "reqps", "links": [{"title": "On", "url": url}]}},
        "targets": [{"refId": "A", "datasource": PROMETHEUS, "expr": expr, "legendFormat": "{{service}}"}],
    }
    choice = {
        "name": "service",
        "datasource": PROMETHEUS,
        "query": "label_values(requests_total, service)",
        "allValue": ".*",
    }
    page = {
        "uid": "shop",
        "title": "Shop",
        "time": {"from": "now-30m", "to": "now"},
        "panels": [panel],
        "templating": {"list": [choice]},
    }
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "shop.json").write_text(json.dumps(page), encoding="utf-8")
    (tmp_path / "dashboards" / "needs.yaml").write_text(needs, encoding="utf-8")
    return tmp_path


def problems(answers: list[Answered]) -> dict[str, str]:
    # Without a record there is nothing to click between the sources: that has its own test on a real stack.
    return {
        answer.place: answer.problem
        for answer in answers
        if answer.problem and answer.place != "data sources"
    }


GOOD = "/d/shop?var-service=${__field.labels.service}&${__url_time_range}"


def test_good_page_is_answered(endpoints: Endpoints, tmp_path: Path) -> None:
    answers = ask_everything(
        endpoints, folder_with(tmp_path, 'rate(requests_total{service=~"$service"}[$__rate_interval])', GOOD)
    )
    assert problems(answers) == {}
    assert [answer.place for answer in answers][:4] == [
        "shop · variable service",
        "shop · Requests · A",
        "shop · Requests → On",
        "rule g · Down",
    ]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("/d/shop?var-team=x", "shop has no variable 'team' (it has: service)"),
        ("/d/shop?var-service=x", "shop offers no service 'x' (it offers: shop)"),
        ("/d/gone", "there is no dashboard 'gone' (there are: shop)"),
        ("/d/shop?var-service=${__field.labels.team}", "${__field.labels.team} has no value here"),
        ("/nowhere", "/nowhere is neither a dashboard (/d/…) nor Explore"),
    ],
)
def test_link_that_leads_nowhere_is_a_problem(
    endpoints: Endpoints, tmp_path: Path, url: str, problem: str
) -> None:
    answers = ask_everything(endpoints, folder_with(tmp_path, "requests_total", url))
    assert problems(answers)["shop · Requests → On"].startswith(problem)


def test_explore_link_is_asked_and_empty_is_a_problem(endpoints: Endpoints, tmp_path: Path) -> None:
    pane = {
        "a": {
            "datasource": "prometheus",
            "queries": [{"refId": "A", "datasource": PROMETHEUS, "expr": "gone_total"}],
        }
    }
    url = f"/explore?schemaVersion=1&panes={quote(json.dumps(pane))}"
    answers = ask_everything(endpoints, folder_with(tmp_path, "requests_total", url))
    assert problems(answers) == {"shop · Requests → On": "leads to nothing"}


def test_panel_without_data_is_a_problem(endpoints: Endpoints, tmp_path: Path) -> None:
    answers = ask_everything(endpoints, folder_with(tmp_path, "gone_total", "/d/shop"))
    assert problems(answers) == {"shop · Requests · A": "no data"}
    assert list(lines(answers))[-1] == "3 of 5 questions answered"


def test_panel_of_a_component_that_is_not_there_is_not_asked(endpoints: Endpoints, tmp_path: Path) -> None:
    needs = "shop/101: {job: gone, why: only in containers}"
    answers = ask_everything(endpoints, folder_with(tmp_path, "gone_total", "/d/shop", needs))
    assert problems(answers) == {}
    assert {answer.skipped for answer in answers if answer.skipped} == {"no gone here: only in containers"}
