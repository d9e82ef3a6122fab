"""Drives journeys in a real Chromium, through Playwright's synchronous API on a thread of its own.

The page is asked for with the probe's `test.id` in baggage (and, where loading the page is the journey,
with its `traceparent`); a click's trace id is the browser's own, read from the answer's `traceresponse`, or
from the link by which the page shows the trace of a click that sends no request.
The browser stays open until the run has settled, so that what a page sends while it is left gets through.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from tracewright.contracts.capture import Probe
from tracewright.contracts.model import BrowserAction, Contract
from tracewright.endpoints import Endpoints
from tracewright.probe import TraceContext

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

Result = TypeVar("Result")

CHROMIUM_VARIABLE = "TRACEWRIGHT_CHROMIUM"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ACTION_TIMEOUT_MS = 20_000
# Chromium gives up what is under way when an interface of this machine gets or loses an address: a container
# or a VPN came or went. That says nothing of the page.
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
DRIVES_AT_MOST = 3
PICTURE_QUALITY = 60
# Resolves when the load event is over and the page has had a moment for what listens to it; a person who
# looks at the page gives it as much. A page that draws nothing new after a click is idle by the limit alone.
LOADED = """
    () => new Promise((resolve) => {
        const ended = () => performance.getEntriesByType('navigation')[0]?.loadEventEnd > 0;
        const look = () => (ended() ? requestIdleCallback(() => setTimeout(resolve), { timeout: 500 })
            : setTimeout(look, 10));
        look();
    })
"""
_TRACE_ID = re.compile(r"^([0-9a-f]{32})(?![0-9a-f])")
_TRACERESPONSE = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")


@dataclass(frozen=True, slots=True)
class PageSeen:
    """A page when it was left: a picture (JPEG), and what its console said until the browser was closed."""

    picture: bytes
    console: list[str]


class BrowserMissing(RuntimeError):
    """No Chromium, or no Playwright; the text says how to get what is missing."""


def find_chromium() -> str | None:
    """The browser to use: `TRACEWRIGHT_CHROMIUM`, one on the path, or `None` for Playwright's own."""
    named = os.environ.get(CHROMIUM_VARIABLE)
    if named:
        return named
    return next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


