"""What came back: series for any kind of query, and the verdict on one question."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a graph, one log record, one trace or one edge: its labels, and its values if any.

    Values are in the order of time; what is not a number is left out.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    name: str = ""

    @property
    def last(self) -> float:
        """The newest value; a record, trace or edge counts as one."""
        return self.values[-1] if self.values else 1.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One question that a person's page would ask.

    `place` names it (`api · Duration by route · A`). `seen` is what came back, in short. `problem` says what
    is wrong with it, and is empty when nothing is. `skipped` says why it was not asked on this stack. `quiet`
    says that the series are there, but nothing happened at the pace of a graph: a quantile of it is NaN.
    """

    place: str
    query: str
    seen: str = ""
    problem: str = ""
    skipped: str = ""
    quiet: bool = False

    @property
    def ok(self) -> bool:
        """Whether it was asked and nothing is wrong."""
        return not self.problem and not self.skipped


class Refused(Exception):
    """A backend refused a query, or could not be asked. Its text is the backend's own where there is one."""


def numbers(values: list[float | None]) -> tuple[float, ...]:
    """The finite ones: Grafana draws nothing for the others."""
    return tuple(value for value in values if value is not None and math.isfinite(value))
