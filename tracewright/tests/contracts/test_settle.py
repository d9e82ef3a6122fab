"""Waiting, on a clock that jumps."""

from __future__ import annotations

from tracewright.contracts.settle import POLL_INTERVAL_S, holds, until


class JumpingClock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.now_ms = 0

    def monotonic(self) -> float:
        return self.now_ms / 1000

    def sleep(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


def test_until_returns_as_soon_as_nothing_is_missing() -> None:
    values = iter([0, 1, 2, 3])
    waited, seen = until(
        "spans", lambda: next(values), lambda n: "" if n == 2 else "more", 9.0, JumpingClock()
    )
    assert (waited.met, waited.polls, seen, waited.unmet) == (True, 3, 2, "")


def test_until_tells_at_the_deadline_what_was_missing_and_when_the_last_change_was() -> None:
    values = iter([0, 1] + [2] * 100)
    waited, seen = until("spans", lambda: next(values), lambda n: f"{n} of 3", 1.0, JumpingClock())
    assert (waited.met, seen, waited.unmet) == (False, 2, "2 of 3")
    assert waited.changed_s == 2 * POLL_INTERVAL_S
    assert str(waited) == "spans: gave up after 1.0 s (11 polls, last change at 0.2 s, seen then: 2): 2 of 3"


def test_until_gives_up_early_when_nothing_changes_if_it_is_told_to() -> None:
    values = iter([0, 1] + [2] * 100)
    clock = JumpingClock()
    waited, seen = until("spans", lambda: next(values), lambda n: f"{n} of 3", 9.0, clock, idle_s=0.45)
    assert (waited.met, seen, waited.changed_s) == (False, 2, 2 * POLL_INTERVAL_S)
    assert clock.now_ms == 700


def test_until_looks_once_even_without_time() -> None:
    waited, _ = until("spans", lambda: 1, lambda _: "", 0.0, JumpingClock())
    assert waited.met


def test_holds_waits_until_nothing_has_changed_for_the_quiet_time() -> None:
    values = iter([0, 1, 2] + [3] * 100)
    clock = JumpingClock()
    waited, seen = holds("quiet", lambda: next(values), 1.0, 9.0, clock)
    assert (waited.met, seen) == (True, 3)
    assert clock.now_ms == 300 + 1000


def test_holds_gives_up_when_it_never_comes_to_rest() -> None:
    count = iter(range(1000))
    waited, _ = holds("quiet", lambda: next(count), 0.5, 2.0, JumpingClock())
    assert not waited.met
    assert waited.unmet == "unchanged for 0.0 of 0.5 s"
    assert waited.seen == "20"


def test_large_observation_is_told_by_its_size() -> None:
    waited, _ = until("samples", lambda: tuple(range(100)), lambda _: "more", 0.0, JumpingClock())
    assert waited.seen == "100 values"


def test_holds_asks_for_what_else_is_missing_once_it_is_quiet_and_begins_anew_after_a_change() -> None:
    values = iter([0, 0, 0, 0, 0, 0, 1] + [1] * 100)
    clock = JumpingClock()
    asked: list[float] = []

    def besides(unchanged_s: float) -> str:
        asked.append(round(unchanged_s, 3))
        return "a scrape" if clock.now_ms < 1000 else ""

    waited, _ = holds("baseline", lambda: next(values), 0.4, 9.0, clock, besides=besides)
    assert (waited.met, waited.changed_s, clock.now_ms) == (True, 0.6, 1000)
    assert asked == [0.4, 0.5, 0.4]
    waited, _ = holds("baseline", lambda: 1, 0.4, 0.9, JumpingClock(), besides=lambda _: "a scrape")
    assert (waited.met, waited.unmet) == (False, "a scrape")
