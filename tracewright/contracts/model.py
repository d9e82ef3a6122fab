"""The contract of one journey: how it is driven and what its telemetry has to be.

A contract is small: what can be derived is not written. Edges follow from `parent` and `link`, the declared
services from the spans, the entry is the one span with neither. Spans marked `drive: browser` exist only
when a browser drives the journey; over plain HTTP their children hang under the probe's own span, so one
file serves both.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from tracewright.contracts.catalog import Catalog
from tracewright.signals import SpanKind

Drive = Literal["http", "browser"]

_COUNT = re.compile(r"^(?P<least>\d+)(?P<open>\.\.(?P<most>\d+)?)?$")


def name_matches(pattern: str, text: str) -> bool:
    """Whether a declared text is this text: the same, or `/a regular expression/` that matches all of it."""
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return re.fullmatch(pattern[1:-1], text) is not None
    return pattern == text


class _Strict(BaseModel):
    """Unknown keys are errors; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SpanRule(_Strict):
    """One declared span (or several of the same shape)."""

    service: str = Field(description="service.name of the resource")
    name: str = Field(description="the span's name, or /a regular expression/")
    kind: SpanKind
    parent: str | None = Field(
        None, description="the declared span above it; undeclared internal spans may lie between"
    )
    link: str | None = Field(
        None, description="the declared span that it links to, from a trace of its own (a queue's consumer)"
    )
    count: str = Field("1", description="how many: 1, 2.. (two or more), 0..3")
    drive: Drive | None = Field(None, description="exists only when the journey is driven this way")
    logs: bool = Field(False, description="its service writes at least one log record inside it")
    error: str | None = Field(
        None, description="the span's status is ERROR and error.type is this text or /regular expression/"
    )
    exception: bool = Field(
        False, description="the exception was thrown here: the trace's one exception event is on this span"
    )
    asynchronous: bool = Field(False, description="may end after its parent")
    attributes: dict[str, str] = Field(
        default_factory=dict, description="attributes that it must carry: text or /regular expression/"
    )
    budget_ms: float | None = Field(None, gt=0, description="longest duration in milliseconds")

    @field_validator("count", mode="before")
    @classmethod
    def _count_is_a_range(cls, value: object) -> str:
        text = str(value)
        match = _COUNT.match(text)
        if match is None or (match["most"] and int(match["most"]) < int(match["least"])):
            raise ValueError(f"{text!r} is no count (examples: 1, 2.., 0..3)")
        return text

    @field_validator("name", "error")
    @classmethod
    def _pattern_compiles(cls, value: str | None) -> str | None:
        if value is not None and len(value) > 2 and value.startswith("/") and value.endswith("/"):
            try:
                re.compile(value[1:-1])
            except re.error as error:
                raise ValueError(f"{value} is no regular expression: {error}") from error
        return value

    @property
    def least(self) -> int:
        """The smallest allowed count."""
        return int(self.count.split("..")[0])

    @property
    def most(self) -> int | None:
        """The largest allowed count; `None` is without limit."""
        least, dots, most = self.count.partition("..")
        return int(least) if not dots else int(most) if most else None


class HttpRequest(_Strict):
    """The request that drives the journey without a browser. `{tenant}` stands for the probe's tenant."""

    method: str = "GET"
    to: str = Field("frontend", description="which service it is sent to: a name that the endpoints know")
    path: str = Field(pattern="^/", description="path and query")
    headers: dict[str, str] = Field(
        default_factory=dict, description="sent along; they win over the probe's own of the same name"
    )
    json_body: Any = Field(None, alias="json", description="the body; nothing is sent when it is left out")
    status: int = Field(200, ge=100, le=599, description="status of the answer")


class BrowserAction(_Strict):
    """What a person does in the page. Without `click` the journey is the loading of the page itself."""

    page: str = "/"
    click: str | None = Field(None, description="accessible name of the button")
    request: str | None = Field(None, description="path of the request that the click sends")
    trace_link: str | None = Field(
        None,
        description="what stands before the trace id in the link by which the page shows the click's trace; "
        "for a click that sends no request",
    )
    tenant_field: str | None = Field(
        None, description="name of the radio buttons by which the page chooses the tenant"
    )
    status: int = Field(200, description="status of the answer")

    @model_validator(mode="after")
    def _click_tells_its_trace(self) -> BrowserAction:
        if self.click is not None and (self.request is None) == (self.trace_link is None):
            raise ValueError("a click has a `request` or a `trace_link`: that is where its trace id is read")
        return self


