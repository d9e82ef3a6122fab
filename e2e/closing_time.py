"""A pytest plugin: after the moment that `E2E_END_BY` names (seconds since 1970) no further test begins.

For a machine that allows so many minutes in all: what is left is skipped, and says so.
"""

from __future__ import annotations

import os
import time

import pytest

END_BY = "E2E_END_BY"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skips a test that would begin too late, before its fixtures are made."""
    end_by = os.environ.get(END_BY)
    if end_by and time.time() >= float(end_by):
        pytest.skip(f"the time that this run may take is used up ({END_BY})")