class BrowserDriver:
    """One Chromium; a context manager. Entering raises `BrowserMissing`.

    `seen` are the pages that were driven, by the probe's label.
    """

    def __init__(self) -> None:
        self.seen: dict[str, PageSeen] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._open = ExitStack()
        self._browser: Browser | None = None

    def __enter__(self) -> BrowserDriver:
        try:
            self._on_thread(self._launch)
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on_thread(self._open.close)
        self._thread.shutdown()

    def drive(
        self,
        contract: Contract,
        endpoints: Endpoints,
        *,
        tenant: str,
        label: str,
        context: TraceContext | None = None,
        at_once: bool = False,
    ) -> Probe:
        """Does the contract's browser action. Whatever goes wrong in the page is the probe's `error`.

        `context` are the probe's ids where somebody has to know them beforehand; else they are fresh ones.
        With `at_once` the page is left and closed at the answer, before its own handlers have it: what a page
        must not lose even then is sent while it goes.

        Where the machine's network changed and the page lost a request to that, all is done again, twice at
        most, in a new page with fresh ids; not with a `context`, whose ids are spent.
        """

        def done() -> Probe:
            for _ in range(1 if context else DRIVES_AT_MOST):
                console: list[str] = []
                ids = context or TraceContext.new()
                probe = self._drive(contract, endpoints, tenant, label, ids, at_once, console)
                if not disturbed(console):
                    break
            return probe

        return self._on_thread(done)

    def _on_thread(self, work: Callable[[], Result]) -> Result:
        return self._thread.submit(work).result()

    def _launch(self) -> None:
        try:
            from playwright.sync_api import Error, sync_playwright
        except ModuleNotFoundError as error:
            raise BrowserMissing("Playwright is not installed: `pip install playwright`") from error
        path = find_chromium()
        try:
            playwright = self._open.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            self._open.close()
            raise BrowserMissing(
                f"no Chromium starts ({path or 'Playwright’s own'}): {error.message.splitlines()[0]}\n"
                "get one by `playwright install --with-deps chromium` or `apt-get install chromium`, "
                f"or name one in {CHROMIUM_VARIABLE}"
            ) from error
        self._open.callback(self._browser.close)

    def _drive(
        self,
        contract: Contract,
        endpoints: Endpoints,
        tenant: str,
        label: str,
        context: TraceContext,
        at_once: bool,
        console: list[str],
    ) -> Probe:
        from playwright.sync_api import Error

        action = contract.browser
        if action is None or self._browser is None:
            raise ValueError(f"{contract.place('journey')}: {contract.journey} is not driven by a browser")
        now_ns = time.time_ns()
        probe = Probe(
            journey=contract.journey,
            drive="browser",
            trace_id="",
            span_id="",
            test_id=context.test_id,
            tenant=tenant,
            started_ns=now_ns,
            ended_ns=now_ns,
            label=label,
            secret=context.secret,
        )
        if endpoints.frontend is None:
            return replace(probe, error="the stack has no frontend")
        view = self._browser.new_context()
        page = view.new_page()
        page.set_default_timeout(ACTION_TIMEOUT_MS)
        page.on("console", lambda message: console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: console.append(f"uncaught: {error}"))
        page.on("requestfailed", lambda request: console.append(f"{request.failure}: {request.url}"))
        try:
            probe = self._act(page, action, f"{endpoints.frontend}{action.page}", context, probe, console)
        except Error as error:
            probe = replace(probe, ended_ns=time.time_ns(), error=f"in the browser: {error.message}")
        with suppress(Error):  # what cannot be pictured or left has failed above, and says so
            if not at_once:
                if not probe.error:
                    page.evaluate(LOADED)  # the page's own handlers have the answer too
                self.seen[label] = PageSeen(page.screenshot(type="jpeg", quality=PICTURE_QUALITY), console)
            leave(page)
            if at_once:
                page.close()
        return probe

    def _act(
        self,
        page: Page,
        action: BrowserAction,
        url: str,
        context: TraceContext,
        probe: Probe,
        console: list[str],
    ) -> Probe:
        loading = action.click is None

        def with_ids(route: Route) -> None:
            sent = dict(route.request.headers) | {"baggage": context.headers["baggage"]}
            if loading:
                sent["traceparent"] = context.headers["traceparent"]
            route.continue_(headers=sent)

        page.route(url, with_ids)
        started_ns = time.time_ns()
        answer = page.goto(url, wait_until="load")
        # While a route is set, every request waits for Playwright's word: one that is sent while the
        # page goes would be given up.
        page.unroute(url, with_ids)
        if answer is None or not answer.ok:
            status = "no answer" if answer is None else str(answer.status)
            return replace(probe, ended_ns=time.time_ns(), error=f"GET {url}: {status}")
        if disturbed(console):
            return replace(probe, ended_ns=time.time_ns(), error=f"GET {url}: {NETWORK_CHANGED}")
        if loading:
            return replace(
                probe,
                trace_id=context.trace_id,
                span_id=context.span_id,
                started_ns=started_ns,
                ended_ns=time.time_ns(),
                status=answer.status,
            )
        if action.tenant_field:
            page.locator(f'input[name="{action.tenant_field}"][value="{probe.tenant}"]').check(force=True)
        button = page.get_by_role("button", name=action.click, exact=True)
        button.wait_for()
        probe = replace(probe, started_ns=time.time_ns())
        click = clicked_link if action.trace_link else clicked_request
        return click(page, button, action, probe)


def disturbed(console: list[str]) -> bool:
    """Whether a page has lost a request to a change of the machine's network; each lost one is named."""
    return any(line.startswith(NETWORK_CHANGED) for line in console)


def clicked_request(page: Page, button: Locator, action: BrowserAction, probe: Probe) -> Probe:
    """Clicks, and waits for the answer to the click's request."""
    with page.expect_response(lambda r: r.url.endswith(action.request or "")) as expected:
        button.click()
    reply = expected.value
    reply.finished()
    ended_ns = time.time_ns()
    traced = _TRACERESPONSE.match(reply.headers.get("traceresponse", ""))
    wrong = "" if traced else f"the answer of {action.request} carries no traceresponse"
    if reply.status != action.status:
        wrong = f"{action.request}: {reply.status} in place of {action.status}"
    trace_id = traced[1] if traced else ""
    return replace(probe, trace_id=trace_id, ended_ns=ended_ns, status=reply.status, error=wrong)


def clicked_link(page: Page, button: Locator, action: BrowserAction, probe: Probe) -> Probe:
    """Clicks, and waits for the link to the click's trace."""
    prefix = action.trace_link or ""
    button.click()
    shown = page.locator(f'a[href^="{prefix}"]').first.get_attribute("href") or ""
    ended_ns = time.time_ns()
    traced = _TRACE_ID.match(shown.removeprefix(prefix))
    wrong = "" if traced else f"the page links to {shown}, which is no trace"
    return replace(probe, trace_id=traced[1] if traced else "", ended_ns=ended_ns, error=wrong)


def leave(page: Page) -> None:
    """Goes away from the page as a person does, so that it sends what it still holds."""
    page.goto("about:blank")
