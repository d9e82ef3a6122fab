"""A page that is left at the answer, and closed, loses no span: what it holds is sent while it goes."""

from __future__ import annotations

from e2e.driving import CONTRACTS
from tracewright.browser import BrowserDriver
from tracewright.contracts.observe import Observer
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.verify import by_journey, judged

JOURNEY = "agent-run"
PAGES = 20
CHECKS = ("complete", "no_orphans", "single_root", "log_to_trace")


def test_page_that_is_left_at_the_answer_has_sent_all_of_its_spans(endpoints: Endpoints) -> None:
    contracts = {JOURNEY: by_journey(CONTRACTS)[JOURNEY]}
    with BrowserDriver() as browser, Observer(endpoints, contracts, Deadlines()) as observer:
        observer.baseline()
        probes = [
            browser.drive(
                contracts[JOURNEY],
                endpoints,
                tenant=("acme", "globex")[number % 2],
                label=f"page {number}",
                at_once=True,
            )
            for number in range(1, PAGES + 1)
        ]
        run = observer.settle(probes)
    report = judged(run, contracts, CHECKS)
    assert len(report.traces) == PAGES
    assert report.ok, report.render()
