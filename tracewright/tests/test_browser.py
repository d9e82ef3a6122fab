from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tracewright import browser
from tracewright.browser import BrowserDriver, BrowserMissing
from tracewright.contracts.capture import Probe
from tracewright.contracts.load import parse_contract
from tracewright.endpoints import Endpoints

CONTRACT = """
journey: click
browser: {page: /, click: Go, request: /answer}
spans:
  front: {service: web, name: GET /answer, kind: server}
"""
PAGES = {
    "/": ("text/html", '<title>t</title><button>Go</button><script src="/app.js"></script>'),
    "/app.js": ("text/javascript", "document.querySelector('button').onclick = () => fetch('/answer')"),
    "/answer": ("application/json", "{}"),
}
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Site:
    """A page with one script; how often each path was asked for; `broken`: how often without an answer."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.broken: dict[str, int] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                """Keeps the test's output clean."""

            def do_GET(self) -> None:
                site.asked[self.path] += 1
                if site.asked[self.path] <= site.broken.get(self.path, 0):
                    self.wfile.write(b"this is no answer\r\n")
                    return
                kind, text = PAGES.get(self.path, ("text/plain", ""))
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("traceresponse", f"00-{TRACE_ID}-b7ad6b7169203331-01")
                self.end_headers()
                self.wfile.write(text.encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # It stands for a request that Chromium gives up: no test may change this machine's network.
    monkeypatch.setattr(browser, "ACTION_TIMEOUT_MS", 5_000)
    monkeypatch.setattr(browser, "NETWORK_CHANGED", "net::ERR_INVALID_HTTP_RESPONSE")
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def click(site: Site, folder: Path) -> Probe:
    contract = parse_contract(CONTRACT, folder / "click.yaml")
    try:
        with BrowserDriver() as driver:
            return driver.drive(contract, Endpoints(frontend=site.url), tenant="acme", label="click")
    except BrowserMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("path", ["/", "/app.js", "/answer"])
def test_what_the_network_disturbed_is_done_again(path: str, site: Site, tmp_path: Path) -> None:
    site.broken[path] = 1
    probe = click(site, tmp_path)
    assert (probe.error, probe.trace_id) == ("", TRACE_ID)
    # Chromium itself asks once more for a page that got no answer.
    assert site.asked[path] >= 2


def test_page_that_draws_nothing_after_its_click_is_left(site: Site, tmp_path: Path) -> None:
    probe = click(site, tmp_path)
    assert (probe.error, probe.trace_id, site.asked["/answer"]) == ("", TRACE_ID, 1)


def test_network_that_keeps_changing_is_an_error_that_names_it(site: Site, tmp_path: Path) -> None:
    site.broken["/app.js"] = 100
    assert browser.NETWORK_CHANGED in click(site, tmp_path).error
    assert site.asked["/app.js"] == browser.DRIVES_AT_MOST
