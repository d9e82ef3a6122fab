"""The metric catalog: which metrics each service sends, of which type and unit, with which labels.

One committed YAML file, in OTLP's names, learned from a run and read by the check `metric_catalog`:

    go-service:
      gateway.requests: {type: counter, unit: "{request}", labels: [method, status], sometimes: [tenant.id]}

A metric with `when` comes only after a span of that name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tracewright.signals import MetricPoint

MetricType = Literal["counter", "up-down counter", "gauge", "histogram", "exponential histogram", "summary"]
# What the collector counts of others' spans is its own, though it sends it under their names.
CONNECTOR = "spanmetricsconnector"
COLLECTOR = "otel-collector"
HEADER = """\
# The metrics of the fleet by service, in OTLP's names: type, unit, the labels that every series has, and
# those that some have. A metric with `when` comes only after a span of that name. `make metrics` writes this
# anew and keeps what only a person can know: `when`, and labels that come `sometimes`.
"""


class CatalogError(ValueError):
    """A catalog that cannot be read; the text names the file."""


class MetricEntry(BaseModel):
    """One metric of one service, as it ought to be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: MetricType
    unit: str
    labels: list[str] = Field(default_factory=list)
    sometimes: list[str] = Field(default_factory=list)
    when: str | None = None


@dataclass(frozen=True, slots=True)
class MetricShape:
    """One metric of one service, as it was seen with one set of labels.

    `moved` says whether a series with these labels began or changed during the run.
    """

    service: str
    name: str
    type: str
    unit: str
    labels: tuple[str, ...]
    moved: bool = True


@dataclass(frozen=True)
class Catalog:
    """Entries by service and metric; `place` tells where one stands."""

    source: Path
    services: Mapping[str, Mapping[str, MetricEntry]]
    lines: Mapping[tuple[str, str], int]

    def place(self, service: str, name: str) -> str:
        """`file:line` of an entry; the file alone when it has none."""
        line = self.lines.get((service, name))
        return f"{self.source}:{line}" if line else str(self.source)


_ENTRIES = TypeAdapter(dict[str, dict[str, MetricEntry]])


def load_catalog(path: Path) -> Catalog:
    """Reads a catalog; of a file that has not changed it is the one that was read before. Raises
    `CatalogError`.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}") from error


@lru_cache(maxsize=8)
def _read(path: Path, _changed_ns: int) -> Catalog:
    text = path.read_text(encoding="utf-8")
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        services = _ENTRIES.validate_python(yaml.safe_load(text) or {})
    except yaml.MarkedYAMLError as error:
        raise CatalogError(f"{path}: not YAML: {error.problem}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CatalogError(f"{path}: {told}") from error
    lines = {
        (service.value, name.value): name.start_mark.line + 1
        for service, metrics in (tree.value if tree else ())
        for name, _ in metrics.value
    }
    return Catalog(path, services, lines)


def sender(point: MetricPoint) -> str:
    """Whose metric it is."""
    return COLLECTOR if CONNECTOR in point.scope else point.resource.service


def type_of(point: MetricPoint) -> str:
    """The instrument's kind in the words of the catalog."""
    if point.instrument == "sum":
        return "counter" if point.monotonic else "up-down counter"
    return "exponential histogram" if point.instrument == "exponentialHistogram" else point.instrument


class Series:
    """The newest value of every series, to tell what moved."""

    def __init__(self) -> None:
        self._now: dict[tuple[MetricShape, str], float] = {}
        self._before: dict[tuple[MetricShape, str], float] = {}

    def take(self, points: Iterable[MetricPoint]) -> None:
        """Notes what has arrived."""
        for point in points:
            shape = MetricShape(
                sender(point), point.name, type_of(point), point.unit, tuple(sorted(point.attributes))
            )
            of = (point.resource.service, sorted((k, str(v)) for k, v in point.attributes.items()))
            self._now[shape, str(of)] = point.value

    def begin(self) -> None:
        """What was noted so far is from before the run."""
        self._before, self._now = self._now, {}

    def shapes(self) -> tuple[MetricShape, ...]:
        """The shapes of what has arrived since, each once, those that moved as such."""
        moved = {shape: False for shape, _ in self._now}
        for key, value in self._now.items():
            # A gauge that stays where it is, is as alive as one that moves.
            counts = key[0].type not in ("gauge", "up-down counter")
            moved[key[0]] |= not counts or self._before.get(key) != value
        found = (
            MetricShape(shape.service, shape.name, shape.type, shape.unit, shape.labels, has)
            for shape, has in moved.items()
        )
        return tuple(sorted(found, key=lambda s: (s.service, s.name, s.labels)))


def learn(shapes: Iterable[MetricShape], known: Catalog | None = None) -> dict[str, dict[str, MetricEntry]]:
    """The entries that fit these shapes; of the known ones `when` stays, and what comes `sometimes`."""
    seen: dict[tuple[str, str], list[MetricShape]] = defaultdict(list)
    for shape in shapes:
        seen[shape.service, shape.name].append(shape)
    found: dict[str, dict[str, MetricEntry]] = defaultdict(dict)
    for (service, name), members in sorted(seen.items()):
        always = set.intersection(*(set(member.labels) for member in members))
        ever = {label for member in members for label in member.labels}
        before = known.services.get(service, {}).get(name) if known else None
        found[service][name] = MetricEntry.model_validate(
            {
                "type": members[0].type,
                "unit": members[0].unit,
                "labels": sorted(always),
                "sometimes": sorted((ever | set(before.sometimes if before else ())) - always),
                "when": before.when if before else None,
            }
        )
    return dict(found)


def write(services: Mapping[str, Mapping[str, MetricEntry]]) -> str:
    """A catalog's text: services and metrics by name, a list on one line."""
    lines = [HEADER]
    for service, metrics in services.items():
        lines.append(f"{service}:\n")
        for name, entry in metrics.items():
            lines.append(f"  {name}:\n")
            for key, value in entry.model_dump().items():
                if value or key == "unit":
                    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n")
                    lines.append(f"    {key}: {text.strip()}\n")
    return "".join(lines)
