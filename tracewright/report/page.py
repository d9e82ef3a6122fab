"""The HTML page of a run: one file that needs no network and no script.

Jinja escapes everything, and everything that it prints has first gone through the run's redactor. What the
page shows is put together in `waterfall.py`; the look is in `page.css`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tracewright.contracts.capture import Probe
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Verdict
from tracewright.contracts.judge import CheckResult
from tracewright.endpoints import Endpoints
from tracewright.report.waterfall import TraceView, trace_view
from tracewright.verify import Report

PAGE = "index.html"
SYMBOLS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?", Verdict.NOT_JUDGED: "–"}


@dataclass(frozen=True, slots=True)
class Links:
    """Base URLs (no trailing slash) of what opens a trace; `None` where there is none."""

    console: str | None = None
    tempo: str | None = None

    @classmethod
    def of(cls, endpoints: Endpoints) -> Links:
        """Those of a running stack."""
        return cls(endpoints.console, endpoints.tempo)

    def to(self, trace_id: str) -> dict[str, str]:
        """URLs of one trace, by what they open."""
        given = {
            "console": self.console and f"{self.console}/traces/{trace_id}",
            "Tempo": self.tempo and f"{self.tempo}/api/v2/traces/{trace_id}",
        }
        return {name: url for name, url in given.items() if url and trace_id}


@dataclass(frozen=True, slots=True)
class ProbeView:
    """One row of the matrix and, below it, one trace."""

    probe: Probe
    anchor: str
    results: Mapping[str, CheckResult]
    red: tuple[CheckResult, ...]
    passed: int
    judged: int
    title: str
    links: Mapping[str, str]
    trace: TraceView
    picture: str
    console: Sequence[str]


def write_page(
    report: Report,
    folder: Path,
    *,
    links: Links | None = None,
    replay: str = "",
) -> Path:
    """Writes `index.html` into the folder, which is made; returns the file.

    `replay` is the command that judges the capture again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PAGE
    path.write_text(page(report, links or Links(), replay), encoding="utf-8")
    return path


def page(report: Report, links: Links, replay: str) -> str:
    """The page's text."""
    redact = report.redactor.text

    def shown(value: Any) -> Any:
        return redact(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    # Imported here: it is a tenth of what a replay takes, and few replays write a page.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tracewright.report", "."),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = environment.loader
    assert source is not None
    style, _, _ = source.get_source(environment, "page.css")
    used = {result.check for result in report.results}
    probes = [_probe_view(report, probe, links) for probe in report.run.probes]
    return environment.get_template("page.html.j2").render(
        style=Markup(style),  # noqa: S704 (our own file)
        report=report,
        probes=probes,
        checks=[check for check in CHECKS.values() if check.id in used],
        symbols=SYMBOLS,
        Verdict=Verdict,
        red=[result for result in report.results if result.verdict.red],
        began=_time(min((probe.started_ns for probe in report.run.probes), default=0)),
        replay=replay,
    )


def _probe_view(report: Report, probe: Probe, links: Links) -> ProbeView:
    results = [result for result in report.results if result.journey == probe.label]
    red = tuple(result for result in results if result.verdict.red)
    # Where nothing was captured, all but one check say the same.
    told = tuple(result for result in red if not report.follows(result)) or red
    seen = report.pages.get(probe.label)
    marked = {finding.span for result in red for finding in result.findings if finding.span}
    return ProbeView(
        probe=probe,
        anchor=probe.label.translate({ord("/"): ".", ord("@"): "_"}),
        results={result.check: result for result in results},
        red=told,
        passed=sum(result.verdict is Verdict.PASS for result in results),
        judged=sum(result.verdict is not Verdict.NOT_JUDGED for result in results),
        title=report.contracts[probe.journey].title,
        links=links.to(probe.trace_id),
        trace=trace_view(report.run.of(probe), marked, report.redactor),
        picture=Markup(b64encode(seen.picture).decode() if seen and red else ""),  # noqa: S704 (base64)
        console=seen.console if seen and red else (),
    )


def _time(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