class MetricRule(_Strict):
    """A counter (or a histogram's count) that must have moved by exactly what the spans say.

    With `sum`, by the sum of that span attribute instead of the number of spans. `labels` maps each label
    to the span attribute with its value (a leading `=` is a constant); series are compared label set by
    label set.
    """

    name: str = Field(description="the series' name in Prometheus")
    span: str = Field(description="the declared span whose occurrences it counts, in all probes of the run")
    sum: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class Contract(_Strict):
    """One journey."""

    journey: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str = ""
    tenants: list[str] = Field(default_factory=lambda: ["acme"], description="one probe for each")
    load_share: int = Field(1, ge=0, description="weight of the journey in the load test; 0 leaves it out")
    http: HttpRequest | None = None
    browser: BrowserAction | None = None
    spans: dict[str, SpanRule] = Field(min_length=1)
    internal: dict[str, list[str]] = Field(
        default_factory=dict,
        description="names of undeclared internal spans that a framework adds, by service",
    )
    metrics: list[MetricRule] = Field(default_factory=list)
    request_metrics: list[str] = Field(
        default_factory=list,
        description="services whose http.server.request.duration counts their server spans",
    )
    exemplars: list[str] = Field(default_factory=list, description="histograms that must carry an exemplar")
    baggage: list[str] = Field(
        default_factory=list, description="keys that must be an attribute of every server-side span"
    )
    events: list[str] = Field(default_factory=list, description="browser events that arrive as log records")
    untraced_logs: list[str] = Field(
        default_factory=list, description="/patterns/ of messages that may come without a trace id"
    )
    budget_ms: float | None = Field(None, gt=0, description="longest duration of the journey's entry span")
    metric_catalog: str | None = Field(
        None, description="the file with the metrics of the services, relative to this one"
    )
    grafana: str | None = Field(
        None,
        description="Grafana's folder (dashboards/, provisioning/), from this file on; asked once a run, "
        "and only in a run of all journeys beside this one, which feed its panels",
    )

    _catalog: Catalog | None = PrivateAttr(None)
    _source: Path | None = PrivateAttr(None)
    _lines: dict[tuple[str | int, ...], int] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _is_driven(self) -> Contract:
        if self.http is None and self.browser is None:
            raise ValueError("nothing drives the journey: give it `http`, `browser` or both")
        return self

    @property
    def drives(self) -> tuple[Drive, ...]:
        """The ways in which the journey can be driven."""
        return (*(("http",) if self.http else ()), *(("browser",) if self.browser else ()))

    @property
    def services(self) -> frozenset[str]:
        """The services that take part."""
        return frozenset(rule.service for rule in self.spans.values())

    @property
    def entry(self) -> str:
        """The alias of the span that begins the trace (under the probe's span where the probe has one)."""
        return next(alias for alias, rule in self.spans.items() if rule.parent is None and rule.link is None)

    def driven(self, drive: Drive) -> Contract:
        """The contract as it holds for one drive.

        The other drive's spans are left out, their children move up.
        """
        kept = {alias for alias, rule in self.spans.items() if rule.drive in (None, drive)}

        def nearest(alias: str | None) -> str | None:
            while alias is not None and alias not in kept:
                alias = self.spans[alias].parent
            return alias

        spans = {
            alias: rule.model_copy(update={"parent": nearest(rule.parent)})
            for alias, rule in self.spans.items()
            if alias in kept
        }
        view = self.model_copy(update={"spans": spans})
        view._source, view._lines, view._catalog = self._source, self._lines, self._catalog
        return view

    @property
    def source(self) -> Path | None:
        """The file that it was read from."""
        return self._source

    @property
    def grafana_folder(self) -> Path | None:
        """The declared Grafana folder; `None` when there is none."""
        return self._source.parent / self.grafana if self._source and self.grafana else None

    @property
    def siblings(self) -> int:
        """How many contracts lie in this one's folder, itself included."""
        return len(list(self._source.parent.glob("*.yaml"))) if self._source else 1

    def place(self, *path: str | int) -> str:
        """Where something is declared, as `file:line`.

        The file alone, or `contract`, when that is all there is.
        """
        name = str(self._source) if self._source else "contract"
        line = self.line(*path)
        return f"{name}:{line}" if line else name

    def line(self, *path: str | int) -> int | None:
        """The line of a declaration in its file, counted from 1."""
        return self._lines.get(path)

    @property
    def catalog(self) -> Catalog | None:
        """The metrics of `metric_catalog`, read with the contract; `None` where it names none."""
        return self._catalog

    def located(
        self, source: Path, lines: dict[tuple[str | int, ...], int], catalog: Catalog | None = None
    ) -> Contract:
        """The same contract, knowing the files that it was read from."""
        copy = self.model_copy()
        copy._source, copy._lines, copy._catalog = source, lines, catalog
        return copy
