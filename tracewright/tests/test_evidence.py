"""The end-to-end suite's evidence, by a suite that fails on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.contracts import archive
from tracewright.tests.test_plugin import FAST

CONFTEST = """
from pathlib import Path
from e2e.evidence import LOGS

pytest_plugins = ["e2e.evidence"]

def pytest_configure(config):
    config.stash[LOGS] = Path("stack-logs")
"""
TEST = """
from dataclasses import replace
from pathlib import Path
from tracewright.browser import PageSeen
from tracewright.tests.report.runs import ORPHAN, SECRET, report_on

def log(text):
    with Path("stack-logs/shop.log").open("a") as file:
        file.write(text)

def test_good():
    log("before\\n")

def test_bad():
    log("meanwhile\\n")
    pages = {"drawn": PageSeen(b"a picture", [f"error: token={SECRET}"])}
    report = replace(report_on(ORPHAN), pages=pages)
    assert report.ok
"""


def test_failed_test_keeps_its_logs_its_runs_and_its_pages_and_names_them(pytester: pytest.Pytester) -> None:
    pytester.mkdir("stack-logs").joinpath("shop.log").touch()
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=TEST)
    result = pytester.runpytest(*FAST)
    result.assert_outcomes(passed=1, failed=1)
    kept = Path("test-results/failures/test_it.py-test_bad")
    result.stdout.fnmatch_lines(["*- kept -*", str(kept)])
    assert (kept / "logs/shop.log").read_text() == "meanwhile\n"
    assert len(archive.load(kept / "run-1").spans) == 3
    assert (kept / "run-1/pages/drawn.jpg").read_bytes() == b"a picture"
    assert (kept / "run-1/pages/drawn.console.txt").read_text().startswith("error: token=sha256:")
    assert [folder.name for folder in kept.parent.iterdir()] == [kept.name]
