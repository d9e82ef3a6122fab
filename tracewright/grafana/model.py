"""Grafana's dashboard files as values: panels, their queries and links, and the page's variables.

Reads the classic JSON (`schemaVersion` 41). `needs.yaml` beside the dashboards names the panels that answer
only where a certain component runs: `uid/panel id: {job, why}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Target = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A way on: from a panel (its title bar) or from a clicked series (`of_series`)."""

    title: str
    url: str
    of_series: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a page. `targets` are the queries as the file has them."""

    dashboard: str
    id: int
    title: str
    kind: str
    description: str
    unit: str
    thresholds: tuple[float, ...]
    targets: tuple[Target, ...]
    links: tuple[Link, ...]

    @property
    def place(self) -> str:
        """How reports name it."""
        return f"{self.dashboard} · {self.title}"


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a page. `all_value` stands for all of them."""

    name: str
    target: Target
    all_value: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page; `range_s` is how far back it looks when it is opened."""

    uid: str
    title: str
    range_s: int
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """A component without which something has no data, and why that is right."""

    job: str
    why: str


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def load_dashboards(folder: Path) -> list[Dashboard]:
    """All dashboards of a folder, by file name. Raises `ValueError` when there is none, or one is broken."""
    found = [_dashboard(path) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise ValueError(f"{folder}: no dashboard (*.json) is there")
    return found


def load_needs(folder: Path) -> dict[str, Need]:
    """What `needs.yaml` says, by `uid/panel id`; empty where there is no such file."""
    path = folder / "needs.yaml"
    if not path.exists():
        return {}
    return {
        key: Need(**value) for key, value in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items()
    }


def _dashboard(path: Path) -> Dashboard:
    page = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Dashboard(
            uid=page["uid"],
            title=page["title"],
            range_s=_range_s(page["time"]["from"]),
            panels=tuple(_panel(page["uid"], panel) for panel in _flat(page["panels"])),
            variables=tuple(_variable(found) for found in page.get("templating", {}).get("list", ())),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error!r} is missing or of another kind") from error


def _flat(panels: list[Any]) -> Iterator[Any]:
    """All panels, also those inside folded rows."""
    for panel in panels:
        if panel["type"] == "row":
            yield from panel.get("panels") or ()
        else:
            yield panel


def _panel(uid: str, panel: Any) -> Panel:
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    steps = defaults.get("thresholds", {}).get("steps", ())
    return Panel(
        dashboard=uid,
        id=panel["id"],
        title=panel["title"],
        kind=panel["type"],
        description=panel.get("description", ""),
        unit=defaults.get("unit", ""),
        thresholds=tuple(step["value"] for step in steps if step.get("value") is not None),
        targets=tuple(panel.get("targets", ())),
        links=(
            *(Link(link["title"], link["url"], False) for link in panel.get("links") or ()),
            *(Link(link["title"], link["url"], True) for link in defaults.get("links") or ()),
        ),
    )


def _variable(found: Any) -> Variable:
    query = found["query"]
    text = query["query"] if isinstance(query, dict) else query
    return Variable(
        found["name"], {"datasource": found["datasource"], "variable": text}, found.get("allValue") or ".*"
    )


def _range_s(start: str) -> int:
    amount, unit = start.removeprefix("now-")[:-1], start[-1]
    return int(amount) * _UNITS_S[unit]
