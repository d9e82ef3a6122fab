"""Waiting: until something becomes true, and while something stays the same. The only place that polls.

A missed deadline is a result, not an exception: it says what was still missing, how often it was looked at,
and when what was seen changed last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sized
from dataclasses import dataclass
from typing import Protocol, TypeVar

Seen = TypeVar("Seen")

POLL_INTERVAL_S = 0.1
MAX_SHOWN = 80


class Clock(Protocol):
    """Time as the waiting needs it; tests give their own."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Returns after that many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Returns after that many seconds."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait, in seconds. `quiet_s` has to be longer than the slowest exporter's flush interval.

    With `idle_s` a wait is given up before its deadline, when nothing has changed for so long: for a run that
    is expected to stay incomplete.
    """

    traces_s: float = 30.0
    logs_s: float = 30.0
    metrics_s: float = 30.0
    quiet_s: float = 1.5
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended.

    `unmet` is the condition that failed, empty when it was met; `changed_s` is when the last change was seen,
    since its start, and `seen` what was seen then, in short.
    """

    what: str
    met: bool
    seconds: float
    polls: int
    changed_s: float
    unmet: str = ""
    seen: str = ""

    def __str__(self) -> str:
        if self.met:
            return f"{self.what}: there after {self.seconds:.1f} s ({self.polls} polls)"
        return (
            f"{self.what}: gave up after {self.seconds:.1f} s ({self.polls} polls, last change at "
            f"{self.changed_s:.1f} s, seen then: {self.seen}): {self.unmet}"
        )


def _short(seen: object) -> str:
    """An observation in a few words: a collection by its size, unless it is a small one."""
    text = str(seen)
    return f"{len(seen)} values" if isinstance(seen, Sized) and len(text) > MAX_SHOWN else text[:MAX_SHOWN]


def until(
    what: str,
    observe: Callable[[], Seen],
    unmet: Callable[[Seen], str],
    deadline_s: float,
    clock: Clock | None = None,
    *,
    idle_s: float | None = None,
) -> tuple[Waited, Seen]:
    """Observes until `unmet` says nothing (an empty text), or the deadline has passed.

    With `idle_s` it gives up before that when nothing has changed for so long. Returns the last observation.
    """
    return _watch(what, observe, lambda seen, _: unmet(seen), deadline_s, clock, idle_s)


def holds(
    what: str,
    observe: Callable[[], Seen],
    quiet_s: float,
    deadline_s: float,
    clock: Clock | None = None,
    *,
    besides: Callable[[float], str] = lambda _: "",
) -> tuple[Waited, Seen]:
    """Observes until nothing has changed for `quiet_s`, or the deadline has passed.

    `besides` is asked once it is quiet, told for how many seconds it has been, and says what else is missing;
    a change meanwhile begins the quiet anew. Returns the last observation.
    """

    def unmet(seen: Seen, unchanged_s: float) -> str:
        if unchanged_s < quiet_s:
            return f"unchanged for {unchanged_s:.1f} of {quiet_s:g} s"
        return besides(unchanged_s)

    return _watch(what, observe, unmet, deadline_s, clock)


def _watch(
    what: str,
    observe: Callable[[], Seen],
    unmet: Callable[[Seen, float], str],
    deadline_s: float,
    clock: Clock | None,
    idle_s: float | None = None,
) -> tuple[Waited, Seen]:
    """Polls; `unmet` is told the observation and for how many seconds it has been the same."""
    clock = clock or SystemClock()
    start = clock.monotonic()
    polls, changed_s = 0, 0.0
    before: Seen | None = None
    while True:
        seen = observe()
        polls += 1
        now_s = clock.monotonic() - start
        if before is None or seen != before:
            before, changed_s = seen, now_s
        missing = unmet(seen, now_s - changed_s)
        idle = idle_s is not None and now_s - changed_s >= idle_s
        if not missing or idle or now_s >= deadline_s:
            return Waited(what, not missing, now_s, polls, changed_s, missing, _short(seen)), seen
        clock.sleep(POLL_INTERVAL_S)
