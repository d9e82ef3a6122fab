from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from tracewright.browser import PageSeen
from tracewright.contracts.redaction import hashed
from tracewright.report import Links, write_page
from tracewright.signals import Span
from tracewright.tests.drawing import TRACE_ID, span_id
from tracewright.tests.report.runs import GOOD, ORPHAN, SECRET, report_on
from tracewright.verify import Report

HOSTILE = "<script>alert(1)</script> \"' onload=x {{ 7 * 7 }}"


class Elements(HTMLParser):
    """Every element's name and attributes, and all text in between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name))]


def page(report: Report, folder: Path, **options: object) -> tuple[str, Elements]:
    html = write_page(report, folder, **options).read_text(encoding="utf-8")  # type: ignore[arg-type]
    return html, Elements(html)


def test_green_run_says_so_and_folds_its_traces(tmp_path: Path) -> None:
    report = report_on(GOOD)
    assert report.ok, report.render()
    _, elements = page(report, tmp_path)
    assert f"All {len(report.results)} checks are green" in elements.text
    assert "6/6" in elements.text
    assert ("details", {"class": "green", "id": "drawn"}) in elements.elements


def test_red_run_shows_findings_the_marked_place_and_the_logs(tmp_path: Path) -> None:
    report = report_on(ORPHAN)
    _, elements = page(report, tmp_path, replay="pytest contracts --tracewright-replay kept")
    assert "2 of 6 checks are red" in elements.text
    assert "pytest contracts --tracewright-replay kept" in elements.text
    assert "✗ missing parent 00000000deadbeef" in elements.text
    assert f"{span_id('pay')} names parent 00000000deadbeef" in elements.text
    assert sum("marked" in value for value in elements.values("class")) == 1
    assert "GET / done" in elements.text
    assert "#drawn-no_orphans" in elements.values("href")
    assert {"drawn", "drawn-no_orphans", "drawn-edges"} <= set(elements.values("id"))


def test_every_link_within_the_page_leads_somewhere(tmp_path: Path) -> None:
    report = report_on(ORPHAN, labels=("drawn", "drawn/globex@browser"))
    _, elements = page(report, tmp_path)
    targets = [href[1:] for href in elements.values("href") if href.startswith("#")]
    assert targets
    assert set(targets) <= set(elements.values("id"))


def test_page_needs_neither_network_nor_script(tmp_path: Path) -> None:
    html, elements = page(report_on(ORPHAN), tmp_path)
    assert not {"script", "link", "iframe"} & {name for name, _ in elements.elements}
    assert "url(" not in html
    assert "http:" not in html.split("</style>")[0]


def test_trace_opens_in_the_console_and_in_tempo(tmp_path: Path) -> None:
    links = Links(console="http://console:1", tempo="http://tempo:2")
    _, elements = page(report_on(ORPHAN), tmp_path, links=links)
    assert f"http://console:1/traces/{TRACE_ID}" in elements.values("href")
    assert f"http://tempo:2/api/v2/traces/{TRACE_ID}" in elements.values("href")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    def hostile(span: Span) -> Span:
        return replace(span, name=HOSTILE, attributes={HOSTILE: HOSTILE}, status_message=HOSTILE)

    html, elements = page(report_on(GOOD, change=hostile), tmp_path)
    assert "<script" not in html
    assert HOSTILE in "".join(elements.texts)
    assert not any("onload" in attributes for _, attributes in elements.elements)


def test_hostile_service_stays_out_of_the_style(tmp_path: Path) -> None:
    def hostile(span: Span) -> Span:
        return replace(span, resource=type(span.resource)({"service.name": 'x"; background: url(//evil)'}))

    _, elements = page(report_on(GOOD, change=hostile), tmp_path)
    assert not any("evil" in style for style in elements.values("style"))


def test_no_credential_is_on_the_page(tmp_path: Path) -> None:
    def leaking(span: Span) -> Span:
        return replace(
            span,
            name=f"{span.name} {SECRET}",
            status_message="password=hunter2",
            attributes={"http.request.header.authorization": f"Bearer {SECRET}", "db.password": "hunter2"},
        )

    report = report_on(GOOD, change=leaking)
    html, _ = page(report, tmp_path)
    assert SECRET not in html
    assert "hunter2" not in html
    assert hashed(SECRET) in html
    assert SECRET not in report.render()


def test_nothing_captured_is_told_once(tmp_path: Path) -> None:
    _, elements = page(report_on(""), tmp_path)
    assert "No span was captured." in elements.text
    assert elements.text.count("nothing to judge") == 0


def test_red_browser_journey_shows_its_page_and_console_a_green_one_does_not(tmp_path: Path) -> None:
    seen = {"drawn": PageSeen(b"\xff\xd8picture", [f"error: {SECRET}"])}
    html, elements = page(replace(report_on(ORPHAN), pages=seen), tmp_path)
    assert "data:image/jpeg;base64,/9hwaWN0dXJl" in elements.values("src")
    assert f"error: {hashed(SECRET)}" in elements.text
    assert SECRET not in html
    _, green = page(replace(report_on(GOOD), pages=seen), tmp_path)
    assert not green.values("src")
