"""How the time from a click to findable is taken."""

from __future__ import annotations

import time

from e2e.findable import Look


def test_no_signal_waits_for_a_slower_one() -> None:
    slow = iter([False, False, True])
    look = Look({"metric": lambda: next(slow), "logs": lambda: True}, time.time())
    assert look() == "metric"
    time_of_logs = look.found_s["logs"]
    assert look() == "metric"
    assert look() == ""
    assert look.found_s["logs"] == time_of_logs <= look.found_s["metric"]
