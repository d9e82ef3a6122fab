"""On a stack that has everything, nothing is left unjudged: a check that falls silent is no check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.contracts.findings import Verdict
from tracewright.endpoints import Endpoints
from tracewright.verify import ProbePlan, verify


def test_every_check_that_applies_is_judged(endpoints: Endpoints, contracts_folder: Path) -> None:
    if not endpoints.tee_dir:
        pytest.skip("without a file tee, some checks have nothing to compare with")
    report = verify(endpoints, [ProbePlan("agent-run")], contracts=contracts_folder)
    assert report.ok, report.render()
    assert [result.id for result in report.results if result.verdict is Verdict.NOT_JUDGED] == []
