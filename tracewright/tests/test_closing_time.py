"""The end-to-end suite's closing time, by a suite that is late."""

from __future__ import annotations

import time

import pytest

from tracewright.tests.test_plugin import FAST

SUITE = 'pytest_plugins = ["e2e.closing_time"]'
TEST = """
import pytest

@pytest.fixture
def costly():
    raise AssertionError("made for a test that is skipped")

def test_it(costly):
    pass
"""


def test_a_test_that_would_begin_after_the_end_is_skipped_and_says_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_END_BY", str(int(time.time())))
    pytester.makeconftest(SUITE)
    pytester.makepyfile(test_it=TEST)
    result = pytester.runpytest(*FAST, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*the time that this run may take is used up (E2E_END_BY)*"])


@pytest.mark.parametrize("has_end", [False, True])
def test_before_the_end_or_without_one_tests_run(
    has_end: bool, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_END_BY", str(int(time.time()) + 3600) if has_end else "")
    pytester.makeconftest(SUITE)
    pytester.makepyfile(test_it="def test_it():\n    pass\n")
    pytester.runpytest(*FAST).assert_outcomes(passed=1)
